//! What lies between a program and the GPU beside drivers: the bus, device nodes, containers, variables, browsers.

use super::finding::Finding;
use crate::cli::system::{PASSED_ON, PciGpu, System};
use std::path::Path;

/// Variables that change which devices a program sees, or which driver computes; a name that ends in `_` is a prefix.
const VARIABLES: [&str; 11] = [
    "VK_",
    "MESA_",
    "RADV_",
    "LIBGL_",
    "DRI_PRIME",
    "WGPU_",
    "GPUBENCH_",
    "NODEVICE_SELECT",
    "__NV_PRIME_RENDER_OFFLOAD",
    "__VK_LAYER_NV_optimus",
    "LP_",
];
/// Variables that people expect to choose a GPU for Vulkan, and that do not.
const WITHOUT_EFFECT: [&str; 3] = ["CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"];
/// Browsers with WebGPU: the names of their programs, and how to switch it on where it is off on Linux.
const BROWSERS: [(&str, &str); 5] = [
    ("google-chrome", "google-chrome --enable-unsafe-webgpu --enable-features=Vulkan"),
    ("chromium", "chromium --enable-unsafe-webgpu --enable-features=Vulkan"),
    ("chromium-browser", "chromium-browser --enable-unsafe-webgpu --enable-features=Vulkan"),
    ("microsoft-edge", "microsoft-edge --enable-unsafe-webgpu --enable-features=Vulkan"),
    ("firefox", "in about:config set dom.webgpu.enabled to true"),
];

/// The GPUs on the PCI bus and the kernel's drivers for them.
pub fn bus(system: &System) -> Vec<Finding> {
    const CHECK: &str = "GPU on the bus";
    let gpus: Vec<PciGpu> = system.pci_gpus().into_iter().filter(|gpu| gpu.is_gpu).collect();
    if gpus.is_empty() {
        return vec![Finding::note(CHECK, "none: no 3D controller, and no display controller of AMD, Intel or NVIDIA")];
    }
    let finding = |gpu: &PciGpu| {
        let name = format!("{} at {}", gpu.maker.unwrap_or("GPU"), gpu.address);
        match gpu.driver.as_deref() {
            None => Finding::problem(
                CHECK,
                format!("{name}: the kernel has no driver for it"),
                match gpu.maker {
                    Some("NVIDIA") => "install NVIDIA's driver: sudo apt-get install nvidia-driver, then reboot",
                    _ => "install the kernel's modules and firmware: sudo apt-get install firmware-misc-nonfree",
                },
            ),
            Some(driver) if PASSED_ON.contains(&driver) => Finding::problem(
                CHECK,
                format!("{name}: {driver} keeps it for a virtual machine"),
                "run gpubench in that machine, or bind the GPU to its own driver",
            ),
            Some(driver) => Finding::ok(CHECK, format!("{name}: driver {driver}")),
        }
    };
    gpus.iter().map(finding).collect()
}

/// The device nodes and the permission to open them.
pub fn nodes(system: &System) -> Vec<Finding> {
    const CHECK: &str = "device nodes";
    let nodes = system.render_nodes();
    let finding = |node: &std::path::PathBuf| {
        let shown = node.display();
        match system.is_refused(node) {
            true => Finding::problem(
                CHECK,
                format!("no permission to open {shown}"),
                "sudo usermod -aG render $USER, and log in again",
            ),
            false => Finding::ok(CHECK, format!("{shown} can be opened")),
        }
    };
    let mut findings: Vec<Finding> = nodes.iter().map(finding).collect();
    for node in ["/dev/nvidiactl", "/dev/nvidia0"].map(Path::new) {
        if system.has(node) && system.is_refused(node) {
            let found = format!("no permission to open {}", node.display());
            findings.push(Finding::problem(CHECK, found, "sudo chmod a+rw /dev/nvidia*"));
        }
    }
    if findings.is_empty() && !system.has("/dev/nvidiactl") && !system.has("/dev/dxg") {
        findings.push(Finding::note(CHECK, "none: there is no /dev/dri/renderD*"));
    }
    findings
}

/// NVIDIA's kernel driver and what belongs to it.
pub fn nvidia(system: &System) -> Option<Finding> {
    const CHECK: &str = "NVIDIA driver";
    if !system.has("/dev/nvidiactl") {
        return None;
    }
    let version = system.read("/proc/driver/nvidia/version");
    let version = version.as_deref().and_then(|text| text.split_whitespace().find(|word| is_version(word)));
    let kernel = version.map_or("of unknown version".to_owned(), |version| format!("kernel module {version}"));
    let driver_files = ["/usr/share/vulkan/icd.d/nvidia_icd.json", "/etc/vulkan/icd.d/nvidia_icd.json"];
    if driver_files.iter().any(|file| system.has(file)) {
        return Some(Finding::ok(CHECK, kernel));
    }
    // The toolkit for containers mounts what the capabilities name; the default lacks graphics, which Vulkan needs.
    let capabilities = system.variable("NVIDIA_DRIVER_CAPABILITIES").unwrap_or("compute,utility");
    let has_graphics = capabilities.split(',').any(|one| ["all", "graphics"].contains(&one.trim()));
    Some(match system.container() {
        Some(container) if !has_graphics => Finding::problem(
            CHECK,
            format!("{kernel}, but {container} was started with the capabilities {capabilities}, without graphics"),
            "start the container with --gpus all -e NVIDIA_DRIVER_CAPABILITIES=all",
        ),
        Some(container) => Finding::problem(
            CHECK,
            format!("{kernel}, but {container} has no nvidia_icd.json"),
            "mount the host's /usr/share/vulkan/icd.d/nvidia_icd.json, or update the NVIDIA container toolkit",
        ),
        None => Finding::problem(
            CHECK,
            format!("{kernel}, but its Vulkan driver (nvidia_icd.json) is not installed"),
            "install the graphics libraries of the same version: sudo apt-get install nvidia-vulkan-icd (Ubuntu: \
             libnvidia-gl-VERSION)",
        ),
    })
}

/// Whether a word has the form of a driver's version: 550.54.14.
fn is_version(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    parts.len() >= 2 && parts.iter().all(|part| !part.is_empty() && part.chars().all(|letter| letter.is_ascii_digit()))
}

/// Containers and WSL, which show what they were given.
pub fn container(system: &System) -> Option<Finding> {
    const CHECK: &str = "container";
    if system.has("/dev/dxg") {
        let found = "WSL: Vulkan reaches the GPU through Mesa's Dozen alone, which few distributions have";
        return Some(Finding::problem("WSL", found, "run gpubench.exe in Windows"));
    }
    let container = system.container()?;
    let has_device = !system.render_nodes().is_empty() || system.has("/dev/nvidiactl");
    Some(match has_device {
        true => Finding::ok(CHECK, format!("{container}, with a GPU passed into it")),
        false => Finding::problem(
            CHECK,
            format!("{container}, with no GPU passed into it"),
            "start it with --device /dev/dri (AMD, Intel) or --gpus all -e NVIDIA_DRIVER_CAPABILITIES=all (NVIDIA)",
        ),
    })
}

/// Variables that change what is found.
pub fn variables(system: &System) -> Vec<Finding> {
    const CHECK: &str = "variables";
    let is_named = |name: &str, one: &str| if one.ends_with('_') { name.starts_with(one) } else { name == one };
    let set =
        system.variables().filter(|(name, value)| !value.is_empty() && VARIABLES.iter().any(|one| is_named(name, one)));
    let mut findings: Vec<Finding> = set.map(|(name, value)| Finding::note(CHECK, format!("{name}={value}"))).collect();
    for name in WITHOUT_EFFECT {
        if let Some(value) = system.variable(name) {
            let found = format!("{name}={value} has no effect on Vulkan");
            findings.push(Finding::note(CHECK, found).with_fix("choose with --adapter, by index or PCI bus id"));
        }
    }
    findings
}

/// Whether there is a display, which computing does not need.
pub fn display(system: &System) -> Finding {
    let display = ["WAYLAND_DISPLAY", "DISPLAY"].iter().find_map(|name| Some((name, system.variable(name)?)));
    match display {
        Some((name, value)) => Finding::ok("display", format!("{name}={value}")),
        None => Finding::ok("display", "none, which computing does not need"),
    }
}

/// The browsers that are installed, and how WebGPU is switched on in them.
pub fn browsers(system: &System) -> Vec<Finding> {
    let folders: Vec<_> = std::env::split_paths(system.variable("PATH").unwrap_or_default()).collect();
    let installed = BROWSERS.iter().filter(|(name, _)| folders.iter().any(|folder| system.has(folder.join(name))));
    let finding = |(name, fix): &(&str, &str)| {
        Finding::note("browser", format!("{name}: WebGPU may be off on Linux")).with_fix(*fix)
    };
    installed.map(finding).collect()
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::system;

    const NVIDIA: [(&str, &str); 2] = [
        ("sys/bus/pci/devices/0000:01:00.0/class", "0x030200\n"),
        ("sys/bus/pci/devices/0000:01:00.0/vendor", "0x10de\n"),
    ];

    fn in_system<T>(files: &[(&str, &str)], variables: &[(&str, &str)], check: impl Fn(&System) -> T) -> T {
        let root = system::files(files);
        check(&System::stand_in(root.path(), variables))
    }

    #[test]
    fn a_gpu_without_a_kernel_driver_is_a_problem_and_a_servers_controller_is_none() {
        let found = in_system(&NVIDIA, &[], bus);
        assert!(found[0].is_problem() && found[0].found.starts_with("NVIDIA at 0000:01:00.0"), "{found:?}");
        let server = [("sys/bus/pci/devices/0/class", "0x030000"), ("sys/bus/pci/devices/0/vendor", "0x1a03")];
        assert!(!in_system(&server, &[], bus)[0].is_problem());
    }

    #[test]
    fn a_container_without_the_graphics_capability_is_told_how_to_start() {
        let files = [("dev/nvidiactl", ""), (".dockerenv", ""), ("proc/driver/nvidia/version", "NVRM: x 550.54.14 y")];
        let found = in_system(&files, &[("NVIDIA_DRIVER_CAPABILITIES", "compute,utility")], nvidia).unwrap();
        assert!(found.found.contains("550.54.14") && found.found.contains("without graphics"), "{found:?}");
        assert!(found.fix.unwrap().contains("NVIDIA_DRIVER_CAPABILITIES=all"));
        let found = in_system(&files, &[("NVIDIA_DRIVER_CAPABILITIES", "all")], nvidia).unwrap();
        assert!(found.found.contains("no nvidia_icd.json"), "{found:?}");
        let whole = [("dev/nvidiactl", ""), ("etc/vulkan/icd.d/nvidia_icd.json", "{}")];
        assert!(!in_system(&whole, &[], nvidia).unwrap().is_problem());
        assert_eq!(in_system(&[], &[], nvidia), None);
    }

    #[test]
    fn containers_wsl_and_variables_are_told_of() {
        let found = in_system(&[("run/.containerenv", "")], &[], container).unwrap();
        assert!(found.found.contains("no GPU passed into it"), "{found:?}");
        let found = in_system(&[("run/.containerenv", ""), ("dev/dri/renderD128", "")], &[], container).unwrap();
        assert!(!found.is_problem());
        assert!(in_system(&[("dev/dxg", "")], &[], container).unwrap().fix.unwrap().contains("Windows"));
        let set = [("VK_LAYER_PATH", "/x"), ("CUDA_VISIBLE_DEVICES", "1"), ("HOME", "/root"), ("WGPU_BACKEND", "")];
        let found = in_system(&[], &set, variables);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[1].found.contains("no effect on Vulkan") && found[1].fix.is_some(), "{found:?}");
    }

    #[test]
    fn nodes_that_can_be_opened_are_in_order() {
        let found = in_system(&[("dev/dri/renderD128", ""), ("dev/dri/card0", "")], &[], nodes);
        assert!(found.len() == 1 && !found[0].is_problem(), "{found:?}");
        assert!(!in_system(&[], &[], nodes)[0].is_problem());
    }
}

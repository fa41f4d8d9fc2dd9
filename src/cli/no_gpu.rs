//! Why there is no GPU among the adapters, and what to do about it.

use super::system::System;
use crate::error::Error;
use crate::gpu::AdapterInfo;
use crate::gpu::adapter::NONE_FOUND;

/// Why no GPU is among `adapters`, as a phrase.
pub fn reason(adapters: &[AdapterInfo]) -> String {
    reason_in(&System::this(), adapters.iter().all(|adapter| adapter.software))
}

/// The error where an adapter or backend was requested and none was found.
pub fn none_found() -> Error {
    let why = limited(&System::this()).unwrap_or_else(|| NONE_FOUND.to_owned());
    Error::Adapter(format!(
        "no adapter found: {why}; `gpubench doctor` says more; the host's cores need none: --adapter cpu"
    ))
}

fn reason_in(system: &System, all_software: bool) -> String {
    if !all_software {
        return "none of those found can be opened".to_owned();
    }
    let limited = limited(system);
    if let Some(limited) = limited.or_else(|| cfg!(target_os = "linux").then(|| of_linux(system))) {
        return limited;
    }
    "no driver offers one: install the GPU's driver".to_owned()
}

/// A variable that keeps drivers from being loaded.
fn limited(system: &System) -> Option<String> {
    system.loader_limit().map(|(_, found)| format!("{found}: unset it"))
}

fn of_linux(system: &System) -> String {
    let nodes = system.render_nodes();
    if let Some(node) = nodes.iter().find(|node| system.is_refused(node)) {
        return format!(
            "no permission to open {}: add the user to its group, with `sudo usermod -aG render $USER`, and log in again",
            node.display()
        );
    }
    if system.has("/dev/nvidiactl") {
        return "NVIDIA's kernel driver runs, but its Vulkan driver is not installed (nvidia_icd.json), or not passed \
                into this container (NVIDIA_DRIVER_CAPABILITIES=all)"
            .to_owned();
    }
    if system.has("/dev/dxg") {
        return "WSL has no Vulkan driver for the GPU: run gpubench in Windows".to_owned();
    }
    if let Some(node) = nodes.first() {
        return format!(
            "{} is there, but no Vulkan driver for it: install the GPU's (Debian and Ubuntu: mesa-vulkan-drivers)",
            node.display()
        );
    }
    match (system.container().is_some(), system.pci_gpus().iter().any(|gpu| gpu.is_gpu)) {
        (true, _) => "no GPU is passed into this container, with `--device /dev/dri` or `--gpus all`".to_owned(),
        (false, true) => {
            "there is one, but no kernel driver for it (no /dev/dri/renderD*): install the GPU's driver".to_owned()
        }
        (false, false) => "the system has none (no /dev/dri/renderD*)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::system::{self, LOADER_VARIABLES};

    /// The reason in a system with these files, each with its content.
    fn reason(files: &[(&str, &str)], variables: &[(&str, &str)]) -> String {
        let root = system::files(files);
        reason_in(&System::stand_in(root.path(), variables), true)
    }

    #[test]
    fn a_variable_of_the_loader_is_named_with_its_value() {
        for name in LOADER_VARIABLES {
            let reason = reason(&[("dev/dri/renderD128", "")], &[(name, "/x.json")]);
            assert!(reason.starts_with(&format!("{name}=/x.json ")), "{reason}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn each_cause_has_its_own_advice() {
        let gpu = [("sys/bus/pci/devices/0/class", "0x030000\n"), ("sys/bus/pci/devices/0/vendor", "0x10de\n")];
        let server = [("sys/bus/pci/devices/0/class", "0x030000\n"), ("sys/bus/pci/devices/0/vendor", "0x1a03\n")];
        for (files, says) in [
            (&[][..], "the system has none"),
            (&server[..], "the system has none"),
            (&gpu[..], "no kernel driver for it"),
            (&[(".dockerenv", ""), gpu[0], gpu[1]][..], "passed into this container"),
            (&[("run/.containerenv", "")][..], "passed into this container"),
            (&[("dev/dri/renderD128", "")][..], "/dev/dri/renderD128 is there, but no Vulkan driver"),
            (&[("dev/dri/renderD128", ""), ("dev/nvidiactl", "")][..], "NVIDIA's kernel driver runs"),
            (&[("dev/dxg", "")][..], "WSL"),
        ] {
            let reason = reason(files, &[]);
            assert!(reason.contains(says), "{reason}");
        }
        assert!(reason(&[], &[("container", "podman")]).contains("passed into this container"));
    }
}

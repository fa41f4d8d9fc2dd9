//! Why there is no GPU among the adapters, and what to do about it.

use crate::error::Error;
use crate::gpu::AdapterInfo;
use crate::gpu::adapter::NONE_FOUND;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Variables by which the Vulkan loader leaves drivers out.
const LOADER_VARIABLES: [&str; 4] =
    ["VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_LOADER_DRIVERS_SELECT", "VK_LOADER_DRIVERS_DISABLE"];

/// What tells of a system's GPUs: its files below a root folder, and the environment.
struct System<'a> {
    root: &'a Path,
    variable: &'a dyn Fn(&str) -> Option<String>,
}

/// Why no GPU is among `adapters`, as a phrase.
pub fn reason(adapters: &[AdapterInfo]) -> String {
    system().reason(adapters.iter().all(|adapter| adapter.software))
}

/// The error where an adapter or backend was requested and none was found.
pub fn none_found() -> Error {
    let why = system().limited().unwrap_or_else(|| NONE_FOUND.to_owned());
    Error::Adapter(format!("no adapter found: {why}; the host's cores need none: --adapter cpu"))
}

fn system() -> System<'static> {
    System { root: Path::new("/"), variable: &|name| std::env::var(name).ok().filter(|value| !value.is_empty()) }
}

impl System<'_> {
    fn has(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    fn reason(&self, all_software: bool) -> String {
        if !all_software {
            return "none of those found can be opened".to_owned();
        }
        let limited = self.limited();
        if let Some(limited) = limited.or_else(|| cfg!(target_os = "linux").then(|| self.of_linux())) {
            return limited;
        }
        "no driver offers one: install the GPU's driver".to_owned()
    }

    /// A variable that keeps drivers from being loaded.
    fn limited(&self) -> Option<String> {
        let set = LOADER_VARIABLES.iter().find_map(|name| Some((name, (self.variable)(name)?)));
        set.map(|(name, value)| format!("{name}={value} limits the drivers that the Vulkan loader loads: unset it"))
    }

    fn of_linux(&self) -> String {
        let nodes = self.render_nodes();
        let refused = nodes.iter().find(|node| {
            let opened = OpenOptions::new().read(true).write(true).open(node);
            opened.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
        });
        if let Some(node) = refused {
            return format!(
                "no permission to open {}: add the user to its group, with `sudo usermod -aG render $USER`, and log in again",
                node.display()
            );
        }
        if self.has("dev/nvidiactl") {
            return "NVIDIA's kernel driver runs, but its Vulkan driver is not installed (nvidia_icd.json), or not passed \
                    into this container (NVIDIA_DRIVER_CAPABILITIES=all)"
                .to_owned();
        }
        if self.has("dev/dxg") {
            return "WSL has no Vulkan driver for the GPU: run gpubench in Windows".to_owned();
        }
        if let Some(node) = nodes.first() {
            return format!(
                "{} is there, but no Vulkan driver for it: install the GPU's (Debian and Ubuntu: mesa-vulkan-drivers)",
                node.display()
            );
        }
        let in_container =
            self.has(".dockerenv") || self.has("run/.containerenv") || (self.variable)("container").is_some();
        match (in_container, self.gpu_on_bus()) {
            (true, _) => "no GPU is passed into this container, with `--device /dev/dri` or `--gpus all`".to_owned(),
            (false, true) => {
                "there is one, but no kernel driver for it (no /dev/dri/renderD*): install the GPU's driver".to_owned()
            }
            (false, false) => "the system has none (no /dev/dri/renderD*)".to_owned(),
        }
    }

    fn render_nodes(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.root.join("dev/dri")).into_iter().flatten().flatten();
        let mut nodes: Vec<PathBuf> = entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("renderD"))
            .map(|entry| entry.path())
            .collect();
        nodes.sort();
        nodes
    }

    /// Whether a PCI device is a 3D controller, or a display controller of a maker of GPUs: servers have others.
    fn gpu_on_bus(&self) -> bool {
        let entries = std::fs::read_dir(self.root.join("sys/bus/pci/devices")).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).any(|device| {
            let read = |name| std::fs::read_to_string(device.join(name)).unwrap_or_default();
            let maker = ["0x10de", "0x1002", "0x8086"].contains(&read("vendor").trim());
            read("class").starts_with("0x0302") || (read("class").starts_with("0x03") && maker)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// The reason in a system with these files, each with its content.
    fn reason(files: &[(&str, &str)], variables: &[(&str, &str)]) -> String {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let variable =
            |name: &str| variables.iter().find(|(one, _)| *one == name).map(|(_, value)| (*value).to_owned());
        let root = root.path();
        System { root, variable: &variable }.reason(true).replace(&root.display().to_string(), "")
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

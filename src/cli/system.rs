//! What a system tells of its GPUs: files below a root folder, and the environment; and of the time.

use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Variables by which the Vulkan loader leaves drivers out.
pub const LOADER_VARIABLES: [&str; 4] =
    ["VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_LOADER_DRIVERS_SELECT", "VK_LOADER_DRIVERS_DISABLE"];
/// Makers of GPUs by the vendor number of their PCI devices; servers have display controllers of others.
const MAKERS: [(&str, &str); 3] = [("0x10de", "NVIDIA"), ("0x1002", "AMD"), ("0x8086", "Intel")];
/// Kernel drivers that keep a device for a virtual machine.
pub const PASSED_ON: [&str; 2] = ["vfio-pci", "pci-stub"];

/// The time of the system's clock; of one that is set to a year beyond 9999, the last before it.
pub fn utc_now() -> Timestamp {
    Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::MAX)
}

/// The time `elapsed` ago.
pub fn utc_before(elapsed: Duration) -> Timestamp {
    utc_now().saturating_sub(elapsed).unwrap_or(Timestamp::MIN)
}

/// A system: this one, or a stand-in for tests.
pub struct System {
    root: PathBuf,
    variables: BTreeMap<String, String>,
}

/// A display or 3D controller on the PCI bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PciGpu {
    /// Its address: 0000:01:00.0.
    pub address: String,
    /// Its maker, if it is one of GPUs.
    pub maker: Option<&'static str>,
    /// The kernel driver that it is bound to.
    pub driver: Option<String>,
    /// Whether it can compute, as far as its class and maker tell.
    pub is_gpu: bool,
}

impl System {
    /// The system that this process runs on.
    pub fn this() -> Self {
        let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let variables = variables.map(|(name, value)| (name, value.to_string_lossy().into_owned()));
        Self { root: PathBuf::from("/"), variables: variables.collect() }
    }

    /// A system with the files below `root` and these variables.
    #[cfg(test)]
    pub fn stand_in(root: &Path, variables: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self { root: root.to_owned(), variables: variables.iter().map(owned).collect() }
    }

    /// The value of a variable that is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// All variables.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The path of `path`, absolute or not, below the root.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Whether there is something at `path`.
    pub fn has(&self, path: impl AsRef<Path>) -> bool {
        self.path(path).exists()
    }

    /// The text of a file, without white space around it, if it can be read.
    pub fn read(&self, path: impl AsRef<Path>) -> Option<String> {
        fs::read_to_string(self.path(path)).ok().map(|text| text.trim().to_owned())
    }

    /// The entries of a folder, sorted, as paths in the system; none if it cannot be read.
    pub fn entries(&self, folder: impl AsRef<Path>) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path(&folder)).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| folder.as_ref().join(entry.file_name())).collect();
        paths.sort();
        paths
    }

    /// The variable by which the Vulkan loader leaves drivers out, and a sentence on it.
    pub fn loader_limit(&self) -> Option<(&'static str, String)> {
        let (name, value) = LOADER_VARIABLES.iter().find_map(|name| Some((*name, self.variable(name)?)))?;
        Some((name, format!("{name}={value} limits the drivers that the Vulkan loader loads")))
    }

    /// The nodes through which programs compute on GPUs.
    pub fn render_nodes(&self) -> Vec<PathBuf> {
        let is_node =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("renderD"));
        self.entries("/dev/dri").into_iter().filter(is_node).collect()
    }

    /// Whether this process lacks the permission to open a device node.
    pub fn is_refused(&self, node: &Path) -> bool {
        let opened = OpenOptions::new().read(true).write(true).open(self.path(node));
        opened.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
    }

    /// The kind of container that this process runs in, if any.
    pub fn container(&self) -> Option<&str> {
        match () {
            () if self.has("/.dockerenv") => Some("Docker"),
            () if self.has("/run/.containerenv") => Some("Podman"),
            () if self.variable("APPTAINER_CONTAINER").is_some() => Some("Apptainer"),
            () => self.variable("container"),
        }
    }

    /// The display and 3D controllers on the PCI bus.
    pub fn pci_gpus(&self) -> Vec<PciGpu> {
        let gpu = |device: PathBuf| {
            let class = self.read(device.join("class")).filter(|class| class.starts_with("0x03"))?;
            let vendor = self.read(device.join("vendor")).unwrap_or_default();
            let maker = MAKERS.iter().find(|(number, _)| *number == vendor).map(|(_, maker)| *maker);
            let driver = fs::read_link(self.path(device.join("driver"))).ok();
            let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
            Some(PciGpu {
                address: name(&device).unwrap_or_default(),
                maker,
                driver: driver.and_then(|driver| name(&driver)),
                is_gpu: class.starts_with("0x0302") || maker.is_some(),
            })
        };
        self.entries("/sys/bus/pci/devices").into_iter().filter_map(gpu).collect()
    }
}

/// Writes these files, each with its content, below a temporary root.
#[cfg(test)]
pub fn files(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    root
}

//! The energy of the processor's packages from Linux's powercap interface (RAPL), for software adapters and the CPU
//! target.
//!
//! Source: the kernel's documentation, "Power Capping Framework", Documentation/power/powercap/powercap.rst.

use super::sensor::{Reading, Sensor};
use super::sysfs::{number, unreadable};
use crate::result::Measured;
use std::fs;
use std::path::{Path, PathBuf};

/// The reason for all other figures; the kernel's counters have the load of the cores.
const NO_GPU: &str = "the adapter computes on the CPU: there is no GPU driver";

/// The sensor of all packages in `sysfs`.
pub(super) fn open(sysfs: &Path) -> Box<dyn Sensor> {
    Box::new(Packages { packages: packages(&sysfs.join("class/powercap")) })
}

struct Packages {
    /// All packages, or the reason why their energy cannot be read.
    packages: Result<Vec<Package>, String>,
}

/// One package, with the sum of its counter, which wraps around.
struct Package {
    folder: PathBuf,
    range_uj: f64,
    last_uj: Option<f64>,
    sum_uj: f64,
}

/// The zones of whole packages: zones of their parts would count twice, and platform zones include more than the
/// processor.
fn packages(folder: &Path) -> Result<Vec<Package>, String> {
    let entries =
        fs::read_dir(folder).map_err(|error| format!("the processor's energy: {}", unreadable(folder, &error)))?;
    let mut packages = Vec::new();
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for folder in paths {
        let name = fs::read_to_string(folder.join("name")).unwrap_or_default();
        if name.trim().starts_with("package-") {
            // Read once here, so that a counter that only root may read is detected before the training.
            let _ = number(&folder.join("energy_uj")).map_err(|error| format!("the processor's energy: {error}"))?;
            let range_uj = number(&folder.join("max_energy_range_uj"))?;
            packages.push(Package { folder, range_uj, last_uj: None, sum_uj: 0.0 });
        }
    }
    if packages.is_empty() {
        Err(format!("{} has no zone of a whole processor", folder.display()))
    } else {
        Ok(packages)
    }
}

impl Package {
    /// Microjoules since the first reading.
    fn read(&mut self) -> Result<f64, String> {
        let now_uj = number(&self.folder.join("energy_uj"))?;
        let grown_uj = self.last_uj.map_or(0.0, |last_uj| now_uj - last_uj);
        self.sum_uj += if grown_uj < 0.0 { grown_uj + self.range_uj } else { grown_uj };
        self.last_uj = Some(now_uj);
        Ok(self.sum_uj)
    }
}

impl Sensor for Packages {
    fn source(&self) -> Measured<String> {
        match &self.packages {
            Ok(packages) => {
                let names: Vec<_> = packages.iter().map(|package| package.folder.display().to_string()).collect();
                Measured::Value(format!("powercap, {}", names.join(", ")))
            }
            Err(reason) => Measured::missing(reason.clone()),
        }
    }

    fn subject(&self) -> &'static str {
        "all of the processor's packages, other programs included, by powercap"
    }

    fn read(&mut self) -> Reading {
        let sum: Result<f64, String> = match &mut self.packages {
            Ok(packages) => packages.iter_mut().map(Package::read).sum(),
            Err(reason) => Err(reason.clone()),
        };
        let energy_j = match sum {
            Ok(sum_uj) => Measured::Value(sum_uj / 1e6),
            Err(reason) => Measured::missing(reason),
        };
        let power_w = Measured::missing(energy_j.reason().unwrap_or("the processor reports its energy, not its power"));
        Reading { power_w, energy_j, ..Reading::missing(NO_GPU) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn zone(root: &Path, name: &str, kind: &str, energy_uj: &str) {
        let folder = root.join("class/powercap").join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("name"), format!("{kind}\n")).unwrap();
        fs::write(folder.join("energy_uj"), energy_uj).unwrap();
        fs::write(folder.join("max_energy_range_uj"), "1000000\n").unwrap();
    }

    fn energy(sensor: &mut dyn Sensor) -> f64 {
        *sensor.read().energy_j.value().unwrap()
    }

    #[test]
    fn packages_are_added_up_and_counters_that_wrap_around_continue() {
        let root = TempDir::new().unwrap();
        zone(root.path(), "intel-rapl:0", "package-0", "900000\n");
        zone(root.path(), "intel-rapl:1", "package-1", "100000\n");
        zone(root.path(), "intel-rapl:0:0", "core", "5\n");
        zone(root.path(), "intel-rapl:2", "psys", "7\n");
        let mut sensor = open(root.path());
        assert_eq!(energy(&mut *sensor), 0.0);
        zone(root.path(), "intel-rapl:0", "package-0", "100000\n");
        zone(root.path(), "intel-rapl:1", "package-1", "150000\n");
        assert!((energy(&mut *sensor) - 0.25).abs() < 1e-9, "200,000 uJ over the end of the counter, and 50,000");
        assert!(sensor.source().value().is_some_and(|source| !source.contains("psys")));
        assert!(sensor.read().busy_pct.value().is_none());
    }

    #[test]
    fn what_cannot_be_read_says_where_and_why() {
        let root = TempDir::new().unwrap();
        let reason = |root: &Path| open(root).read().energy_j.reason().unwrap_or_default().to_owned();
        assert!(reason(root.path()).contains("class/powercap"), "{}", reason(root.path()));
        zone(root.path(), "dtpm", "dtpm", "0\n");
        assert!(reason(root.path()).contains("no zone of a whole processor"));
        zone(root.path(), "intel-rapl:0", "package-0", "many\n");
        assert!(reason(root.path()).contains("energy_uj") && reason(root.path()).contains("many"));
        fs::remove_file(root.path().join("class/powercap/intel-rapl:0/energy_uj")).unwrap();
        fs::create_dir(root.path().join("class/powercap/intel-rapl:0/energy_uj")).unwrap();
        assert!(reason(root.path()).contains("energy_uj cannot be read"), "{}", reason(root.path()));
    }

    #[test]
    fn a_counter_that_disappears_is_missing_with_its_reason() {
        let root = TempDir::new().unwrap();
        zone(root.path(), "intel-rapl:0", "package-0", "1\n");
        let mut sensor = open(root.path());
        fs::remove_dir_all(root.path().join("class/powercap")).unwrap();
        assert!(sensor.read().energy_j.reason().is_some_and(|reason| reason.contains("is not there")));
    }
}

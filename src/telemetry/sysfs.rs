//! Readings from the sysfs files of Linux's AMD and Intel drivers, which are found by the device's PCI bus id.
//!
//! Sources: the kernel's documentation, "GPU Power/Thermal Controls and Monitoring" (amdgpu), "Naming and data format
//! standards for sysfs files" (hwmon), and Documentation/ABI/testing/sysfs-driver-intel-i915-hwmon and -intel-xe-hwmon.

use super::sensor::{Absent, Reading, Sensor};
use crate::result::Measured;
use std::fs;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

/// The sensor of the device at `pci_bus_id` in `sysfs`.
pub(super) fn open(sysfs: &Path, pci_bus_id: &str) -> Box<dyn Sensor> {
    if pci_bus_id.is_empty() {
        return Box::new(Absent("sysfs finds a device by its PCI bus id, which this adapter does not report".into()));
    }
    let device = sysfs.join("bus/pci/devices").join(pci_bus_id.to_ascii_lowercase());
    if !device.is_dir() {
        return Box::new(Absent(format!("{} is not there: sysfs exists on Linux only", device.display())));
    }
    let hwmon = folders(&device.join("hwmon"), "hwmon").into_iter().next();
    let cards = folders(&device.join("drm"), "card");
    // The folder of the first graphics tile, of i915 or of xe.
    let tiles = cards.iter().map(|card| card.join("gt/gt0")).chain([device.join("tile0/gt0/freq0")]);
    let tile = tiles.into_iter().find(|tile| tile.is_dir());
    Box::new(PciDevice { device, hwmon, tile })
}

/// The folders in `folder` whose names begin with `prefix`, sorted.
fn folders(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let named = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix));
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut found: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(named).collect();
    found.sort();
    found
}

/// The number in the file `path`.
///
/// # Errors
/// A phrase that names the file and the problem.
pub(super) fn number(path: &Path) -> Result<f64, String> {
    let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    text.trim().parse().map_err(|_| format!("{} holds {:?}, which is no number", path.display(), text.trim()))
}

/// A phrase that says why a file or folder cannot be read.
pub(super) fn unreadable(path: &Path, error: &Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => format!("{} is not there", path.display()),
        ErrorKind::PermissionDenied => format!("{} may not be read: only root may", path.display()),
        _ => format!("{} cannot be read ({error})", path.display()),
    }
}

struct PciDevice {
    device: PathBuf,
    hwmon: Option<PathBuf>,
    tile: Option<PathBuf>,
}

impl PciDevice {
    /// The first number in `paths`, multiplied by `scale`; missing for the reason of the first path.
    fn first(&self, paths: &[Option<PathBuf>], scale: f64, lacking: &str) -> Measured<f64> {
        let mut reason = None;
        for path in paths.iter().flatten() {
            match number(path) {
                Ok(value) => return Measured::Value(value * scale),
                Err(words) => {
                    reason.get_or_insert(words);
                }
            }
        }
        Measured::missing(reason.unwrap_or_else(|| format!("{} {lacking}", self.device.display())))
    }

    fn hwmon(&self, file: &str) -> Option<PathBuf> {
        self.hwmon.as_ref().map(|folder| folder.join(file))
    }

    fn tile(&self, file: &str) -> Option<PathBuf> {
        self.tile.as_ref().map(|folder| folder.join(file))
    }

    /// The reasons whose files contain a 1, of i915 and xe; AMD's driver has none.
    fn throttling(&self) -> Measured<Vec<String>> {
        let Some(tile) = &self.tile else {
            return Measured::missing("this driver reports no reasons for lower clocks in sysfs");
        };
        let (folder, prefix, status) = if tile.join("throttle").is_dir() {
            (tile.join("throttle"), "reason_", "status")
        } else {
            (tile.clone(), "throttle_reason_", "throttle_reason_status")
        };
        match number(&folder.join(status)) {
            Ok(0.0) => Measured::Value(Vec::new()),
            Ok(_) => {
                let mut reasons: Vec<String> = fs::read_dir(&folder)
                    .into_iter()
                    .flatten()
                    .filter_map(|entry| {
                        let path = entry.ok()?.path();
                        let name = path.file_name()?.to_string_lossy().strip_prefix(prefix)?.to_owned();
                        (name != "status" && number(&path) == Ok(1.0)).then(|| name.replace('_', " "))
                    })
                    .collect();
                reasons.sort();
                if reasons.is_empty() {
                    reasons.push("the driver names no reason".to_owned());
                }
                Measured::Value(reasons)
            }
            Err(reason) => Measured::missing(reason),
        }
    }
}

impl Sensor for PciDevice {
    fn source(&self) -> Measured<String> {
        Measured::Value(self.device.display().to_string())
    }

    fn subject(&self) -> &'static str {
        "the board, or the package of an integrated GPU, as the driver's sensor covers it"
    }

    fn read(&mut self) -> Reading {
        let device = |file: &str| Some(self.device.join(file));
        Reading {
            busy_pct: self.first(&[device("gpu_busy_percent")], 1.0, "reports no load"),
            memory_bytes: self
                .first(&[device("mem_info_vram_used")], 1.0, "reports no memory")
                .map(|bytes| bytes as u64),
            core_clock_mhz: {
                let of_tile = [self.tile("rps_act_freq_mhz"), self.tile("act_freq")];
                match self.first(&of_tile, 1.0, "reports no clock") {
                    Measured::Missing { .. } => self.first(&[self.hwmon("freq1_input")], 1e-6, "reports no clock"),
                    clock => clock,
                }
            },
            memory_clock_mhz: self.first(&[self.hwmon("freq2_input")], 1e-6, "reports no memory clock"),
            temperature_c: self.first(&[self.hwmon("temp1_input")], 1e-3, "reports no temperature"),
            power_w: self.first(&[self.hwmon("power1_average"), self.hwmon("power1_input")], 1e-6, "reports no power"),
            energy_j: self.first(&[self.hwmon("energy1_input")], 1e-6, "reports no energy"),
            throttling: self.throttling(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    const BUS: &str = "0000:03:00.0";

    /// A sysfs tree with a device that has these files.
    fn tree(files: &[(&str, &str)]) -> TempDir {
        let root = TempDir::new().unwrap();
        let device = root.path().join("bus/pci/devices").join(BUS);
        fs::create_dir_all(&device).unwrap();
        for (file, text) in files {
            let path = device.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn an_amd_card_reports_load_memory_clocks_temperature_and_power() {
        let root = tree(&[
            ("gpu_busy_percent", "93\n"),
            ("mem_info_vram_used", "536870912\n"),
            ("hwmon/hwmon4/power1_average", "187000000\n"),
            ("hwmon/hwmon4/temp1_input", "64500\n"),
            ("hwmon/hwmon4/freq1_input", "2310000000\n"),
            ("hwmon/hwmon4/freq2_input", "1249000000\n"),
        ]);
        let reading = open(root.path(), BUS).read();
        assert_eq!(reading.busy_pct, Measured::Value(93.0));
        assert_eq!(reading.memory_bytes, Measured::Value(536_870_912));
        assert_eq!((reading.power_w, reading.temperature_c), (Measured::Value(187.0), Measured::Value(64.5)));
        assert_eq!(
            (reading.core_clock_mhz, reading.memory_clock_mhz),
            (Measured::Value(2310.0), Measured::Value(1249.0))
        );
        assert!(reading.energy_j.reason().is_some_and(|reason| reason.contains("energy1_input is not there")));
        assert!(reading.throttling.value().is_none());
    }

    #[test]
    fn newer_amd_cards_report_power_in_another_file() {
        let root = tree(&[("hwmon/hwmon0/power1_input", "41000000\n")]);
        assert_eq!(open(root.path(), BUS).read().power_w, Measured::Value(41.0));
    }

    #[test]
    fn intel_cards_of_both_drivers_report_energy_clock_and_throttling() {
        let i915 = tree(&[
            ("hwmon/hwmon2/energy1_input", "1500000\n"),
            ("drm/card1/gt/gt0/rps_act_freq_mhz", "2400\n"),
            ("drm/card1/gt/gt0/throttle_reason_status", "1\n"),
            ("drm/card1/gt/gt0/throttle_reason_pl1", "1\n"),
            ("drm/card1/gt/gt0/throttle_reason_thermal", "0\n"),
        ]);
        let reading = open(i915.path(), BUS).read();
        assert_eq!((reading.energy_j, reading.core_clock_mhz), (Measured::Value(1.5), Measured::Value(2400.0)));
        assert_eq!(reading.throttling, Measured::Value(vec!["pl1".to_owned()]));
        assert!(reading.busy_pct.reason().is_some_and(|reason| reason.contains("gpu_busy_percent is not there")));
        let xe = tree(&[
            ("tile0/gt0/freq0/act_freq", "1800\n"),
            ("tile0/gt0/freq0/throttle/status", "0\n"),
            ("tile0/gt0/freq0/throttle/reason_pl1", "0\n"),
        ]);
        let reading = open(xe.path(), BUS).read();
        assert_eq!(reading.core_clock_mhz, Measured::Value(1800.0));
        assert_eq!(reading.throttling, Measured::Value(Vec::new()));
        assert!(reading.power_w.reason().is_some_and(|reason| reason.contains("reports no power")));
    }

    #[test]
    fn a_device_that_is_not_there_and_files_that_hold_no_number_say_so() {
        let root = tree(&[("gpu_busy_percent", "busy\n")]);
        let reading = open(root.path(), BUS).read();
        assert!(reading.busy_pct.reason().is_some_and(|reason| reason.contains("\"busy\", which is no number")));
        assert!(!reading.has_figures());
        let elsewhere = open(root.path(), "0000:09:00.0");
        assert!(elsewhere.source().reason().is_some_and(|reason| reason.contains("0000:09:00.0 is not there")));
        assert!(open(root.path(), "").source().reason().is_some_and(|reason| reason.contains("PCI bus id")));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let denied = unreadable(Path::new("energy_uj"), &Error::from(ErrorKind::PermissionDenied));
        assert_eq!(denied, "energy_uj may not be read: only root may");
        let root = tree(&[("gpu_busy_percent/inner", "1\n")]);
        let reading = open(root.path(), BUS).read();
        assert!(reading.busy_pct.reason().is_some_and(|reason| reason.contains("cannot be read")), "{reading:?}");
    }
}

//! Readings from NVIDIA's management library (NVML), which is loaded at run time; without it they are missing.

use super::sensor::{Absent, Reading, Sensor, value_or};
use crate::result::Measured;
use nvml_wrapper::Nvml;
use nvml_wrapper::bitmasks::device::ThrottleReasons;
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};
use nvml_wrapper::error::NvmlError;
use std::ffi::OsStr;

/// An answer of the library, or the reason why there is none.
pub(super) type NvmlResult<T> = Result<T, String>;

/// A figure of the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Figure {
    /// Share of the time in which a kernel was running, in percent.
    Busy,
    /// Memory in use, bytes.
    Memory,
    /// Clock of the multiprocessors, MHz.
    CoreClock,
    /// Clock of the memory, MHz.
    MemoryClock,
    /// Temperature of the chip, degrees Celsius.
    Temperature,
    /// Power of the board, mW.
    Power,
    /// Energy of the board since the driver was loaded, mJ.
    Energy,
}

/// The part of the library that is used; tests replace it.
pub(super) trait NvmlLibrary: Send {
    /// Version of the driver.
    fn driver(&self) -> NvmlResult<String>;
    /// A figure of the device at a PCI bus id.
    fn query(&self, pci_bus_id: &str, figure: Figure) -> NvmlResult<f64>;
    /// NVML's bit mask of clock throttle reasons of that device.
    fn throttle_bits(&self, pci_bus_id: &str) -> NvmlResult<u64>;
}

/// Reasons that count as throttling: neither an idle device nor one with fixed clocks is throttled.
const REASONS: [(ThrottleReasons, &str); 6] = [
    (ThrottleReasons::SW_POWER_CAP, "power limit"),
    (ThrottleReasons::HW_SLOWDOWN, "hardware slowdown"),
    (ThrottleReasons::SYNC_BOOST, "another GPU of its sync boost group"),
    (ThrottleReasons::SW_THERMAL_SLOWDOWN, "temperature (software)"),
    (ThrottleReasons::HW_THERMAL_SLOWDOWN, "temperature (hardware)"),
    (ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN, "power brake"),
];

/// The sensor of the device at `pci_bus_id` in the library that `load` returns.
pub(super) fn open(load: impl FnOnce() -> NvmlResult<Box<dyn NvmlLibrary>>, pci_bus_id: &str) -> Box<dyn Sensor> {
    if pci_bus_id.is_empty() {
        return Box::new(Absent("NVML finds a device by its PCI bus id, which this adapter does not report".into()));
    }
    match load() {
        Ok(library) => Box::new(NvmlSensor { library, pci_bus_id: pci_bus_id.to_owned() }),
        Err(reason) => Box::new(Absent(reason)),
    }
}

struct NvmlSensor {
    library: Box<dyn NvmlLibrary>,
    pci_bus_id: String,
}

impl Sensor for NvmlSensor {
    fn source(&self) -> Measured<String> {
        let version =
            self.library.driver().map_or_else(|_| "driver of unknown version".into(), |it| format!("driver {it}"));
        Measured::Value(format!("NVML, {version}"))
    }

    fn subject(&self) -> &'static str {
        "the whole board, by NVML"
    }

    fn read(&mut self) -> Reading {
        let query = |what: &str, figure| value_or(what, self.library.query(&self.pci_bus_id, figure));
        Reading {
            busy_pct: query("NVML reports no utilisation", Figure::Busy),
            memory_bytes: query("NVML reports no memory", Figure::Memory).map(|bytes| bytes as u64),
            core_clock_mhz: query("NVML reports no clock", Figure::CoreClock),
            memory_clock_mhz: query("NVML reports no memory clock", Figure::MemoryClock),
            temperature_c: query("NVML reports no temperature", Figure::Temperature),
            power_w: query("NVML reports no power", Figure::Power).map(|milliwatts| milliwatts / 1e3),
            energy_j: query("NVML reports no energy", Figure::Energy).map(|millijoules| millijoules / 1e3),
            throttling: value_or("NVML reports no throttling", self.library.throttle_bits(&self.pci_bus_id))
                .map(reasons),
        }
    }
}

fn reasons(bits: u64) -> Vec<String> {
    let set = ThrottleReasons::from_bits_truncate(bits);
    REASONS.iter().filter(|(reason, _)| set.contains(*reason)).map(|(_, words)| (*words).to_owned()).collect()
}

/// Loads the library of NVIDIA's driver.
///
/// # Errors
/// One sentence that says whether it is absent, fails, or belongs to a driver that is too old.
pub(super) fn load() -> NvmlResult<Box<dyn NvmlLibrary>> {
    // Drivers install the versioned name; development packages install the other one.
    const NAMES: &[&str] =
        if cfg!(target_os = "linux") { &["libnvidia-ml.so.1", "libnvidia-ml.so"] } else { &["nvml.dll"] };
    let mut first = None;
    for name in NAMES {
        match Nvml::builder().lib_path(OsStr::new(name)).init() {
            Ok(nvml) => return Ok(Box::new(nvml)),
            Err(error) => {
                first.get_or_insert(error);
            }
        }
    }
    Err(first.map_or_else(|| "NVML has no name on this system".to_owned(), |error| failure(&error)))
}

/// The reason why the library has no answer.
fn failure(error: &NvmlError) -> String {
    match error {
        NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound => {
            "NVML is not there: it comes with NVIDIA's own driver".to_owned()
        }
        NvmlError::FailedToLoadSymbol(_) | NvmlError::FunctionNotFound => {
            format!("NVIDIA's driver is too old for this ({error}): install a newer one")
        }
        NvmlError::NoPermission => format!("NVML may not be used ({error})"),
        NvmlError::NotSupported => "the device does not report it".to_owned(),
        NvmlError::NotFound => "NVML knows no device at this PCI bus id".to_owned(),
        error => format!("NVML is there but fails ({error})"),
    }
}

impl NvmlLibrary for Nvml {
    fn driver(&self) -> NvmlResult<String> {
        self.sys_driver_version().map_err(|error| failure(&error))
    }

    fn query(&self, pci_bus_id: &str, figure: Figure) -> NvmlResult<f64> {
        let answer = || {
            let device = self.device_by_pci_bus_id(pci_bus_id)?;
            Ok(match figure {
                Figure::Busy => f64::from(device.utilization_rates()?.gpu),
                Figure::Memory => device.memory_info()?.used as f64,
                Figure::CoreClock => f64::from(device.clock_info(Clock::SM)?),
                Figure::MemoryClock => f64::from(device.clock_info(Clock::Memory)?),
                Figure::Temperature => f64::from(device.temperature(TemperatureSensor::Gpu)?),
                Figure::Power => f64::from(device.power_usage()?),
                Figure::Energy => device.total_energy_consumption()? as f64,
            })
        };
        answer().map_err(|error: NvmlError| failure(&error))
    }

    fn throttle_bits(&self, pci_bus_id: &str) -> NvmlResult<u64> {
        let reasons = self.device_by_pci_bus_id(pci_bus_id).and_then(|device| device.current_throttle_reasons());
        reasons.map(|reasons| reasons.bits()).map_err(|error| failure(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A library with predefined answers.
    struct Fake {
        answers: fn(Figure) -> NvmlResult<f64>,
        throttle: NvmlResult<u64>,
    }

    impl NvmlLibrary for Fake {
        fn driver(&self) -> NvmlResult<String> {
            Ok("535.104".into())
        }

        fn query(&self, pci_bus_id: &str, figure: Figure) -> NvmlResult<f64> {
            if pci_bus_id == "0000:01:00.0" { (self.answers)(figure) } else { Err(failure(&NvmlError::NotFound)) }
        }

        fn throttle_bits(&self, _pci_bus_id: &str) -> NvmlResult<u64> {
            self.throttle.clone()
        }
    }

    fn good(figure: Figure) -> NvmlResult<f64> {
        Ok(match figure {
            Figure::Busy => 57.0,
            Figure::Memory => 412e6,
            Figure::CoreClock => 1410.0,
            Figure::MemoryClock => 5001.0,
            Figure::Temperature => 61.0,
            Figure::Power => 181_500.0,
            Figure::Energy => 9_250_000.0,
        })
    }

    fn sensor(fake: Fake, pci_bus_id: &str) -> Box<dyn Sensor> {
        open(|| Ok(Box::new(fake)), pci_bus_id)
    }

    #[test]
    fn a_working_library_has_every_figure_in_the_units_of_a_reading() {
        let bits =
            (ThrottleReasons::SW_POWER_CAP | ThrottleReasons::HW_THERMAL_SLOWDOWN | ThrottleReasons::GPU_IDLE).bits();
        let mut sensor = sensor(Fake { answers: good, throttle: Ok(bits) }, "0000:01:00.0");
        assert_eq!(sensor.source(), Measured::Value("NVML, driver 535.104".into()));
        let reading = sensor.read();
        assert_eq!(reading.busy_pct, Measured::Value(57.0));
        assert_eq!(reading.memory_bytes, Measured::Value(412_000_000));
        assert_eq!((reading.power_w, reading.energy_j), (Measured::Value(181.5), Measured::Value(9250.0)));
        let words = vec!["power limit".to_owned(), "temperature (hardware)".to_owned()];
        assert_eq!(reading.throttling, Measured::Value(words), "an idle device is not throttled");
    }

    #[test]
    fn an_absent_library_a_failing_one_and_an_adapter_without_a_bus_id_say_so() {
        let missing = |load: fn() -> NvmlResult<Box<dyn NvmlLibrary>>, bus| {
            open(load, bus).read().power_w.reason().map(str::to_owned)
        };
        let absent = missing(|| Err(failure(&NvmlError::LibraryNotFound)), "0000:01:00.0").unwrap();
        assert!(absent.contains("not there") && absent.contains("driver"), "{absent}");
        let failing = missing(|| Err(failure(&NvmlError::DriverNotLoaded)), "0000:01:00.0").unwrap();
        assert!(failing.contains("fails (NVIDIA driver is not loaded)"), "{failing}");
        let forbidden = missing(|| Err(failure(&NvmlError::NoPermission)), "0000:01:00.0").unwrap();
        assert!(forbidden.contains("permission"), "{forbidden}");
        let no_bus = missing(|| panic!("it must not be loaded"), "").unwrap();
        assert!(no_bus.contains("PCI bus id"), "{no_bus}");
    }

    #[test]
    fn a_library_that_fails_later_and_one_without_the_device_say_so() {
        let fails = |_| Err(failure(&NvmlError::Unknown));
        let mut failing = sensor(Fake { answers: fails, throttle: Err("fails".into()) }, "0000:01:00.0");
        assert!(!failing.read().has_figures());
        let mut elsewhere = sensor(Fake { answers: good, throttle: Ok(0) }, "0000:09:00.0");
        let reading = elsewhere.read();
        assert!(reading.busy_pct.reason().is_some_and(|reason| reason.contains("no device at this PCI bus id")));
        assert_eq!(reading.throttling, Measured::Value(Vec::new()));
    }

    #[test]
    fn an_old_driver_lacks_some_figures_and_gives_the_others() {
        let old = |figure| match figure {
            Figure::Energy => {
                Err(failure(&NvmlError::FailedToLoadSymbol("nvmlDeviceGetTotalEnergyConsumption".into())))
            }
            figure => good(figure),
        };
        let reading =
            sensor(Fake { answers: old, throttle: Err("the device does not report it".into()) }, "0000:01:00.0").read();
        let reason = reading.energy_j.reason().unwrap();
        assert!(reason.contains("too old") && reason.contains("install a newer one"), "{reason}");
        assert_eq!(reading.power_w, Measured::Value(181.5));
        assert_eq!(reading.throttling.reason(), Some("NVML reports no throttling: the device does not report it"));
    }
}

//! NVIDIA's management library (NVML), loaded while the program runs: where it is absent, so are its figures.

use super::sensor::{Absent, Reading, Sensor, told};
use crate::result::Measured;
use nvml_wrapper::Nvml;
use nvml_wrapper::bitmasks::device::ThrottleReasons;
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};
use nvml_wrapper::error::NvmlError;
use std::ffi::OsStr;

/// An answer of the library, or why it gave none.
pub type Answer<T> = Result<T, String>;

/// What can be asked for as one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Share of the time in which a kernel ran, in percent.
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

/// The library, as far as it is used: tests put another in its place.
pub trait Library: Send {
    /// Version of the driver.
    fn driver(&self) -> Answer<String>;
    /// A number about the device at a PCI bus id.
    fn ask(&self, pci_bus_id: &str, question: Question) -> Answer<f64>;
    /// The bits of NVML's clocks throttle reasons of that device.
    fn throttle_bits(&self, pci_bus_id: &str) -> Answer<u64>;
}

/// Reasons for lower clocks that are worth a word; a device without work, or one that was told its clocks, is not throttled.
const REASONS: [(ThrottleReasons, &str); 6] = [
    (ThrottleReasons::SW_POWER_CAP, "power limit"),
    (ThrottleReasons::HW_SLOWDOWN, "hardware slowdown"),
    (ThrottleReasons::SYNC_BOOST, "another GPU of its sync boost group"),
    (ThrottleReasons::SW_THERMAL_SLOWDOWN, "temperature (software)"),
    (ThrottleReasons::HW_THERMAL_SLOWDOWN, "temperature (hardware)"),
    (ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN, "power brake"),
];

/// The sensor of the device at `pci_bus_id`, by the library that `load` loads.
pub fn open(load: impl FnOnce() -> Answer<Box<dyn Library>>, pci_bus_id: &str) -> Box<dyn Sensor> {
    if pci_bus_id.is_empty() {
        return Box::new(Absent("NVML finds a device by its PCI bus id, which this adapter does not tell".into()));
    }
    match load() {
        Ok(library) => Box::new(NvmlSensor { library, pci_bus_id: pci_bus_id.to_owned() }),
        Err(reason) => Box::new(Absent(reason)),
    }
}

struct NvmlSensor {
    library: Box<dyn Library>,
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
        let ask = |what: &str, question| told(what, self.library.ask(&self.pci_bus_id, question));
        Reading {
            busy_pct: ask("NVML tells no utilisation", Question::Busy),
            memory_bytes: ask("NVML tells no memory", Question::Memory).map(|bytes| bytes as u64),
            core_clock_mhz: ask("NVML tells no clock", Question::CoreClock),
            memory_clock_mhz: ask("NVML tells no clock of the memory", Question::MemoryClock),
            temperature_c: ask("NVML tells no temperature", Question::Temperature),
            power_w: ask("NVML tells no power", Question::Power).map(|milliwatts| milliwatts / 1e3),
            energy_j: ask("NVML tells no energy", Question::Energy).map(|millijoules| millijoules / 1e3),
            throttling: told("NVML tells no throttling", self.library.throttle_bits(&self.pci_bus_id)).map(reasons),
        }
    }
}

fn reasons(bits: u64) -> Vec<String> {
    let set = ThrottleReasons::from_bits_truncate(bits);
    REASONS.iter().filter(|(reason, _)| set.contains(*reason)).map(|(_, words)| (*words).to_owned()).collect()
}

/// Loads the library that came with NVIDIA's driver.
///
/// # Errors
/// A sentence that says whether it is absent, fails, or belongs to a driver that is too old.
pub fn load() -> Answer<Box<dyn Library>> {
    // Drivers install the name with a version; the bare one comes with development packages.
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

/// Why the library does not serve.
fn failure(error: &NvmlError) -> String {
    match error {
        NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound => {
            "NVML is not there: it comes with NVIDIA's own driver".to_owned()
        }
        NvmlError::FailedToLoadSymbol(_) | NvmlError::FunctionNotFound => {
            format!("NVIDIA's driver is too old for this ({error}): install a newer one")
        }
        NvmlError::NoPermission => format!("NVML may not be used ({error})"),
        NvmlError::NotSupported => "the device does not tell".to_owned(),
        NvmlError::NotFound => "NVML knows no device at this PCI bus id".to_owned(),
        error => format!("NVML is there but fails ({error})"),
    }
}

impl Library for Nvml {
    fn driver(&self) -> Answer<String> {
        self.sys_driver_version().map_err(|error| failure(&error))
    }

    fn ask(&self, pci_bus_id: &str, question: Question) -> Answer<f64> {
        let answer = || {
            let device = self.device_by_pci_bus_id(pci_bus_id)?;
            Ok(match question {
                Question::Busy => f64::from(device.utilization_rates()?.gpu),
                Question::Memory => device.memory_info()?.used as f64,
                Question::CoreClock => f64::from(device.clock_info(Clock::SM)?),
                Question::MemoryClock => f64::from(device.clock_info(Clock::Memory)?),
                Question::Temperature => f64::from(device.temperature(TemperatureSensor::Gpu)?),
                Question::Power => f64::from(device.power_usage()?),
                Question::Energy => device.total_energy_consumption()? as f64,
            })
        };
        answer().map_err(|error: NvmlError| failure(&error))
    }

    fn throttle_bits(&self, pci_bus_id: &str) -> Answer<u64> {
        let reasons = self.device_by_pci_bus_id(pci_bus_id).and_then(|device| device.current_throttle_reasons());
        reasons.map(|reasons| reasons.bits()).map_err(|error| failure(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A library of invented answers.
    struct Fake {
        answers: fn(Question) -> Answer<f64>,
        throttle: Answer<u64>,
    }

    impl Library for Fake {
        fn driver(&self) -> Answer<String> {
            Ok("535.104".into())
        }

        fn ask(&self, pci_bus_id: &str, question: Question) -> Answer<f64> {
            if pci_bus_id == "0000:01:00.0" { (self.answers)(question) } else { Err(failure(&NvmlError::NotFound)) }
        }

        fn throttle_bits(&self, _pci_bus_id: &str) -> Answer<u64> {
            self.throttle.clone()
        }
    }

    fn good(question: Question) -> Answer<f64> {
        Ok(match question {
            Question::Busy => 57.0,
            Question::Memory => 412e6,
            Question::CoreClock => 1410.0,
            Question::MemoryClock => 5001.0,
            Question::Temperature => 61.0,
            Question::Power => 181_500.0,
            Question::Energy => 9_250_000.0,
        })
    }

    fn sensor(fake: Fake, pci_bus_id: &str) -> Box<dyn Sensor> {
        open(|| Ok(Box::new(fake)), pci_bus_id)
    }

    #[test]
    fn a_good_library_tells_everything_in_the_units_of_a_reading() {
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
        let missing =
            |load: fn() -> Answer<Box<dyn Library>>, bus| open(load, bus).read().power_w.reason().map(str::to_owned);
        let absent = missing(|| Err(failure(&NvmlError::LibraryNotFound)), "0000:01:00.0").unwrap();
        assert!(absent.contains("not there") && absent.contains("driver"), "{absent}");
        let failing = missing(|| Err(failure(&NvmlError::DriverNotLoaded)), "0000:01:00.0").unwrap();
        assert!(failing.contains("fails (NVIDIA driver is not loaded)"), "{failing}");
        let forbidden = missing(|| Err(failure(&NvmlError::NoPermission)), "0000:01:00.0").unwrap();
        assert!(forbidden.contains("permission"), "{forbidden}");
        let no_bus = missing(|| panic!("it is not loaded in vain"), "").unwrap();
        assert!(no_bus.contains("PCI bus id"), "{no_bus}");
    }

    #[test]
    fn a_library_that_fails_while_it_is_asked_and_one_without_the_device_say_so() {
        let fails = |_| Err(failure(&NvmlError::Unknown));
        let mut failing = sensor(Fake { answers: fails, throttle: Err("fails".into()) }, "0000:01:00.0");
        assert!(!failing.read().tells_anything());
        let mut elsewhere = sensor(Fake { answers: good, throttle: Ok(0) }, "0000:09:00.0");
        let reading = elsewhere.read();
        assert!(reading.busy_pct.reason().is_some_and(|reason| reason.contains("no device at this PCI bus id")));
        assert_eq!(reading.throttling, Measured::Value(Vec::new()));
    }

    #[test]
    fn an_old_driver_lacks_some_figures_and_gives_the_others() {
        let old = |question| match question {
            Question::Energy => {
                Err(failure(&NvmlError::FailedToLoadSymbol("nvmlDeviceGetTotalEnergyConsumption".into())))
            }
            question => good(question),
        };
        let reading =
            sensor(Fake { answers: old, throttle: Err("the device does not tell".into()) }, "0000:01:00.0").read();
        let reason = reading.energy_j.reason().unwrap();
        assert!(reason.contains("too old") && reason.contains("install a newer one"), "{reason}");
        assert_eq!(reading.power_w, Measured::Value(181.5));
        assert_eq!(reading.throttling.reason(), Some("NVML tells no throttling: the device does not tell"));
    }
}

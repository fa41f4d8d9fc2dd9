//! What a sensor tells of a device at one moment.

use crate::result::Measured;

/// One moment of a device; every figure may be missing for a reason of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Share of the time just before in which the device had work, in percent.
    pub busy_pct: Measured<f64>,
    /// Memory in use on the device, by all programs together, in bytes.
    pub memory_bytes: Measured<u64>,
    /// Clock of the cores, MHz.
    pub core_clock_mhz: Measured<f64>,
    /// Clock of the memory, MHz.
    pub memory_clock_mhz: Measured<f64>,
    /// Temperature, degrees Celsius.
    pub temperature_c: Measured<f64>,
    /// Power, W.
    pub power_w: Measured<f64>,
    /// Energy since some moment in the past, J.
    pub energy_j: Measured<f64>,
    /// Why the clocks are held down; empty if they are not.
    pub throttling: Measured<Vec<String>>,
}

impl Reading {
    /// A reading without figures, for `reason`.
    pub fn missing(reason: &str) -> Self {
        Self {
            busy_pct: Measured::missing(reason),
            memory_bytes: Measured::missing(reason),
            core_clock_mhz: Measured::missing(reason),
            memory_clock_mhz: Measured::missing(reason),
            temperature_c: Measured::missing(reason),
            power_w: Measured::missing(reason),
            energy_j: Measured::missing(reason),
            throttling: Measured::missing(reason),
        }
    }

    /// Whether it holds any figure.
    pub fn tells_anything(&self) -> bool {
        let figures = [
            &self.busy_pct,
            &self.core_clock_mhz,
            &self.memory_clock_mhz,
            &self.temperature_c,
            &self.power_w,
            &self.energy_j,
        ];
        figures.iter().any(|figure| figure.value().is_some())
            || self.memory_bytes.value().is_some()
            || self.throttling.value().is_some()
    }

    /// Whether it tells power or energy.
    pub fn tells_power(&self) -> bool {
        self.power_w.value().is_some() || self.energy_j.value().is_some()
    }
}

/// Whatever can be asked about a device.
pub trait Sensor: Send {
    /// Who tells: a library or a folder, and the driver's version where that is known; why there is nobody otherwise.
    fn source(&self) -> Measured<String>;
    /// What its energy is the energy of.
    fn subject(&self) -> &'static str;
    /// What it tells now.
    fn read(&mut self) -> Reading;
}

/// A device that nobody tells about.
pub struct Absent(
    /// Why.
    pub String,
);

impl Sensor for Absent {
    fn source(&self) -> Measured<String> {
        Measured::missing(self.0.clone())
    }

    fn subject(&self) -> &'static str {
        "nothing"
    }

    fn read(&mut self) -> Reading {
        Reading::missing(&self.0)
    }
}

/// The value of an answer, or its reason after `what`.
pub(super) fn told<T>(what: &str, answer: Result<T, String>) -> Measured<T> {
    match answer {
        Ok(value) => Measured::Value(value),
        Err(reason) => Measured::missing(format!("{what}: {reason}")),
    }
}

//! Readings of a device's sensors.

use crate::result::Measured;

/// The state of a device at one moment; each figure may be missing for its own reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Share of recent time in which the device was busy, in percent.
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
    /// Energy since an arbitrary moment, J.
    pub energy_j: Measured<f64>,
    /// The reasons for throttled clocks; empty if they are not throttled.
    pub throttling: Measured<Vec<String>>,
}

impl Reading {
    /// A reading without any figure, for `reason`.
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

    /// Whether it has any figure.
    pub fn has_figures(&self) -> bool {
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

    /// Whether it has power or energy.
    pub fn has_power(&self) -> bool {
        self.power_w.value().is_some() || self.energy_j.value().is_some()
    }
}

/// A source of readings of one device.
pub trait Sensor: Send {
    /// The library or folder that is read, and the driver's version if it is known; missing if there is none.
    fn source(&self) -> Measured<String>;
    /// What its energy includes.
    fn subject(&self) -> &'static str;
    /// Reads all figures.
    fn read(&mut self) -> Reading;
}

/// A device without a sensor.
pub struct Absent(
    /// The reason.
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

/// The value of `answer`; missing for `what` and its error.
pub(super) fn value_or<T>(what: &str, answer: Result<T, String>) -> Measured<T> {
    match answer {
        Ok(value) => Measured::Value(value),
        Err(reason) => Measured::missing(format!("{what}: {reason}")),
    }
}

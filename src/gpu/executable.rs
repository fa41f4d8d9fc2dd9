//! What a driver says of a kernel that it compiled: plain data, so that every target knows them.

use serde::{Deserialize, Serialize};

/// A figure of a compiled kernel, in the driver's own words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statistic {
    /// The driver's name for it, such as `VGPRs`.
    pub name: String,
    /// The value; a truth is 0 or 1.
    pub value: f64,
}

/// A text that a driver gives of a compiled kernel, such as its machine code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Representation {
    /// The driver's name for it, such as `Assembly`.
    pub name: String,
    /// The text; bytes that are no text stand as a dump in hexadecimal.
    pub text: String,
}

/// A kernel as a driver compiled it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Executable {
    /// Invocations of a subgroup in which it runs.
    pub subgroup_size: u32,
    /// Seconds that the driver took to compile it.
    pub compile_s: f64,
    /// Its figures.
    pub statistics: Vec<Statistic>,
    /// Its texts, if they were asked for.
    pub representations: Vec<Representation>,
}

/// The physical device whose compiler is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompilerDevice {
    /// Name of the device.
    pub name: String,
    /// PCI vendor id.
    pub vendor_id: u32,
    /// PCI device id.
    pub device_id: u32,
    /// Name of the driver.
    pub driver: String,
    /// Version of the driver as it reports it.
    pub driver_info: String,
}

impl CompilerDevice {
    /// Whether it is a device of this vendor, name and driver.
    pub fn is(&self, other: &Self) -> bool {
        let key = |device: &Self| (device.vendor_id, device.device_id, device.name.clone(), device.driver.clone());
        key(self) == key(other)
    }
}

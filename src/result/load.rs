//! What a timed training used of the machine: cores, the GPU, memory, energy.

use super::Measured;
use serde::{Deserialize, Serialize};

/// What one timed training used, over the seconds of its `train_s` alone: while the network is evaluated, and while results are
/// written, nothing is counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Seconds that the figures cover.
    pub window_s: f64,
    /// Mean number of cores at work for this process: its CPU time, all of its threads together, divided by the window.
    pub cpus_used: Measured<f64>,
    /// Share of the window in which the machine's busiest core was at work, for whomever, in percent.
    pub busiest_cpu_pct: Measured<f64>,
    /// How often a thread of this process gave its core away to wait for something.
    pub voluntary_switches: Measured<u64>,
    /// How often a thread of this process had its core taken away.
    pub involuntary_switches: Measured<u64>,
    /// Largest resident memory of the process from its start to the end of this training, in bytes.
    pub peak_host_memory_bytes: Measured<u64>,
    /// What the driver told of the device.
    pub gpu: GpuLoad,
    /// What it took to run.
    pub energy: Measured<Energy>,
    /// What the readings took.
    pub sampling: Measured<Sampling>,
}

/// What a driver told of its device while a training ran. A driver's figures are means over some time of its own choice, about
/// 0.2 to 1 s, so that those of a short training hold some of what went before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GpuLoad {
    /// Who told: a library or a folder, and the driver's version where that is known.
    pub source: Measured<String>,
    /// Share of the time in which the device had work, in percent.
    pub busy_pct: Measured<Spread>,
    /// The most memory in use on the device, by all programs together, in bytes.
    pub memory_bytes: Measured<u64>,
    /// Clock of the device's cores, MHz.
    pub core_clock_mhz: Measured<Spread>,
    /// Clock of the device's memory, MHz.
    pub memory_clock_mhz: Measured<Spread>,
    /// Temperature, degrees Celsius.
    pub temperature_c: Measured<Spread>,
    /// Power, W.
    pub power_w: Measured<Spread>,
    /// Whether the device held its clocks down.
    pub throttling: Measured<Throttling>,
}

/// The lowest, the mean and the highest of a training's readings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Lowest.
    pub lowest: f64,
    /// Mean.
    pub mean: f64,
    /// Highest.
    pub highest: f64,
}

/// How a device held its clocks down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Throttling {
    /// Share of the readings that found it so, in percent; 0 if none did.
    pub share_pct: f64,
    /// Every reason that was given.
    pub reasons: Vec<String>,
}

/// The energy of a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Energy {
    /// What it is the energy of.
    pub of: String,
    /// How it and the idle power were measured.
    pub method: String,
    /// All of it, J.
    pub total_j: f64,
    /// Power just before the training, the device opened and without work, W.
    pub idle_w: Measured<f64>,
    /// What remains of `total_j` without the idle power over the same time, J.
    pub net_j: Measured<f64>,
    /// The same for each epoch, J.
    pub net_j_per_epoch: Measured<f64>,
    /// The same for 1,000 training images, J.
    pub net_j_per_1000_images: Measured<f64>,
}

/// What it took to read all this.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// The most readings that are taken in a second.
    pub most_per_s: f64,
    /// Readings that were taken.
    pub readings: u32,
    /// CPU seconds of the thread that takes them.
    pub cpu_s: f64,
    /// The same as a share of the window, in percent of one core.
    pub cpu_pct: f64,
}

impl Load {
    /// No figures, for `reason`.
    pub fn missing(reason: &str) -> Self {
        Self {
            window_s: 0.0,
            cpus_used: Measured::missing(reason),
            busiest_cpu_pct: Measured::missing(reason),
            voluntary_switches: Measured::missing(reason),
            involuntary_switches: Measured::missing(reason),
            peak_host_memory_bytes: Measured::missing(reason),
            gpu: GpuLoad::missing(reason),
            energy: Measured::missing(reason),
            sampling: Measured::missing(reason),
        }
    }
}

impl GpuLoad {
    /// No figures, for `reason`.
    pub fn missing(reason: &str) -> Self {
        Self {
            source: Measured::missing(reason),
            busy_pct: Measured::missing(reason),
            memory_bytes: Measured::missing(reason),
            core_clock_mhz: Measured::missing(reason),
            memory_clock_mhz: Measured::missing(reason),
            temperature_c: Measured::missing(reason),
            power_w: Measured::missing(reason),
            throttling: Measured::missing(reason),
        }
    }
}

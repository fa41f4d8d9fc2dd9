//! The load of the machine during a timed training: cores, GPU, memory, energy.

use super::measured::Measured;
use super::missing::not_recorded;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The load of one timed training over the seconds of its `train_s`; evaluation and writing results are not counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Load {
    /// Seconds that the figures cover: the window.
    pub window_s: f64,
    /// Mean number of cores in use by this process: the CPU time of all its threads, divided by the window.
    pub cpus_used: Measured<f64>,
    /// Mean number of cores that other programs used, or that a hypervisor took away.
    #[serde(default = "not_recorded::<f64>")]
    pub other_cpus: Measured<f64>,
    /// Share of the window in which the machine's busiest core was busy with any process, in percent.
    pub busiest_cpu_pct: Measured<f64>,
    /// Voluntary context switches of this process.
    pub voluntary_switches: Measured<u64>,
    /// Involuntary context switches of this process.
    pub involuntary_switches: Measured<u64>,
    /// Largest resident memory of the process from its start to the end of this training, in bytes.
    pub peak_host_memory_bytes: Measured<u64>,
    /// The device's sensors.
    pub gpu: GpuLoad,
    /// The energy of the training.
    pub energy: Measured<Energy>,
    /// The cost of the readings.
    pub sampling: Measured<Sampling>,
}

/// The sensors of a device during a training. Drivers report means over intervals of about 0.2 to 1 s, so that the
/// figures of a short training include some time before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GpuLoad {
    /// The source: a library or a folder, and the driver's version if it is known.
    pub source: Measured<String>,
    /// Share of the time in which the device was busy, in percent.
    pub busy_pct: Measured<Spread>,
    /// The largest memory use of all programs together on the device, in bytes.
    pub memory_bytes: Measured<u64>,
    /// Clock of the device's cores, MHz.
    pub core_clock_mhz: Measured<Spread>,
    /// Clock of the device's memory, MHz.
    pub memory_clock_mhz: Measured<Spread>,
    /// Temperature, degrees Celsius.
    pub temperature_c: Measured<Spread>,
    /// Power, W.
    pub power_w: Measured<Spread>,
    /// Whether the device throttled its clocks.
    pub throttling: Measured<Throttling>,
}

/// The lowest, the mean and the highest of a training's readings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// Lowest.
    pub lowest: f64,
    /// Mean.
    pub mean: f64,
    /// Highest.
    pub highest: f64,
}

/// How a device throttled its clocks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Throttling {
    /// Share of the readings with throttling, in percent.
    pub share_pct: f64,
    /// Every reason that was reported.
    pub reasons: Vec<String>,
}

/// The energy of a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Energy {
    /// What it is the energy of.
    pub of: String,
    /// How it and the idle power were measured.
    pub method: String,
    /// Total energy, J.
    pub total_j: f64,
    /// Idle power before the training, with the device opened, W.
    pub idle_w: Measured<f64>,
    /// `total_j` minus the idle power over the same time, J.
    pub net_j: Measured<f64>,
    /// The net energy per epoch, J.
    pub net_j_per_epoch: Measured<f64>,
    /// The net energy per 1,000 training images, J.
    pub net_j_per_1000_images: Measured<f64>,
}

/// The cost of the readings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sampling {
    /// The highest number of readings per second.
    pub most_per_s: f64,
    /// Number of readings.
    pub readings: u32,
    /// CPU seconds of the sampling thread.
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
            other_cpus: Measured::missing(reason),
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

//! The time account of a timed training: where every second of its wall time went.

use super::{Measured, no_device_time_factor};
use serde::{Deserialize, Serialize};

/// wall = kernels + gaps + encoding and submission + upload and readback + host + rest, in seconds of one timed training.
///
/// The timed training takes no timestamps. Its kernels and gaps are the profile's device times of a step, times its steps;
/// all else was taken by the host's clock in the timed training itself. Work of the host that ran while the device was busy
/// costs nothing and is counted in [`HostTimes`] alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// The training's time.
    pub wall_s: f64,
    /// Its steps.
    pub steps: u32,
    /// Kernels at work: the sum of their medians, times the steps.
    pub kernels_s: f64,
    /// Between kernels: the undisturbed device time of a step beyond its kernels, times the steps. Negative where kernels overlap.
    pub gaps_s: f64,
    /// Encoding and submission while the device had nothing to do.
    pub encode_submit_s: f64,
    /// Moving data to the device and results back, while the device had nothing to do.
    pub transfer_s: f64,
    /// The device waiting while the host did anything else: made buffers, shuffled, reported.
    pub host_s: f64,
    /// What nothing explains.
    pub rest_s: f64,
    /// What the profile's device times were multiplied by, where the device is the host's own processor: its speed changes with whatever
    /// else runs, so that a step between the profiled ones takes another time than in the training. This is the ratio of the two times,
    /// training to profile, by the host's clock with commands in flight.
    #[serde(default = "no_device_time_factor")]
    pub device_time_factor: Measured<f64>,
    /// What the host did in all, hidden behind the device or not.
    pub host: HostTimes,
    /// What bounds the training.
    pub verdict: Verdict,
}

/// What the host did during a training, in seconds; together they are the wall time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct HostTimes {
    /// Making buffers and bindings.
    pub prepare_s: f64,
    /// Copying the data and each epoch's order to the device.
    pub upload_s: f64,
    /// Drawing each epoch's order.
    pub shuffle_s: f64,
    /// Encoding commands.
    pub encode_s: f64,
    /// Handing commands over.
    pub submit_s: f64,
    /// Blocked until commands were done.
    pub wait_s: f64,
    /// Reading results back.
    pub readback_s: f64,
    /// Everything else, such as reporting progress.
    pub other_s: f64,
}

/// What bounds a training, and by how much.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Which it is.
    pub bound: TrainingBound,
    /// One sentence.
    pub words: String,
}

/// What bounds a training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrainingBound {
    /// Kernels at work take most of the time.
    Compute,
    /// Launching them takes most of it: gaps, encoding and submission, and kernels no longer than a launch.
    Launch,
    /// Moving data or other work of the host takes most of it.
    Host,
}

impl Account {
    /// The parts in the order of their sum, each with its name; together they are [`Account::wall_s`].
    pub fn parts(&self) -> [(&'static str, f64); 6] {
        [
            ("kernels", self.kernels_s),
            ("gaps between kernels", self.gaps_s),
            ("encoding and submission", self.encode_submit_s),
            ("upload and readback", self.transfer_s),
            ("waiting on the host", self.host_s),
            ("rest", self.rest_s),
        ]
    }

    /// Share of the wall time in which kernels were at work, in per cent. Where they overlap, their union.
    pub fn busy_pct(&self) -> f64 {
        (100.0 * (self.kernels_s + self.gaps_s.min(0.0)) / self.wall_s).clamp(0.0, 100.0)
    }

    /// The unexplained part of the wall time, in per cent; negative where more is explained than there was.
    pub fn rest_pct(&self) -> f64 {
        100.0 * self.rest_s / self.wall_s
    }
}

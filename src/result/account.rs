//! The time account of a timed training: the breakdown of its wall time.

use super::measured::Measured;
use super::missing::no_device_time_factor;
use serde::{Deserialize, Serialize};

/// wall = kernels + gaps + encoding and submission + upload and readback + host + rest, in seconds of one timed
/// training.
///
/// The timed training takes no timestamps. Its kernels and gaps are the profile's device times of a step, multiplied by
/// its steps; everything else is measured by the host's clock in the timed training itself. Host work that overlaps
/// with device work costs nothing and is counted in [`HostTimes`] only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// The wall time of the training.
    pub wall_s: f64,
    /// Number of training steps.
    pub steps: u32,
    /// Running kernels: the sum of their medians, multiplied by the steps.
    pub kernels_s: f64,
    /// Between kernels: the undisturbed device time of a step minus its kernels, multiplied by the steps. Negative if
    /// kernels overlap.
    pub gaps_s: f64,
    /// Encoding and submission while the device was idle.
    pub encode_submit_s: f64,
    /// Uploads and readbacks while the device was idle.
    pub transfer_s: f64,
    /// Other work of the host while the device was idle: creating buffers, shuffling, reporting.
    pub host_s: f64,
    /// The unexplained rest.
    pub rest_s: f64,
    /// The factor on the profile's device times if the device is the host's own processor, whose speed depends on its
    /// other work: the time of a step in the training divided by its time in the profile, by the host's clock with
    /// commands in flight.
    #[serde(default = "no_device_time_factor")]
    pub device_time_factor: Measured<f64>,
    /// All work of the host, whether it overlaps with device work or not.
    pub host: HostTimes,
    /// What limits the training.
    pub verdict: Verdict,
}

/// The work of the host during a training, in seconds; the sum is the wall time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct HostTimes {
    /// Creating buffers and bind groups.
    pub prepare_s: f64,
    /// Copying the data and each epoch's order to the device.
    pub upload_s: f64,
    /// Shuffling the images of each epoch.
    pub shuffle_s: f64,
    /// Encoding commands.
    pub encode_s: f64,
    /// Submitting commands.
    pub submit_s: f64,
    /// Waiting for commands.
    pub wait_s: f64,
    /// Reading results back.
    pub readback_s: f64,
    /// Everything else, such as reporting progress.
    pub other_s: f64,
}

/// What limits a training, and by how much.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The limit.
    pub bound: TrainingBound,
    /// One sentence.
    pub words: String,
}

/// What limits a training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrainingBound {
    /// Running kernels take most of the time.
    Compute,
    /// Launches take most of the time: gaps, encoding and submission, and kernels no longer than a launch.
    Launch,
    /// Transfers or other work of the host take most of the time.
    Host,
}

impl Account {
    /// The parts of the sum with their names, in order; the sum is [`Account::wall_s`].
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

    /// Share of the wall time in which kernels were running, in percent; overlapping kernels count once.
    pub fn busy_pct(&self) -> f64 {
        (100.0 * (self.kernels_s + self.gaps_s.min(0.0)) / self.wall_s).clamp(0.0, 100.0)
    }

    /// The unexplained share of the wall time, in percent; negative if the parts exceed the wall time.
    pub fn rest_pct(&self) -> f64 {
        100.0 * self.rest_s / self.wall_s
    }
}

//! One timed training: its epochs, samples and commands.

use super::load::Load;
use super::measured::Measured;
use super::missing::{kept_whole, not_recorded, unfinished};
use crate::gpu::CommandCounts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One timed training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Repeat {
    /// Seconds from the data in host memory to the last epoch's results on the host; missing if it was stopped.
    pub train_s: Measured<f64>,
    /// Seconds spent on evaluations.
    pub evaluate_s: Measured<f64>,
    /// One entry for each finished epoch, or for those that a long soak keeps.
    pub epochs: Vec<Epoch>,
    /// The time of every step, or of every chunk of steps that was submitted together, in the epochs that are kept.
    pub samples: Vec<Sample>,
    /// What is counted of a long soak, of which some epochs are kept.
    #[serde(default = "kept_whole::<Thinned>")]
    pub thinned: Measured<Thinned>,
    /// SHA-256 of the final parameters' little-endian bytes, in hexadecimal, to compare runs bit by bit.
    pub parameters_sha256: Measured<String>,
    /// Error rate on the test images after the last epoch, in percent.
    pub final_test_error_pct: Measured<f64>,
    /// The commands that were submitted, including evaluations.
    #[serde(default = "not_recorded::<CommandCounts>")]
    pub commands: Measured<CommandCounts>,
    /// Size of all buffers that the training created on the device, in bytes.
    #[serde(default = "not_recorded::<u64>")]
    pub device_buffer_bytes: Measured<u64>,
    /// The machine's load during the training.
    #[serde(default = "not_recorded::<Load>")]
    pub load: Measured<Load>,
}

impl Repeat {
    /// A training that has not begun.
    pub fn unfinished() -> Self {
        Self {
            train_s: unfinished(),
            evaluate_s: Measured::missing("nothing was evaluated"),
            epochs: Vec::new(),
            samples: Vec::new(),
            thinned: kept_whole(),
            parameters_sha256: unfinished(),
            final_test_error_pct: unfinished(),
            commands: unfinished(),
            device_buffer_bytes: Measured::missing("the training did not start"),
            load: unfinished(),
        }
    }

    /// Seconds of training until the error rate on the test images was at most `error_pct` for the first time, in
    /// whole epochs.
    pub fn seconds_to_error(&self, error_pct: f64) -> Measured<f64> {
        if let Measured::Value(thinned) = &self.thinned {
            return Measured::missing(format!("only every {}th epoch of the soak is kept", thinned.every));
        }
        if self.epochs.iter().all(|epoch| epoch.test_error_pct.value().is_none()) {
            return Measured::missing("the error rates after each epoch are not known");
        }
        let reached = |epoch: &Epoch| epoch.test_error_pct.value().is_some_and(|error| *error <= error_pct);
        let last = self.epochs.iter().position(reached);
        let seconds = last.map(|last| self.epochs[..=last].iter().map(|epoch| epoch.train_s).sum());
        Measured::or_missing(seconds, &format!("no epoch ended with {error_pct} % or less"))
    }

    /// Joules until then, in proportion to the time.
    pub fn joules_to_error(&self, error_pct: f64) -> Measured<f64> {
        self.seconds_to_error(error_pct).and_then(|seconds| {
            self.train_s.and_then(|train_s| {
                let energy = self.load.and_then(|load| load.energy.clone());
                energy.map(|energy| energy.total_j * seconds / train_s)
            })
        })
    }

    /// Steps that were done.
    pub fn steps(&self) -> u32 {
        if let Measured::Value(thinned) = &self.thinned {
            return thinned.steps;
        }
        self.samples.iter().fold(0, |sum, sample| sum.saturating_add(sample.steps))
    }

    /// Seconds of all samples.
    pub fn samples_s(&self) -> f64 {
        match &self.thinned {
            Measured::Value(thinned) => thinned.samples_s,
            Measured::Missing { .. } => self.samples.iter().map(|sample| sample.duration_s).sum(),
        }
    }

    /// Steps that were done in epoch `epoch`, counted from 1.
    pub fn steps_in(&self, epoch: u32) -> u32 {
        let of_epoch = self.samples.iter().filter(|sample| sample.epoch == epoch);
        of_epoch.fold(0, |sum, sample| sum.saturating_add(sample.steps))
    }
}

/// Counts of all epochs of a training that keeps some of them: the first and each `every`-th after it, and the last.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Thinned {
    /// The distance of the epochs that are kept.
    pub every: u32,
    /// Number of finished epochs.
    pub epochs: u32,
    /// Seconds of them.
    pub epochs_s: f64,
    /// Steps of them.
    pub steps: u32,
    /// Number of their samples.
    pub samples: u64,
    /// Seconds of these.
    pub samples_s: f64,
}

/// One pass over the training images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Epoch {
    /// Number of the epoch, from 1.
    pub epoch: u32,
    /// Seconds of training.
    pub train_s: f64,
    /// Mean loss over the epoch's batches, with dropout.
    pub train_loss: Measured<f64>,
    /// Share of the epoch's training images that were misclassified when they were trained on, in percent.
    pub train_error_pct: Measured<f64>,
    /// Mean loss on the test images.
    pub test_loss: Measured<f64>,
    /// Test images misclassified.
    pub test_errors: Measured<u32>,
    /// Share of the test images misclassified, in percent.
    pub test_error_pct: Measured<f64>,
    /// Mean training loss of successive, equal parts of the epoch, with dropout; infinite or NaN losses end the list.
    #[serde(default)]
    pub loss_curve: Vec<f64>,
}

/// The time of a number of successive steps; in JSON the list `[epoch, first_step, steps, duration_s]`, as there may be
/// thousands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "(u32, u32, u32, f64)", into = "(u32, u32, u32, f64)")]
pub struct Sample {
    /// Number of the epoch, from 1.
    pub epoch: u32,
    /// First step of the sample, counted from the start of the training.
    pub first_step: u32,
    /// Number of steps.
    pub steps: u32,
    /// Seconds.
    pub duration_s: f64,
}

impl From<(u32, u32, u32, f64)> for Sample {
    fn from((epoch, first_step, steps, duration_s): (u32, u32, u32, f64)) -> Self {
        Self { epoch, first_step, steps, duration_s }
    }
}

impl From<Sample> for (u32, u32, u32, f64) {
    fn from(sample: Sample) -> Self {
        (sample.epoch, sample.first_step, sample.steps, sample.duration_s)
    }
}

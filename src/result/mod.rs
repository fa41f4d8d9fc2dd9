//! The result of a run: one versioned JSON document that says what was measured, on what, and what is missing.
//!
//! A value that may be missing is a [`Measured`]: the value itself, or `{"missing": "reason"}`; never a null, a blank or a
//! NaN. Readers ignore fields they do not know and refuse a newer [`SCHEMA_VERSION`].

use crate::data::Identity;
use crate::gpu::CommandCounts;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod account;
mod check;
mod environment;
mod json;
mod load;
mod measured;
mod missing;
mod parallel;
mod peaks;
mod phases;
mod profile;
mod settings;
mod stopping;
mod summary;
mod sweep;
mod timeline;
mod tuning;

pub use account::{Account, HostTimes, TrainingBound, Verdict};
pub use check::{Check, KernelCheck, Outcome, StepCheck};
pub use environment::{Adapter, AdapterKind, Cpu, Environment, TimestampGrade, Tool};
pub use load::{Energy, GpuLoad, Load, Sampling, Spread, Throttling};
pub use measured::Measured;
pub use missing::*;
pub use parallel::{Member, Parallel, Synchronisation};
pub use peaks::{Facts, PEAK_FACTS, PEAKS_SCHEMA, PEAKS_SCHEMA_VERSION, Peak, PeakKind, Peaks, Subject, Unit};
pub use phases::Phases;
pub use profile::{Bound, KernelTime, Method, Profile};
pub use settings::{Origin, Setting, Settings};
pub use stopping::{Repeating, RepeatingEnd, Soak, StoppingRule};
pub use sweep::{Sweep, SweepFit, SweepPoint, SweepVariable};
pub use timeline::{Event, Timeline, Track};
pub use tuning::{Candidate, TUNING_SCHEMA, TUNING_SCHEMA_VERSION, Tuning};

/// The value of `schema` in every result file.
pub const SCHEMA: &str = "gpubench.result";
/// The version of the schema this program writes, and the newest it reads.
pub const SCHEMA_VERSION: u32 = 2;

/// Everything known about one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Always [`SCHEMA_VERSION`] in a result made by this program.
    pub schema_version: u32,
    /// How the run ended.
    pub status: Status,
    /// Why the status is not `complete`; empty if it is.
    pub reasons: Vec<String>,
    /// Whether the run trained exactly the pinned task.
    pub standard: bool,
    /// What differs from the pinned task, one phrase each ("3 epochs instead of 10"); empty for a standard run.
    pub non_standard: Vec<String>,
    /// What a reader of the figures should know besides.
    pub warnings: Vec<String>,
    /// When the run started, RFC 3339 in UTC.
    pub started_utc: String,
    /// What was asked for, and by whom.
    pub settings: Settings,
    /// What it ran on.
    pub environment: Environment,
    /// The kernels of one training step.
    pub plan: Plan,
    /// What it trained on.
    pub data: Data,
    /// How big the network is.
    pub model: ModelSize,
    /// How the adapter's arithmetic compares with the reference.
    pub check: Measured<Check>,
    /// How long each part of the run took.
    pub phases: Phases,
    /// The timed trainings, in order.
    pub repeats: Vec<Repeat>,
    /// The figures of the table, computed from the repeats.
    pub summary: Summary,
    /// Device time for each kernel; may be left out.
    #[serde(default = "not_profiled")]
    pub profile: Measured<Profile>,
    /// What the adapter reaches at best; may be left out.
    #[serde(default = "no_peaks")]
    pub peaks: Measured<Peaks>,
    /// Where the time of the last timed training went; may be left out.
    #[serde(default = "no_account")]
    pub account: Measured<Account>,
    /// Step time against size, in the result of a sweep; may be left out.
    #[serde(default = "no_sweep")]
    pub sweep: Measured<Sweep>,
    /// The measured search that chose the plan; may be left out.
    #[serde(default = "no_tuning")]
    pub tuning: Measured<Tuning>,
    /// How the repeating of the training ended; may be left out.
    #[serde(default = "not_recorded")]
    pub repeating: Measured<Repeating>,
    /// Epoch after epoch of a long training; may be left out.
    #[serde(default = "no_soak")]
    pub soak: Measured<Soak>,
    /// How several devices shared the training; may be left out.
    #[serde(default = "not_parallel")]
    pub parallel: Measured<Parallel>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Everything that was asked for was measured, and the error rate is credible.
    Complete,
    /// The run was stopped or is still going on; what was measured so far stands here.
    Partial,
    /// The run ended, but its figures must not be used; the reasons say why.
    Invalid,
    /// The run broke off with an error.
    Failed,
}

impl Status {
    /// The word to show beside every figure of a result with this status; `None` for a complete one.
    pub const fn stamp(self) -> Option<&'static str> {
        match self {
            Status::Complete => None,
            Status::Partial => Some("PARTIAL"),
            Status::Invalid => Some("INVALID"),
            Status::Failed => Some("FAILED"),
        }
    }
}

/// The kernels that perform one training step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Name of the plan, `layered` or `fused`.
    pub name: String,
    /// Tuning values by name, as text.
    pub tuning: BTreeMap<String, String>,
    /// Kernels in the order of their dispatch, for a whole batch.
    pub kernels: Vec<PlanKernel>,
}

/// One kernel of a plan at work on one layer, and its cost in one step of a whole batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanKernel {
    /// Name of the kernel.
    pub kernel: String,
    /// Name of the layer.
    pub layer: String,
    /// How often it is dispatched in a step.
    pub dispatches_per_step: u32,
    /// Floating-point operations of one step, two to a multiply-add.
    pub flop_per_step: u64,
    /// Bytes that one step must read and write at least.
    pub bytes_per_step: u64,
    /// Workgroups of one dispatch in x, y and z.
    pub workgroups: [u32; 3],
}

/// The data a run trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// What they are known to be.
    pub identity: Identity,
    /// One line for people.
    pub name: String,
    /// Where they were read from; missing for synthetic digits.
    pub source: Measured<String>,
    /// Number of training images.
    pub train_images: u32,
    /// Number of test images.
    pub test_images: u32,
}

/// How big the network is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelSize {
    /// Trainable values.
    pub parameters: u64,
    /// Multiply-adds of one image's forward pass.
    pub forward_macs: u64,
    /// Multiply-adds of one image's forward and backward pass, counted densely.
    pub training_macs: u64,
}

/// One timed training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Repeat {
    /// Seconds from the data in host memory to the last epoch's results on the host; missing if it was stopped.
    pub train_s: Measured<f64>,
    /// Seconds spent on evaluations.
    pub evaluate_s: Measured<f64>,
    /// One entry for each finished epoch.
    pub epochs: Vec<Epoch>,
    /// Times of every step, or of every chunk of steps submitted together.
    pub samples: Vec<Sample>,
    /// SHA-256 of the final parameters' little-endian bytes, in hexadecimal, to compare runs bit by bit.
    pub parameters_sha256: Measured<String>,
    /// Error rate on the test images after the last epoch, in percent.
    pub final_test_error_pct: Measured<f64>,
    /// What was handed to the device, evaluations included.
    #[serde(default = "not_recorded")]
    pub commands: Measured<CommandCounts>,
    /// Bytes of all buffers that the training made on the device.
    #[serde(default = "not_recorded")]
    pub device_buffer_bytes: Measured<u64>,
    /// What the training used of the machine.
    #[serde(default = "not_recorded")]
    pub load: Measured<Load>,
}

/// One pass over the training images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

/// The time of a number of successive steps; in JSON the list `[epoch, first_step, steps, duration_s]`, as there may be thousands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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

/// The figures of the table. All are missing until something was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Median time of the repeats' training.
    pub train_s: Measured<f64>,
    /// Median absolute deviation of that time.
    pub train_mad_s: Measured<f64>,
    /// Bootstrap interval of the median.
    pub train_interval: Measured<Interval>,
    /// Training images per second at the median time.
    pub images_per_s: Measured<f64>,
    /// 10^9 floating-point operations per second at the median time, against the dense count of the model.
    pub dense_gflop_per_s: Measured<f64>,
    /// Error rate on the test images, in percent: the median of the repeats.
    pub test_error_pct: Measured<f64>,
    /// Lowest and highest error rate a run like this may have, in percent, both included.
    pub accepted_test_error_pct: Measured<[f64; 2]>,
    /// Share of the training time in which the GPU's kernels were at work, in percent, by this program's own time account.
    pub gpu_busy_pct: Measured<f64>,
    /// Share of the training time in which the GPU was busy by its driver's word, in percent: the median of the repeats.
    #[serde(default = "not_recorded")]
    pub driver_gpu_busy_pct: Measured<f64>,
    /// Mean number of CPU cores in use by this process: the median of the repeats.
    pub cpus_used: Measured<f64>,
    /// Load of the machine's busiest CPU core, in percent: the median of the repeats.
    pub busiest_cpu_pct: Measured<f64>,
    /// Energy of 1,000 training images beyond the idle power, J: the median of the repeats.
    #[serde(default = "not_recorded")]
    pub net_j_per_1000_images: Measured<f64>,
    /// Bytes of all buffers that a training made on the device.
    #[serde(default = "not_recorded")]
    pub device_buffer_bytes: Measured<u64>,
    /// Largest resident memory of the process, in bytes.
    pub peak_host_memory_bytes: Measured<u64>,
}

/// An interval that holds the median with some confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end, seconds.
    pub low_s: f64,
    /// Upper end, seconds.
    pub high_s: f64,
    /// Confidence, in percent.
    pub confidence_pct: f64,
    /// Number of samples it rests on.
    pub samples: u32,
}

impl RunResult {
    /// The JSON document, indented, ending in a line break. A number that is not finite is written as missing.
    ///
    /// # Errors
    /// [`Error::Output`] if a value cannot be written as JSON, which no result made by this program contains.
    pub fn to_json(&self) -> Result<String> {
        json::to_string(self).map_err(|error| Error::Output(format!("the result cannot be written as JSON: {error}")))
    }

    /// Reads a result; fields that this version does not know are ignored.
    ///
    /// # Errors
    /// [`Error::Data`] if the text is not JSON, not a result, of a newer version, or lacks something.
    pub fn from_json(text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Header {
            schema: String,
            schema_version: u32,
        }
        let header: Header = serde_json::from_str(text).map_err(|error| {
            Error::Data(format!("this is not a gpubench result ({error}); give a JSON file written by gpubench"))
        })?;
        if header.schema != SCHEMA {
            return Err(Error::Data(format!(
                "this JSON is a {:?}, not a {SCHEMA:?}; give a result file written by gpubench",
                header.schema
            )));
        }
        if header.schema_version > SCHEMA_VERSION {
            return Err(Error::Data(format!(
                "this result has schema version {}, this program reads versions up to {SCHEMA_VERSION}; use a newer gpubench",
                header.schema_version
            )));
        }
        serde_json::from_str(text)
            .map_err(|error| Error::Data(format!("this gpubench result is damaged or incomplete: {error}")))
    }

    /// The stamp to show beside every figure of this result: its status unless complete, `non-standard` otherwise if so.
    pub fn stamps(&self) -> Vec<&'static str> {
        let mut stamps = Vec::from_iter(self.status.stamp());
        if !self.standard {
            stamps.push("non-standard");
        }
        stamps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_value_is_an_object_with_its_reason() {
        let json = serde_json::to_string(&Measured::<f64>::missing("no timestamps")).unwrap();
        assert_eq!(json, r#"{"missing":"no timestamps"}"#);
        assert_eq!(serde_json::from_str::<Measured<f64>>(&json).unwrap(), Measured::missing("no timestamps"));
        assert_eq!(serde_json::from_str::<Measured<f64>>("1.5").unwrap(), Measured::Value(1.5));
        let error = serde_json::from_str::<Measured<f64>>("null").unwrap_err().to_string();
        assert!(error.contains("missing"), "{error}");
    }

    #[test]
    fn numbers_that_are_not_finite_are_missing() {
        assert_eq!(Measured::from(f64::NAN).value(), None);
        assert_eq!(Measured::from(f32::INFINITY).value(), None);
        let step = StepCheck { step: 0, gpu_loss: Measured::Value(f64::NAN), reference_loss: Measured::Value(2.3) };
        let json = json::to_string(&step).unwrap();
        assert!(!json.contains("null"), "{json}");
        let read: StepCheck = serde_json::from_str(&json).unwrap();
        assert_eq!(read.gpu_loss, Measured::missing("not a finite number"));
        assert_eq!(read.reference_loss, step.reference_loss);
    }
}

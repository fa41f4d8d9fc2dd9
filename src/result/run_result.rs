//! The result of a run.

use super::account::Account;
use super::check::Check;
use super::digest;
use super::environment::Environment;
use super::json;
use super::measured::Measured;
use super::missing::{
    no_account, no_peaks, no_soak, no_sweep, no_tuning, not_in_turns, not_parallel, not_profiled, not_recorded,
};
use super::parallel::Parallel;
use super::peaks::Peaks;
use super::phases::Phases;
use super::profile::Profile;
use super::settings::Settings;
use super::stopping::{Repeating, Soak};
use super::summary::Summary;
use super::sweep::Sweep;
use super::tool::OtherTool;
use super::training::Repeat;
use super::tuning::Tuning;
use super::turns::Turns;
use crate::data::Identity;
use crate::error::{Error, Result};
use crate::escape;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The value of `schema` in every result file.
pub const SCHEMA: &str = "gpubench.result";
/// The version of the schema this program writes, and the newest it reads.
pub const SCHEMA_VERSION: u32 = 2;

/// Everything known about one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// Warnings that a reader of the figures should know.
    pub warnings: Vec<String>,
    /// When the run started, RFC 3339 in UTC.
    pub started_utc: String,
    /// What was requested, and where each value came from.
    pub settings: Settings,
    /// What it ran on.
    pub environment: Environment,
    /// The kernels of one training step.
    pub plan: Plan,
    /// What it trained on.
    pub data: Data,
    /// The size of the network.
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
    #[serde(default = "not_profiled::<Profile>")]
    pub profile: Measured<Profile>,
    /// The measured peaks of the adapter; may be left out.
    #[serde(default = "no_peaks::<Peaks>")]
    pub peaks: Measured<Peaks>,
    /// Where the time of the last timed training went; may be left out.
    #[serde(default = "no_account::<Account>")]
    pub account: Measured<Account>,
    /// Step time against size, in the result of a sweep; may be left out.
    #[serde(default = "no_sweep::<Sweep>")]
    pub sweep: Measured<Sweep>,
    /// The measured search that chose the plan; may be left out.
    #[serde(default = "no_tuning::<Tuning>")]
    pub tuning: Measured<Tuning>,
    /// How the repetition of the training ended; may be left out.
    #[serde(default = "not_recorded::<Repeating>")]
    pub repeating: Measured<Repeating>,
    /// The result of a soak, one long training; may be left out.
    #[serde(default = "no_soak::<Soak>")]
    pub soak: Measured<Soak>,
    /// How several devices shared the training; may be left out.
    #[serde(default = "not_parallel::<Parallel>")]
    pub parallel: Measured<Parallel>,
    /// How the trainings took turns with those of another result; may be left out.
    #[serde(default = "not_in_turns::<Turns>")]
    pub turns: Measured<Turns>,
    /// The tool that trained, if it is not this program; may be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<OtherTool>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Everything that was requested was measured, and the error rate is in range.
    Complete,
    /// The run was stopped or is not finished; it holds what was measured so far.
    Partial,
    /// The run ended, but its figures must not be used; the reasons say why.
    Invalid,
    /// The run ended with an error.
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// Name of the plan, `layered` or `fused`.
    pub name: String,
    /// Tuning values by name, as text.
    pub tuning: BTreeMap<String, String>,
    /// Kernels in the order of their dispatch, for a whole batch.
    pub kernels: Vec<PlanKernel>,
}

/// One kernel of a plan for one layer, and its cost in one step of a whole batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanKernel {
    /// Name of the kernel.
    pub kernel: String,
    /// Name of the layer.
    pub layer: String,
    /// Dispatches per step.
    pub dispatches_per_step: u32,
    /// Floating-point operations of one step, two per multiply-add.
    pub flop_per_step: u64,
    /// The least number of bytes that one step has to read and write.
    pub bytes_per_step: u64,
    /// Workgroups of one dispatch in x, y and z.
    pub workgroups: [u32; 3],
}

/// The data a run trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Data {
    /// Which data set it is.
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

/// The size of the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelSize {
    /// Number of parameters.
    pub parameters: u64,
    /// Multiply-adds of one image's forward pass.
    pub forward_macs: u64,
    /// Multiply-adds of one image's forward and backward pass, counted densely.
    pub training_macs: u64,
}

impl RunResult {
    /// The JSON document with its digest, indented, ending in a line break. A number that is not finite is written as
    /// missing.
    ///
    /// # Errors
    /// [`Error::Output`] if a value cannot be written as JSON, which no result made by this program contains.
    pub fn to_json(&self) -> Result<String> {
        let document = json::to_string(self);
        document
            .map(|document| digest::sealed(&document))
            .map_err(|error| Error::Output(format!("the result cannot be written as JSON: {error}")))
    }

    /// The same document on one line that ends in a line break; its digest holds of it too.
    ///
    /// # Errors
    /// As [`RunResult::to_json`].
    pub fn to_json_line(&self) -> Result<String> {
        Ok(digest::tokens(&self.to_json()?) + "\n")
    }

    /// Several results as one JSON array, as [`RunResult::to_json`] writes each.
    ///
    /// # Errors
    /// As [`RunResult::to_json`].
    pub fn list_to_json(results: &[Self]) -> Result<String> {
        let documents = results.iter().map(Self::to_json).collect::<Result<Vec<_>>>()?;
        Ok(format!("[\n{}\n]", documents.join(",\n")))
    }

    /// Reads a result; fields that this version does not know are ignored.
    ///
    /// # Errors
    /// [`Error::Data`] if the text is not JSON, not a result, of a newer version, or incomplete.
    pub fn from_json(text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Header {
            schema: String,
            schema_version: u32,
        }
        let header: Header = serde_json::from_str(text).map_err(|error| {
            let error = error.to_string();
            let error = escape::line(&error);
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
        serde_json::from_str(text).map_err(|error| {
            Error::Data(format!("this gpubench result is damaged or incomplete: {}", escape::line(&error.to_string())))
        })
    }

    /// Steps in an epoch.
    pub fn steps_per_epoch(&self) -> u32 {
        self.data.train_images.div_ceil(self.settings.batch.value.max(1))
    }

    /// Steps that the settings ask of each training, but for a soak, which ends by time.
    pub fn planned_steps(&self) -> u32 {
        let all = self.settings.epochs.value.saturating_mul(self.steps_per_epoch());
        self.settings.steps.value.value().map_or(all, |steps| all.min(*steps))
    }

    /// Seconds after which the time limit of a quick run ended a training before its last step, if it did.
    pub fn cut_short_after_s(&self) -> Option<f64> {
        let mut cut = self.repeats.iter().filter(|repeat| repeat.steps() < self.planned_steps());
        self.settings.quick.value.then(|| cut.find_map(|repeat| repeat.train_s.value().copied())).flatten()
    }

    /// The stamps to show beside every figure of this result: its status unless complete, and `non-standard` if so.
    pub fn stamps(&self) -> Vec<&'static str> {
        let mut stamps = Vec::from_iter(self.status.stamp());
        if !self.standard {
            stamps.push("non-standard");
        }
        stamps
    }
}

//! What the protocol asks of whatever trains: an adapter, the host's cores, several adapters together.

use super::host_timeline::HostTimeline;
use super::job::Job;
use super::observer::Observer;
use super::pacing::Chunk;
use super::profile_options::ProfileOptions;
use crate::check::Report;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::result::{Commands, Measured, RunResult, Timeline};
use crate::trainer::{Metrics, TrainingConfig};
use std::ops::ControlFlow;

/// A place to train on, before anything of it is opened.
#[allow(async_fn_in_trait, reason = "runs are never handed to another thread")]
pub trait TrainingTarget {
    /// The same once it is opened.
    type Opened<'a>: OpenedTarget
    where
        Self: 'a;

    /// Opens and compiles what `config` needs, and tells `result` its phases `device_s` and `compile_s`, its plan and what is known of
    /// the device.
    ///
    /// # Errors
    /// [`crate::Error::Adapter`] if the place cannot train this config, or the device's error.
    async fn open(
        &self,
        job: &Job<'_>,
        config: &TrainingConfig,
        result: &mut RunResult,
        observer: &mut dyn Observer,
    ) -> Result<Self::Opened<'_>>;
}

/// A training that has come to its end, for the profile and the account made after it.
pub struct LastTraining<'a> {
    /// What the host did in it.
    pub host_timeline: &'a HostTimeline,
    /// Seconds of the train clock; missing if it was cut short.
    pub wall_s: Measured<f64>,
}

/// A place that is ready to train.
#[allow(async_fn_in_trait, reason = "runs are never handed to another thread")]
pub trait OpenedTarget {
    /// Compares kernels and training steps with the reference.
    ///
    /// # Errors
    /// Only what keeps the check from being made; a failed comparison is in the report.
    async fn check(&self) -> Result<Report>;

    /// Something to make one training with.
    fn engine(&self) -> impl TrainingEngine;

    /// Profiles the config's kernels after the timed trainings, of which `last` was the last, and fills `result.profile` and
    /// `result.account`; returns what happened when.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`] if the observer stopped it, or the device's error.
    async fn profile(
        &self,
        job: &Job<'_>,
        options: ProfileOptions,
        last: LastTraining<'_>,
        result: &mut RunResult,
        observer: &mut dyn Observer,
    ) -> Result<Timeline>;
}

/// Makes one training, epoch by epoch.
#[allow(async_fn_in_trait, reason = "runs are never handed to another thread")]
pub trait TrainingEngine {
    /// Makes room and copies the data and `parameters` (laid out as the model says) to where they are used. The train clock runs.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if memory runs out.
    async fn begin(&mut self, dataset: &Dataset, parameters: &[f32], host_timeline: &mut HostTimeline) -> Result<()>;

    /// Draws the order of epoch `epoch`, from 0, and makes ready for its steps.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    async fn begin_epoch(&mut self, epoch: u32, host_timeline: &mut HostTimeline) -> Result<()>;

    /// Makes the steps 0 .. `count` of the epoch that was begun, and tells `report` whenever some are done; it may break off.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`] if `report` broke off, once the steps that had begun are done.
    async fn steps(
        &mut self,
        count: u32,
        host_timeline: &mut HostTimeline,
        report: &mut dyn FnMut(Chunk) -> ControlFlow<()>,
    ) -> Result<()>;

    /// Loss and right answers of each of the first `steps` steps of the epoch.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    async fn step_metrics(&mut self, steps: u32) -> Result<Vec<Metrics>>;

    /// Loss and right answers on all test images, without dropout; `report` may break it off.
    ///
    /// # Errors
    /// As [`TrainingEngine::steps`].
    async fn evaluate(&mut self, report: &mut dyn FnMut(Chunk) -> ControlFlow<()>) -> Result<Metrics>;

    /// The parameters, laid out as the model says.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    async fn parameters(&mut self) -> Result<Vec<f32>>;

    /// The commands that the device was handed in this training.
    fn commands(&self) -> Measured<Commands>;

    /// Bytes of all buffers that the training made on its devices; what a device needs to hand them to the host is left out.
    fn buffer_bytes(&self) -> Measured<u64> {
        Measured::missing("the training lies in the host's memory")
    }
}

/// What to say of an engine that was asked for something before [`TrainingEngine::begin`].
pub const NOT_BEGUN: &str = "the training was not begun";

/// What an engine has once its training was begun.
///
/// # Errors
/// [`crate::Error::Device`] if [`TrainingEngine::begin`] was left out.
pub fn begun<T>(part: Option<T>) -> Result<T> {
    part.ok_or_else(|| Error::Device(NOT_BEGUN.into()))
}

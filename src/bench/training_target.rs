//! The traits that the protocol runs on: implemented by one adapter, the host's cores, and several devices in parallel.

use super::host_timeline::HostTimeline;
use super::job::Job;
use super::observer::Observer;
use super::pacing::StepChunk;
use super::profile_options::ProfileOptions;
use crate::check::Report;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::gpu::CommandCounts;
use crate::result::{Measured, Parallel, RunResult, Timeline};
use crate::trainer::{Metrics, TrainingConfig};
use std::ops::{ControlFlow, Range};

/// A training target before it is opened.
#[allow(async_fn_in_trait, reason = "runs are never handed to another thread")]
pub trait TrainingTarget {
    /// The opened target.
    type Opened<'a>: OpenedTarget
    where
        Self: 'a;

    /// Opens the target and compiles what `config` needs; fills the phases `device_s` and `compile_s`, the plan and the
    /// description of the device in `result`.
    ///
    /// # Errors
    /// [`crate::Error::Adapter`] if the target cannot train this config, or the device's error.
    async fn open(
        &self,
        job: &Job<'_>,
        config: &TrainingConfig,
        result: &mut RunResult,
        observer: &mut dyn Observer,
    ) -> Result<Self::Opened<'_>>;
}

/// The last finished training, for the profile and the time account.
pub struct LastTraining<'a> {
    /// The host's activities.
    pub host_timeline: &'a HostTimeline,
    /// Seconds of the training's clock; missing if it was aborted.
    pub wall_s: Measured<f64>,
}

/// An opened target, ready to train.
#[allow(async_fn_in_trait, reason = "runs are never handed to another thread")]
pub trait OpenedTarget {
    /// Compares kernels and training steps with the reference.
    ///
    /// # Errors
    /// Errors that prevent the comparison; a failed comparison is in the report.
    async fn check(&self) -> Result<Report>;

    /// Creates an engine, which has no memory yet.
    fn engine(&self) -> impl TrainingEngine;

    /// Why this target cannot be profiled, if so.
    fn reason_not_to_profile(&self) -> Option<&'static str> {
        None
    }

    /// Profiles the kernels after the timed trainings and fills `result.profile` and `result.account`, the account of
    /// `last`; returns the events of the profiled steps.
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

/// Runs trainings one after the other, each epoch by epoch, in the same memory.
#[allow(async_fn_in_trait, reason = "runs are never handed to another thread")]
pub trait TrainingEngine {
    /// Starts a training: allocates memory if this is the first, and copies the data and `parameters` (in the model's
    /// layout) to it. The training's clock runs, except in the warm-up.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if memory runs out.
    async fn begin(&mut self, dataset: &Dataset, parameters: &[f32], host_timeline: &mut HostTimeline) -> Result<()>;

    /// Shuffles the order of epoch `epoch`, from 0, and uploads it.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    async fn begin_epoch(&mut self, epoch: u32, host_timeline: &mut HostTimeline) -> Result<()>;

    /// Runs the first and the last batch of an epoch and of an evaluation, and reads all results back: everything that
    /// a training does, in the form in which it does it. Some drivers compile a kernel only when it first runs.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    async fn warm_up(&mut self) -> Result<()>;

    /// Trains `steps` of the current epoch, which follow those that it has trained, and calls `report` when some have
    /// finished; a break from `report` stops it.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`] if `report` stopped it, once the submitted steps have finished.
    async fn steps(
        &mut self,
        steps: Range<u32>,
        host_timeline: &mut HostTimeline,
        report: &mut dyn FnMut(StepChunk) -> ControlFlow<()>,
    ) -> Result<()>;

    /// Loss and correct predictions of each of the first `steps` steps of the epoch.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    async fn step_metrics(&mut self, steps: u32) -> Result<Vec<Metrics>>;

    /// Loss and correct predictions on all test images, without dropout; a break from `report` stops it.
    ///
    /// # Errors
    /// As [`TrainingEngine::steps`].
    async fn evaluate(&mut self, report: &mut dyn FnMut(StepChunk) -> ControlFlow<()>) -> Result<Metrics>;

    /// The parameters, in the model's layout.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    async fn parameters(&mut self) -> Result<Vec<f32>>;

    /// Counts of the commands submitted since [`TrainingEngine::begin`].
    fn commands(&self) -> Measured<CommandCounts>;

    /// Whether any of the processes that train together says so; one that trains alone decides for itself. All of them
    /// ask the same at the same point of the protocol.
    ///
    /// # Errors
    /// That of a process that failed.
    fn any(&mut self, own: bool) -> Result<bool> {
        Ok(own)
    }

    /// As [`TrainingEngine::any`], but whether the first of them says so, by whose clock the run is timed.
    ///
    /// # Errors
    /// As [`TrainingEngine::any`].
    fn led(&mut self, own: bool) -> Result<bool> {
        Ok(own)
    }

    /// Records in `parallel` what sharing cost in a training of `steps` steps in `train_s` seconds, if devices shared it.
    ///
    /// # Errors
    /// As [`TrainingEngine::any`].
    fn record_sharing(
        &mut self,
        _parallel: &mut Parallel,
        _host_timeline: &HostTimeline,
        _train_s: f64,
        _steps: u32,
    ) -> Result<()> {
        Ok(())
    }

    /// Bytes of all buffers that the training allocated on its devices, staging buffers excluded.
    fn buffer_bytes(&self) -> Measured<u64> {
        Measured::missing("the training is in the host's memory")
    }
}

/// Reason for what an engine lacks before [`TrainingEngine::begin`].
pub const NOT_STARTED: &str = "the training has not started";

/// Unwraps what an engine has once its training was started.
///
/// # Errors
/// [`crate::Error::Device`] if [`TrainingEngine::begin`] was not called.
pub fn require_started<T>(part: Option<T>) -> Result<T> {
    part.ok_or_else(|| Error::Device(NOT_STARTED.into()))
}

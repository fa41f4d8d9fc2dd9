//! A member of a data-parallel training that computes on the host, while the adapters among the members work.

use crate::bench::pacing::StepChunk;
use crate::check::Report;
use crate::data::Dataset;
use crate::error::Result;
use crate::trainer::{Metrics, Share, TrainingConfig};
use std::ops::{ControlFlow, Range};

/// What on the host can train a part of every batch.
pub trait HostMember: Send + Sync {
    /// Name for people.
    fn name(&self) -> &str;

    /// Name of its plan.
    fn plan(&self) -> &str;

    /// Starts its threads.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the system refuses them.
    fn open(&self) -> Result<Box<dyn OpenedHostMember>>;
}

/// A host member with its threads started.
pub trait OpenedHostMember {
    /// What it trains with, by name, for the plan of the result.
    fn tuning(&self) -> Vec<(&'static str, String)>;

    /// Compares passes and training steps with the reference; `name` is the member's name.
    ///
    /// # Errors
    /// Errors that prevent the comparison; a failed comparison is in the report.
    fn check(&self, config: &TrainingConfig, name: &str) -> Result<Report>;

    /// The training of `share` of every batch, or of whole batches; the batch of `config` is that of the share.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] if the batch does not fit the data, or it cannot train the model.
    fn trainer<'a>(
        &'a self,
        config: &'a TrainingConfig,
        share: Option<Share>,
        dataset: &Dataset,
        parameters: &[f32],
    ) -> Result<Box<dyn HostTrainer + 'a>>;
}

/// A training on the host; parameters, velocities and gradients are in the layout of the model.
pub trait HostTrainer {
    /// Starts anew in the same memory, with `parameters` and velocities of 0.
    fn upload(&mut self, dataset: &Dataset, parameters: &[f32]);

    /// Begins epoch `epoch`, from 0, which takes the training images in `order`.
    fn begin_epoch(&mut self, epoch: u32, order: &[u32]);

    /// Trains `steps` of the epoch.
    fn steps(&mut self, steps: Range<u32>);

    /// The parameters.
    fn parameters(&self) -> Vec<f32>;

    /// Replaces the parameters.
    fn set_parameters(&mut self, parameters: &[f32]);

    /// The velocities.
    fn velocities(&self) -> Vec<f32>;

    /// Replaces the velocities.
    fn set_velocities(&mut self, velocities: &[f32]);

    /// Loss and correct predictions of each of the first `steps` steps of the epoch.
    fn step_metrics(&self, steps: u32) -> Vec<Metrics>;

    /// Loss and correct predictions on all test images; a break from `report` stops it.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`] if `report` stopped it.
    fn evaluate(&self, report: &mut dyn FnMut(StepChunk) -> ControlFlow<()>) -> Result<Metrics>;
}

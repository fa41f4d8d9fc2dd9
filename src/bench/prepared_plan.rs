//! A plan that is compiled on an opened device for one training configuration.

use crate::gpu::{Gpu, Pipelines};
use crate::kernels::Plan;
use crate::trainer::TrainingConfig;

/// What every training of a run on one adapter shares.
pub struct PreparedPlan<'a> {
    /// The device.
    pub gpu: &'a Gpu,
    /// The compiled kernels.
    pub pipelines: &'a Pipelines,
    /// The kernels of a step.
    pub plan: &'a Plan,
    /// What is trained.
    pub config: &'a TrainingConfig,
}

//! A plan compiled on an opened device for one training configuration.

use crate::gpu::{Gpu, Pipelines};
use crate::kernels::Plan;
use crate::trainer::TrainingConfig;

/// A compiled plan with its device and configuration, shared by every training of a run.
pub struct PreparedPlan<'a> {
    /// The device.
    pub gpu: &'a Gpu,
    /// The compiled kernels.
    pub pipelines: &'a Pipelines,
    /// The kernels of a step.
    pub plan: &'a Plan,
    /// The training configuration.
    pub config: &'a TrainingConfig,
}

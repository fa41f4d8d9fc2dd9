//! An opened device of a data-parallel training.

use crate::error::Error;
use crate::gpu::{Gpu, Pipelines};
use crate::kernels::Plan;
use crate::trainer::{Share, TrainingConfig};

/// An opened device of a data-parallel target.
pub struct OpenedDevice {
    pub(super) name: String,
    pub(super) gpu: Gpu,
    pub(super) pipelines: Pipelines,
    pub(super) plan: Plan,
    /// The device's configuration: its part of the batch, and an optimizer that yields gradients or trains independently.
    pub(super) config: TrainingConfig,
    pub(super) share: Share,
}

impl OpenedDevice {
    /// The wgpu device.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Prefixes an error's message with the device's name.
    pub(super) fn with_device_name(&self, error: Error) -> Error {
        match error {
            Error::Device(words) => Error::Device(format!("{}: {words}", self.name)),
            Error::Adapter(words) => Error::Adapter(format!("{}: {words}", self.name)),
            other => other,
        }
    }
}

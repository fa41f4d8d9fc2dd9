//! One of the devices that share a training, once it is opened.

use crate::error::Error;
use crate::gpu::{Gpu, Pipelines};
use crate::kernels::Plan;
use crate::trainer::{Share, TrainingConfig};

/// One device, opened.
pub struct OpenedDevice {
    pub(super) name: String,
    pub(super) gpu: Gpu,
    pub(super) pipelines: Pipelines,
    pub(super) plan: Plan,
    /// Its own: the batch is its part of a whole batch, the optimizer what makes gradients or trains by itself.
    pub(super) config: TrainingConfig,
    pub(super) share: Share,
}

impl OpenedDevice {
    /// Its device.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Says which device an error is of.
    pub(super) fn blame(&self, error: Error) -> Error {
        match error {
            Error::Device(words) => Error::Device(format!("{}: {words}", self.name)),
            Error::Adapter(words) => Error::Adapter(format!("{}: {words}", self.name)),
            other => other,
        }
    }
}

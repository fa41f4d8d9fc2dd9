//! Errors that a device reports: inside an error scope, or at any time through its callbacks.

use crate::error::{Error, Result};
use std::sync::{Arc, Mutex, PoisonError};

/// The first error that a device reported outside of an error scope.
#[derive(Clone, Default)]
pub(super) struct DeviceFailure(Arc<Mutex<Option<String>>>);

impl DeviceFailure {
    /// Records uncaptured errors and the loss of `device` from now on.
    pub(super) fn watch(device: &wgpu::Device) -> Self {
        let failure = Self::default();
        let of_errors = failure.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| of_errors.record(describe(&error))));
        let of_loss = failure.clone();
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                of_loss.record(format!("the device was lost ({message}): restart, and look at the driver's log"));
            }
        });
        failure
    }

    fn record(&self, text: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
    }

    /// [`Error::Device`] with the recorded error, if there is one.
    pub(super) fn check(&self) -> Result<()> {
        let failure = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failure.clone().map_or(Ok(()), |text| Err(Error::Device(text)))
    }
}

/// Runs `create` inside error scopes; returns the device's error in words if there is one.
pub(super) async fn attempt<T>(device: &wgpu::Device, create: impl FnOnce() -> T) -> std::result::Result<T, String> {
    let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
    let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
    let created = create();
    let errors = [validation.pop().await, internal.pop().await, memory.pop().await];
    errors.into_iter().flatten().next().map_or(Ok(created), |error| Err(describe(&error)))
}

fn describe(error: &wgpu::Error) -> String {
    match error {
        wgpu::Error::OutOfMemory { .. } => "the device ran out of memory: choose a smaller --batch".into(),
        wgpu::Error::Validation { description, .. } => format!("the device refused a command: {description}"),
        wgpu::Error::Internal { description, .. } => format!("the driver failed: {description}"),
    }
}

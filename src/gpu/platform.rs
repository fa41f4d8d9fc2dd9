//! The differences between native wgpu, where devices are polled, and browsers, where callbacks arrive by themselves.

use crate::error::{Error, Result};

/// Every adapter on `backends`.
#[cfg(not(target_arch = "wasm32"))]
pub async fn adapters(instance: &wgpu::Instance, backends: wgpu::Backends) -> Vec<wgpu::Adapter> {
    instance.enumerate_adapters(backends).await
}

/// The browser's high-performance adapter; browsers do not enumerate adapters.
#[cfg(target_arch = "wasm32")]
pub async fn adapters(instance: &wgpu::Instance, _backends: wgpu::Backends) -> Vec<wgpu::Adapter> {
    let options =
        wgpu::RequestAdapterOptions { power_preference: wgpu::PowerPreference::HighPerformance, ..Default::default() };
    instance.request_adapter(&options).await.into_iter().collect()
}

/// `adapter` itself: natively any number of devices can be opened on it.
#[cfg(not(target_arch = "wasm32"))]
pub async fn reacquire(_instance: &wgpu::Instance, adapter: &wgpu::Adapter) -> Option<wgpu::Adapter> {
    Some(adapter.clone())
}

/// A new handle of the browser's adapter: a handle is consumed by the first device that is opened on it.
#[cfg(target_arch = "wasm32")]
pub async fn reacquire(instance: &wgpu::Instance, _adapter: &wgpu::Adapter) -> Option<wgpu::Adapter> {
    adapters(instance, wgpu::Backends::BROWSER_WEBGPU).await.into_iter().next()
}

/// The numbers of live buffers and bind groups.
#[cfg(not(target_arch = "wasm32"))]
pub fn live_buffers_and_groups(instance: &wgpu::Instance) -> Option<[usize; 2]> {
    let report = instance.generate_report()?;
    Some([report.hub.buffers.num_allocated, report.hub.bind_groups.num_allocated])
}

/// Browsers do not report them.
#[cfg(target_arch = "wasm32")]
pub fn live_buffers_and_groups(_instance: &wgpu::Instance) -> Option<[usize; 2]> {
    None
}

/// Blocks until the submission is done.
#[cfg(not(target_arch = "wasm32"))]
pub async fn wait_for_submission(
    device: &wgpu::Device,
    index: wgpu::SubmissionIndex,
    _done: futures_channel::oneshot::Receiver<()>,
) -> Result<()> {
    polled(device, wgpu::PollType::Wait { submission_index: Some(index), timeout: None })
}

/// Polls a device. wgpu panics if it is lost meanwhile, which is an error like others here.
#[cfg(not(target_arch = "wasm32"))]
fn polled(device: &wgpu::Device, poll: wgpu::PollType) -> Result<()> {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    let failed = |words: &dyn std::fmt::Display| Error::Device(format!("waiting for the device failed: {words}"));
    match catch_unwind(AssertUnwindSafe(|| device.poll(poll))) {
        Ok(outcome) => outcome.map(drop).map_err(|error| failed(&error)),
        Err(_) => Err(failed(&"it was lost; restart, and look at the driver's log")),
    }
}

/// Awaits the browser's callback for the submission.
#[cfg(target_arch = "wasm32")]
pub async fn wait_for_submission(
    _device: &wgpu::Device,
    _index: wgpu::SubmissionIndex,
    done: futures_channel::oneshot::Receiver<()>,
) -> Result<()> {
    done.await.map_err(|_| Error::Device("the device went away while it was working".into()))
}

/// Waits for all submitted work and runs the callbacks that are due.
#[cfg(not(target_arch = "wasm32"))]
pub fn poll(device: &wgpu::Device) -> Result<()> {
    polled(device, wgpu::PollType::wait_indefinitely())
}

/// Browsers run callbacks by themselves.
#[cfg(target_arch = "wasm32")]
pub fn poll(_device: &wgpu::Device) -> Result<()> {
    Ok(())
}

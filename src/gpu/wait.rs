//! What differs between waiting natively, where the device has to be polled, and in a browser, where it may not be.

use crate::error::{Error, Result};

/// Every adapter on `backends`.
#[cfg(not(target_arch = "wasm32"))]
pub async fn adapters(instance: &wgpu::Instance, backends: wgpu::Backends) -> Vec<wgpu::Adapter> {
    instance.enumerate_adapters(backends).await
}

/// The adapter that the browser gives when asked for a fast one; browsers do not list adapters.
#[cfg(target_arch = "wasm32")]
pub async fn adapters(instance: &wgpu::Instance, _backends: wgpu::Backends) -> Vec<wgpu::Adapter> {
    let options =
        wgpu::RequestAdapterOptions { power_preference: wgpu::PowerPreference::HighPerformance, ..Default::default() };
    instance.request_adapter(&options).await.into_iter().collect()
}

/// `adapter`, on which further devices can be opened.
#[cfg(not(target_arch = "wasm32"))]
pub async fn fresh(_instance: &wgpu::Instance, adapter: &wgpu::Adapter) -> Option<wgpu::Adapter> {
    Some(adapter.clone())
}

/// The browser's adapter once more: one that a device was opened on is used up.
#[cfg(target_arch = "wasm32")]
pub async fn fresh(instance: &wgpu::Instance, _adapter: &wgpu::Adapter) -> Option<wgpu::Adapter> {
    adapters(instance, wgpu::Backends::BROWSER_WEBGPU).await.into_iter().next()
}

/// Buffers and bind groups that exist.
#[cfg(not(target_arch = "wasm32"))]
pub fn live_buffers_and_groups(instance: &wgpu::Instance) -> Option<[usize; 2]> {
    let report = instance.generate_report()?;
    Some([report.hub.buffers.num_allocated, report.hub.bind_groups.num_allocated])
}

/// Browsers do not tell.
#[cfg(target_arch = "wasm32")]
pub fn live_buffers_and_groups(_instance: &wgpu::Instance) -> Option<[usize; 2]> {
    None
}

/// Blocks until `submission` is done.
#[cfg(not(target_arch = "wasm32"))]
pub async fn submission(
    device: &wgpu::Device,
    index: wgpu::SubmissionIndex,
    _done: futures_channel::oneshot::Receiver<()>,
) -> Result<()> {
    let poll = wgpu::PollType::Wait { submission_index: Some(index), timeout: None };
    device.poll(poll).map(|_| ()).map_err(|error| Error::Device(format!("waiting for the device failed: {error}")))
}

/// Awaits the browser's word that the submission is done.
#[cfg(target_arch = "wasm32")]
pub async fn submission(
    _device: &wgpu::Device,
    _index: wgpu::SubmissionIndex,
    done: futures_channel::oneshot::Receiver<()>,
) -> Result<()> {
    done.await.map_err(|_| Error::Device("the device went away while it was working".into()))
}

/// Lets the device call back everything that is due, once its work is done.
#[cfg(not(target_arch = "wasm32"))]
pub fn poll_now(device: &wgpu::Device) -> Result<()> {
    let poll = wgpu::PollType::wait_indefinitely();
    device.poll(poll).map(|_| ()).map_err(|error| Error::Device(format!("waiting for the device failed: {error}")))
}

/// The browser calls back by itself.
#[cfg(target_arch = "wasm32")]
pub fn poll_now(_device: &wgpu::Device) -> Result<()> {
    Ok(())
}

//! Times copies between host memory and the device.

use super::buffers::Staging;
use super::commands::{CommandCounts, EncodedCommands};
use super::device::Gpu;
use super::meter::nanoseconds;
use crate::error::{Error, Result};
use web_time::Instant;

/// A device buffer and its staging buffer, to copy data to and fro.
pub struct Transfer {
    buffer: wgpu::Buffer,
    staging: Staging,
}

impl Transfer {
    /// Creates both buffers with `bytes`, a multiple of 4.
    ///
    /// # Errors
    /// [`Error::Device`] if the allocation fails.
    pub async fn new(gpu: &Gpu, bytes: u64) -> Result<Self> {
        let descriptor = wgpu::BufferDescriptor {
            label: Some("transfer"),
            size: bytes,
            usage: wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        };
        let create = || Self { buffer: gpu.device.create_buffer(&descriptor), staging: Staging::new(gpu, bytes) };
        let failed = |words: String| Error::Device(format!("buffers of {bytes} bytes could not be made: {words}"));
        gpu.attempt(create).await.map_err(failed)
    }

    /// Copies `data` to the device and waits until they are there; returns the nanoseconds.
    ///
    /// # Errors
    /// [`Error::Device`] if the device failed.
    pub async fn upload(&self, gpu: &Gpu, data: &[u8]) -> Result<f64> {
        let start = Instant::now();
        gpu.queue.write_buffer(&self.buffer, 0, data);
        let empty = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("upload") });
        gpu.wait(gpu.submit_encoded(EncodedCommands::new(empty, CommandCounts::default()))).await?;
        Ok(nanoseconds(start))
    }

    /// Copies the first `data.len()` bytes, a multiple of 4, from the device to `data`; returns the nanoseconds.
    ///
    /// # Errors
    /// [`Error::Device`] if the device failed.
    pub async fn download(&self, gpu: &Gpu, data: &mut [u8]) -> Result<f64> {
        let start = Instant::now();
        let readback = self.staging.start(gpu, &self.buffer, "the transfer", data.len() as u64);
        let take = |bytes: &[u8]| {
            data.copy_from_slice(bytes);
            nanoseconds(start)
        };
        readback.finish(gpu, take).await
    }
}

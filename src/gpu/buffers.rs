//! Buffers on the device by name, and their readback.

use super::commands::{CommandCounts, EncodedCommands};
use super::device::Gpu;
use super::platform;
use crate::error::{Error, Result};
use bytemuck::Pod;
use std::collections::HashMap;

/// Buffers on one device, by name.
#[derive(Default)]
pub struct Buffers {
    buffers: HashMap<String, wgpu::Buffer>,
}

impl Buffers {
    /// Creates a buffer of `bytes`; with `uniform` it cannot be bound as a storage buffer.
    ///
    /// The size is rounded up to whole vec4s: a shader that reads vec4s would not see an incomplete last one.
    ///
    /// # Errors
    /// [`Error::Device`] if the allocation fails.
    pub async fn add(&mut self, gpu: &Gpu, name: &str, bytes: u64, uniform: bool) -> Result<()> {
        let storage = if uniform { wgpu::BufferUsages::empty() } else { wgpu::BufferUsages::STORAGE };
        let descriptor = wgpu::BufferDescriptor {
            label: Some(name),
            size: bytes.max(1).next_multiple_of(16),
            usage: storage | wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        };
        let buffer = gpu
            .attempt(|| gpu.device.create_buffer(&descriptor))
            .await
            .map_err(|words| Error::Device(format!("the buffer {name} of {bytes} bytes could not be made: {words}")))?;
        self.buffers.insert(name.to_owned(), buffer);
        Ok(())
    }

    /// Writes `values` to the beginning of the buffer `name`, before the next submission.
    pub fn write<T: Pod>(&self, gpu: &Gpu, name: &str, values: &[T]) {
        gpu.queue.write_buffer(self.buffer(name), 0, bytemuck::cast_slice(values));
    }

    /// Reads the first `count` values of the buffer `name` back, after all previous submissions.
    ///
    /// # Errors
    /// [`Error::Device`] if the device failed.
    pub async fn read<T: Pod>(&self, gpu: &Gpu, name: &str, count: usize) -> Result<Vec<T>> {
        read_buffer(gpu, self.buffer(name), name, count).await
    }

    /// Size of the buffer `name` in bytes.
    pub fn bytes(&self, name: &str) -> u64 {
        self.buffer(name).size()
    }

    /// Size of all buffers in bytes.
    pub fn total_bytes(&self) -> u64 {
        self.buffers.values().map(wgpu::Buffer::size).sum()
    }

    pub(super) fn buffer(&self, name: &str) -> &wgpu::Buffer {
        self.buffers.get(name).unwrap_or_else(|| panic!("the plan names the buffer {name}, which nobody made"))
    }
}

/// Reads the first `count` values of `buffer` back; messages call it `name`.
pub(super) async fn read_buffer<T: Pod>(gpu: &Gpu, buffer: &wgpu::Buffer, name: &str, count: usize) -> Result<Vec<T>> {
    let staging = Staging::new(gpu, (count * size_of::<T>()) as u64);
    let readback = staging.start(gpu, buffer, name, staging.buffer.size());
    readback.finish(gpu, |bytes| bytemuck::pod_collect_to_vec(bytes)).await
}

/// A mappable staging buffer for readback, which can be used repeatedly.
pub struct Staging {
    buffer: wgpu::Buffer,
}

/// A readback in progress.
#[must_use = "the values arrive when the readback is finished"]
pub struct Readback<'a> {
    staging: wgpu::BufferSlice<'a>,
    name: &'a str,
    mapped: futures_channel::oneshot::Receiver<std::result::Result<(), wgpu::BufferAsyncError>>,
}

impl Staging {
    /// Creates a staging buffer of `bytes`.
    pub fn new(gpu: &Gpu, bytes: u64) -> Self {
        let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("readback"),
            size: bytes,
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        Self { buffer }
    }

    /// Starts the readback of the buffer `name` of `buffers`, up to the size of the staging buffer, after all previous
    /// submissions.
    pub fn read<'a>(&'a self, gpu: &Gpu, buffers: &Buffers, name: &'a str) -> Readback<'a> {
        self.start(gpu, buffers.buffer(name), name, self.buffer.size())
    }

    /// Starts the readback of the first `bytes` of `buffer`; messages call it `name`.
    pub(super) fn start<'a>(&'a self, gpu: &Gpu, buffer: &wgpu::Buffer, name: &'a str, bytes: u64) -> Readback<'a> {
        let mut encoder =
            gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("readback") });
        encoder.copy_buffer_to_buffer(buffer, 0, &self.buffer, 0, bytes);
        // Mapping waits for the copy by itself.
        drop(gpu.submit_encoded(EncodedCommands::new(encoder, CommandCounts::default())));
        let (sender, mapped) = futures_channel::oneshot::channel();
        let staging = self.buffer.slice(..bytes);
        staging.map_async(wgpu::MapMode::Read, move |outcome| {
            // The receiver is gone if the readback was abandoned.
            let _ = sender.send(outcome);
        });
        Readback { staging, name, mapped }
    }
}

impl Readback<'_> {
    /// Waits for the values and passes their bytes to `take`.
    ///
    /// # Errors
    /// [`Error::Device`] if the device failed.
    pub async fn finish<T>(self, gpu: &Gpu, take: impl FnOnce(&[u8]) -> T) -> Result<T> {
        let failed = |words: String| Error::Device(format!("reading {} back failed: {words}", self.name));
        let polled = platform::poll(&gpu.device);
        // What the device reported tells more than that reading failed.
        gpu.health().and(polled)?;
        match self.mapped.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(failed("the device went away".into())),
        }
        gpu.health()?;
        let view = self.staging.get_mapped_range().map_err(|error| failed(error.to_string()))?;
        let taken = take(&view);
        drop(view);
        self.staging.buffer().unmap();
        Ok(taken)
    }
}

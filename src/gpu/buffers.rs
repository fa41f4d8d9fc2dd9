//! Buffers on the device, by name.

use super::device::{Commands, Encoded, Gpu};
use super::wait;
use crate::error::{Error, Result};
use bytemuck::Pod;
use std::collections::HashMap;

/// Buffers on one device, by name.
#[derive(Default)]
pub struct Buffers {
    buffers: HashMap<String, wgpu::Buffer>,
}

impl Buffers {
    /// Adds a buffer of `bytes`; `uniform` for one that holds step records. The others can be bound as uniforms too.
    ///
    /// It is made a whole number of vec4s long: a shader that reads it as vec4s would not see the last, incomplete one.
    ///
    /// # Errors
    /// [`Error::Device`] if there is no memory for it.
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

    /// Copies `values` to the beginning of the buffer `name` before the next submission.
    pub fn write<T: Pod>(&self, gpu: &Gpu, name: &str, values: &[T]) {
        gpu.queue.write_buffer(self.buffer(name), 0, bytemuck::cast_slice(values));
    }

    /// Copies the first `count` values of the buffer `name` to the host, after all that was submitted before.
    ///
    /// # Errors
    /// [`Error::Device`] if the device failed.
    pub async fn read<T: Pod>(&self, gpu: &Gpu, name: &str, count: usize) -> Result<Vec<T>> {
        read_buffer(gpu, self.buffer(name), name, count).await
    }

    /// Bytes of the buffer `name`.
    pub fn bytes(&self, name: &str) -> u64 {
        self.buffer(name).size()
    }

    /// Bytes of all buffers.
    pub fn total_bytes(&self) -> u64 {
        self.buffers.values().map(wgpu::Buffer::size).sum()
    }

    pub(super) fn buffer(&self, name: &str) -> &wgpu::Buffer {
        self.buffers.get(name).unwrap_or_else(|| panic!("the plan names the buffer {name}, which nobody made"))
    }
}

/// Copies the first `count` values of `buffer`, called `name` in messages, to the host.
pub(super) async fn read_buffer<T: Pod>(gpu: &Gpu, buffer: &wgpu::Buffer, name: &str, count: usize) -> Result<Vec<T>> {
    let bytes = (count * size_of::<T>()) as u64;
    let staging = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("readback"),
        size: bytes,
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("readback") });
    encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, bytes);
    // Mapping waits for the copy by itself.
    drop(gpu.submit_encoded(Encoded::new(encoder, Commands::default())));
    let (sender, receiver) = futures_channel::oneshot::channel();
    staging.map_async(wgpu::MapMode::Read, .., move |outcome| {
        // The receiver lives until the end of this function.
        let _ = sender.send(outcome);
    });
    wait::poll_now(&gpu.device)?;
    let failed = |words: String| Error::Device(format!("reading {name} back failed: {words}"));
    match receiver.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Err(_) => return Err(failed("the device went away".into())),
    }
    gpu.health()?;
    let view = staging.get_mapped_range(..).map_err(|error| failed(error.to_string()))?;
    Ok(bytemuck::pod_collect_to_vec(&view))
}

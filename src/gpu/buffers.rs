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
    let staging = Staging::new(gpu, (count * size_of::<T>()) as u64);
    staging.start(gpu, buffer, name).finish(gpu, |bytes| bytemuck::pod_collect_to_vec(bytes)).await
}

/// Memory through which values come back to the host, again and again.
pub struct Staging {
    buffer: wgpu::Buffer,
}

/// Values on their way to the host.
#[must_use = "the values are lost if nobody waits for them"]
pub struct Arriving<'a> {
    staging: &'a wgpu::Buffer,
    name: &'a str,
    mapped: futures_channel::oneshot::Receiver<std::result::Result<(), wgpu::BufferAsyncError>>,
}

impl Staging {
    /// Room for `bytes`.
    pub fn new(gpu: &Gpu, bytes: u64) -> Self {
        let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("readback"),
            size: bytes,
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        Self { buffer }
    }

    /// Asks for the beginning of the buffer `name` of `buffers`, as much of it as there is room for, after all that was submitted.
    pub fn read<'a>(&'a self, gpu: &Gpu, buffers: &Buffers, name: &'a str) -> Arriving<'a> {
        self.start(gpu, buffers.buffer(name), name)
    }

    fn start<'a>(&'a self, gpu: &Gpu, buffer: &wgpu::Buffer, name: &'a str) -> Arriving<'a> {
        let mut encoder =
            gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("readback") });
        encoder.copy_buffer_to_buffer(buffer, 0, &self.buffer, 0, self.buffer.size());
        // Mapping waits for the copy by itself.
        drop(gpu.submit_encoded(Encoded::new(encoder, Commands::default())));
        let (sender, mapped) = futures_channel::oneshot::channel();
        self.buffer.map_async(wgpu::MapMode::Read, .., move |outcome| {
            // Whoever stopped waiting has nobody to tell.
            let _ = sender.send(outcome);
        });
        Arriving { staging: &self.buffer, name, mapped }
    }
}

impl Arriving<'_> {
    /// Waits for the values and hands their bytes to `take`.
    ///
    /// # Errors
    /// [`Error::Device`] if the device failed.
    pub async fn finish<T>(self, gpu: &Gpu, take: impl FnOnce(&[u8]) -> T) -> Result<T> {
        wait::poll_now(&gpu.device)?;
        let failed = |words: String| Error::Device(format!("reading {} back failed: {words}", self.name));
        match self.mapped.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(failed("the device went away".into())),
        }
        gpu.health()?;
        let view = self.staging.get_mapped_range(..).map_err(|error| failed(error.to_string()))?;
        let taken = take(&view);
        drop(view);
        self.staging.unmap();
        Ok(taken)
    }
}

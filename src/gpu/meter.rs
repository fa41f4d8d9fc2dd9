//! Times many equal dispatches, and transfers: by the device's clock where it has one, and by the host's.

use super::device::{Commands, Encoded, Gpu};
use super::pipelines::Bound;
use super::timestamps::usable_period_ns;
use super::{buffers, wait};
use crate::error::{Error, Result};
use web_time::Instant;

/// A list of equal passes of equal dispatches.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    /// What is dispatched; it may have no step record.
    pub bound: &'a Bound,
    /// Workgroups of a dispatch, in x.
    pub workgroups: u32,
    /// Dispatches in a pass.
    pub dispatches: u32,
    /// Passes.
    pub passes: u32,
}

/// How long a list of commands took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// The device's clock at the beginning of the first pass and at the end of the last, in nanoseconds since an arbitrary
    /// moment; `None` without timestamps.
    pub device_ns: Option<[f64; 2]>,
    /// Nanoseconds of handing the commands over.
    pub submit_ns: f64,
    /// Nanoseconds from before handing them over to the word that they are done.
    pub done_ns: f64,
}

impl Reading {
    /// Nanoseconds by the device's clock, else from handing over to done; 0 or negative where a clock is coarse or went back.
    pub fn duration_ns(&self) -> f64 {
        self.device_ns.map_or(self.done_ns, |[begin, end]| end - begin)
    }
}

/// Times work on one device.
pub struct Meter {
    timestamps: Option<(wgpu::QuerySet, wgpu::Buffer)>,
    period_ns: f64,
    origin: std::cell::OnceCell<u64>,
}

impl Meter {
    /// A meter for `gpu`, with timestamps if it was opened with any.
    pub fn new(gpu: &Gpu) -> Self {
        let offered = gpu.device.features().contains(wgpu::Features::TIMESTAMP_QUERY);
        let usable_ns = offered.then(|| usable_period_ns(gpu.queue.get_timestamp_period()).ok()).flatten();
        let timestamps = usable_ns.map(|_| {
            let queries = gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("meter"),
                ty: wgpu::QueryType::Timestamp,
                count: 2,
            });
            let resolved = gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("meter"),
                size: 2 * u64::from(wgpu::QUERY_SIZE),
                usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            });
            (queries, resolved)
        });
        Self { timestamps, period_ns: usable_ns.unwrap_or(0.0), origin: std::cell::OnceCell::new() }
    }

    /// Whether the device's own clock is read.
    pub fn has_timestamps(&self) -> bool {
        self.timestamps.is_some()
    }

    /// Encodes `work`, runs it and waits for it.
    ///
    /// # Errors
    /// [`Error::Device`] if the device failed.
    pub async fn time(&self, gpu: &Gpu, work: &Work<'_>) -> Result<Reading> {
        let commands = self.commands(gpu, work);
        let start = Instant::now();
        let submission = gpu.submit_encoded(commands);
        let submit_ns = nanoseconds(start);
        gpu.wait(submission).await?;
        let done_ns = nanoseconds(start);
        Ok(Reading { device_ns: self.device_ns(gpu).await?, submit_ns, done_ns })
    }

    /// Encodes `work` and throws the commands away; returns the nanoseconds.
    pub fn encode(&self, gpu: &Gpu, work: &Work<'_>) -> f64 {
        let start = Instant::now();
        let commands = self.commands(gpu, work);
        let duration_ns = nanoseconds(start);
        drop(commands);
        duration_ns
    }

    fn commands(&self, gpu: &Gpu, work: &Work<'_>) -> Encoded {
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("meter") });
        for pass in 0..work.passes {
            let (first, last) = (pass == 0, pass + 1 == work.passes);
            let timestamp_writes = self.timestamps.as_ref().filter(|_| first || last).map(|(query_set, _)| {
                wgpu::ComputePassTimestampWrites {
                    query_set,
                    beginning_of_pass_write_index: first.then_some(0),
                    end_of_pass_write_index: last.then_some(1),
                }
            });
            let mut pass =
                encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label: Some("meter"), timestamp_writes });
            pass.set_pipeline(&work.bound.pipeline);
            for _ in 0..work.dispatches {
                // As a training step does: each dispatch with its bindings.
                pass.set_bind_group(0, &work.bound.group, &[]);
                pass.dispatch_workgroups(work.workgroups, 1, 1);
            }
        }
        if let Some((queries, resolved)) = &self.timestamps {
            encoder.resolve_query_set(queries, 0..2, resolved, 0);
        }
        let taken = if self.timestamps.is_some() { 2 } else { 0 };
        let (passes, dispatches) = (u64::from(work.passes), u64::from(work.passes) * u64::from(work.dispatches));
        Encoded::new(encoder, Commands { dispatches, passes, timestamps: taken, submissions: 1 })
    }

    async fn device_ns(&self, gpu: &Gpu) -> Result<Option<[f64; 2]>> {
        let Some((_, resolved)) = &self.timestamps else { return Ok(None) };
        let ticks: Vec<u64> = buffers::read_buffer(gpu, resolved, "timestamps", 2).await?;
        let &[begin, end] = ticks.as_slice() else {
            return Err(Error::Device("two timestamps were asked for and others came: update the driver".into()));
        };
        // Differences are taken before the ticks become floating-point numbers, which could not tell large ticks apart.
        let origin = *self.origin.get_or_init(|| begin);
        let since = |tick: u64| (tick.wrapping_sub(origin) as i64) as f64 * self.period_ns;
        Ok(Some([since(begin), since(end)]))
    }
}

fn nanoseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e9
}

/// Moves data between host memory and a device buffer of its own.
pub struct Transfer {
    buffer: wgpu::Buffer,
    staging: wgpu::Buffer,
}

impl Transfer {
    /// Room for `bytes`, a multiple of 4.
    ///
    /// # Errors
    /// [`Error::Device`] if there is no memory for it.
    pub async fn new(gpu: &Gpu, bytes: u64) -> Result<Self> {
        let make = |label: &'static str, usage: wgpu::BufferUsages| {
            let descriptor =
                wgpu::BufferDescriptor { label: Some(label), size: bytes, usage, mapped_at_creation: false };
            gpu.device.create_buffer(&descriptor)
        };
        let both = || Self {
            buffer: make("transfer", wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST),
            staging: make("transfer staging", wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ),
        };
        let failed = |words: String| Error::Device(format!("buffers of {bytes} bytes could not be made: {words}"));
        gpu.attempt(both).await.map_err(failed)
    }

    /// Copies `data` to the device and waits until it is there; returns the nanoseconds.
    ///
    /// # Errors
    /// [`Error::Device`] if the device failed.
    pub async fn upload(&self, gpu: &Gpu, data: &[u8]) -> Result<f64> {
        let start = Instant::now();
        gpu.queue.write_buffer(&self.buffer, 0, data);
        let nothing = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("upload") });
        gpu.wait(gpu.submit_encoded(Encoded::new(nothing, Commands::default()))).await?;
        Ok(nanoseconds(start))
    }

    /// Copies the first `data.len()` bytes, a multiple of 4, from the device into `data`; returns the nanoseconds.
    ///
    /// # Errors
    /// [`Error::Device`] if the device failed.
    pub async fn download(&self, gpu: &Gpu, data: &mut [u8]) -> Result<f64> {
        let start = Instant::now();
        let bytes = data.len() as u64;
        let mut encoder =
            gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("download") });
        encoder.copy_buffer_to_buffer(&self.buffer, 0, &self.staging, 0, bytes);
        drop(gpu.submit_encoded(Encoded::new(encoder, Commands::default())));
        let (sender, receiver) = futures_channel::oneshot::channel();
        self.staging.map_async(wgpu::MapMode::Read, ..bytes, move |outcome| {
            // The receiver lives until the end of this function.
            let _ = sender.send(outcome);
        });
        wait::poll_now(&gpu.device)?;
        let failed = |words: String| Error::Device(format!("reading back failed: {words}"));
        match receiver.await {
            Ok(outcome) => outcome.map_err(|error| failed(error.to_string()))?,
            Err(_) => return Err(failed("the device went away".into())),
        }
        let view = self.staging.get_mapped_range(..bytes).map_err(|error| failed(error.to_string()))?;
        data.copy_from_slice(&view);
        let duration_ns = nanoseconds(start);
        drop(view);
        self.staging.unmap();
        gpu.health()?;
        Ok(duration_ns)
    }
}

//! Commands with a timestamp before and after every dispatch.

use super::adapter::Timestamps;
use super::device::{Gpu, Submission};
use super::pipelines::Bound;
use crate::error::Result;

/// The features that an adapter of this grade offers for timestamps.
pub(super) fn features(grade: Timestamps) -> wgpu::Features {
    match grade {
        Timestamps::InsidePasses => wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES,
        // Every dispatch gets a pass of its own, at whose borders timestamps are taken: encoders need not take any.
        Timestamps::InsideEncoders | Timestamps::PassBoundaries => wgpu::Features::TIMESTAMP_QUERY,
        Timestamps::Unsupported => wgpu::Features::empty(),
    }
}

/// The beginning and the end of a dispatch on the device's clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// Nanoseconds since an arbitrary moment.
    pub begin_ns: f64,
    /// Nanoseconds since the same moment.
    pub end_ns: f64,
}

impl Span {
    /// Nanoseconds between the two; negative or 0 where the clock is too coarse or went back.
    pub fn duration_ns(self) -> f64 {
        self.end_ns - self.begin_ns
    }
}

/// Room for the timestamps of a list of dispatches.
pub struct Stopwatch {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    dispatches: u32,
    inside_passes: bool,
}

/// Dispatches in the order in which they will run, each between two timestamps.
pub struct TimedRecording<'a> {
    stopwatch: &'a Stopwatch,
    encoder: wgpu::CommandEncoder,
    next: u32,
}

impl Stopwatch {
    /// Room for `dispatches` dispatches; `None` where `gpu` was opened without timestamps or cannot take so many.
    pub fn new(gpu: &Gpu, dispatches: u32) -> Option<Self> {
        let features = gpu.device.features();
        let queries = 2 * dispatches;
        if !features.contains(wgpu::Features::TIMESTAMP_QUERY) || queries > wgpu::QUERY_SET_MAX_QUERIES {
            return None;
        }
        let queries = gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("stopwatch"),
            ty: wgpu::QueryType::Timestamp,
            count: queries,
        });
        let resolved = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("stopwatch"),
            size: u64::from(2 * dispatches) * u64::from(wgpu::QUERY_SIZE),
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        let inside_passes = features.contains(wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES);
        Some(Self { queries, resolved, dispatches, inside_passes })
    }

    /// Begins a list of commands.
    pub fn record(&self, gpu: &Gpu) -> TimedRecording<'_> {
        let encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("profile") });
        TimedRecording { stopwatch: self, encoder, next: 0 }
    }

    /// The times of the dispatches of the last submission, in order, after it is done.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub async fn spans(&self, gpu: &Gpu) -> Result<Vec<Span>> {
        let ticks: Vec<u64> =
            super::buffers::read_buffer(gpu, &self.resolved, "timestamps", 2 * self.dispatches as usize).await?;
        let period_ns = f64::from(gpu.queue.get_timestamp_period());
        // Differences are taken before the ticks become floating-point numbers, which could not tell large ticks apart.
        let origin = ticks.iter().copied().min().unwrap_or(0);
        let since = |tick: u64| (tick - origin) as f64 * period_ns;
        Ok(ticks
            .as_chunks::<2>()
            .0
            .iter()
            .map(|&[begin, end]| Span { begin_ns: since(begin), end_ns: since(end) })
            .collect())
    }
}

impl TimedRecording<'_> {
    /// Adds a dispatch of `workgroups`, which reads the step record at `step_offset` bytes.
    pub fn dispatch(&mut self, bound: &Bound, workgroups: [u32; 3], step_offset: u32) {
        let queries = &self.stopwatch.queries;
        let (begin, end) = (2 * self.next, 2 * self.next + 1);
        let at_borders = (!self.stopwatch.inside_passes).then_some(wgpu::ComputePassTimestampWrites {
            query_set: queries,
            beginning_of_pass_write_index: Some(begin),
            end_of_pass_write_index: Some(end),
        });
        let mut pass = self
            .encoder
            .begin_compute_pass(&wgpu::ComputePassDescriptor { label: Some("profile"), timestamp_writes: at_borders });
        let [x, y, z] = workgroups;
        pass.set_pipeline(&bound.pipeline);
        pass.set_bind_group(0, &bound.group, &[step_offset]);
        if self.stopwatch.inside_passes {
            pass.write_timestamp(queries, begin);
        }
        pass.dispatch_workgroups(x, y, z);
        if self.stopwatch.inside_passes {
            pass.write_timestamp(queries, end);
        }
        drop(pass);
        self.next += 1;
    }

    /// Hands the commands to the device.
    pub fn submit(mut self, gpu: &Gpu) -> Submission {
        self.encoder.resolve_query_set(&self.stopwatch.queries, 0..2 * self.next, &self.stopwatch.resolved, 0);
        gpu.submit_encoder(self.encoder)
    }
}

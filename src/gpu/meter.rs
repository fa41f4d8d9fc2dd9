//! Times repeated dispatches by the device's timestamps, if it has any, and by the host's clock.

use super::commands::{BoundDispatch, CommandCounts, EncodedCommands};
use super::device::Gpu;
use super::timestamps::{Span, Stopwatch};
use crate::error::Result;
use web_time::Instant;

/// Equal passes of equal dispatches.
#[derive(Clone, Copy)]
pub struct RepeatedDispatch<'a> {
    /// What is dispatched; it must not read a step record.
    pub bound: &'a BoundDispatch,
    /// Workgroups of a dispatch, in x.
    pub workgroups: u32,
    /// Dispatches in a pass.
    pub dispatches: u32,
    /// Passes.
    pub passes: u32,
}

/// How long a command list took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// From the beginning of the first pass to the end of the last one, on the device's clock; `None` without
    /// timestamps.
    pub device: Option<Span>,
    /// Nanoseconds of the submission call on the host.
    pub submit_ns: f64,
    /// Nanoseconds from before the submission until its completion is known on the host.
    pub done_ns: f64,
}

impl Timing {
    /// Nanoseconds by the device's clock, else from submission to completion; 0 or negative if a clock is coarse or
    /// runs backwards.
    pub fn duration_ns(&self) -> f64 {
        self.device.map_or(self.done_ns, Span::duration_ns)
    }
}

/// Times repeated dispatches on one device.
pub struct Meter {
    stopwatch: Option<Stopwatch>,
}

impl Meter {
    /// Creates a meter for `gpu`, with timestamps if the device was opened with any.
    pub fn new(gpu: &Gpu) -> Self {
        Self { stopwatch: Stopwatch::new(gpu, 1, None).ok() }
    }

    /// Whether the device's timestamps are read.
    pub fn has_timestamps(&self) -> bool {
        self.stopwatch.is_some()
    }

    /// Encodes and submits `work` and waits for it.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub async fn time(&self, gpu: &Gpu, work: &RepeatedDispatch<'_>) -> Result<Timing> {
        let commands = self.commands(gpu, work);
        let start = Instant::now();
        let submission = gpu.submit_encoded(commands);
        let submit_ns = nanoseconds(start);
        gpu.wait(submission).await?;
        let done_ns = nanoseconds(start);
        let device = match &self.stopwatch {
            Some(stopwatch) => stopwatch.spans(gpu, 1).await?.first().copied(),
            None => None,
        };
        Ok(Timing { device, submit_ns, done_ns })
    }

    /// Encodes `work` and discards the commands; returns the nanoseconds.
    pub fn encode(&self, gpu: &Gpu, work: &RepeatedDispatch<'_>) -> f64 {
        let start = Instant::now();
        let commands = self.commands(gpu, work);
        let duration_ns = nanoseconds(start);
        drop(commands);
        duration_ns
    }

    fn commands(&self, gpu: &Gpu, work: &RepeatedDispatch<'_>) -> EncodedCommands {
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("meter") });
        for pass in 0..work.passes {
            let (first, last) = (pass == 0, pass + 1 == work.passes);
            let timestamp_writes =
                self.stopwatch.as_ref().filter(|_| first || last).map(|stopwatch| wgpu::ComputePassTimestampWrites {
                    query_set: &stopwatch.queries,
                    beginning_of_pass_write_index: first.then_some(0),
                    end_of_pass_write_index: last.then_some(1),
                });
            let mut pass =
                encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label: Some("meter"), timestamp_writes });
            pass.set_pipeline(&work.bound.pipeline);
            for _ in 0..work.dispatches {
                // Each dispatch sets its bind group, as in a training step.
                pass.set_bind_group(0, &work.bound.group, &[]);
                pass.dispatch_workgroups(work.workgroups, 1, 1);
            }
        }
        let mut counts = CommandCounts {
            dispatches: u64::from(work.passes) * u64::from(work.dispatches),
            passes: u64::from(work.passes),
            ..CommandCounts::default()
        };
        if let Some(stopwatch) = &self.stopwatch {
            stopwatch.resolve(&mut encoder, 1);
            counts.timestamps = 2;
        }
        EncodedCommands::new(encoder, counts)
    }
}

/// Nanoseconds since `start`.
pub(super) fn nanoseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e9
}

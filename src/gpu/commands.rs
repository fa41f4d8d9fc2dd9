//! Dispatches, command lists and submissions: what is recorded before a device executes it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The number of commands of each kind that were recorded or submitted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommandCounts {
    /// Kernel launches.
    pub dispatches: u64,
    /// Compute passes.
    pub passes: u64,
    /// Submitted command lists.
    pub submissions: u64,
    /// Timestamps; 0 in a timed training.
    pub timestamps: u64,
}

impl std::ops::Add for CommandCounts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            dispatches: self.dispatches + other.dispatches,
            passes: self.passes + other.passes,
            submissions: self.submissions + other.submissions,
            timestamps: self.timestamps + other.timestamps,
        }
    }
}

impl std::ops::Sub for CommandCounts {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            dispatches: self.dispatches - before.dispatches,
            passes: self.passes - before.passes,
            submissions: self.submissions - before.submissions,
            timestamps: self.timestamps - before.timestamps,
        }
    }
}

impl std::iter::Sum for CommandCounts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |sum, one| sum + one)
    }
}

/// A compute pipeline and its bind group, ready to be dispatched.
pub struct BoundDispatch {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) group: wgpu::BindGroup,
}

impl BoundDispatch {
    /// Encodes a dispatch of `workgroups`, which reads the step record at `step_offset` bytes.
    pub(super) fn encode(&self, pass: &mut wgpu::ComputePass<'_>, workgroups: [u32; 3], step_offset: u32) {
        let [x, y, z] = workgroups;
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.group, &[step_offset]);
        pass.dispatch_workgroups(x, y, z);
    }
}

/// One compute pass, whose dispatches run in the order in which they are recorded.
pub struct Recording {
    pass: wgpu::ComputePass<'static>,
    encoder: wgpu::CommandEncoder,
    counts: CommandCounts,
}

impl Recording {
    pub(super) fn new(device: &wgpu::Device) -> Self {
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("gpubench") });
        let pass = encoder
            .begin_compute_pass(&wgpu::ComputePassDescriptor { label: Some("gpubench"), timestamp_writes: None });
        Self { pass: pass.forget_lifetime(), encoder, counts: CommandCounts { passes: 1, ..Default::default() } }
    }

    /// Adds a dispatch of `workgroups`, which reads the step record at `step_offset` bytes.
    pub fn dispatch(&mut self, bound: &BoundDispatch, workgroups: [u32; 3], step_offset: u32) {
        bound.encode(&mut self.pass, workgroups, step_offset);
        self.counts.dispatches += 1;
    }

    /// Encodes the commands, which is where most of the host's work for them is done.
    pub fn finish(self) -> EncodedCommands {
        let Recording { pass, encoder, counts } = self;
        drop(pass);
        EncodedCommands::new(encoder, counts)
    }
}

/// A command list that is ready to be submitted.
pub struct EncodedCommands {
    pub(super) buffer: wgpu::CommandBuffer,
    /// Its commands; the list itself counts as one submission.
    pub(super) counts: CommandCounts,
}

impl EncodedCommands {
    pub(super) fn new(encoder: wgpu::CommandEncoder, counts: CommandCounts) -> Self {
        Self { buffer: encoder.finish(), counts: CommandCounts { submissions: 1, ..counts } }
    }
}

/// Submitted commands; see [`super::Gpu::wait`].
pub struct Submission {
    pub(super) index: wgpu::SubmissionIndex,
    pub(super) done: futures_channel::oneshot::Receiver<()>,
}

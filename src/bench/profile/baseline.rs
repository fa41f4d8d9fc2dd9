//! Unprofiled steps between the profiled ones, as a baseline: no timestamps between dispatches, and the next submission ready.

use crate::bench::host_timeline::nanoseconds;
use crate::error::Result;
use crate::gpu::{Gpu, Stopwatch};
use crate::trainer::{Stage, Trainer};
use std::ops::Range;
use web_time::Instant;

/// Submissions of a block, all queued before the first wait.
const SUBMISSIONS: u32 = 3;
/// Target duration of a submission, seconds; longer if one step takes longer.
const SUBMISSION_S: f64 = 0.02;
/// Maximum number of steps in a submission.
const MAX_STEPS: u32 = 128;

/// Steps that were timed together, on the device's and the host's clock.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Block {
    /// Number of steps.
    pub steps: u32,
    /// Time on the device's clock, from the first dispatch of each submission to its last; on the host's clock without timestamps.
    pub device_ns: f64,
    /// Time on the host's clock, from the start of encoding to the end of the last wait.
    pub wall_ns: f64,
}

impl Block {
    /// Whether the device's clock resolves the block.
    pub fn is_usable(&self) -> bool {
        self.device_ns > 0.0
    }

    /// Nanoseconds of a step on the device.
    pub fn step_ns(&self) -> f64 {
        self.device_ns / f64::from(self.steps)
    }

    /// The sum of both blocks.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            steps: self.steps + other.steps,
            device_ns: self.device_ns + other.device_ns,
            wall_ns: self.wall_ns + other.wall_ns,
        }
    }
}

/// Runs blocks of unprofiled steps.
pub struct BaselineSteps<'a> {
    gpu: &'a Gpu,
    trainer: &'a Trainer<'a>,
    /// One for each submission; empty without timestamps.
    stopwatches: Vec<Stopwatch>,
    full_batches: u32,
    /// Steps of a submission.
    steps: u32,
}

impl<'a> BaselineSteps<'a> {
    /// Blocks of the first `full_batches` steps of an epoch.
    pub fn new(gpu: &'a Gpu, trainer: &'a Trainer<'a>, clock_step_ns: Option<f64>, full_batches: u32) -> Self {
        let stopwatches = (0..SUBMISSIONS).map_while(|_| Stopwatch::new(gpu, 1, clock_step_ns).ok()).collect();
        Self { gpu, trainer, stopwatches, full_batches, steps: 1 }
    }

    /// Sets the size of submissions for steps of about `step_s` seconds.
    pub fn set_step_time(&mut self, step_s: f64) {
        self.steps = ((SUBMISSION_S / step_s) as u32).clamp(1, MAX_STEPS.min(self.full_batches));
    }

    /// Runs a block after the profiled step `step`. If a submission is a single long step, only after every [`SUBMISSIONS`]-th profiled
    /// step, so that there are as many unprofiled steps as profiled ones.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub async fn run_after(&self, step: u32) -> Result<Option<Block>> {
        if self.steps == 1 && !step.is_multiple_of(SUBMISSIONS) {
            return Ok(None);
        }
        let start = Instant::now();
        let mut submissions = Vec::new();
        for index in 0..SUBMISSIONS {
            let range = self.range(step + index);
            let encoded = match self.stopwatches.get(index as usize) {
                Some(stopwatch) => {
                    let mut recording = stopwatch.record(self.gpu);
                    self.trainer.record_steps(&mut recording, range)?;
                    recording.finish()
                }
                None => self.trainer.encode(Stage::Training, range)?,
            };
            submissions.push(self.gpu.submit_encoded(encoded));
        }
        for submission in submissions {
            self.gpu.wait(submission).await?;
        }
        let wall_ns = nanoseconds(start.elapsed());
        let steps = SUBMISSIONS * self.steps;
        let mut device_ns = if self.stopwatches.is_empty() { wall_ns } else { 0.0 };
        for stopwatch in &self.stopwatches {
            device_ns += stopwatch.spans(self.gpu, 1).await?.iter().map(|span| span.duration_ns()).sum::<f64>();
        }
        Ok(Some(Block { steps, device_ns, wall_ns }))
    }

    /// The range of a submission's steps, starting near `step`.
    fn range(&self, step: u32) -> Range<u32> {
        let first = (step % self.full_batches).min(self.full_batches - self.steps);
        first..first + self.steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_add_up_and_those_the_clock_cannot_resolve_are_not_used() {
        let block = Block { steps: 3, device_ns: 30.0, wall_ns: 33.0 };
        assert!(block.is_usable() && !Block::default().is_usable());
        assert!(!Block { device_ns: -1.0, ..block }.is_usable());
        let both = block.plus(&Block { steps: 1, device_ns: 20.0, wall_ns: 22.0 });
        assert_eq!(both, Block { steps: 4, device_ns: 50.0, wall_ns: 55.0 });
        assert_eq!(both.step_ns(), 12.5);
    }
}

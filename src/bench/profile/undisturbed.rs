//! Steps as a training makes them, between the profiled ones: nothing between their dispatches, and the next submission ready.

use crate::bench::host_timeline::nanoseconds;
use crate::error::Result;
use crate::gpu::{Gpu, Stopwatch};
use crate::trainer::{Stage, Trainer};
use std::ops::Range;
use web_time::Instant;

/// Submissions of a block: the device never waits for those after the first.
const SUBMISSIONS: u32 = 3;
/// Seconds of a submission at most, unless one step takes longer.
const SUBMISSION_S: f64 = 0.02;
/// Steps of a submission at most.
const MOST_STEPS: u32 = 128;

/// Steps that were timed together, on both clocks.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Block {
    /// How many.
    pub steps: u32,
    /// On the device's clock, from the first dispatch of a submission to its last; on the host's without timestamps.
    pub device_ns: f64,
    /// On the host's clock, from the beginning of encoding to the word that all are done.
    pub wall_ns: f64,
}

impl Block {
    /// Whether the device's clock could resolve it.
    pub fn is_usable(&self) -> bool {
        self.device_ns > 0.0
    }

    /// Nanoseconds of a step on the device.
    pub fn step_ns(&self) -> f64 {
        self.device_ns / f64::from(self.steps)
    }

    /// Both together.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            steps: self.steps + other.steps,
            device_ns: self.device_ns + other.device_ns,
            wall_ns: self.wall_ns + other.wall_ns,
        }
    }
}

/// Makes blocks of undisturbed steps.
pub struct Undisturbed<'a> {
    gpu: &'a Gpu,
    trainer: &'a Trainer<'a>,
    /// One for each submission; none where the device takes no timestamps.
    stopwatches: Vec<Stopwatch>,
    full_batches: u32,
    /// Steps of a submission.
    steps: u32,
}

impl<'a> Undisturbed<'a> {
    /// Blocks of the first `full_batches` steps of an epoch.
    pub fn new(gpu: &'a Gpu, trainer: &'a Trainer<'a>, clock_step_ns: Option<f64>, full_batches: u32) -> Self {
        let stopwatches = (0..SUBMISSIONS).map_while(|_| Stopwatch::new(gpu, 1, clock_step_ns).ok()).collect();
        Self { gpu, trainer, stopwatches, full_batches, steps: 1 }
    }

    /// Learns that a step takes about `step_s` seconds.
    pub fn expect(&mut self, step_s: f64) {
        self.steps = ((SUBMISSION_S / step_s) as u32).clamp(1, MOST_STEPS.min(self.full_batches));
    }

    /// Makes a block after the profiled step `step`; where a submission is one long step, only after some, so that there are as many of
    /// one kind as of the other.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub async fn after(&self, step: u32) -> Result<Option<Block>> {
        if self.steps == 1 && !step.is_multiple_of(SUBMISSIONS) {
            return Ok(None);
        }
        let start = Instant::now();
        let mut submissions = Vec::new();
        for place in 0..SUBMISSIONS {
            let range = self.range(step + place);
            let encoded = match self.stopwatches.get(place as usize) {
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

    /// The steps of a submission, around step `step`.
    fn range(&self, step: u32) -> Range<u32> {
        let first = (step % self.full_batches).min(self.full_batches - self.steps);
        first..first + self.steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_add_up_and_those_that_a_clock_cannot_see_are_not_used() {
        let block = Block { steps: 3, device_ns: 30.0, wall_ns: 33.0 };
        assert!(block.is_usable() && !Block::default().is_usable());
        assert!(!Block { device_ns: -1.0, ..block }.is_usable());
        let both = block.plus(&Block { steps: 1, device_ns: 20.0, wall_ns: 22.0 });
        assert_eq!(both, Block { steps: 4, device_ns: 50.0, wall_ns: 55.0 });
        assert_eq!(both.step_ns(), 12.5);
    }
}

//! Paces submissions: keeps a few in flight, each of a bounded duration.

use super::host_timeline::{Activity, HostTimeline};
use crate::error::{Error, Result};
use crate::gpu::{EncodedCommands, Gpu, Submission};
use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};
use web_time::Instant;

/// Submissions in flight at once: one runs, one is queued, one is being encoded.
const IN_FLIGHT: usize = 3;
/// Target duration of a submission, seconds: three of them stay below 100 ms, so that a display does not stutter, and
/// far below the 2 s of a driver's watchdog.
const SUBMISSION_S: f64 = 0.03;
/// Upper bound of a submission's steps; more would only delay a stop.
const MAX_STEPS_PER_SUBMISSION: u32 = 512;

/// Chooses how many steps a submission holds, from the durations of the submissions before it.
#[derive(Debug, Clone, Copy)]
pub struct SubmissionPacer {
    /// Steps of the next submission.
    pub(super) steps: u32,
}

impl Default for SubmissionPacer {
    fn default() -> Self {
        Self { steps: 1 }
    }
}

impl SubmissionPacer {
    /// Steps of the next submission.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// Adapts to `steps` steps having taken `duration_s` seconds. The size at most doubles, which bounds the effect of
    /// an outlier.
    pub fn observe(&mut self, steps: u32, duration_s: f64) {
        let per_step_s = (duration_s / f64::from(steps)).max(1e-9);
        let target = (SUBMISSION_S / per_step_s) as u32;
        self.steps = target.clamp(1, MAX_STEPS_PER_SUBMISSION).min(2 * self.steps);
    }
}

/// The time of a range of consecutive steps, usually one submission.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepChunk {
    /// First step, within the epoch.
    pub first: u32,
    /// Number of steps.
    pub steps: u32,
    /// Seconds from the end of the previous chunk, or from the start, to the end of this one.
    pub duration_s: f64,
}

/// Encodes `steps` with `encode`, submits them, and calls `report` for each finished submission; a break
/// from `report` stops further submissions. The host's activities are recorded in `host_timeline`.
///
/// # Errors
/// [`Error::Interrupted`] if `report` stopped it, once all submitted steps have finished; errors of `encode` and of the
/// device.
pub async fn submit_paced(
    gpu: &Gpu,
    steps: Range<u32>,
    pacer: &mut SubmissionPacer,
    host_timeline: &mut HostTimeline,
    encode: impl Fn(Range<u32>) -> Result<EncodedCommands>,
    mut report: impl FnMut(StepChunk) -> ControlFlow<()>,
) -> Result<()> {
    let mut pending: VecDeque<(Submission, Range<u32>)> = VecDeque::new();
    let mut next = steps.start;
    let mut stopped = false;
    let mut last = Instant::now();
    loop {
        while !stopped && next < steps.end && pending.len() < IN_FLIGHT {
            let part = next..steps.end.min(next.saturating_add(pacer.steps));
            next = part.end;
            let (in_flight, first) = (!pending.is_empty(), Some(part.start));
            let interval = host_timeline.begin();
            let encoded = encode(part.clone())?;
            host_timeline.end(interval, Activity::Encode, in_flight, first);
            let interval = host_timeline.begin();
            let submission = gpu.submit_encoded(encoded);
            // In flight from the start of the call: some drivers execute the commands inside it.
            host_timeline.end(interval, Activity::Submit, true, first);
            pending.push_back((submission, part));
        }
        let Some((submission, part)) = pending.pop_front() else {
            return if stopped { Err(Error::Interrupted) } else { Ok(()) };
        };
        let interval = host_timeline.begin();
        gpu.wait(submission).await?;
        host_timeline.end(interval, Activity::Wait, true, Some(part.start));
        let duration_s = last.elapsed().as_secs_f64();
        last = Instant::now();
        let chunk = StepChunk { first: part.start, steps: part.end - part.start, duration_s };
        pacer.observe(chunk.steps, duration_s);
        let interval = host_timeline.begin();
        stopped |= report(chunk).is_break();
        host_timeline.end(interval, Activity::Report, !pending.is_empty(), Some(part.start));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submissions_approach_the_target_duration_by_doubling() {
        let mut pacer = SubmissionPacer::default();
        for _ in 0..20 {
            pacer.observe(pacer.steps, f64::from(pacer.steps) * 0.0005);
        }
        assert_eq!(pacer.steps, 60);
        pacer.observe(60, 60.0);
        assert_eq!(pacer.steps, 1);
    }

    /// Submissions that [`submit_paced`] makes of `count` steps of `step_s` seconds each.
    fn submissions(pacer: &mut SubmissionPacer, count: u32, step_s: f64) -> u32 {
        let mut pending = VecDeque::new();
        let (mut next, mut submitted) = (0, 0);
        loop {
            while next < count && pending.len() < IN_FLIGHT {
                let steps = pacer.steps.min(count - next);
                next += steps;
                submitted += 1;
                pending.push_back(steps);
            }
            let Some(steps) = pending.pop_front() else { return submitted };
            pacer.observe(steps, f64::from(steps) * step_s);
        }
    }

    #[test]
    fn an_epoch_of_short_steps_takes_few_submissions() {
        // 10 epochs of 469 steps in half a second, and in a quarter of it.
        for step_s in [0.5 / 4690.0, 0.25 / 4690.0] {
            let mut pacer = SubmissionPacer::default();
            let epochs = [(); 3].map(|()| submissions(&mut pacer, 469, step_s));
            assert!(epochs[0] <= 12 && epochs[1] <= 3 && epochs[2] <= 3, "{epochs:?}");
        }
    }
}

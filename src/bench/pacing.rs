//! Keeps the device busy with submissions that are neither too short nor too long.

use super::host_timeline::{Activity, HostTimeline};
use crate::error::{Error, Result};
use crate::gpu::{EncodedCommands, Gpu, Submission};
use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};
use web_time::Instant;

/// Submissions under way at once: one runs, one waits its turn, one is being recorded.
const IN_FLIGHT: usize = 3;
/// Seconds that a submission should take: three of them stay below the 100 ms after which a display would stutter and far
/// below the 2 s after which a watchdog bites.
const SUBMISSION_S: f64 = 0.03;
/// Steps in a submission at most; more would only delay a stop.
const MOST_STEPS: u32 = 512;

/// How many steps fill one submission on this device, learnt from those that went before.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Steps of the next submission.
    pub(super) steps: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { steps: 1 }
    }
}

impl Pace {
    /// Steps of the next submission.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// Learns that `steps` took `duration_s` seconds. It at most doubles, so that one short sample does no harm.
    pub fn observe(&mut self, steps: u32, duration_s: f64) {
        let per_step_s = (duration_s / f64::from(steps)).max(1e-9);
        let wanted = (SUBMISSION_S / per_step_s) as u32;
        self.steps = wanted.clamp(1, MOST_STEPS).min(2 * self.steps);
    }
}

/// The time of one submission.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chunk {
    /// Its first step.
    pub first: u32,
    /// Its number of steps.
    pub steps: u32,
    /// Seconds between the end of the submission before it, or the start, and its own end.
    pub duration_s: f64,
}

/// Hands the steps 0 .. `count` to the device as `encode` makes them, and reports each finished submission to `report`, which may
/// break off. What the host does meanwhile is entered in `host_timeline`.
///
/// # Errors
/// [`Error::Interrupted`] if `report` broke off, once the device has ended what it had begun; whatever `encode` returns.
pub async fn drive(
    gpu: &Gpu,
    count: u32,
    pace: &mut Pace,
    host_timeline: &mut HostTimeline,
    encode: impl Fn(Range<u32>) -> Result<EncodedCommands>,
    mut report: impl FnMut(Chunk) -> ControlFlow<()>,
) -> Result<()> {
    let mut under_way: VecDeque<(Submission, Range<u32>)> = VecDeque::new();
    let mut next = 0;
    let mut stopped = false;
    let mut last = Instant::now();
    loop {
        while !stopped && next < count && under_way.len() < IN_FLIGHT {
            let steps = next..count.min(next + pace.steps);
            next = steps.end;
            let (in_flight, first) = (!under_way.is_empty(), Some(steps.start));
            let begun = host_timeline.begin();
            let encoded = encode(steps.clone())?;
            host_timeline.end(begun, Activity::Encode, in_flight, first);
            let begun = host_timeline.begin();
            let submission = gpu.submit_encoded(encoded);
            // In flight from the beginning: some drivers execute the commands before they return from taking them.
            host_timeline.end(begun, Activity::Submit, true, first);
            under_way.push_back((submission, steps));
        }
        let Some((submission, steps)) = under_way.pop_front() else {
            return if stopped { Err(Error::Interrupted) } else { Ok(()) };
        };
        let begun = host_timeline.begin();
        gpu.wait(submission).await?;
        host_timeline.end(begun, Activity::Wait, true, Some(steps.start));
        let duration_s = last.elapsed().as_secs_f64();
        last = Instant::now();
        let chunk = Chunk { first: steps.start, steps: steps.end - steps.start, duration_s };
        pace.observe(chunk.steps, duration_s);
        let begun = host_timeline.begin();
        stopped |= report(chunk).is_break();
        host_timeline.end(begun, Activity::Report, !under_way.is_empty(), Some(steps.start));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_approaches_the_wanted_duration_by_doubling() {
        let mut pace = Pace::default();
        for _ in 0..20 {
            pace.observe(pace.steps, f64::from(pace.steps) * 0.0005);
        }
        assert_eq!(pace.steps, 60);
        pace.observe(60, 60.0);
        assert_eq!(pace.steps, 1);
    }
    /// How often [`drive`] hands something over in `count` steps of `step_s` seconds each.
    fn submissions(pace: &mut Pace, count: u32, step_s: f64) -> u32 {
        let mut under_way = VecDeque::new();
        let (mut next, mut made) = (0, 0);
        loop {
            while next < count && under_way.len() < IN_FLIGHT {
                let steps = pace.steps.min(count - next);
                next += steps;
                made += 1;
                under_way.push_back(steps);
            }
            let Some(steps) = under_way.pop_front() else { return made };
            pace.observe(steps, f64::from(steps) * step_s);
        }
    }

    #[test]
    fn an_epoch_of_short_steps_takes_few_submissions() {
        // 10 epochs of 469 steps in half a second, and in a quarter of it.
        for step_s in [0.5 / 4690.0, 0.25 / 4690.0] {
            let mut pace = Pace::default();
            let epochs = [(); 3].map(|()| submissions(&mut pace, 469, step_s));
            assert!(epochs[0] <= 12 && epochs[1] <= 3 && epochs[2] <= 3, "{epochs:?}");
        }
    }
}

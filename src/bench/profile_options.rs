//! Options of a profile.

use crate::gpu::Timestamps;
use crate::result::{Measured, RunResult};

/// Default number of profiled steps.
pub const PROFILED_STEPS: u32 = 50;
/// Number of steps of the short profile that a run takes without being asked.
const SHORT_STEPS: u32 = 20;
/// Largest share of the run that it may take.
const SHORT_SHARE: f64 = 0.1;
/// Steps that a profile of `n` steps runs, as `STEPS_EACH * n + STEPS_BEFORE`: warm-up, calibration, and steps without
/// timestamps beside each profiled one.
const STEPS_EACH: f64 = 3.0;
/// The part of them that does not depend on `n`.
pub const STEPS_BEFORE: f64 = 12.0;

/// Options of a profile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProfileOptions {
    /// Steps to profile, at least 1.
    pub steps: u32,
    /// The grade of timestamps to use; the finest if `None`.
    pub grade: Option<Timestamps>,
    /// Quantises timestamps to this many nanoseconds, as browsers do.
    pub clock_step_ns: Option<f64>,
    /// The largest share of the run that the profile may take, by an estimate; `None` if it was requested.
    pub max_share: Option<f64>,
}

impl ProfileOptions {
    /// Profiles `steps` steps with the finest timestamps.
    pub fn new(steps: u32) -> Self {
        Self { steps, grade: None, clock_step_ns: None, max_share: None }
    }

    /// A short profile, taken only if it costs little of the run.
    pub fn short() -> Self {
        Self { max_share: Some(SHORT_SHARE), ..Self::new(SHORT_STEPS) }
    }

    /// Why not to profile in a run of `run_s` seconds, if the profile takes too large a share: opening and compiling take
    /// `open_s` seconds, a training step `step_s`.
    pub fn reason_to_skip(&self, run_s: f64, open_s: f64, step_s: f64) -> Option<String> {
        let max_share = self.max_share?;
        let estimate_s = open_s + step_s * (STEPS_EACH * f64::from(self.steps) + STEPS_BEFORE);
        (estimate_s > max_share * run_s).then(|| {
            let pct = 100.0 * max_share;
            format!("it would take about {estimate_s:.1} s, more than {pct:.0} % of the run: --profile takes one")
        })
    }
}

/// What a profile costs after the trainings of `result`: the seconds of opening another device and compiling again, and
/// those of a training step; `None` if nothing was trained.
pub fn profile_cost_s(result: &RunResult) -> Option<(f64, f64)> {
    let phase = |phase: &Measured<f64>| phase.value().copied().unwrap_or(0.0);
    let last = result.repeats.last()?;
    let step_s = last.train_s.value()? / f64::from(last.steps().max(1));
    Some((phase(&result.phases.device_s) + phase(&result.phases.compile_s), step_s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_profile_is_taken_where_it_costs_little() {
        let short = ProfileOptions::short();
        assert_eq!(short.reason_to_skip(10.0, 0.2, 0.01), None);
        let reason = short.reason_to_skip(10.0, 0.2, 0.02).unwrap();
        assert!(reason.starts_with("it would take about 1.6 s, more than 10 % of the run"), "{reason}");
        assert_eq!(ProfileOptions::new(50).reason_to_skip(1.0, 9.0, 9.0), None, "it was requested");
    }
}

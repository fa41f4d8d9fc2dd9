//! Runs of one device in several rounds, interleaved with other devices.

use super::job::training_config;
use super::run::summarise;
use super::validate::validate;
use crate::result::{Measured, RunResult, Status};

/// Appends the trainings of `round`, a run with the same settings on the same device, to `result`.
///
/// The status of an unfinished round becomes that of `result`; otherwise `result` is validated again.
pub fn add_round(result: &mut RunResult, round: &RunResult) {
    result.repeats.extend(round.repeats.iter().cloned());
    result.settings.repeat.value = result.repeats.len() as u32;
    for warning in &round.warnings {
        if !result.warnings.contains(warning) {
            result.warnings.push(warning.clone());
        }
    }
    // How the repetition of the first round ended does not hold of all of them.
    result.repeating = Measured::missing("it was trained in rounds, in turns with other devices");
    let config = training_config(&result.settings);
    let peak = result.summary.peak_host_memory_bytes.clone();
    summarise(result, &config);
    result.summary.peak_host_memory_bytes = peak;
    match round.status {
        Status::Complete | Status::Invalid => validate(result),
        Status::Partial | Status::Failed => {
            result.status = round.status;
            result.reasons.clone_from(&round.reasons);
        }
    }
}

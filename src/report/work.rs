//! What a training did, in words.

use super::numbers::thousands;
use crate::result::{Repeat, RunResult};

/// The work of `steps` steps: "3 epochs", "10 of 469 steps", "2 epochs and 62 of 469 steps".
pub(super) fn of_steps(steps: u32, steps_per_epoch: u32) -> String {
    let (epochs, rest) = (steps / steps_per_epoch.max(1), steps % steps_per_epoch.max(1));
    let whole = if epochs == 1 { "1 epoch".to_owned() } else { format!("{} epochs", thousands(&epochs.to_string())) };
    let part = format!("{} of {} steps", thousands(&rest.to_string()), thousands(&steps_per_epoch.to_string()));
    match (epochs, rest) {
        (0, _) => part,
        (_, 0) => whole,
        _ => format!("{whole} and {part}"),
    }
}

/// The work of each training of `result`; the least and the most where a time limit ended them at different steps.
pub(super) fn of(result: &RunResult) -> String {
    let per_epoch = result.steps_per_epoch();
    let steps = || result.repeats.iter().filter(|repeat| repeat.train_s.value().is_some()).map(|repeat| repeat.steps());
    let unfinished = result.repeats.first().map_or(0, |repeat| repeat.steps());
    match (steps().min(), steps().max()) {
        (Some(least), Some(most)) if least != most => {
            format!("{} to {}", of_steps(least, per_epoch), of_steps(most, per_epoch))
        }
        (steps, _) => of_steps(steps.unwrap_or(unfinished), per_epoch),
    }
}

/// [`of`] with the data: "3 epochs of MNIST", "10 of 469 steps on MNIST".
pub(super) fn on_data(result: &RunResult) -> String {
    let work = of(result);
    let joined = if work.ends_with("steps") { "on" } else { "of" };
    format!("{work} {joined} {}", result.data.name)
}

/// The number of epoch `epoch` in `repeat`, with its steps if it is a part of one: "3", or "3: 10 of 469 steps".
pub fn epoch(epoch: u32, repeat: &Repeat, steps_per_epoch: u32) -> String {
    match repeat.steps_in(epoch) {
        steps if (1..steps_per_epoch).contains(&steps) => format!("{epoch}: {}", of_steps(steps, steps_per_epoch)),
        _ => epoch.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_epochs_are_called_epochs() {
        let cases = [
            (0, "0 of 469 steps"),
            (10, "10 of 469 steps"),
            (469, "1 epoch"),
            (479, "1 epoch and 10 of 469 steps"),
            (4690, "10 epochs"),
            (1500, "3 epochs and 93 of 469 steps"),
        ];
        for (steps, words) in cases {
            assert_eq!(of_steps(steps, 469), words);
        }
    }
}

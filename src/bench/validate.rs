//! Validity of a finished run, and its differences from the standard task.

use super::stopping::QUICK_TRAIN_S;
use super::{convergence, disturbance};
use crate::data::{Identity, idx};
use crate::kernels::plan_named;
use crate::model::{DROPOUT_RATE, Training};
use crate::result::{Measured, RunResult, Settings, Status};

/// Range of the test error, in per cent, that a standard run must reach on MNIST: the published tools reached 0.7 to
/// 1.0.
pub const ACCEPTED_TEST_ERROR_PCT: [f64; 2] = [0.4, 1.5];

/// How the phrase about a quick run begins.
const A_QUICK_RUN: &str = "a quick run";
/// What it adds where the time limit ended the training.
const CUT_SHORT: &str = "; cut short after ";

/// Differences of these settings and data from the standard task, one phrase each.
pub fn differences_from_standard(settings: &Settings, identity: Identity) -> Vec<String> {
    let standard = Training::STANDARD;
    let mut differences = Vec::new();
    let mut note = |differs: bool, phrase: String| {
        if differs {
            differences.push(phrase);
        }
    };
    note(identity == Identity::Synthetic, "synthetic digits instead of MNIST".into());
    note(identity == Identity::Other, "other data than MNIST".into());
    if let Some(phrase) = plan_named(&settings.plan.value).ok().and_then(|choice| choice.row.non_standard) {
        note(true, phrase.to_owned());
    }
    let epochs = settings.epochs.value;
    let counted = if epochs == 1 { "1 epoch".to_owned() } else { format!("{epochs} epochs") };
    let quick = settings.quick.value;
    note(
        quick,
        format!("{A_QUICK_RUN} of {counted} or {QUICK_TRAIN_S} s of training instead of {} epochs", standard.epochs),
    );
    if let Some(minutes) = settings.stopping.soak_min.value.value() {
        note(true, format!("a soak of {minutes} minutes instead of {} epochs", standard.epochs));
    }
    note(!quick && epochs != standard.epochs, format!("{counted} instead of {}", standard.epochs));
    let batch = settings.batch.value;
    note(batch != standard.batch, format!("batch {batch} instead of {}", standard.batch));
    if let Some(steps) = settings.steps.value.value() {
        note(true, format!("stopped after {steps} steps"));
    }
    note(!settings.shuffle.value, "not shuffled".into());
    let dropout = settings.dropout.value;
    note(dropout != DROPOUT_RATE, format!("dropout {dropout} instead of {DROPOUT_RATE}"));
    note(settings.init.value.value().is_some(), "initial weights from a file".into());
    differences
}

/// The difference of these image counts from MNIST's, if any.
pub fn difference_in_images(train: usize, test: usize) -> Option<String> {
    let [standard_train, standard_test] = [idx::FILES[0].items, idx::FILES[2].items];
    ((train, test) != (standard_train, standard_test))
        .then(|| format!("{train} training and {test} test images instead of {standard_train} and {standard_test}"))
}

/// Sets the status of a finished run: complete, or invalid with its reasons. Names a training that was cut short, and
/// the phases that this kind of run does not have.
pub fn validate(result: &mut RunResult) {
    if let Some(train_s) = result.cut_short_after_s() {
        let quick = result.non_standard.iter_mut().find(|phrase| phrase.starts_with(A_QUICK_RUN));
        let told = quick.filter(|phrase| !phrase.contains(CUT_SHORT));
        told.into_iter().for_each(|phrase| *phrase += &format!("{CUT_SHORT}{train_s:.0} s"));
    }
    result.phases.end();
    let mut reasons = Vec::new();
    let finite = |value: &Measured<f64>| value.value().is_some_and(|value| value.is_finite());
    let epochs = result.repeats.iter().flat_map(|repeat| &repeat.epochs);
    // Another tool tells the test images that it misclassified alone.
    let is_own = result.tool.is_none();
    for epoch in epochs.filter(|epoch| !finite(&epoch.train_loss) || (is_own && !finite(&epoch.test_loss))) {
        reasons.push(format!("the loss of epoch {} is not a finite number", epoch.epoch));
    }
    let mut hashes: Vec<_> = result.repeats.iter().map(|repeat| repeat.parameters_sha256.value()).collect();
    hashes.dedup();
    if hashes.len() > 1 {
        reasons.push("repeats with the same seed ended with different parameters".into());
    }
    if result.standard {
        let [low, high] = ACCEPTED_TEST_ERROR_PCT;
        result.summary.accepted_test_error_pct = Measured::Value(ACCEPTED_TEST_ERROR_PCT);
        for repeat in &result.repeats {
            match repeat.final_test_error_pct.value() {
                Some(error) if (low..=high).contains(error) => {}
                Some(error) => {
                    reasons.push(format!(
                        "the test error of {error:.2} % is outside the accepted range of {low} to {high} %"
                    ));
                }
                None => reasons.push("there is no test error".into()),
            }
        }
    } else {
        result.summary.accepted_test_error_pct = Measured::missing("a non-standard run has no accepted range");
    }
    let deviations = convergence::deviations(result);
    result.warnings.retain(|warning| !deviations.contains(warning));
    result.warnings.extend(deviations);
    reasons.extend(disturbance::note(result));
    reasons.dedup();
    result.status = if reasons.is_empty() { Status::Complete } else { Status::Invalid };
    result.reasons = reasons;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{Origin, Setting, StoppingRule};

    fn standard_settings() -> Settings {
        let any = || Setting::default(Measured::missing("any"));
        Settings {
            adapter: any(),
            backend: any(),
            data: Setting::default("auto".into()),
            epochs: Setting::default(Training::STANDARD.epochs),
            batch: Setting::default(Training::STANDARD.batch),
            steps: Setting::default(Measured::missing("no limit")),
            seed: Setting::default(5),
            repeat: Setting::default(3),
            shuffle: Setting::default(true),
            dropout: Setting::default(DROPOUT_RATE),
            init: any(),
            plan: Setting::default("layered".into()),
            quick: Setting::default(false),
            strict: Setting::default(false),
            stopping: StoppingRule::default(),
        }
    }

    #[test]
    fn seed_and_repeats_do_not_make_a_run_non_standard() {
        assert_eq!(differences_from_standard(&standard_settings(), Identity::Mnist), Vec::<String>::new());
    }

    #[test]
    fn every_change_of_the_task_is_named() {
        let option = Origin::Option;
        let changed = Settings {
            epochs: Setting::new(1, option),
            batch: Setting::new(64, option),
            steps: Setting::new(Measured::Value(7), option),
            shuffle: Setting::new(false, option),
            dropout: Setting::new(0.0, option),
            init: Setting::new(Measured::Value("w".into()), option),
            quick: Setting::new(true, option),
            stopping: StoppingRule { soak_min: Setting::new(Measured::Value(30.0), option), ..StoppingRule::default() },
            ..standard_settings()
        };
        assert_eq!(differences_from_standard(&changed, Identity::Mnist).len(), 7);
        assert_eq!(differences_from_standard(&changed, Identity::Synthetic).len(), 8);
        assert_eq!(differences_from_standard(&standard_settings(), Identity::Other).len(), 1);
        let half = Settings { plan: Setting::new("fused_f16".into(), option), ..standard_settings() };
        let phrases = differences_from_standard(&half, Identity::Mnist);
        assert!(phrases.len() == 1 && phrases[0].starts_with("16-bit storage"), "{phrases:?}");
        let half = Settings { plan: Setting::new("fused_f16_arithmetic".into(), option), ..standard_settings() };
        let phrases = differences_from_standard(&half, Identity::Mnist);
        assert!(phrases.len() == 1 && phrases[0].starts_with("f16 arithmetic"), "{phrases:?}");
        assert_eq!(difference_in_images(60_000, 10_000), None);
        assert!(difference_in_images(600, 100).is_some_and(|phrase| phrase.starts_with("600 training and 100 test")));
    }
}

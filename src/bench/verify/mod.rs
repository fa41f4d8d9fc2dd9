//! Whether the figures of a result follow from each other: what can be computed again is, and compared.

mod figures;
mod findings;
mod trainings;

use super::validate::{ACCEPTED_TEST_ERROR_PCT, difference_in_images, differences_from_standard};
use crate::model::Model;
use crate::result::{Agreement, Measured, OtherTool, Outcome, RunResult, Status};
pub use findings::Finding;
use findings::Findings;

/// The largest tolerance of a framework's first losses that a result may name: that of 32-bit arithmetic in another
/// order.
const HIGHEST_TOLERANCE: f64 = 1e-4;

/// Everything in `result` that does not follow from the rest of it, or that no device does; empty if all is well.
pub fn verify(result: &RunResult) -> Vec<Finding> {
    let mut found = Findings::default();
    task(result, &mut found);
    for index in 0..result.repeats.len() {
        trainings::training(result, index, &mut found);
    }
    if let Some(first) = result.repeats.first() {
        trainings::summary(result, first, &mut found);
    }
    trainings::repetition(result, &mut found);
    phases(result, &mut found);
    if let Measured::Value(profile) = &result.profile {
        figures::profile(result, profile, &mut found);
    }
    if let Measured::Value(account) = &result.account {
        figures::account(result, account, &mut found);
    }
    if let Measured::Value(peaks) = &result.peaks {
        figures::peaks(peaks, &mut found);
    }
    if let Measured::Value(sweep) = &result.sweep {
        figures::sweep(result, sweep, &mut found);
    }
    if let Measured::Value(parallel) = &result.parallel {
        figures::parallel(result, parallel, &mut found);
    }
    if let Some(other) = &result.tool {
        losses(result, other, &mut found);
    }
    found.0
}

/// The task, the size of the network and the status.
fn task(result: &RunResult, found: &mut Findings) {
    let mut differences = differences_from_standard(&result.settings, result.data.identity);
    differences.extend(difference_in_images(result.data.train_images as usize, result.data.test_images as usize));
    found.expect(result.standard == result.non_standard.is_empty(), "standard", || {
        format!("it is {}, and non_standard has {} entries", result.standard, result.non_standard.len())
    });
    found.expect(!result.standard || differences.is_empty(), "standard", || {
        format!("the settings differ from the standard task: {}", differences.join(", "))
    });
    let model = Model::new(result.settings.dropout.value);
    let sizes = [
        ("model.parameters", result.model.parameters, model.parameter_count() as u64),
        ("model.forward_macs", result.model.forward_macs, model.forward_macs()),
        ("model.training_macs", result.model.training_macs, model.training_macs()),
    ];
    for (place, is, expected) in sizes {
        found.expect(is == expected, place, || format!("it is {is}, and the network has {expected}"));
    }
    found.hash("environment.tool.shader_hash", &result.environment.tool.shader_hash);
    if result.status != Status::Complete {
        return;
    }
    let check = result.check.value();
    found.expect(check.is_none_or(|check| check.outcome == Outcome::Passed), "check.outcome", || {
        "the result is complete, and its check failed".to_owned()
    });
    let passes = check.is_none_or(|check| check.kernels.iter().all(|one| one.outcome == Outcome::Passed));
    found.expect(passes, "check.kernels", || "the check passed, and a kernel of it failed".to_owned());
    let error_pct = result.summary.test_error_pct.value().filter(|_| result.standard);
    let [low, high] = ACCEPTED_TEST_ERROR_PCT;
    found.expect(error_pct.is_none_or(|error| (low..=high).contains(error)), "summary.test_error_pct", || {
        format!("a complete standard run has {low} to {high} %")
    });
}

/// How the first losses of another tool compare with this program's: within a tolerance that is one.
fn losses(result: &RunResult, other: &OtherTool, found: &mut Findings) {
    let place = "tool.agreement";
    let Measured::Value(agreement) = &other.agreement else {
        return found.expect(result.status != Status::Complete, place, || {
            "the result is complete, and its losses were not compared".to_owned()
        });
    };
    let Agreement { steps, largest_difference, worst_step, tolerance } = *agreement;
    let sensible = worst_step < steps && largest_difference >= 0.0 && (0.0..=HIGHEST_TOLERANCE).contains(&tolerance);
    found.expect(sensible, place, || {
        format!("a difference of {largest_difference:e} in step {worst_step} of {steps} within {tolerance:e} is none")
    });
    if result.status == Status::Complete
        && let Some(words) = agreement.difference()
    {
        found.expect(false, place, || words);
    }
}

/// The phases against the first training and the cold total.
fn phases(result: &RunResult, found: &mut Findings) {
    let phases = &result.phases;
    let value = |phase: &Measured<f64>| phase.value().copied();
    if let (Some(train_s), Some(first)) = (value(&phases.train_s), result.repeats.first())
        && let Some(first_s) = value(&first.train_s)
    {
        found.same("phases.train_s", train_s, first_s, "the times of the first training");
        let evaluate_s = first.evaluate_s.value().copied();
        found.follows("phases.evaluate_s", &phases.evaluate_s, evaluate_s, "the evaluations of the first training");
    }
    let parts = [
        ("adapter_s", &phases.adapter_s),
        ("device_s", &phases.device_s),
        ("compile_s", &phases.compile_s),
        ("data_s", &phases.data_s),
        ("check_s", &phases.check_s),
        ("warm_up_s", &phases.warm_up_s),
        ("upload_s", &phases.upload_s),
        ("first_step_s", &phases.first_step_s),
        ("train_s", &phases.train_s),
        ("evaluate_s", &phases.evaluate_s),
        ("tune_s", &phases.tune_s),
        ("peaks_s", &phases.peaks_s),
        ("idle_s", &phases.idle_s),
    ];
    for (field, phase) in parts {
        let sensible = value(phase).is_none_or(|seconds| seconds >= 0.0);
        found.expect(sensible, format!("phases.{field}"), || "it is no duration".to_owned());
        if let (Some(part_s), Some(cold_s)) = (value(phase), value(&phases.cold_total_s)) {
            found.part(format!("phases.{field}"), part_s, cold_s, "the cold total");
        }
    }
}

//! Two results side by side: all their trainings, and everything that differs.

use crate::common::sample;
use gpubench::report::{Role, compare, compare_text, differences};
use gpubench::result::{Measured, RunResult};
use serde_json::{Value, json};

fn step_ratio(first: &RunResult, second: &RunResult) -> Measured<f64> {
    compare(first, second).steps[0].ratio()
}

/// The sample with the mean step of each training so many milliseconds long.
fn of_steps(milliseconds: &[f64]) -> RunResult {
    let mut result = sample::gpu_run(milliseconds.len() as u32);
    for (repeat, milliseconds) in result.repeats.iter_mut().zip(milliseconds) {
        repeat.samples.iter_mut().for_each(|sample| sample.duration_s = 469.0 * milliseconds / 1e3);
    }
    result
}

#[test]
fn the_median_and_the_interval_of_all_trainings_are_compared() {
    // The first training of the second result is an outlier.
    let first = of_steps(&[1.0, 1.1, 0.9, 1.0, 1.05, 0.95, 1.0]);
    let second = of_steps(&[9.0, 2.0, 2.1, 1.9, 2.0, 2.0, 1.95]);
    let ratio = *step_ratio(&first, &second).value().unwrap();
    assert!((ratio - 2.0).abs() < 1e-9, "{ratio}");
    let report = compare_text(&first, &second, 120);
    assert!(report.contains("step, timed: median of 7 trainings, 95 % interval 900 to 1,100 us"), "{report}");
    assert!(report.contains("median of 7 trainings, 95 % interval 1,900 to 9,000 us"), "{report}");
    let few = compare_text(&of_steps(&[1.0, 1.1]), &second, 120);
    assert!(few.contains("median of 2 trainings, n/a (fewer than 6 trainings: no interval)"), "{few}");
    assert!(few.contains("trainings: 2 against 7"), "{few}");
}

#[test]
fn different_work_is_marked_and_a_different_step_not_divided() {
    let first = sample::gpu_run(1);
    let mut batch = first.clone();
    batch.settings.batch.value = 64;
    let ratio = step_ratio(&first, &batch);
    assert!(ratio.reason().is_some_and(|reason| reason.contains("different work: batch: 128 against 64")), "{ratio:?}");
    let report = compare_text(&first, &batch, 120);
    assert!(report.contains("DIFFERENT WORK  batch: 128 against 64"), "{report}");

    let mut part = first.clone();
    part.repeats[0].samples.truncate(1);
    part.repeats[0].samples[0].steps = 10;
    part.data.name = "synthetic digits (seed 1)".to_owned();
    let report = compare_text(&first, &part, 120);
    for says in
        ["work of a training: 10 epochs against 10 of 469 steps", "data: MNIST against synthetic digits (seed 1)"]
    {
        assert!(report.contains(&format!("DIFFERENT WORK  {says}")), "{report}");
    }
    assert!(report.contains("¹"), "the ratio refers to a note: {report}");
    let same = compare_text(&first, &first, 120);
    assert!(!same.contains("DIFFERENT") && !same.contains("differs"), "{same}");
}

/// Another value of the same type; `None` where it is not known which there is.
fn other(key: &str, value: &Value) -> Option<Value> {
    Some(match value {
        Value::Bool(set) => json!(!set),
        Value::Number(number) if number.is_u64() => json!(number.as_u64()? + 1),
        Value::Number(number) => json!(number.as_f64()? + 0.1),
        Value::String(text) => json!(match (key, text.as_str()) {
            ("kind", _) => "cpu",
            ("timestamps", _) => "none",
            ("identity", _) => "other",
            ("shader_hash", _) => "cd",
            (_, text) => return Some(json!(format!("{text} of another"))),
        }),
        _ => return None,
    })
}

/// The paths of all leaves, but for origins, the kernels that follow from the plan, and counts that follow from the
/// network.
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    let skipped = ["/origin", "/plan/kernels", "/model/forward_macs", "/model/training_macs"];
    if skipped.iter().any(|skipped| path.ends_with(skipped)) {
        return;
    }
    match value {
        Value::Object(entries) => {
            entries.iter().for_each(|(key, value)| leaves(value, &format!("{path}/{key}"), found))
        }
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(index, value)| leaves(value, &format!("{path}/{index}"), found));
        }
        _ => found.push(path.to_owned()),
    }
}

#[test]
fn every_difference_in_settings_environment_plan_and_data_is_listed() {
    let mut result = sample::gpu_run(1);
    result.plan.tuning.insert("threads".to_owned(), "2".to_owned());
    let whole: Value = serde_json::from_str(&result.to_json().unwrap()).unwrap();
    let mut paths = Vec::new();
    for part in ["settings", "environment", "plan", "data", "model"] {
        leaves(&whole[part], &format!("/{part}"), &mut paths);
    }
    assert!(paths.len() > 40, "{paths:?}");
    for path in paths {
        let mut changed = whole.clone();
        let leaf = changed.pointer_mut(&path).unwrap();
        *leaf = other(path.rsplit('/').next().unwrap(), leaf).unwrap_or_else(|| panic!("{path} is of no known type"));
        let changed = RunResult::from_json(&changed.to_string()).unwrap_or_else(|error| panic!("{path}: {error}"));
        let found = differences(&result, &changed);
        assert!(!found.is_empty(), "{path} differs, and nothing says so");
        let report = compare_text(&result, &changed, 160);
        for difference in found {
            assert!(report.contains(difference.name), "{path}: {report}");
            let steps = ["batch", "network", "dropout"].contains(&difference.name);
            assert_eq!(difference.role == Role::Step, steps, "{difference:?}");
        }
    }
}

#[test]
fn of_tunings_only_what_differs_is_shown() {
    let with = |threads: &str| {
        let mut result = sample::gpu_run(1);
        let tuning = [("threads", threads), ("simd", "avx2")];
        result.plan.tuning = tuning.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        result
    };
    let found = differences(&with("1"), &with("2"));
    assert_eq!(found.iter().map(|one| one.words()).collect::<Vec<_>>(), ["tuning: threads 1 against threads 2"]);
}

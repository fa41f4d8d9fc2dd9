//! Two results side by side: all their trainings, and everything that differs.

use crate::common::process::{gpubench, outcome, outcome_with};
use crate::common::sample;
use gpubench::report::{Role, compare, compare_runs, compare_text, differences};
use gpubench::result::{Measured, RunResult, Status};
use gpubench::verdict::Verdict;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

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
    assert!(report.contains("step, timed: median of 7 trainings, 98 % interval 900 to 1,100 us"), "{report}");
    assert!(report.contains("median of 7 trainings, 98 % interval 1,900 to 9,000 us"), "{report}");
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

/// The sample with seven trainings around `milliseconds` a step, 0.1 % apart, and a profile of a kernel around as many.
fn around(milliseconds: f64) -> RunResult {
    let mut result = sample::profiled_run();
    let center = of_steps(&[-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0].map(|part: f64| milliseconds * (1.0 + part / 1e3)));
    (result.repeats, result.settings) = (center.repeats, center.settings);
    let Measured::Value(profile) = &mut result.profile else { unreachable!() };
    for time in &mut profile.kernels {
        let median = *time.median_ns.value().unwrap() * milliseconds;
        time.median_ns = median.into();
        time.samples_ns = (0..50).map(|step| median * (1.0 + f64::from(step * 7 % 11 - 5) / 1e3)).collect();
    }
    result
}

fn folder_of(results: &[(&str, &RunResult)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, result) in results {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, result.to_json().unwrap()).unwrap();
    }
    folder
}

fn json_of(folder: &Path, arguments: &[&str]) -> Value {
    let (stdout, _) = outcome(folder, &[&["compare"], arguments, &["--json"]].concat(), 0);
    serde_json::from_str(&stdout).unwrap()
}

#[test]
fn the_step_and_every_kernel_have_a_verdict_that_fits_80_columns() {
    let (first, second) = (around(1.0), around(1.05));
    let comparison = compare(&first, &second);
    let judged = |figure: &gpubench::report::ComparedFigure| figure.judged.value().unwrap().clone();
    let step = judged(&comparison.steps[0]);
    assert!(step.verdict == Verdict::Slower && (step.estimate.ratio - 1.05).abs() < 0.002, "{step:?}");
    assert_eq!(step.estimate.samples, [7, 7]);
    assert!(comparison.kernels.iter().all(|figure| judged(figure).verdict == Verdict::Slower));
    assert_eq!(judged(&comparison.kernels[0]).estimate.samples, [10, 10], "blocks of the steps");
    assert!(comparison.phases.iter().any(|figure| figure.name == "compile"), "{:?}", comparison.phases);
    let text = comparison.text(80);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    for figure in &comparison.kernels {
        assert!(text.contains(&figure.name), "{} is split: {text}", figure.name);
    }
    assert!(text.contains("slower") && text.contains("medians of blocks of successive steps"), "{text}");
    let same = compare(&first, &first);
    assert_eq!(judged(&same.steps[0]).verdict, Verdict::Same);
}

#[test]
fn runs_of_a_folder_count_as_one_sample_each_from_six_on() {
    let runs: Vec<RunResult> = (0..7).map(|run| around(1.0 + f64::from(run) / 1e3)).collect();
    let judged = |count: usize| {
        let side = || runs[..count].iter().collect::<Vec<_>>();
        let comparison = compare_runs(side(), side(), 0.02);
        [&comparison.steps[0], &comparison.kernels[0]].map(|figure| figure.judged.value().unwrap().estimate.samples)
    };
    assert_eq!(judged(7), [[7, 7], [7, 7]]);
    assert_eq!(judged(2), [[14, 14], [20, 20]]);
}

#[test]
fn results_of_different_work_are_refused_unless_forced() {
    let mut other = around(1.0);
    other.settings.batch.value = 64;
    let folder = folder_of(&[("a.json", &around(1.0)), ("b.json", &other)]);
    let path = folder.path();
    let (stdout, stderr) = outcome(path, &["compare", "a.json", "b.json"], 3);
    assert!(stdout.is_empty() && stderr.contains("batch: 128 against 64") && stderr.contains("--force"), "{stderr}");
    let (stdout, _) = outcome(path, &["compare", "a.json", "b.json", "--force"], 0);
    assert!(stdout.contains("DIFFERENT WORK") && stdout.contains("n/a"), "{stdout}");
    let forced = json_of(path, &["a.json", "b.json", "--force"]);
    assert!(forced["comparisons"][0]["different_work"].as_str().unwrap().contains("batch"), "{forced}");
    assert!(forced["comparisons"][0]["figures"][0]["verdict"]["missing"].is_string(), "{forced}");
}

#[test]
fn several_results_folders_and_standard_input_are_compared_with_the_first() {
    let (base, other) = (around(1.0), around(1.05));
    let folder = folder_of(&[("base.json", &base), ("others/1.json", &other), ("others/2.json", &around(1.06))]);
    let path = folder.path();
    let command = &mut gpubench(path);
    let arguments = ["compare", "base.json", "others", "base.json", "-", "--json"];
    let (stdout, _) = outcome_with(command.args(arguments), &other.to_json().unwrap(), 0);
    let document: Value = serde_json::from_str(&stdout).unwrap();
    let verdicts: Vec<&Value> =
        document["comparisons"].as_array().unwrap().iter().map(|one| &one["figures"][0]["verdict"]).collect();
    assert_eq!(verdicts, ["slower", "same", "slower"]);
    assert_eq!(document["comparisons"][0]["second"]["runs"].as_array().unwrap().len(), 2);
    let (stdout, _) = outcome(path, &["compare", "base.json", "others", "--format", "markdown"], 0);
    assert!(stdout.contains("| step, timed |") && stdout.contains("|---|--:|"), "{stdout}");
    fs::create_dir(path.join("empty")).unwrap();
    let (_, stderr) = outcome(path, &["compare", "base.json", "empty"], 3);
    assert!(stderr.contains("empty holds no result"), "{stderr}");
    fs::write(path.join("others/3.json"), r#"{"schema": "gpubench.result", "schema_version": 99}"#).unwrap();
    let (stdout, stderr) = outcome(path, &["compare", "base.json", "others"], 3);
    assert!(stdout.contains("slower") && stderr.contains("schema version 99"), "{stderr}");
}

#[test]
fn a_margin_below_what_the_samples_show_is_unclear() {
    let one = of_steps(&[1.0]);
    let folder = folder_of(&[("a.json", &around(1.0)), ("b.json", &around(1.0003)), ("one.json", &one)]);
    let verdict = |arguments: &[&str]| json_of(folder.path(), arguments)["comparisons"][0]["figures"][0].clone();
    assert_eq!(verdict(&["a.json", "b.json"])["verdict"], "same");
    assert_eq!(verdict(&["a.json", "b.json", "--margin", "0.1%"])["verdict"], "unclear");
    let few = verdict(&["one.json", "one.json"]);
    assert!(few["verdict"] == "unclear" && few["reason"].as_str().unwrap().contains("--repeat 7"), "{few}");
    for (arguments, says) in [
        (&["--margin", "-2%"][..], "as in 2%"),
        (&["--margin", "two"], "as in 2%"),
        (&["--fail-on", "slow"], "slower:3%"),
        (&["--fail-on", "slower:1%"], "--margin 1%"),
        (&["--baseline", "../x"], "as in main"),
        (&["--save-baseline", "a/b"], "as in main"),
    ] {
        let (_, stderr) = outcome(folder.path(), &[&["compare", "a.json", "b.json"], arguments].concat(), 2);
        assert!(stderr.contains(says), "{arguments:?}: {stderr}");
    }
    let (_, stderr) = outcome(folder.path(), &["compare", "a.json"], 2);
    assert!(stderr.contains("--baseline NAME"), "{stderr}");
}

#[test]
fn a_gate_fails_on_what_it_names() {
    let mut invalid = around(1.0);
    invalid.status = Status::Invalid;
    let (base, slow, fast) = (around(1.0), around(1.05), around(0.9));
    let one = of_steps(&[1.0]);
    let folder = folder_of(&[
        ("base.json", &base),
        ("slow.json", &slow),
        ("fast.json", &fast),
        ("one.json", &one),
        ("invalid.json", &invalid),
    ]);
    let path = folder.path();
    for (other, gates, code, says) in [
        ("slow.json", &["slower:3%"][..], 10, "step, timed is slower by 5.0 %"),
        ("slow.json", &["slower:6%"], 0, ""),
        ("slow.json", &["kernel:3%"], 10, "is slower by 5.0 %"),
        ("slow.json", &["unclear"], 0, ""),
        ("fast.json", &["slower", "kernel", "unclear"], 0, ""),
        ("one.json", &["slower:3%"], 0, ""),
        ("one.json", &["slower:3%", "unclear"], 10, "step, timed is unclear: it takes 6 samples"),
        ("one.json", &["kernel:3%"], 10, "no kernel is in both results"),
        ("invalid.json", &["slower:3%"], 3, "INVALID"),
    ] {
        let options: Vec<&str> = gates.iter().flat_map(|gate| ["--fail-on", gate]).collect();
        let (stdout, stderr) = outcome(path, &[&["compare", "base.json", other], &options[..]].concat(), code);
        assert!(stdout.contains("step, timed") && stderr.contains(says), "{other} {gates:?}: {stderr}");
    }
}

#[test]
fn a_baseline_is_kept_under_its_name_unless_the_gate_fails() {
    let folder = folder_of(&[("base.json", &around(1.0)), ("slow.json", &around(1.05))]);
    let path = folder.path();
    let (_, stderr) = outcome(path, &["compare", "--baseline", "main", "slow.json"], 3);
    assert!(stderr.contains("no baseline main") && stderr.contains("--save-baseline main"), "{stderr}");
    outcome(path, &["compare", "--save-baseline", "main", "base.json"], 0);
    assert!(path.join("data/gpubench/baselines/main.json").is_file());
    let gate = ["compare", "--baseline", "main", "slow.json", "--fail-on", "slower:3%", "--save-baseline", "main"];
    outcome(path, &gate, 10);
    let kept = |path| json_of(path, &["--baseline", "main", "base.json"])["comparisons"][0]["figures"][0].clone();
    assert_eq!(kept(path)["verdict"], "same");
    outcome(path, &["compare", "--baseline", "main", "slow.json", "--save-baseline", "main"], 0);
    assert_eq!(kept(path)["verdict"], "faster");
}

//! `gpubench sweep` as a process on an adapter.

use crate::common::named;
use crate::common::process::{self, gpubench, interrupted, outcome_of, program};
use crate::common::trials::{Test, with_adapter};
use gpubench::gpu::Adapters;
use gpubench::report::text;
use gpubench::result::{RunResult, Status, SweepPoint};
use libtest_mimic::Trial;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Runs `gpubench sweep` in an environment of its own, expects `code`, and gives stdout and stderr.
fn sweep(folder: &Path, arguments: &[&str], code: i32) -> (String, String) {
    outcome_of(gpubench(folder).arg("sweep").args(arguments), code)
}

fn results(folder: &Path) -> Vec<RunResult> {
    let read = |path| RunResult::from_json(&fs::read_to_string(path).unwrap()).unwrap();
    process::results(folder).into_iter().map(read).collect()
}

fn rows(result: &RunResult) -> &[SweepPoint] {
    &result.sweep.value().expect("the sweep is in the result").points
}

/// Options that keep a sweep short.
const SHORT: [&str; 4] = ["--data", "synthetic", "--seconds", "0.05"];

fn batches_are_timed_and_one_too_large_is_a_row_with_its_reason() {
    let folder = TempDir::new().unwrap();
    let (stdout, stderr) =
        sweep(folder.path(), &[&SHORT[..], &["--batch", "16,64,16,60001,50000", "--json"]].concat(), 0);
    assert!(stderr.contains("timed once: 16"), "{stderr}");
    assert!(stderr.contains("batch 64: about"), "{stderr}");
    let result = RunResult::from_json(&stdout).unwrap();
    assert!(results(folder.path()) == [result.clone()], "the file holds what was printed");
    assert_eq!((result.status, result.standard, result.repeats.len()), (Status::Complete, false, 0));
    assert!(result.non_standard.iter().any(|phrase| phrase.starts_with("a sweep over batch sizes")));
    assert!(result.summary.train_s.reason().is_some_and(|reason| reason.contains("sweep")));
    assert!(result.check.value().is_some_and(|check| check.kernels.len() > 20));
    let rows = rows(&result);
    assert_eq!(rows.iter().map(|row| row.batch).collect::<Vec<_>>(), [16, 64, 60_001, 50_000]);
    for row in &rows[..2] {
        assert_eq!(row.flop_per_step.value(), Some(&(2 * 2_202_496 * u64::from(row.batch))));
        assert_eq!((row.width, row.parameters.value()), (1.0, Some(&65_402)));
        assert!(row.samples_s.len() >= 5, "{}", row.samples_s.len());
        assert_eq!(row.step_s.value().copied(), gpubench::stats::median(&row.samples_s));
        assert!(row.step_s.value().is_some_and(|step_s| *step_s > 0.0) && row.deviation_s.value().is_some());
    }
    assert!(rows[2].step_s.reason().is_some_and(|reason| reason.contains("does not fit 60000 training images")));
    // Some adapters have room for it.
    if let Some(reason) = rows[3].step_s.reason() {
        assert!(reason.contains("maxStorageBufferBindingSize") || reason.contains("maxBufferSize"), "{reason}");
    }
}

fn a_width_without_a_network_is_a_row_with_its_reason() {
    let folder = TempDir::new().unwrap();
    let (stdout, _) = sweep(folder.path(), &[&SHORT[..], &["--width", "0.5,0.3"]].concat(), 0);
    assert!(stdout.contains("step time against width, plan layered, 1 of 2 sizes timed, batch 128"), "{stdout}");
    assert!(stdout.contains("choose a multiple of 0.25"), "{stdout}");
    assert!(stdout.contains("1 of 2 sizes were timed"), "{stdout}");
    assert!(!stdout.contains("epoch") && !stdout.contains("NaN"), "{stdout}");
    let results = results(folder.path());
    let rows = rows(&results[0]);
    assert_eq!((rows[0].batch, rows[0].width, rows[0].parameters.value()), (128, 0.5, Some(&16_706)));
    assert!(rows[0].step_s.value().is_some());
    assert!(rows[1].step_s.reason().is_some_and(|reason| reason == rows[1].parameters.reason().unwrap()));
    assert!(results[0].sweep.value().unwrap().fit.reason().is_some_and(|reason| reason.contains("a line takes two")));
}

fn a_sweep_without_any_time_is_an_error_of_the_first_reasons_kind() {
    for (arguments, says) in [
        (["--batch", "60001,70000"], "a batch of 60001 does not fit"),
        (["--width", "0.3"], "choose a multiple of 0.25"),
    ] {
        let folder = TempDir::new().unwrap();
        let (stdout, stderr) = sweep(folder.path(), &[&SHORT[..], &arguments].concat(), 2);
        assert!(stdout.is_empty(), "{stdout}");
        assert!(stderr.contains("error: no size could be timed") && stderr.contains(says), "{stderr}");
        let results = results(folder.path());
        assert_eq!(results[0].status, Status::Failed);
        assert!(rows(&results[0]).iter().all(|row| row.step_s.value().is_none()));
    }
    // Nor is the fastest plan looked for before.
    let folder = TempDir::new().unwrap();
    let mut command = program(folder.path());
    outcome_of(command.args(["sweep", "--batch", "4294967295"]).args(SHORT), 2);
    assert!(results(folder.path())[0].tuning.value().is_none());
}

#[cfg(unix)]
fn an_interrupted_sweep_keeps_its_rows() {
    let folder = TempDir::new().unwrap();
    let mut command = gpubench(folder.path());
    command.args(["sweep", "--data", "synthetic", "--seconds", "9", "--batch", "16,32"]);
    // The first size has been visited; the visit of the second takes 3 s.
    interrupted(&mut command, |line| line.starts_with("batch 16: about"), Duration::ZERO);
    let results = results(folder.path());
    assert_eq!(results[0].status, Status::Partial);
    assert!(rows(&results[0])[0].step_s.value().is_some());
}

fn a_sweep_times_the_plan_that_a_run_would_use_and_names_it() {
    let folder = TempDir::new().unwrap();
    let of = |arguments: &[&str]| {
        let mut command = program(folder.path());
        command.arg("sweep").args(SHORT).args(["--batch", "16", "--json"]).args(arguments);
        let (stdout, stderr) = outcome_of(&mut command, 0);
        (RunResult::from_json(&stdout).unwrap(), stderr)
    };
    let (shipped, stderr) = of(&["--no-tune"]);
    let name = if shipped.environment.adapter.software { "fused_lanes" } else { "fused" };
    assert_eq!((shipped.plan.name.as_str(), shipped.settings.plan.value.as_str()), (name, name));
    assert!(stderr.contains(&format!("plan: {name}\n")), "{stderr}");
    assert!(text(&shipped, 100).contains(&format!("against batch, plan {name}, ")));
    let (named, _) = of(&["--plan", "fused:images=1"]);
    assert_eq!(named.plan.name, "fused");
    assert_eq!(named.plan.tuning.get("images").map(String::as_str), Some("1"));
    assert!(rows(&named)[0].step_s.value().is_some());
    assert!(!serde_json::to_string(&named).unwrap().contains("has not come this far"), "the sweep is finished");
}

const TESTS: &[Test] = &named![
    a_sweep_times_the_plan_that_a_run_would_use_and_names_it,
    batches_are_timed_and_one_too_large_is_a_row_with_its_reason,
    a_width_without_a_network_is_a_row_with_its_reason,
    a_sweep_without_any_time_is_an_error_of_the_first_reasons_kind,
    #[cfg(unix)]
    an_interrupted_sweep_keeps_its_rows,
];

pub fn trials(adapters: &Arc<Adapters>) -> Vec<Trial> {
    with_adapter(adapters, TESTS)
}

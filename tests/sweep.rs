//! `gpubench sweep` as a process, and its report.

#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod common;
mod sample;

use assert_cmd::Command;
use common::{Test, gpubench, outcome_of, run, trials};
use gpubench::report::text;
use gpubench::result::{Measured, RunResult, Status, Sweep, SweepFit, SweepPoint, SweepVariable};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Runs `gpubench sweep` in an environment of its own, expects `code`, and gives stdout and stderr.
fn sweep(folder: &Path, arguments: &[&str], code: i32) -> (String, String) {
    outcome_of(gpubench(folder).arg("sweep").args(arguments), code)
}

fn results(folder: &Path) -> Vec<RunResult> {
    let Ok(entries) = fs::read_dir(folder.join("results")) else { return Vec::new() };
    let read = |path| RunResult::from_json(&fs::read_to_string(path).unwrap()).unwrap();
    entries.map(|entry| read(entry.unwrap().path())).collect()
}

fn rows(result: &RunResult) -> &[SweepPoint] {
    &result.sweep.value().expect("the sweep is in the result").points
}

/// Options that keep a sweep short.
const SHORT: [&str; 4] = ["--data", "synthetic", "--seconds", "0.05"];

fn lists_that_are_none_are_refused() {
    let cases: [(&[&str], &str); 12] = [
        (&["--batch", "0"], "--batch"),
        (&["--batch", "64,0"], "--batch"),
        (&["--batch=-64"], "--batch"),
        (&["--batch", "64,many"], "many"),
        (&["--batch", "64,,128"], "--batch"),
        (&["--batch", "1.5"], "1.5"),
        (&["--width", "0"], "above 0"),
        (&["--width=-1"], "above 0"),
        (&["--width", "1,wide"], "not a number"),
        (&["--width", "nan"], "not a number"),
        (&["--seconds", "0"], "up to 600 seconds"),
        // One variable at a time.
        (&["--batch", "64", "--width", "1"], "cannot be used with"),
    ];
    for (arguments, says) in cases {
        let folder = TempDir::new().unwrap();
        let (stdout, stderr) = sweep(folder.path(), arguments, 2);
        assert!(stdout.is_empty() && stderr.contains(says), "{arguments:?}: {stderr}");
        assert!(results(folder.path()).is_empty());
    }
}

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
    assert!(stdout.contains("step time against width, 1 of 2 sizes timed, batch 128"), "{stdout}");
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
}

#[cfg(unix)]
fn an_interrupted_sweep_keeps_its_rows() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let folder = TempDir::new().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_gpubench"));
    command.args(["sweep", "--data", "synthetic", "--seconds", "9", "--batch", "16,32"]);
    command.env("NODEVICE_SELECT", "1").current_dir(folder.path());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // The first size has been visited; the visit of the second takes 3 s.
    assert!(lines.any(|line| line.is_ok_and(|line| line.starts_with("batch 16: about"))), "the first size is timed");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).output().is_ok());
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    let results = results(folder.path());
    assert_eq!(results[0].status, Status::Partial);
    assert!(rows(&results[0])[0].step_s.value().is_some());
}

fn a_sweep_is_reported_as_one() {
    let mut result = sample::gpu_run(1);
    let point = |batch: u32, step_s: Measured<f64>| SweepPoint {
        batch,
        width: 1.0,
        parameters: Measured::Value(65_402),
        flop_per_step: Measured::Value(4_404_992 * u64::from(batch)),
        deviation_s: step_s.clone().map(|step_s| 0.01 * step_s),
        step_s,
        samples_s: vec![0.001; 7],
    };
    result.standard = false;
    result.repeats.clear();
    result.sweep = Measured::Value(Sweep {
        variable: SweepVariable::Batch,
        points: vec![
            point(64, 0.000_5.into()),
            point(128, 0.000_8.into()),
            point(60_001, Measured::missing("too many")),
        ],
        fit: Measured::Value(SweepFit {
            overhead_s: 0.000_2,
            asymptotic_gflop_per_s: 939.7,
            half_rate_at: 42.7.into(),
            largest_residual_pct: 1.5,
            points: 3,
        }),
    });
    for width in [80, 100, 120] {
        let report = text(&result, width);
        assert!(report.starts_with("non-standard: step time against batch, 2 of 3 sizes timed, MNIST"), "{report}");
        for word in ["Each step costs 0.200 ms before any work", "60,001", "¹  too many", "n/a¹", "160,000", "564"] {
            assert!(report.contains(word), "{word:?} is not in: {report}");
        }
        assert!(!report.contains("epoch") && !report.contains("Tesla"), "{report}");
        for line in report.lines() {
            assert!(line.chars().count() <= usize::from(width), "wider than {width}: {line}");
        }
    }
}

/// Tests that need no adapter.
const WITHOUT: [Test; 2] = [
    ("lists_that_are_none_are_refused", lists_that_are_none_are_refused),
    ("a_sweep_is_reported_as_one", a_sweep_is_reported_as_one),
];

/// Tests that need an adapter.
const WITH: [Test; 3] = [
    (
        "batches_are_timed_and_one_too_large_is_a_row_with_its_reason",
        batches_are_timed_and_one_too_large_is_a_row_with_its_reason,
    ),
    ("a_width_without_a_network_is_a_row_with_its_reason", a_width_without_a_network_is_a_row_with_its_reason),
    (
        "a_sweep_without_any_time_is_an_error_of_the_first_reasons_kind",
        a_sweep_without_any_time_is_an_error_of_the_first_reasons_kind,
    ),
];

fn main() {
    let mut with = WITH.to_vec();
    #[cfg(unix)]
    with.push(("an_interrupted_sweep_keeps_its_rows", an_interrupted_sweep_keeps_its_rows));
    run(trials(&WITHOUT, &with));
}

//! What a training did is named as it was: parts of epochs, time limits, other work beside the published.

use crate::common::process::{outcome_of, program};
use crate::common::sample;
use gpubench::bench::validate;
use gpubench::report::{LoadedResult, TableView, Tables, compare_text, devices_text, html, markdown, text};
use gpubench::result::{Measured, RunResult, Sample, Setting, Summary};
use std::fs;
use tempfile::TempDir;

/// The sample, its only training ended after `steps` steps in `train_s` seconds.
fn ended_after(steps: u32, train_s: f64) -> RunResult {
    let mut result = sample::gpu_run(1);
    let repeat = &mut result.repeats[0];
    repeat.train_s = train_s.into();
    repeat.samples.clear();
    for first_step in (0..steps).step_by(469) {
        let of_epoch = (steps - first_step).min(469);
        let epoch = first_step / 469 + 1;
        repeat.samples.push(Sample { epoch, first_step, steps: of_epoch, duration_s: 0.01 });
    }
    repeat.epochs.truncate(repeat.samples.len());
    result.settings.steps = Setting::default(Measured::Value(steps));
    result.standard = false;
    result.non_standard = vec![format!("stopped after {steps} steps")];
    result.summary = Summary::of(&result.repeats, 128 * u64::from(steps), 2_202_496);
    result
}

#[test]
fn a_part_of_an_epoch_is_never_called_one() {
    let result = ended_after(10, 0.076);
    let loaded = [LoadedResult { file: "cut.json".to_owned(), result: result.clone() }];
    let csv = Tables::of_run(&result).csv(&[TableView::named("by-tool").unwrap()[0]]).unwrap();
    let surfaces = [
        text(&result, 100),
        markdown(&result),
        html(&result),
        csv,
        Tables::of(&loaded).text(&TableView::all(), 120),
        compare_text(&result, &result, 120),
        devices_text(std::slice::from_ref(&result), 120),
    ];
    for surface in &surfaces {
        assert!(!surface.contains("1 epoch") && !surface.contains("epochs of"), "{surface}");
    }
    for surface in [&surfaces[0], &surfaces[1], &surfaces[2], &surfaces[3], &surfaces[5], &surfaces[6]] {
        assert!(surface.replace('\n', " ").contains("10 of 469 steps"), "{surface}");
    }
    let headline = "non-standard: 16,842 images/s: 10 of 469 steps on MNIST in 0.076 s, test error 0.92 %";
    assert_eq!(surfaces[0].lines().next(), Some(headline));
    assert!(surfaces[1].contains("| 0.076 (10 of 469 steps) |"), "{}", surfaces[1]);
    assert!(surfaces[2].contains("Loss by step") && surfaces[2].contains(">training step</text>"));
    assert!(surfaces[3].contains("train_s: 10 of 469 steps"), "{}", surfaces[3]);
}

#[test]
fn whole_epochs_and_the_rest_are_told_apart() {
    let first_line = |steps| text(&ended_after(steps, 2.0), 120).lines().next().unwrap().to_owned();
    assert!(first_line(3 * 469).contains("images/s: 3 epochs of MNIST in 2.00 s"), "{}", first_line(3 * 469));
    assert!(first_line(500).contains("images/s: 1 epoch and 31 of 469 steps on MNIST"), "{}", first_line(500));
    // The curve of the second epoch ends where its part does.
    let page = html(&ended_after(500, 2.0));
    assert!(page.contains("Loss by step") && page.contains("2: 31 of 469 steps"), "{page}");
}

#[test]
fn synthetic_digits_are_not_called_mnist() {
    let headline = text(&sample::software_run(), 160).lines().next().unwrap().to_owned();
    assert!(headline.contains("10 epochs of synthetic digits (seed 1) in"), "{headline}");
}

#[test]
fn a_quick_run_is_called_cut_short_where_the_time_limit_ended_it() {
    for (steps, cut) in [(469, false), (281, true)] {
        let mut result = ended_after(steps, 30.1);
        result.settings.steps.value = Measured::missing("no limit");
        result.settings.epochs.value = 1;
        result.settings.quick.value = true;
        result.non_standard = gpubench::bench::differences_from_standard(&result.settings, result.data.identity);
        assert!(!text(&result, 100).contains("cut short after"), "the settings do not know how the run ends");
        // Again, as after every round of `--adapter all`.
        validate(&mut result);
        validate(&mut result);
        let report = text(&result, 160);
        assert_eq!(report.matches("cut short after 30 s").count(), usize::from(cut), "{report}");
        assert_eq!(report.lines().next().unwrap().contains("cut short"), cut, "{report}");
    }
}

#[test]
fn a_part_of_the_training_has_no_row_among_whole_ones() {
    let mut result = ended_after(10, 0.076);
    result.settings.steps.value = Measured::missing("no limit");
    result.standard = true;
    result.non_standard.clear();
    let loaded = [LoadedResult { file: "cut.json".to_owned(), result }];
    let tables = Tables::of(&loaded);
    assert!(tables.groups.is_empty());
    assert!(tables.excluded[0].reason.contains("10 of 469 steps"), "{:?}", tables.excluded[0].reason);
}

#[test]
fn devices_that_did_different_work_are_compared_by_the_image() {
    let (mut fast, mut slow) = (ended_after(469, 10.0), ended_after(100, 10.0));
    fast.environment.adapter.name = "Fast".to_owned();
    slow.environment.adapter.name = "Slow".to_owned();
    let table = devices_text(&[slow, fast], 160);
    let row = |name: &str| table.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(table.find("Fast").unwrap() < table.find("Slow").unwrap(), "{table}");
    assert!(row("Fast").contains("1 epoch") && row("Fast").contains(" 1.00 "), "{table}");
    assert!(row("Slow").contains("100 of 469 steps") && row("Slow").contains(" 4.69 "), "{table}");
}

#[test]
fn a_run_tells_what_it_did_on_every_surface() {
    let folder = TempDir::new().unwrap();
    let arguments = ["--adapter", "cpu", "--data", "synthetic", "--steps", "10", "--html", "page.html"];
    let (stdout, stderr) = outcome_of(program(folder.path()).args(arguments), 0);
    let headline = stdout.lines().next().unwrap();
    assert!(headline.contains("images/s: 10 of 469 steps on synthetic digits"), "{headline}");
    assert!(stderr.contains("epoch 1: 10 of 469 steps: ") && !stderr.contains("epoch  1/"), "{stderr}");
    let page = fs::read_to_string(folder.path().join("page.html")).unwrap();
    let checked = RunResult::from_json(&fs::read_to_string(result_file(&folder)).unwrap()).unwrap();
    let count = checked.check.value().unwrap().kernels.len();
    assert!(page.contains(&format!("cpu, {count} checked kernels")) && !page.contains("0 kernels"), "{page}");
    for surface in [&stdout, &page] {
        assert!(!surface.contains("1 epoch of") && !surface.contains("has not come this far"), "{surface}");
    }
}

fn result_file(folder: &TempDir) -> std::path::PathBuf {
    crate::common::process::results(folder.path()).pop().unwrap()
}

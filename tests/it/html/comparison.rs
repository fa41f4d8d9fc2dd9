//! The page of a comparison, and its figures for a chart of GitHub's.

use super::{parsed, titles, words_of};
use crate::common::process::outcome;
use crate::common::sample;
use gpubench::report::{action_benchmark, compare_runs, comparisons_html};
use gpubench::result::{RunResult, Status};
use serde_json::Value;
use std::fs;
use tempfile::TempDir;

/// The profiled sample with seven trainings whose steps take this many times as long as its own.
fn slowed(factor: f64) -> RunResult {
    let mut result = sample::profiled_run();
    let training = result.repeats[0].clone();
    result.repeats = (0..7).map(|_| training.clone()).collect();
    for (index, repeat) in result.repeats.iter_mut().enumerate() {
        let factor = factor * (1.0 + 0.001 * index as f64);
        repeat.samples.iter_mut().for_each(|sample| sample.duration_s *= factor);
        repeat.train_s = repeat.train_s.clone().map(|seconds| factor * seconds);
    }
    result
}

#[test]
fn a_page_shows_every_figure_with_its_verdict_and_every_training_as_a_dot() {
    let [first, second] = [slowed(1.0), slowed(1.1)];
    let comparison = compare_runs(vec![&first], vec![&second], 0.02);
    let page = comparisons_html(std::slice::from_ref(&comparison));
    let words = words_of(&page);
    let document = parsed(&page);
    assert_eq!(titles(&document), ["slower: 1.100 times as long"]);
    let rows = document.descendants().filter(|node| node.has_tag_name("tr")).count();
    let figures = comparison.steps.len() + comparison.kernels.len() + comparison.phases.len();
    assert_eq!(rows, figures + 3, "a heading for steps, kernels and phases");
    let title = document.descendants().find(|node| node.attribute("id") == Some("sides-1-wide-title"));
    let drawing = title.and_then(|title| title.parent()).unwrap_or_else(|| panic!("{page}"));
    assert_eq!(drawing.descendants().filter(|node| node.has_tag_name("circle")).count(), 14);
    for says in ["the whole interval lies above 1", "within which times are the same"] {
        assert!(words.contains(says), "{says}: {words}");
    }
}

#[test]
fn hostile_names_and_missing_samples_leave_a_page() {
    let mut hostile = slowed(1.0);
    hostile.environment.adapter.name = "<script>alert(1)</script>\u{1b}[31m\u{202e}".to_owned();
    hostile.repeats.truncate(1);
    hostile.repeats[0].samples.iter_mut().for_each(|sample| sample.duration_s = f64::NAN);
    let other = slowed(1.0);
    let page = comparisons_html(&[compare_runs(vec![&hostile], vec![&other], 0.02)]);
    let words = words_of(&page);
    assert!(words.contains("<script>alert(1)</script>\\u{1b}[31m\\u{202e}"), "{words}");
}

#[test]
fn the_program_writes_the_page_and_the_list_for_a_chart() {
    let folder = TempDir::new().unwrap();
    for (name, factor) in [("a.json", 1.0), ("b.json", 1.1)] {
        fs::write(folder.path().join(name), slowed(factor).to_json().unwrap()).unwrap();
    }
    let chart = ["compare", "a.json", "b.json", "--html", "page.html", "--format", "github-action-benchmark"];
    let (stdout, stderr) = outcome(folder.path(), &chart, 0);
    assert!(stderr.contains("page: page.html"), "{stderr}");
    words_of(&fs::read_to_string(folder.path().join("page.html")).unwrap());
    let rows: Vec<Value> = serde_json::from_str(&stdout).unwrap();
    let training = rows.iter().find(|row| row["name"].as_str().unwrap().starts_with("training (")).unwrap();
    let expected = slowed(1.1).repeats[3].train_s.value().copied().unwrap();
    assert!((training["value"].as_f64().unwrap() - expected).abs() < 1e-9 && training["unit"] == "s", "{training}");
    let is_whole = |row: &Value| {
        row["value"].is_f64() && ["name", "unit", "range", "extra"].iter().all(|key| row[*key].is_string())
    };
    assert!(rows.len() > 5 && rows.iter().all(is_whole), "{rows:?}");
    for verb in ["report", "table"] {
        let (again, _) = outcome(folder.path(), &[verb, "b.json", "--format", "github-action-benchmark"], 0);
        assert_eq!(serde_json::from_str::<Vec<Value>>(&again).unwrap(), rows, "{verb}");
    }
    let invalid = RunResult { status: Status::Invalid, ..slowed(1.0) };
    assert!(action_benchmark(&[&invalid]).is_err_and(|error| error.to_string().contains("INVALID")));
    let folder_as_page = ["compare", "a.json", "b.json", "--html", "."];
    assert!(outcome(folder.path(), &folder_as_page, 7).1.contains("it is a folder"));
}

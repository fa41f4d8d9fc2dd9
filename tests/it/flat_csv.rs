//! CSV that a data frame reads: one table, each column of one type, and reasons in a column of their own.

use crate::common::process::outcome;
use crate::common::{ROOT, sample};
use gpubench::result::{Measured, RunResult, Status};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Columns of text; all others hold numbers alone.
const TEXTS: &[&str] = &["frame", "device", "tool", "source", "note", "missing"];

/// Results that have, and lack, as much as can be.
fn odd_ones() -> Vec<RunResult> {
    let mut hostile = sample::gpu_run(7);
    hostile.environment.adapter.name = "=HYPERLINK(\"http://x\"),\n\"quoted\"; 12,5\u{202e}".to_owned();
    let mut invalid = sample::gpu_run(1);
    (invalid.status, invalid.reasons) = (Status::Invalid, vec!["n/a, \"odd\"\nreason".to_owned()]);
    let mut bare = sample::gpu_run(2);
    bare.repeats.iter_mut().for_each(|repeat| repeat.load = Measured::missing("not measured"));
    bare.summary = gpubench::result::Summary::of(&bare.repeats, 600_000, bare.model.training_macs);
    vec![
        hostile,
        invalid,
        bare,
        sample::software_run(),
        sample::full_run(),
        sample::parallel_run(),
        sample::framework_run(),
    ]
}

/// The columns of a table by their names.
fn columns(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(text.as_bytes());
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let mut columns: BTreeMap<String, Vec<String>> = names.iter().map(|name| (name.clone(), Vec::new())).collect();
    assert_eq!(columns.len(), names.len(), "a name stands twice: {names:?}");
    for record in reader.records() {
        for (name, field) in names.iter().zip(&record.unwrap()) {
            columns.get_mut(name).unwrap().push(field.to_owned());
        }
    }
    columns
}

fn expect_types(text: &str) {
    for (name, fields) in columns(text) {
        let filled = || fields.iter().filter(|field| !field.is_empty());
        if TEXTS.contains(&name.as_str()) {
            assert!(filled().all(|field| !field.starts_with(['=', '+', '-', '@', '\t', '\r'])), "{name}: {fields:?}");
            continue;
        }
        for field in filled() {
            // What pandas and R read as a number: no units, marks, words or thousands.
            let number = field.parse::<f64>();
            assert!(number.is_ok_and(f64::is_finite), "{name}: {field:?} is no number");
        }
    }
}

#[test]
fn each_column_holds_numbers_or_text_and_never_both() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("odd.json"), RunResult::list_to_json(&odd_ones()).unwrap()).unwrap();
    let results = Path::new(ROOT).join("results");
    let (text, _) = outcome(folder.path(), &["table", "odd.json", results.to_str().unwrap(), "--format", "csv"], 0);
    expect_types(&text);
    let columns = columns(&text);
    assert!(columns["train_s"].iter().filter(|field| !field.is_empty()).count() > 30, "{:?}", columns["train_s"]);
    // Every missing number of a row has its reason, by the name of its column.
    let numbers = columns.keys().filter(|name| !TEXTS.contains(&name.as_str()));
    for name in numbers {
        for (row, field) in columns[name].iter().enumerate().filter(|(_, field)| field.is_empty()) {
            let reasons = &columns["missing"][row];
            let excluded = columns["frame"][row] == "left-out";
            assert!(excluded || reasons.contains(&format!("{name}: ")), "{name} of row {row}: {field:?}, {reasons}");
        }
    }
}

#[test]
fn the_csv_of_a_single_run_has_the_same_columns() {
    let folder = TempDir::new().unwrap();
    let mut headings = Vec::new();
    for result in odd_ones() {
        fs::write(folder.path().join("one.json"), result.to_json().unwrap()).unwrap();
        let (text, _) = outcome(folder.path(), &["report", "one.json", "--format", "csv"], 0);
        expect_types(&text);
        headings.push(text.lines().next().unwrap().to_owned());
    }
    headings.dedup();
    assert_eq!(headings.len(), 1, "{headings:#?}");
}

//! Nothing from a stranger's file reaches a terminal, a page or a spreadsheet raw, and no result tells where things
//! lie.

use crate::common::process::{PROGRAM, outcome_of, program};
use crate::common::{ROOT, sample, training};
use gpubench::report::{
    LoadedResult, PublishedTable, TableView, Tables, compare_text, devices_text, html, markdown, text,
};
use gpubench::result::{Measured, RunResult, Setting};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// An escape sequence, a C1 control, a right-to-left override, a line break, a formula, a cell, HTML and a picture.
const EVIL: &str = "=1+1\u{1b}[31m\u{9b}2J\u{202e}\u{2066}\u{200f}\r\nrow|<script>x</script>![p](http://x)";

/// Characters that change how text around them is shown.
fn is_hidden(letter: char) -> bool {
    let bidirectional = ['\u{61c}', '\u{200e}', '\u{200f}'].contains(&letter)
        || ('\u{202a}'..='\u{202e}').contains(&letter)
        || ('\u{2066}'..='\u{2069}').contains(&letter);
    bidirectional || (letter.is_control() && letter != '\n')
}

fn no_hidden(name: &str, text: &str) {
    let found = text.lines().find(|line| line.contains(is_hidden));
    assert!(found.is_none(), "{name}: {found:?}");
}

/// Puts [`EVIL`] before every string of a result that may be any string.
fn spoiled(result: &RunResult) -> RunResult {
    let mut json: Value = serde_json::from_str(&result.to_json().unwrap()).unwrap();
    let mut paths = Vec::new();
    strings(&json, "", &mut paths);
    let mut spoiled = 0;
    for path in paths {
        let before = json.pointer(&path).unwrap().clone();
        *json.pointer_mut(&path).unwrap() = Value::String(format!("{EVIL}{}", before.as_str().unwrap()));
        match RunResult::from_json(&json.to_string()) {
            Ok(_) => spoiled += 1,
            Err(error) => {
                no_hidden("an error", &error.to_string());
                assert_eq!(error.to_string().lines().count(), 1, "{error}");
                *json.pointer_mut(&path).unwrap() = before;
            }
        }
    }
    assert!(spoiled > 40, "only {spoiled} strings are free");
    RunResult::from_json(&json.to_string()).unwrap()
}

fn strings(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            entries.iter().for_each(|(key, value)| strings(value, &format!("{path}/{key}"), found))
        }
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(index, value)| strings(value, &format!("{path}/{index}"), found));
        }
        Value::String(_) => found.push(path.to_owned()),
        _ => {}
    }
}

#[test]
fn no_output_shows_a_hidden_character_of_a_result() {
    let mut short = sample::profiled_run();
    let Measured::Value(profile) = &mut short.profile else { unreachable!() };
    profile.kernels.truncate(2);
    short.plan.kernels.truncate(2);
    for result in [spoiled(&short), spoiled(&sample::software_run())] {
        let loaded = [
            LoadedResult { file: format!("{EVIL}.json"), result: result.clone() },
            LoadedResult { file: format!("{EVIL}2.json"), result: sample::gpu_run(1) },
        ];
        let tables = Tables::of(&loaded);
        let all = TableView::all();
        let outputs = [
            ("text", text(&result, 100)),
            ("Markdown", markdown(&result)),
            ("page", html(&result)),
            ("tables", tables.text(&all, 160)),
            ("Markdown tables", tables.markdown(&all)),
            ("CSV", tables.csv(&all).unwrap()),
            ("comparison", compare_text(&result, &sample::gpu_run(1), 100)),
            ("devices", devices_text(std::slice::from_ref(&result), 100)),
            ("JSON", result.to_json().unwrap()),
        ];
        for (name, output) in &outputs {
            no_hidden(name, output);
            if *name != "JSON" {
                assert!(output.contains("\\u{1b}"), "{name} shows that something is there: {output}");
                // A line break is white space to a page.
                let broken = *name != "page" && output.lines().any(|line| line.starts_with("row|"));
                assert!(!broken, "{name}: {output}");
            }
        }
        assert!(RunResult::from_json(&outputs[8].1).unwrap() == result, "the JSON holds the same");
    }
}

/// Strings of hundreds of kilobytes are shortened where breaking them into lines would take minutes.
#[test]
fn long_strings_do_not_keep_a_printer_busy() {
    let mut result = sample::gpu_run(1);
    for unit in ["x", "x y ", "\u{202e}<|`*", "é"] {
        let long = unit.repeat(400_000 / unit.len());
        result.environment.adapter.name = long.clone();
        result.warnings = vec![long.clone()];
        result.reasons = vec![long];
        let loaded = [LoadedResult { file: "a.json".to_owned(), result: result.clone() }];
        let begun = Instant::now();
        let outputs = [
            text(&result, 100),
            markdown(&result),
            html(&result),
            Tables::of(&loaded).text(&TableView::all(), 160),
            compare_text(&result, &result, 100),
            devices_text(std::slice::from_ref(&result), 100),
        ];
        assert!(
            outputs.iter().all(|output| !output.is_empty()) && begun.elapsed() < Duration::from_secs(20),
            "{unit:?}"
        );
    }
}

#[test]
fn markdown_cells_hold_no_html_link_or_further_cell() {
    let mut result = sample::gpu_run(1);
    result.environment.adapter.name = EVIL.to_owned();
    let page = markdown(&result);
    assert!(!page.contains("<script") && !page.contains("![p]") && page.contains("row\\|&lt;script>"), "{page}");
    let bars = |line: &str| line.replace("\\|", "").matches('|').count();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with('|')).collect();
    assert!(rows.len() > 3 && rows.iter().all(|row| bars(row) == bars(rows[0])), "{page}");
}

#[test]
fn text_in_csv_is_no_formula_and_a_number_stays_one() {
    for formula in ["=1+1", "+1+1", "-1-1", "@x", "\tx", "\rx"] {
        let mut result = sample::gpu_run(1);
        result.environment.adapter.name = formula.to_owned();
        let loaded = [LoadedResult { file: formula.to_owned(), result }];
        let csv = Tables::of(&loaded).csv(&[TableView::Published(PublishedTable::ByTool)]).unwrap();
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let row = reader.records().next().unwrap().unwrap();
        for (index, field) in row.iter().enumerate() {
            let numeric = field.parse::<f64>().is_ok();
            assert!(numeric || !field.starts_with(['=', '+', '-', '@', '\t', '\r']), "field {index}: {field:?}");
        }
        assert!(row[1].starts_with(['\'', '\\']) && row.iter().any(|field| field == "12.3"), "{row:?}");
    }
}

#[cfg(unix)]
#[test]
fn names_of_files_and_tensors_are_escaped_in_messages() {
    let folder = TempDir::new().unwrap();
    let name = "a\u{1b}[31m\u{202e}\nb.json";
    fs::write(folder.path().join(name), "{").unwrap();
    let mut tensor = serde_json::json!({ EVIL: { "dtype": "F32", "shape": [1], "data_offsets": [0, 4] } }).to_string();
    tensor += &" ".repeat(8 - tensor.len() % 8);
    let weights = [&(tensor.len() as u64).to_le_bytes()[..], tensor.as_bytes(), &[0; 4]].concat();
    fs::write(folder.path().join("w.safetensors"), weights).unwrap();
    let cases: [(&[&str], &str); 4] = [
        (&["report", name], r"a\u{1b}[31m\u{202e}\u{a}b.json"),
        (&["table", name], r"a\u{1b}[31m\u{202e}\u{a}b.json"),
        (&["compare", name, "missing\u{1b}.json"], r"a\u{1b}[31m"),
        (&["--adapter", "cpu", "--data", "synthetic", "--init", "w.safetensors"], r"=1+1\u{1b}[31m\u{9b}2J\u{202e}"),
    ];
    for (arguments, says) in cases {
        let (stdout, stderr) = outcome_of(program(folder.path()).args(arguments), 3);
        no_hidden("stdout", &stdout);
        no_hidden("stderr", &stderr);
        assert!(stderr.contains(says), "{PROGRAM} {arguments:?}: {stderr}");
    }
}

#[test]
fn a_result_tells_no_folder_of_the_machine() {
    let mut dataset = gpubench::data::synthetic::digits(1, 128, 32);
    dataset.source = Some("/home/someone/data/fashion".to_owned());
    dataset.name = "other data in MNIST's format (/home/someone/data/fashion)".to_owned();
    let result = training::begun(&dataset, 128, 1, |settings| {
        settings.data = Setting::default("/home/someone/data/fashion/".to_owned());
        settings.init = Setting::default(Measured::Value("../weights/w.safetensors".to_owned()));
    });
    assert!(!result.to_json().unwrap().contains("someone"), "{}", result.to_json().unwrap());
    assert_eq!(result.data.source.value().map(String::as_str), Some("fashion"));
    assert_eq!(result.data.name, "other data in MNIST's format (fashion)");
    assert_eq!(
        (result.settings.data.value.as_str(), result.settings.init.value.value().unwrap().as_str()),
        ("fashion", "w.safetensors")
    );
}

#[test]
fn no_committed_result_holds_a_path() {
    let mut read = 0;
    for entry in fs::read_dir(Path::new(ROOT).join("results")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let json: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            let mut places = Vec::new();
            strings(&json, "", &mut places);
            for place in places {
                let text = json.pointer(&place).and_then(Value::as_str).unwrap();
                assert!(!text.starts_with(['/', '~']) && !text.starts_with(".."), "{}: {text}", path.display());
            }
            read += 1;
        }
    }
    assert!(read >= 8, "only {read} results were found");
}

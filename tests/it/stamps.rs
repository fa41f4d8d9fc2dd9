//! A result whose figures must not be used says so wherever it is shown or exported, or is refused.

use crate::common::process::outcome;
use crate::common::sample;
use gpubench::report::{chrome_trace, devices_text};
use gpubench::result::{RunResult, Status, Timeline};
use std::fs;
use tempfile::TempDir;

const STATES: [(Status, &str, &str); 3] = [
    (Status::Invalid, "INVALID", "invalid"),
    (Status::Partial, "PARTIAL", "partial"),
    (Status::Failed, "FAILED", "failed"),
];

/// Made-up results of every kind that has views of its own.
fn kinds() -> [(&'static str, RunResult); 4] {
    [
        ("full", sample::full_run()),
        ("soak", sample::long_soak_run()),
        ("parallel", sample::parallel_run()),
        ("framework", sample::framework_run()),
    ]
}

/// A folder with `bad.json` of this status and a complete `good.json`.
fn folder(mut result: RunResult, status: Status) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("good.json"), result.to_json().unwrap()).unwrap();
    result.status = status;
    result.started_utc = "2026-11-25T03:04:05Z".to_owned();
    result.reasons = vec!["the moon was full".to_owned()];
    fs::write(folder.path().join("bad.json"), result.to_json().unwrap()).unwrap();
    folder
}

#[test]
fn every_export_of_one_result_bears_its_stamp() {
    for (kind, result) in kinds() {
        for (status, stamp, word) in STATES {
            let folder = folder(result.clone(), status);
            let prints = |arguments: &[&str]| outcome(folder.path(), arguments, 0).0;
            for format in ["card", "text", "markdown", "csv"] {
                let shown = prints(&["report", "bad.json", "--format", format]);
                assert!(shown.contains(stamp), "{kind}, {format}: {shown}");
            }
            assert!(prints(&["report", "bad.json", "--quiet"]).starts_with(stamp), "{kind}");
            for format in ["json", "jsonl"] {
                let shown = prints(&["report", "bad.json", "--format", format]).replace(": ", ":");
                assert!(shown.contains(&format!("\"status\":\"{word}\"")), "{kind}, {format}: {shown}");
                assert!(shown.contains("the moon was full"), "{kind}, {format}: {shown}");
            }
            prints(&["report", "bad.json", "--html", "page.html"]);
            let page = fs::read_to_string(folder.path().join("page.html")).unwrap();
            assert!(page.contains(stamp) && page.contains("the moon was full"), "{kind}: {page}");
        }
    }
}

#[test]
fn every_table_and_site_of_many_results_bears_their_stamps() {
    for (kind, result) in kinds() {
        for (status, stamp, _) in STATES {
            let folder = folder(result.clone(), status);
            for format in ["text", "markdown", "csv"] {
                let (shown, _) = outcome(folder.path(), &["table", "bad.json", "good.json", "--format", format], 0);
                assert!(shown.contains(stamp), "{kind}, {format}: {shown}");
            }
            outcome(folder.path(), &["table", "bad.json", "good.json", "--html", "table.html"], 0);
            let page = fs::read_to_string(folder.path().join("table.html")).unwrap();
            assert!(page.contains(stamp), "{kind}: {page}");
            outcome(folder.path(), &["site", "bad.json", "good.json", "-o", "site"], 0);
            let data = fs::read_to_string(folder.path().join("site/data.js")).unwrap();
            let row = data.lines().find(|line| line.contains("\"file\":\"bad.json\"")).unwrap();
            assert!(row.contains(&format!("\"stamps\":[\"{stamp}\"")) && row.contains("\"verified\":false"), "{row}");
            let kept = fs::read_to_string(folder.path().join("site/results/bad.json")).unwrap();
            assert_eq!(RunResult::from_json(&kept).unwrap().status, status);
        }
    }
}

#[test]
fn every_comparison_bears_the_stamps_of_its_sides_and_charts_refuse_them() {
    for (kind, result) in kinds() {
        for (status, stamp, _) in STATES {
            let folder = folder(result.clone(), status);
            for sides in [["bad.json", "good.json"], ["good.json", "bad.json"]] {
                for format in ["text", "markdown", "json"] {
                    let arguments = ["compare", sides[0], sides[1], "--force", "--format", format];
                    let (shown, _) = outcome(folder.path(), &arguments, 0);
                    assert!(shown.contains(stamp), "{kind}, {format}: {shown}");
                }
                outcome(folder.path(), &["compare", sides[0], sides[1], "--force", "--html", "pair.html"], 0);
                let page = fs::read_to_string(folder.path().join("pair.html")).unwrap();
                assert!(page.contains(stamp), "{kind}: {page}");
            }
            let chart = "github-action-benchmark";
            for arguments in [
                &["report", "bad.json", "--format", chart][..],
                &["table", "bad.json", "--format", chart],
                &["compare", "good.json", "bad.json", "--force", "--format", chart],
            ] {
                let (shown, stderr) = outcome(folder.path(), arguments, 3);
                assert!(shown.is_empty() && stderr.contains(stamp), "{kind}, {arguments:?}: {shown} {stderr}");
            }
        }
    }
}

#[test]
fn a_trace_and_the_table_of_devices_bear_it_too() {
    for (kind, mut result) in kinds() {
        for (status, stamp, _) in STATES {
            result.status = status;
            let trace = chrome_trace(&Timeline::default(), &result).unwrap();
            assert!(trace.contains(&format!("\"stamps\":\"{stamp}")), "{kind}: {trace}");
            let devices = devices_text(std::slice::from_ref(&result), 120);
            assert!(devices.contains(stamp), "{kind}: {devices}");
        }
    }
}

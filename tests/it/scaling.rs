//! `gpubench scaling` as a process: predictions for many devices, and what it refuses.

use crate::common::process::{outcome_of, program, refused};
use crate::common::sample;
use gpubench::result::{Measured, Member, Parallel, RunResult, Sweep, SweepPoint, SweepVariable, Synchronisation};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const LINK: [&str; 4] = ["--latency", "2", "--bandwidth", "10"];

/// A sweep with steps of 100 us and 1 us an image.
fn sweep() -> RunResult {
    let mut result = sample::gpu_run(1);
    let point = |batch: u32| SweepPoint {
        batch,
        width: 1.0,
        parameters: Measured::Value(65_402),
        flop_per_step: Measured::Value(4_404_992 * u64::from(batch)),
        deviation_s: 1e-6.into(),
        step_s: (1e-4 + 1e-6 * f64::from(batch)).into(),
        samples_s: vec![0.001; 7],
    };
    let points = [32, 64, 128, 256].map(point).to_vec();
    let fit = Measured::missing("not of interest");
    result.sweep = Measured::Value(Sweep { variable: SweepVariable::Batch, points, fit });
    result.repeats.clear();
    result
}

/// A training on two devices.
fn pair(sync: Synchronisation) -> RunResult {
    let mut result = sample::gpu_run(1);
    let member = |_| Member {
        name: "a GPU".to_owned(),
        plan: "fused".to_owned(),
        images_per_batch: 64,
        alone_step_s: Measured::missing("not timed"),
    };
    result.parallel = Measured::Value(Parallel {
        sync,
        scaling_mode: gpubench::result::one_process(),
        ranks: gpubench::result::one_process(),
        members: (0..2).map(member).collect(),
        exchange_s: Measured::missing("not timed"),
        exchange_pct: Measured::missing("not timed"),
        bytes_per_exchange: 261_608,
        exchanges_per_epoch: 469,
        scaling_efficiency_pct: Measured::missing("not timed"),
    });
    result
}

fn write(folder: &Path, name: &str, result: &RunResult) {
    fs::write(folder.join(name), result.to_json().unwrap()).unwrap();
}

fn predicted(folder: &Path, more: &[&str]) -> Value {
    let (stdout, _) = outcome_of(program(folder).args(["scaling", "in", "--json"]).args(LINK).args(more), 0);
    serde_json::from_str(&stdout).unwrap()
}

#[test]
fn the_figures_are_those_worked_out_by_hand() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("in")).unwrap();
    write(&folder.path().join("in"), "sweep.json", &sweep());
    let told = predicted(folder.path(), &[]);
    let rows = told["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 12);
    let close = |value: &Value, expected: f64| {
        let value = value.as_f64().unwrap();
        assert!((value / expected - 1.0).abs() < 1e-6, "{value} instead of {expected}");
    };
    close(&told["step"]["overhead_s"], 1e-4);
    close(&told["step"]["image_s"], 1e-6);
    // Two devices: two messages of half of 261,608 bytes; 64 images each, of which the step takes 164 us.
    let exchange_s = 2.0 * (2e-6 + 130_804.0 / 1e10);
    close(&rows[0]["all_reduce_s"][0], exchange_s);
    close(&rows[0]["strong"]["step_s"], 164e-6 + exchange_s);
    close(&rows[0]["strong"]["efficiency_pct"], 100.0 * 228e-6 / (2.0 * (164e-6 + exchange_s)));
    close(&rows[0]["weak"]["efficiency_pct"], 100.0 * 228e-6 / (228e-6 + exchange_s));
    assert_eq!(rows[11]["devices"], 4096);
    assert!(rows[11]["strong"].to_string().contains("more devices than images"), "{}", rows[11]["strong"]);
    let larger = predicted(folder.path(), &["--batch", "65536"]);
    assert!(larger["rows"][5]["strong"]["efficiency_pct"].as_f64() > rows[5]["strong"]["efficiency_pct"].as_f64());
}

#[test]
fn the_text_and_the_page_say_what_it_rests_on_and_how_far_it_is_off() {
    let folder = TempDir::new().unwrap();
    let inner = folder.path().join("in");
    fs::create_dir(&inner).unwrap();
    write(&inner, "sweep.json", &sweep());
    let show = || {
        let mut command = program(folder.path());
        outcome_of(command.args(["scaling", "in", "--html", "page.html"]).args(LINK), 0).0
    };
    let text = show();
    for says in ["Predicted, not measured", "100 us and 1.00 us an image", "does not scale", "nothing here is checked"]
    {
        assert!(text.contains(says), "{says:?} is not in: {text}");
    }
    write(&inner, "pair.json", &pair(Synchronisation::Step));
    write(&inner, "epoch.json", &pair(Synchronisation::Epoch));
    let text = show();
    assert!(text.contains("pair.json") && !text.contains("epoch.json"), "{text}");
    let page = fs::read_to_string(folder.path().join("page.html")).unwrap();
    assert!(page.contains("predicted, not measured") && page.contains("pair.json") && page.contains("<svg"));
    roxmltree::Document::parse(page.trim_start_matches("<!DOCTYPE html>")).unwrap();
}

#[test]
fn what_gives_no_prediction_is_refused_in_words() {
    let folder = TempDir::new().unwrap();
    let inner = folder.path().join("in");
    fs::create_dir(&inner).unwrap();
    let fails = |says: &str| {
        let (_, stderr) = outcome_of(program(folder.path()).args(["scaling", "in"]).args(LINK), 3);
        assert!(stderr.contains(says), "{says:?} is not in: {stderr}");
    };
    fails("holds no JSON file");
    write(&inner, "pair.json", &pair(Synchronisation::Step));
    fails("no complete result of one device");
    write(&inner, "sweep.json", &sweep());
    let mut other = sweep();
    other.plan.name = "fused".to_owned();
    write(&inner, "other.json", &other);
    fails("give those of one device with one plan");
    for (option, value) in [("--latency", "0"), ("--latency", "-1"), ("--bandwidth", "nan"), ("--latency", "1e99")] {
        let rest = if option == "--latency" { ["--bandwidth", "1"] } else { ["--latency", "1"] };
        refused(&["scaling", "x", option, value, rest[0], rest[1]], 2, &["a number above 0"]);
    }
    refused(&["scaling", "x"], 2, &["--latency"]);
}

//! The same training on several devices, one after the other, in one table.

use super::layout::{Table, joined};
use super::numbers::{Notes, finite, ratio, three_digits};
use super::work;
use crate::result::RunResult;

const HEADINGS: [&str; 10] = [
    "device",
    "plan",
    "runs",
    "work",
    "time\n[s]",
    "spread\n[s]",
    "images\nper s",
    "vs\nfastest",
    "error\n%",
    "status",
];

/// A table with a row for each of `results`, the fastest first, and the time of an image as a multiple of the
/// fastest's. A time limit ends trainings of slow devices early, so that whole times are not divided.
///
/// No line is wider than `width`, from 80 columns on.
pub fn devices_text(results: &[RunResult], width: u16) -> String {
    let rate = |result: &RunResult| result.summary.images_per_s.value().copied();
    let order = |result: &RunResult| rate(result).unwrap_or(0.0);
    let mut sorted: Vec<&RunResult> = results.iter().collect();
    sorted.sort_by(|a, b| order(b).total_cmp(&order(a)));
    let fastest = sorted.first().and_then(|result| rate(result));
    let table = Table::of(&HEADINGS, 2, sorted, |result, notes| cells(result, fastest, notes));
    let title = format!("The same training on {} devices, in turn", results.len());
    joined([title, table.text(2, width)]) + "\n"
}

fn cells(result: &RunResult, fastest: Option<f64>, notes: &mut Notes) -> Vec<String> {
    let summary = &result.summary;
    let versus = summary.images_per_s.clone().map(|rate| fastest.map_or(f64::NAN, |fastest| fastest / rate));
    let stamps = result.stamps();
    let plan = match result.plan.tuning.get("threads") {
        Some(threads) => format!("{}, {threads} threads", result.plan.name),
        None => result.plan.name.clone(),
    };
    vec![
        result.environment.adapter.label(),
        plan,
        result.repeats.len().to_string(),
        work::of(result),
        notes.or_mark(&summary.train_s, three_digits),
        notes.or_mark(&summary.train_mad_s, three_digits),
        notes.or_mark(&summary.images_per_s, three_digits),
        notes.or_mark(&versus, ratio),
        finite(&summary.test_error_pct, |error| format!("{error:.2}")),
        if stamps.is_empty() { "complete".to_owned() } else { stamps.join(", ") },
    ]
}

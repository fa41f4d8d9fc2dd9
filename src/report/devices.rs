//! The same training on several devices, one after the other, in one table.

use super::layout::{Table, joined};
use super::numbers::{Notes, finite, ratio, three_digits};
use crate::result::RunResult;

const HEADINGS: [&str; 9] =
    ["device", "plan", "runs", "time\n[s]", "spread\n[s]", "vs\nfastest", "images\nper s", "error\n%", "status"];

/// A table with a row for each of `results`, the fastest first, and each time as a multiple of the fastest.
///
/// No line is wider than `width`, from 80 columns on.
pub fn devices_text(results: &[RunResult], width: u16) -> String {
    let time = |result: &RunResult| result.summary.train_s.value().copied();
    let order = |result: &RunResult| time(result).unwrap_or(f64::INFINITY);
    let mut sorted: Vec<&RunResult> = results.iter().collect();
    sorted.sort_by(|a, b| order(a).total_cmp(&order(b)));
    let fastest_s = sorted.first().and_then(|result| time(result));
    let table = Table::of(&HEADINGS, 2, sorted, |result, notes| cells(result, fastest_s, notes));
    let title = format!("The same training on {} devices, in turn", results.len());
    joined([title, table.text(2, width)]) + "\n"
}

fn cells(result: &RunResult, fastest_s: Option<f64>, notes: &mut Notes) -> Vec<String> {
    let summary = &result.summary;
    let versus = summary.train_s.clone().map(|time_s| fastest_s.map_or(f64::NAN, |fastest_s| time_s / fastest_s));
    let stamps = result.stamps();
    let plan = match result.plan.tuning.get("threads") {
        Some(threads) => format!("{}, {threads} threads", result.plan.name),
        None => result.plan.name.clone(),
    };
    vec![
        result.environment.adapter.label(),
        plan,
        result.repeats.len().to_string(),
        notes.or_mark(&summary.train_s, three_digits),
        notes.or_mark(&summary.train_mad_s, three_digits),
        notes.or_mark(&versus, ratio),
        notes.or_mark(&summary.images_per_s, three_digits),
        finite(&summary.test_error_pct, |error| format!("{error:.2}")),
        if stamps.is_empty() { "complete".to_owned() } else { stamps.join(", ") },
    ]
}

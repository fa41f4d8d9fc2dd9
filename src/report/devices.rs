//! The same training on several devices, one after the other, in one table.

use super::numbers::{Notes, finite, ratio, three_digits};
use super::rows::stamps;
use super::table::{grid, note_list};
use crate::result::RunResult;

/// Headings of the table.
const HEADINGS: [&str; 9] =
    ["device", "plan", "runs", "time\n[s]", "spread\n[s]", "vs\nfastest", "images\nper s", "error\n%", "status"];

/// A row for each of `results`, the fastest first, with its time as a multiple of the fastest one's; no line is wider than
/// `width` from 80 columns on.
pub fn devices_text(results: &[RunResult], width: u16) -> String {
    let time = |result: &RunResult| result.summary.train_s.value().copied();
    let mut sorted: Vec<&RunResult> = results.iter().collect();
    let order = |result: &RunResult| time(result).unwrap_or(f64::INFINITY);
    sorted.sort_by(|a, b| order(a).total_cmp(&order(b)));
    let fastest_s = sorted.first().and_then(|result| time(result));
    let mut notes = Notes::default();
    let rows = sorted.into_iter().map(|result| row(result, fastest_s, &mut notes)).collect();
    let table = grid(&HEADINGS, rows, 2, 2, width);
    format!("The same training on {} devices, in turn\n\n{table}\n\n{}", results.len(), note_list(&notes, width))
        .trim_end()
        .to_owned()
        + "\n"
}

fn row(result: &RunResult, fastest_s: Option<f64>, notes: &mut Notes) -> Vec<String> {
    let summary = &result.summary;
    let versus = summary.train_s.clone().map(|time_s| fastest_s.map_or(f64::NAN, |fastest_s| time_s / fastest_s));
    let stamps = stamps(result);
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

//! The text report of a result.

use super::published::{TableView, Tables};
use super::{account, layout, load, parallel, profile, summary, sweep};
use crate::result::RunResult;

/// Width of a report if the width of the terminal is unknown, in columns.
pub const DEFAULT_WIDTH: u16 = 100;

/// The report of a result for a terminal of `width` columns.
///
/// The report of a training has its summary, epochs, phases, profile and the published rows; that of a sweep has the
/// table of its sizes instead. No line is wider than `width`, from 80 columns on. There are no colours in it.
pub fn text(result: &RunResult, width: u16) -> String {
    let summary = [summary::headline(result, width), layout::facts(summary::facts(result), width)];
    let details = match sweep::without_training(result) {
        Some(sweep) => vec![sweep::text(sweep, width)],
        None => vec![
            summary::epochs_text(result, width),
            summary::phases_text(result, width),
            load::text(result, width),
            parallel::text(result, width),
            profile::text(result, width),
            account::text(result, width),
            Tables::of_run(result).text(&[TableView::of(result)], width).trim_end().to_owned(),
        ],
    };
    layout::joined(summary.into_iter().chain(details)) + "\n"
}

/// The result among the published rows, as a Markdown table.
pub fn markdown(result: &RunResult) -> String {
    Tables::of_run(result).markdown(&[TableView::of(result)])
}

//! Results for people: a summary, and a table in the frame of the published comparison.
//!
//! [`comparison`] gives the table as data, [`text`] the whole report for a terminal, [`markdown`] the table for a page;
//! [`Tables`] has many results among the published rows.

mod account;
mod compare;
mod devices;
mod html;
mod load;
mod numbers;
mod parallel;
mod peaks;
mod profile;
mod published;
mod rows;
mod summary;
mod sweep;
mod table;
mod trace;
mod tuning;

pub use compare::{ComparedFigure, ResultComparison, compare, compare_text};
pub use devices::devices_text;
pub use html::{STYLE as HTML_STYLE, fragment as html_fragment, html};
pub use peaks::text as peaks_text;
pub use published::{Frame, Published, parse as parse_published, published};
pub use published::{Group, LeftOut, LoadedResult, Part, Tables};
pub use rows::{Comparison, Row, comparison};
pub use trace::chrome_trace;
pub use tuning::tuning_text;

use crate::result::{RunResult, Sweep};

/// Width of a report where nothing is known about the terminal.
pub const DEFAULT_WIDTH: u16 = 100;

/// The report of a run for a terminal of `width` columns: its summary, its epochs and phases, and the table of its frame; that
/// of a sweep has the table of its sizes in place of all these.
///
/// No line is wider than `width`, from 80 columns on. There are no colours in it.
pub fn text(result: &RunResult, width: u16) -> String {
    let parts = match only_sweep(result) {
        Some(sweep) => sweep::text(result, sweep, width),
        None => training(result, width),
    };
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n\n") + "\n"
}

/// The sweep of a result that holds nothing else.
fn only_sweep(result: &RunResult) -> Option<&Sweep> {
    result.sweep.value().filter(|_| result.repeats.is_empty())
}

fn training(result: &RunResult, width: u16) -> Vec<String> {
    vec![
        summary::headline(result, width),
        summary::facts(result, width),
        summary::epochs(result, width),
        summary::phases(result, width),
        load::text(result, width),
        parallel::text(result, width),
        profile::text(result, width),
        account::text(result, width),
        table::text(&comparison(result, Frame::of(&result.environment.adapter)), width),
    ]
}

/// The table of one frame of the published comparison in Markdown, with its notes: this run first.
pub fn markdown(result: &RunResult, frame: Frame) -> String {
    table::markdown(&comparison(result, frame))
}

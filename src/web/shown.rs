//! A result as a page shows it, copies it, and puts it into a link.

use super::link;
use crate::error::{Error, Result};
use crate::report::{self, PublishedTable, TableView, Tables};
use crate::result::RunResult;
use serde::Serialize;

/// What a page does with a result.
#[derive(Serialize)]
struct Shown<'a> {
    /// The document.
    result: &'a str,
    /// `INVALID`, `PARTIAL` or `FAILED`; empty for a complete result.
    stamp: &'a str,
    /// The report as an HTML fragment.
    report: &'a str,
    /// The table in the published frame, this run first.
    markdown: &'a str,
    /// The same as comma-separated values.
    csv: &'a str,
    /// The document for a link.
    linked: &'a str,
    /// The same, small enough for a QR code.
    scanned: &'a str,
}

/// `result` as a JSON object with the document, its stamp, the report, tables to copy, and what to put into a link.
///
/// # Errors
/// [`Error::Output`] if it cannot be written, which no result made by this program causes.
pub fn shown(result: &RunResult) -> Result<String> {
    let view = TableView::Published(PublishedTable::of(&result.environment.adapter));
    let shown = Shown {
        result: &result.to_json()?,
        stamp: result.status.stamp().unwrap_or_default(),
        report: &report::html_fragment(result),
        markdown: &report::markdown(result),
        csv: &Tables::of_run(result).csv(&[view])?,
        linked: &link::linked(result)?,
        scanned: &link::scanned(result)?,
    };
    serde_json::to_string(&shown).map_err(|error| Error::Output(format!("the result cannot be shown: {error}")))
}

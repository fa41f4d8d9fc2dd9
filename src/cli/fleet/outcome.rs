//! What came of each host, as a table and as JSON.

use crate::cli::process::shown;
use crate::error::{Error, Result};
use crate::result::{RunResult, Status};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::value::RawValue;

/// What came of a host.
#[derive(Debug)]
pub struct Outcome {
    /// Its name.
    pub host: String,
    /// How it was reached.
    pub through: &'static str,
    /// Its result, or why there is none.
    pub state: State,
    /// Seconds from reaching it to its end; none where the result was there before.
    pub took_s: Option<f64>,
}

/// A host's result, or why there is none.
#[derive(Debug)]
pub enum State {
    /// Results, more than one where a run takes several adapters.
    Gathered(Vec<RunResult>),
    /// Why there is none.
    Failed(String),
}

impl State {
    /// The state of a host with these results.
    pub fn of(results: Vec<RunResult>) -> Self {
        Self::Gathered(results)
    }

    /// Whether every result is complete and valid.
    pub fn is_valid(&self) -> bool {
        match self {
            Self::Gathered(results) => results.iter().all(|result| result.status == Status::Complete),
            Self::Failed(_) => false,
        }
    }
}

/// What a result says of its state, with its reasons.
fn state_of(result: &RunResult) -> String {
    let complete = if result.standard { "complete" } else { "complete, non-standard" };
    let stamp = result.status.stamp().unwrap_or(complete);
    let words = if result.status == Status::Complete { &result.non_standard } else { &result.reasons };
    let words: Vec<String> = words.iter().map(|word| shown(word)).collect();
    if words.is_empty() { stamp.to_owned() } else { format!("{stamp}: {}", words.join("; ")) }
}

fn figure(value: Option<&f64>, decimals: usize) -> String {
    value.map_or_else(|| "n/a".to_owned(), |value| format!("{value:.decimals$}"))
}

impl Outcome {
    /// One line that says what came of the host.
    pub fn line(&self) -> String {
        let took = self.took_s.map(|took_s| format!(" after {took_s:.0} s")).unwrap_or_default();
        match &self.state {
            State::Failed(reason) => format!("{}: no result{took}: {reason}", self.host),
            State::Gathered(_) if self.took_s.is_none() => format!("{}: its result is there", self.host),
            State::Gathered(results) => {
                let said = results.iter().map(|result| {
                    let train_s = figure(result.summary.train_s.value(), 3);
                    format!("{}, {train_s} s, {}", shown(&result.environment.adapter.name), state_of(result))
                });
                format!("{}: ended{took}: {}", self.host, said.collect::<Vec<_>>().join("; "))
            }
        }
    }
}

/// The table of all hosts; those without a result are rows with the reason.
pub fn text(outcomes: &[Outcome], width: u16) -> String {
    let times = outcomes.iter().flat_map(|outcome| match &outcome.state {
        State::Gathered(results) => results.as_slice(),
        State::Failed(_) => &[],
    });
    let times = times.filter(|result| result.status == Status::Complete);
    let best_s = times.filter_map(|result| result.summary.train_s.value().copied()).reduce(f64::min);
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    table.set_header(["host", "device", "plan", "train s", "vs best", "error %", "state"]);
    for outcome in outcomes {
        match &outcome.state {
            State::Failed(reason) => {
                let cells = [&outcome.host, "n/a", "n/a", "n/a", "n/a", "n/a", &format!("FAILED: {reason}")];
                table.add_row(cells.map(str::to_owned));
            }
            State::Gathered(results) => {
                for result in results {
                    let train_s = result.summary.train_s.value();
                    let ratio = train_s.zip(best_s).map(|(train_s, best_s)| train_s / best_s);
                    table.add_row([
                        outcome.host.clone(),
                        shown(&result.environment.adapter.name),
                        shown(&result.plan.name),
                        figure(train_s, 3),
                        figure(ratio.as_ref(), 2),
                        figure(result.summary.test_error_pct.value(), 2),
                        state_of(result),
                    ]);
                }
            }
        }
    }
    for column in table.column_iter_mut().skip(3).take(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// A host in JSON.
#[derive(Serialize)]
struct Row<'a> {
    host: &'a str,
    through: &'a str,
    /// The documents as they were written, with their digests.
    results: Box<RawValue>,
    reason: Option<&'a str>,
}

/// The same as a list in JSON: each host with its results, or the reason.
///
/// # Errors
/// [`Error::Output`] if it cannot be written.
pub fn json(outcomes: &[Outcome]) -> Result<String> {
    let failed = |error: serde_json::Error| Error::Output(format!("no JSON can be written: {error}"));
    let mut rows = Vec::new();
    for outcome in outcomes {
        let (results, reason) = match &outcome.state {
            State::Gathered(results) => (RunResult::list_to_json(results)?, None),
            State::Failed(reason) => ("[]".to_owned(), Some(reason.as_str())),
        };
        let results = RawValue::from_string(results).map_err(failed)?;
        rows.push(Row { host: &outcome.host, through: outcome.through, results, reason });
    }
    serde_json::to_string_pretty(&rows).map_err(failed)
}

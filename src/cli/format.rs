//! What a run prints, and in which format.

use super::terminal;
use crate::error::Result;
use crate::report::{self, TableView, Tables};
use crate::result::RunResult;
use clap::{Args, ValueEnum};
use std::path::Path;

/// Formats of a result on stdout.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A card of at most ten lines.
    #[default]
    Card,
    /// The whole report.
    Text,
    /// The result file.
    Json,
    /// The result file on one line; of several results one line each.
    Jsonl,
    /// The table among the published rows, for a page or an issue.
    Markdown,
    /// The same table as comma-separated values.
    Csv,
    /// What benchmark-action/github-action-benchmark reads (customSmallerIsBetter).
    GithubActionBenchmark,
}

/// Options of the output.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct FormatArgs {
    /// Print the whole report: epochs, phases, load, kernels, published rows; the same as --format text
    #[arg(long, short, conflicts_with_all = ["quiet", "format"])]
    pub verbose: bool,
    /// Print the first line alone
    #[arg(long, short)]
    pub quiet: bool,
    /// Format of the result on stdout [default: card]
    #[arg(long, conflicts_with = "quiet", value_name = "FORMAT", value_enum)]
    pub format: Option<Format>,
    /// The same as --format json
    #[arg(long, conflicts_with_all = ["format", "verbose", "quiet"])]
    pub json: bool,
}

impl FormatArgs {
    /// The requested format.
    pub fn format(&self) -> Format {
        match (self.json, self.verbose) {
            (true, _) => Format::Json,
            (_, true) => Format::Text,
            _ => self.format.unwrap_or_default(),
        }
    }

    /// These options where the whole report is the default.
    pub fn or_text(&self) -> Self {
        let verbose = self.verbose || (self.format.is_none() && !self.quiet);
        Self { verbose, ..self.clone() }
    }

    /// Whether the output is the card, which names the result's file itself.
    pub fn is_card(&self) -> bool {
        self.format() == Format::Card && !self.quiet
    }

    /// Prints `result`, which is kept in `file`, on stdout.
    ///
    /// # Errors
    /// [`crate::Error::Output`] if stdout cannot be written.
    pub fn show(&self, result: &RunResult, file: Option<&Path>) -> Result<()> {
        let width = terminal::width();
        let text = match self.format() {
            Format::Json => return terminal::output(&result.to_json()?),
            Format::Jsonl => return terminal::output(&result.to_json_line()?),
            Format::Markdown => return terminal::output(&report::markdown(result)),
            Format::Csv => return terminal::output(&Tables::of_run(result).csv(&[TableView::of(result)])?),
            Format::GithubActionBenchmark => return terminal::output(&report::action_benchmark(&[result])?),
            _ if self.quiet => report::headline(result, width),
            Format::Text => report::text(result, width),
            Format::Card => report::card(result, file.map(|file| file.display().to_string()).as_deref(), width),
        };
        terminal::reports([text].into_iter())
    }
    /// Prints the results of one training on several devices on stdout: for [`Format::Card`] one table, for
    /// [`Format::Json`] an array.
    ///
    /// # Errors
    /// [`crate::Error::Output`] if stdout cannot be written.
    pub fn show_all(&self, results: &[RunResult]) -> Result<()> {
        let width = terminal::width();
        let devices = || report::devices_text(results, width);
        let headlines = || results.iter().map(|result| report::headline(result, width)).collect::<Vec<_>>().join("\n");
        let each = || results.iter().map(|result| report::text(result, width));
        match self.format() {
            Format::Json => terminal::output(&RunResult::list_to_json(results)?),
            Format::Jsonl => terminal::output(&json_lines(results)?),
            Format::Markdown => terminal::output(&Tables::of_runs(results).markdown(&views(results))),
            Format::Csv => terminal::output(&Tables::of_runs(results).csv(&views(results))?),
            Format::GithubActionBenchmark => {
                terminal::output(&report::action_benchmark(&results.iter().collect::<Vec<_>>())?)
            }
            Format::Card if self.quiet => terminal::reports([headlines()].into_iter()),
            Format::Card => terminal::reports([devices()].into_iter()),
            Format::Text => terminal::reports([devices()].into_iter().chain(each())),
        }
    }
}

/// Results as one line of JSON each.
///
/// # Errors
/// As [`RunResult::to_json`].
pub fn json_lines(results: &[RunResult]) -> Result<String> {
    results.iter().map(RunResult::to_json_line).collect()
}

/// The published tables that show `results`, each once.
fn views(results: &[RunResult]) -> Vec<TableView> {
    let mut views = Vec::new();
    for view in results.iter().map(TableView::of) {
        if !views.contains(&view) {
            views.push(view);
        }
    }
    views
}

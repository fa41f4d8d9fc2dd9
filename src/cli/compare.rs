//! `gpubench compare`: two results side by side.

use super::result_files::results_in;
use super::terminal;
use crate::error::{Error, Result};
use crate::report;
use crate::result::RunResult;
use clap::Args;
use std::path::PathBuf;

/// Options of `gpubench compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Result file to compare with: the native one, say; - is standard input
    pub first: PathBuf,
    /// Result file to compare: the browser's, say
    pub second: PathBuf,
}

/// Shows how many times as long the second result's steps and kernels take; of lists of results, those that belong
/// together.
///
/// # Errors
/// [`Error::Data`] if a file is no result, or two lists have no device in common.
pub fn compare(args: &CompareArgs) -> Result<()> {
    let (first, second) = (results_in(&args.first)?, results_in(&args.second)?);
    let shown = pairs(&first, &second)?.map(|(first, second)| report::compare_text(first, second, terminal::width()));
    terminal::output(&shown.collect::<Vec<_>>().join("\n\n"))
}

/// What is to be compared: one result with each of a list, of two lists the results of the same device.
fn pairs<'a>(
    first: &'a [RunResult],
    second: &'a [RunResult],
) -> Result<impl Iterator<Item = (&'a RunResult, &'a RunResult)>> {
    let one = first.len() == 1 || second.len() == 1;
    let device = |result: &'a RunResult| {
        let adapter = &result.environment.adapter;
        (&adapter.name, &adapter.backend)
    };
    let all = first.iter().flat_map(|first| second.iter().map(move |second| (first, second)));
    let mut pairs = all.filter(move |(first, second)| one || device(first) == device(second)).peekable();
    match pairs.peek() {
        Some(_) => Ok(pairs),
        None => Err(Error::Data("the two lists have no device in common; name two results".to_owned())),
    }
}

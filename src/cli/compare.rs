//! `gpubench compare`: two results side by side.

use super::terminal;
use crate::error::{Error, Result};
use crate::report;
use crate::result::RunResult;
use clap::Args;
use std::path::{Path, PathBuf};

/// Options of `gpubench compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Result file to compare with: the native one, say
    pub first: PathBuf,
    /// Result file to compare: the browser's, say
    pub second: PathBuf,
}

/// Shows how many times as long the second result's steps and kernels take.
///
/// # Errors
/// [`Error::Data`] if a file is no result.
pub fn compare(args: &CompareArgs) -> Result<()> {
    let (first, second) = (read_result(&args.first)?, read_result(&args.second)?);
    terminal::output(&report::compare_text(&first, &second, terminal::width()))
}

/// Reads a result file.
///
/// # Errors
/// [`Error::Data`], naming the file, if it cannot be read or is no result.
pub fn read_result(path: &Path) -> Result<RunResult> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::Data(format!("{} cannot be read ({error}); give a result file written by gpubench", path.display()))
    })?;
    RunResult::from_json(&text).map_err(|error| Error::Data(format!("{}: {error}", path.display())))
}

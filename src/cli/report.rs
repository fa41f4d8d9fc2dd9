//! `gpubench report`: a stored result, shown again.

use super::compare::read_result;
use super::output::{replace, temporary_beside};
use super::terminal;
use crate::error::{Error, Result};
use crate::report;
use crate::result::RunResult;
use clap::Args;
use std::path::{Path, PathBuf};

/// Options of `gpubench report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Result file
    #[arg(value_name = "RESULT.json")]
    pub result: PathBuf,
    /// Write the result as a page that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Print the result as JSON in place of tables
    #[arg(long)]
    pub json: bool,
}

/// Shows a stored result as the text report or as JSON of the newest schema, and writes its page where one is asked for.
///
/// # Errors
/// [`Error::Data`] if the file cannot be read or is no result; [`Error::Output`] if the page cannot be written, which is found
/// before the result is read.
pub fn report(args: &ReportArgs) -> Result<()> {
    if let Some(page) = &args.html {
        expect_writable(page)?;
    }
    let result = read_result(&args.result)?;
    if let Some(page) = &args.html {
        write_html(page, &result)?;
    }
    terminal::output(&if args.json {
        result.to_json()?
    } else {
        terminal::paint(&report::text(&result, terminal::width()))
    })
}

/// Whether a file can be put at `path`, before any work is done for it.
///
/// # Errors
/// [`Error::Output`] if `path` is a folder or its folder cannot be written.
pub fn expect_writable(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Err(Error::Output(format!("{} cannot be written (it is a folder); name a file in it", path.display())));
    }
    temporary_beside(path).map(drop)
}

/// Writes the page of `result` to `path`, all at once, and says so.
///
/// # Errors
/// [`Error::Output`] if it cannot be written.
pub fn write_html(path: &Path, result: &RunResult) -> Result<()> {
    replace(path, report::html(result).as_bytes())?;
    terminal::message(&format!("page: {}", path.display()));
    Ok(())
}

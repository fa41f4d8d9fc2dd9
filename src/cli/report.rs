//! `gpubench report`: a stored result, shown again.

use super::format::{Format, FormatArgs, json_lines};
use super::output::{expect_outputs, replace};
use super::result_files::results_in;
use super::terminal;
use crate::error::{Error, Result};
use crate::report;
use crate::result::RunResult;
use clap::Args;
use std::path::{Path, PathBuf};

/// Options of `gpubench report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Result file, or a list of results as --adapter all --json prints it; - is standard input
    #[arg(value_name = "RESULT.json")]
    pub result: PathBuf,
    /// Write the result as a page that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// What is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// Shows a stored result as the whole report or in another format, and writes its page where one is asked
/// for; of a list, each of its results.
///
/// # Errors
/// [`Error::Data`] if the file cannot be read or is no result; [`Error::Usage`] if a page of a list is asked for;
/// [`Error::Output`] if the page cannot be written, which is found before the result is read.
pub fn report(args: &ReportArgs) -> Result<()> {
    expect_outputs(&[("--html", args.html.as_deref())], &[&args.result])?;
    let results = results_in(&args.result)?;
    match (&args.html, results.as_slice()) {
        (Some(page), [result]) => write_html(page, result)?,
        (Some(_), _) => {
            let count = results.len();
            return Err(Error::Usage(format!(
                "--html shows one result, but the list has {count}: name the file of one"
            )));
        }
        (None, _) => {}
    }
    let format = args.format.or_text();
    if format.format() == Format::Json {
        return terminal::output(&match results.as_slice() {
            [result] => result.to_json()?,
            list => RunResult::list_to_json(list)?,
        });
    }
    if format.format() == Format::GithubActionBenchmark {
        return format.show_all(&results);
    }
    if format.format() == Format::Jsonl {
        return terminal::output(&json_lines(&results)?);
    }
    for (index, result) in results.iter().enumerate() {
        if index > 0 {
            terminal::output("\n")?;
        }
        format.show(result, None)?;
    }
    Ok(())
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

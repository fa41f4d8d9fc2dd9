//! `gpubench verify`: whether result files are as they were written, and their figures follow from each other.

use super::dataset::{self, DataSource};
use super::rerun::{MOST_STEPS, rerun};
use super::result_files::{documents, files_at};
use super::{input, terminal};
use crate::bench::{self, Finding};
use crate::data::{Dataset, synthetic};
use crate::error::{Error, Result};
use crate::result::{RunResult, Seal, seal};
use clap::{Args, value_parser};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The value of `schema` in the document that --json prints.
const SCHEMA: &str = "gpubench.verification";
/// The version of that schema.
const SCHEMA_VERSION: u32 = 1;

/// Options of `gpubench verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Result files, lists of results, or folders of them; - is standard input
    #[arg(value_name = "FILE or FOLDER", required = true)]
    pub results: Vec<PathBuf>,
    /// Train the first N steps of each result again on the host's cores, and compare the losses that it holds
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=MOST_STEPS))]
    pub rerun: Option<u32>,
    /// Data for --rerun, as for a run
    #[arg(long, value_name = "WHAT", default_value = "auto", requires = "rerun")]
    pub data: DataSource,
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
}

/// Steps to train again, and the data.
type Again = (u32, Dataset);

/// What was found in one result.
#[derive(Serialize)]
struct Verified {
    file: String,
    digest: &'static str,
    /// What training again came to, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    rerun: Option<String>,
    findings: Vec<Found>,
}

/// One thing that is wrong.
#[derive(Serialize)]
struct Found {
    place: String,
    words: String,
}

/// Prints what is wrong with each result, one line for each finding, or that nothing is.
///
/// # Errors
/// [`Error::Verify`] if something is wrong with a result; else [`Error::Data`] if something that was named cannot be
/// read.
pub fn verify(args: &VerifyArgs) -> Result<()> {
    let again = match args.rerun {
        Some(steps) => Some((steps, dataset::load(&args.data, synthetic::SEED)?.0)),
        None => None,
    };
    let (mut verified, mut unread) = (Vec::new(), 0);
    for path in &args.results {
        let files = files_at(path).unwrap_or_else(|problem| {
            terminal::message(&format!("not read: {problem}"));
            unread += 1;
            Vec::new()
        });
        for file in files {
            match of_file(&file, again.as_ref()) {
                Ok(results) => verified.extend(results),
                Err(problem) => {
                    terminal::message(&format!("not read: {}: {problem}", input::shown(&file)));
                    unread += 1;
                }
            }
        }
    }
    if args.json || !verified.is_empty() {
        terminal::output(&if args.json { json(&verified)? } else { text(&verified) })?;
    }
    let wrong = verified.iter().filter(|one| !one.findings.is_empty()).count();
    match (wrong, unread) {
        (0, 0) => Ok(()),
        (0, _) => Err(Error::Data(format!("{unread} of what was named could not be read"))),
        _ => Err(Error::Verify(format!(
            "{wrong} of {} results cannot be relied on: measure again, or get the file from where it was written",
            verified.len()
        ))),
    }
}

/// Every value in a file; one that is no result is a finding.
fn of_file(path: &Path, again: Option<&Again>) -> std::result::Result<Vec<Verified>, String> {
    let text = input::text(path, input::RESULT_LIMIT_BYTES)?;
    let found = documents(&text)?;
    let shown = input::shown(path);
    let number = |index: usize| if found.len() == 1 { String::new() } else { format!("#{}", index + 1) };
    let each = found
        .iter()
        .enumerate()
        .map(|(index, document)| of_document(format!("{shown}{}", number(index)), document, again));
    Ok(each.collect())
}

fn of_document(file: String, document: &str, again: Option<&Again>) -> Verified {
    let (digest, broken) = match seal(document) {
        Seal::Intact => ("intact", None),
        Seal::Absent => ("absent", None),
        Seal::Broken => ("broken", Some("it is not that of the rest: the file was changed after it was written")),
    };
    let mut findings: Vec<Found> =
        broken.map(|words| Found { place: "digest".to_owned(), words: words.to_owned() }).into_iter().collect();
    let mut trained_again = None;
    match RunResult::from_json(document) {
        Ok(result) => {
            findings.extend(bench::verify(&result).into_iter().map(Found::from));
            match again.map(|(steps, dataset)| rerun(&result, dataset, *steps)) {
                Some(Ok(rerun)) => {
                    trained_again = Some(rerun.words);
                    findings.extend(rerun.findings.into_iter().map(Found::from));
                }
                Some(Err(error)) => findings.push(Found { place: "rerun".to_owned(), words: error.to_string() }),
                None => {}
            }
        }
        Err(error) => findings.push(Found { place: "schema".to_owned(), words: error.to_string() }),
    }
    Verified { file, digest, rerun: trained_again, findings }
}

impl From<Finding> for Found {
    fn from(Finding { place, words }: Finding) -> Self {
        Self { place, words }
    }
}

fn text(verified: &[Verified]) -> String {
    let lines = verified.iter().flat_map(|one| {
        let good = match one.digest {
            "absent" => "its figures follow from each other; no digest shows that it is as it was written",
            _ => "as it was written, and its figures follow from each other",
        };
        let fine = one.findings.is_empty().then(|| format!("{}: {good}", one.file));
        let wrong = one.findings.iter().map(|found| format!("{}: {}: {}", one.file, found.place, found.words));
        let again = one.rerun.iter().map(|words| format!("{}: {words}", one.file));
        fine.into_iter().chain(again).chain(wrong)
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn json(verified: &[Verified]) -> Result<String> {
    #[derive(Serialize)]
    struct Document<'a> {
        schema: &'static str,
        schema_version: u32,
        results: &'a [Verified],
    }
    let document = Document { schema: SCHEMA, schema_version: SCHEMA_VERSION, results: verified };
    serde_json::to_string_pretty(&document)
        .map_err(|error| Error::Output(format!("the findings cannot be written as JSON: {error}")))
}

//! `gpubench compare`: results side by side, with verdicts, and a gate for continuous integration.

use super::gate::{self, Gate};
use super::output::{expect_outputs, replace};
use super::result_files::{self, results_in};
use super::{baselines, input, terminal};
use crate::error::{Error, Result};
use crate::report::{self, ResultComparison, comparisons_json};
use crate::result::RunResult;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

/// Options of `gpubench compare`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gpubench compare before.json after.json          of runs with --repeat 7 each
  gpubench compare before/ after/                  of folders with several runs each
  gpubench compare --save-baseline main main.json
  gpubench compare --baseline main after.json --fail-on slower:3% --fail-on unclear")]
pub struct CompareArgs {
    /// Results to compare with, then results to compare, each a file, a list or a folder; - is standard input
    #[arg(value_name = "BASE OTHER", required = true, num_args = 1..)]
    pub results: Vec<PathBuf>,
    /// Ratios this close to 1 are the same time [default: 2%]
    #[arg(long, value_name = "PCT", allow_hyphen_values = true, value_parser = gate::percentage)]
    pub margin: Option<f64>,
    /// Compare with the results kept under this name; all files are then compared with them
    #[arg(long, value_name = "NAME", allow_hyphen_values = true, value_parser = baselines::name)]
    pub baseline: Option<String>,
    /// Keep the last results under this name, unless --fail-on fails
    #[arg(long, value_name = "NAME", allow_hyphen_values = true, value_parser = baselines::name)]
    pub save_baseline: Option<String>,
    /// End with exit code 10 on: slower:3%, kernel:3% (slower by more), or unclear; may be repeated
    #[arg(long, value_name = "VERDICT", allow_hyphen_values = true, value_parser = gate::gate)]
    pub fail_on: Vec<Gate>,
    /// Compare results that did different work, or that are INVALID or PARTIAL, and mark them
    #[arg(long)]
    pub force: bool,
    /// Write the comparison with all trainings as a page that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
}

/// Values of `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tables for a terminal.
    Text,
    /// A document with every figure.
    Json,
    /// Markdown tables.
    Markdown,
    /// What benchmark-action/github-action-benchmark reads (customSmallerIsBetter): the second result's times.
    GithubActionBenchmark,
}

/// What was named in one place.
struct Named {
    shown: String,
    results: Vec<RunResult>,
}

/// Runs of one device that differ in nothing but chance.
type Runs<'a> = Vec<&'a RunResult>;

/// Shows how many times as long the steps, kernels and phases of other results take as those of the first, with a
/// verdict on each; of lists of results, those that belong together.
///
/// # Errors
/// [`Error::Data`] if a file is no result, the results did different work, or two lists have no device in common;
/// [`Error::Gate`] if a verdict is one that --fail-on names; [`Error::Usage`] for options that cannot work;
/// [`Error::Output`] if the baseline cannot be written.
pub fn compare(args: &CompareArgs) -> Result<()> {
    let margin = args.margin.unwrap_or(crate::verdict::DEFAULT_MARGIN);
    validate(args, margin)?;
    let mut unread = 0;
    let base = args.baseline.as_deref().map(baselines::existing).transpose()?;
    let paths: Vec<&PathBuf> = base.iter().chain(&args.results).collect();
    let inputs: Vec<&Path> = paths.iter().map(|path| path.as_path()).collect();
    expect_outputs(&[("--html", args.html.as_deref())], &inputs)?;
    let named = paths.into_iter().map(|path| read(path, &mut unread)).collect::<Result<Vec<_>>>()?;
    if let [first, others @ ..] = named.as_slice()
        && !others.is_empty()
    {
        let mut comparisons = Vec::new();
        for other in others {
            comparisons.extend(between(first, other, margin, args.force)?);
        }
        write_html(args.html.as_deref(), &comparisons)?;
        terminal::output(&shown(if args.json { Format::Json } else { args.format }, &comparisons)?)?;
        pass(&args.fail_on, args.force, &comparisons)?;
    }
    if unread > 0 {
        return Err(Error::Data(format!("the comparison lacks {unread} of what was named")));
    }
    if let (Some(name), Some(last)) = (&args.save_baseline, named.last()) {
        let path = baselines::save(name, &last.results)?;
        terminal::message(&format!("baseline {name}: {}", path.display()));
    }
    Ok(())
}

/// Refuses options that cannot work together.
fn validate(args: &CompareArgs, margin: f64) -> Result<()> {
    let alone = args.results.len() == 1 && args.baseline.is_none();
    if alone && (args.save_baseline.is_none() || !args.fail_on.is_empty()) {
        return Err(Error::Usage(
            "a comparison takes two results: name another file, or a kept one with --baseline NAME".to_owned(),
        ));
    }
    gate::expect_coarser(&args.fail_on, margin)
}

/// The results in a file or a folder. What a folder holds besides is named on stderr and counted in `unread`.
fn read(path: &Path, unread: &mut usize) -> Result<Named> {
    let shown = input::shown(path);
    if input::is_stdin(path) || !path.is_dir() {
        return Ok(Named { shown, results: results_in(path)? });
    }
    let collected = result_files::collect(&[path.to_owned()]);
    collected.notes().for_each(|note| terminal::message(&format!("note: {note}")));
    collected.problems.iter().for_each(|problem| terminal::message(&format!("not read: {problem}")));
    *unread += collected.problems.len();
    if collected.stored.is_empty() {
        return Err(Error::Data(format!("{shown} holds no result; name a folder with results of gpubench")));
    }
    Ok(Named { shown, results: collected.stored.into_iter().map(|stored| stored.result).collect() })
}

/// Whether two runs differ in nothing but chance: their seed, their number of trainings, memory by a few bytes, and
/// whether pipelines were compiled before.
fn differ_by_chance(first: &RunResult, second: &RunResult) -> bool {
    const CHANCE: [&str; 6] = ["seed", "strict", "trainings", "trainings asked for", "stopping rule", "memory"];
    let tuning = |run: &RunResult| {
        let mut tuning = run.plan.tuning.clone();
        tuning.remove("pipeline_cache");
        tuning
    };
    let by_chance = |name: &str| CHANCE.contains(&name) || (name == "tuning" && tuning(first) == tuning(second));
    report::differences(first, second).iter().all(|difference| by_chance(difference.name))
}

/// Results in groups of runs that differ in nothing but chance.
fn grouped(results: &[RunResult]) -> Vec<Runs<'_>> {
    let mut groups: Vec<Runs<'_>> = Vec::new();
    for result in results {
        match groups.iter_mut().find(|group| differ_by_chance(group[0], result)) {
            Some(group) => group.push(result),
            None => groups.push(vec![result]),
        }
    }
    groups
}

/// Compares one group with each of several, of two lists those of the same device.
fn between<'a>(first: &'a Named, second: &'a Named, margin: f64, force: bool) -> Result<Vec<ResultComparison<'a>>> {
    let (base, other) = (grouped(&first.results), grouped(&second.results));
    let one = base.len() == 1 || other.len() == 1;
    let device = |runs: &Runs<'a>| {
        let adapter = &runs[0].environment.adapter;
        (adapter.name.clone(), adapter.backend.clone())
    };
    let all = base.iter().flat_map(|base| other.iter().map(move |other| (base, other)));
    let pairs: Vec<_> = all.filter(|(base, other)| one || device(base) == device(other)).collect();
    if pairs.is_empty() {
        return Err(Error::Data("the two lists have no device in common; name two results".to_owned()));
    }
    let mut comparisons = Vec::new();
    for (base, other) in &pairs {
        let comparison = report::compare_runs((*base).clone(), (*other).clone(), margin);
        match comparison.other_work().filter(|_| !force) {
            None => comparisons.push(comparison),
            Some(work) => {
                let names = format!("{} and {}", first.shown, second.shown);
                let refused = format!("{names} are not compared: {work}; --force compares them and marks it");
                if pairs.len() == 1 {
                    return Err(Error::Data(refused));
                }
                terminal::message(&format!("left out: {} ({}): {refused}", device(other).0, device(other).1));
            }
        }
    }
    if comparisons.is_empty() {
        let names = format!("{} and {}", first.shown, second.shown);
        return Err(Error::Data(format!("no two results of {names} did the same work; --force compares them")));
    }
    Ok(comparisons)
}

/// Writes the page of the comparisons, if one is asked for, and says so.
///
/// # Errors
/// [`Error::Output`] if it cannot be written.
pub fn write_html(path: Option<&Path>, comparisons: &[ResultComparison<'_>]) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    replace(path, report::comparisons_html(comparisons).as_bytes())?;
    terminal::message(&format!("page: {}", path.display()));
    Ok(())
}

/// The comparisons as text.
///
/// # Errors
/// As [`comparisons_json`].
pub fn shown(format: Format, comparisons: &[ResultComparison<'_>]) -> Result<String> {
    let joined = |texts: Vec<String>| texts.join("\n\n");
    Ok(match format {
        Format::Json => return comparisons_json(comparisons),
        Format::GithubActionBenchmark => return report::action_benchmark_of(comparisons),
        Format::Markdown => joined(comparisons.iter().map(ResultComparison::markdown).collect()),
        Format::Text => joined(comparisons.iter().map(|comparison| comparison.text(terminal::width())).collect()),
    })
}

/// Whether the comparisons pass the gates; with `force` also of results whose figures must not be used.
///
/// # Errors
/// [`Error::Gate`] with the first of what they fail on, after each was named on stderr; [`Error::Data`] for a result
/// whose figures must not be used.
pub fn pass(gates: &[Gate], force: bool, comparisons: &[ResultComparison<'_>]) -> Result<()> {
    if gates.is_empty() {
        return Ok(());
    }
    let mut failures = Vec::new();
    for comparison in comparisons {
        let stamp = comparison.sides.iter().flatten().find_map(|run| run.status.stamp());
        if let Some(stamp) = stamp.filter(|_| !force) {
            return Err(Error::Data(format!("a result is {stamp}, and such times pass no gate: measure again")));
        }
        let device = comparison.sides[1].first().map_or_else(String::new, |run| run.environment.adapter.label());
        let found = gate::failures(gates, comparison);
        failures.extend(found.into_iter().map(|failure| format!("{device}: {failure}")));
    }
    failures.iter().for_each(|failure| terminal::message(&format!("failed: {failure}")));
    match failures.len() {
        0 => Ok(()),
        1 => Err(Error::Gate("the comparison fails on a verdict that --fail-on names".to_owned())),
        count => Err(Error::Gate(format!("the comparison fails on {count} verdicts that --fail-on names"))),
    }
}

//! `gpubench table`: tables of results beside the published ones, on stdout and in Markdown files.

use super::markdown_regions::{self, Region};
use super::output::{expect_outputs, replace, results_folder};
use super::result_files::{self, Collected};
use super::{input, terminal};
use crate::error::{Error, Result};
use crate::escape;
use crate::report::{self, TableView, Tables};
use crate::result::Status;
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};

/// The most bytes of a Markdown file.
const PAGE_LIMIT_BYTES: u64 = 16 << 20;

/// Options of `gpubench table`.
#[derive(Debug, Args)]
pub struct TableArgs {
    /// Result files, or folders of them; - is standard input [default: the user's results, and those of this checkout]
    #[arg(value_name = "FILE or FOLDER")]
    pub results: Vec<PathBuf>,
    /// Tables: by-tool, by-gpu, gpu-against-cpu, generations, since-2016 (tools that were timed live), left-out
    /// (results that no table holds) or all
    #[arg(long, value_name = "NAME", default_value = "all", value_parser = frame)]
    pub frame: Chosen,
    /// Output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub format: Format,
    /// Write the tables as a page that needs nothing else, with bars on a logarithmic scale, instead of printing
    #[arg(long, value_name = "FILE", conflicts_with = "format")]
    pub html: Option<PathBuf>,
    /// Write the tables between the markers of these Markdown files instead of printing
    #[arg(long, value_name = "FILE.md", num_args = 1.., conflicts_with_all = ["frame", "format", "html"])]
    pub update: Vec<PathBuf>,
    /// Check that these Markdown files hold the tables that --update would write
    #[arg(long, value_name = "FILE.md", num_args = 1.., conflicts_with_all = ["frame", "format", "html", "update"])]
    pub check: Vec<PathBuf>,
}

/// Values of `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Tables for a terminal.
    Text,
    /// Markdown tables.
    Markdown,
    /// CSV with every column, unrounded.
    Csv,
    /// What benchmark-action/github-action-benchmark reads (customSmallerIsBetter), of all results.
    GithubActionBenchmark,
}

/// The tables that `--frame` chooses.
#[derive(Debug, Clone)]
pub struct Chosen(Vec<TableView>);

fn frame(name: &str) -> std::result::Result<Chosen, String> {
    TableView::named(name).map(Chosen).map_err(|error| error.to_string())
}

/// Prints the tables, or updates or checks those in Markdown files.
///
/// # Errors
/// [`Error::Data`] if a result file cannot be read, after the tables of the others were printed but before any Markdown
/// file is written, or if a Markdown file cannot be read or its markers are wrong; [`Error::Output`] if it cannot be
/// written; [`Error::Differs`] if the tables of a checked file are out of date.
pub fn table(args: &TableArgs) -> Result<()> {
    let inputs: Vec<&Path> = args.results.iter().map(PathBuf::as_path).collect();
    expect_outputs(&[("--html", args.html.as_deref())], &inputs)?;
    let collected = collect(&args.results);
    collected.notes().for_each(|note| terminal::message(&format!("note: {note}")));
    collected.problems.iter().for_each(|problem| terminal::message(&format!("not read: {problem}")));
    let tables = Tables::of(&collected.stored);
    let pages = if args.update.is_empty() { &args.check } else { &args.update };
    if !pages.is_empty() || !args.frame.0.contains(&TableView::Excluded) {
        report_left_out(&tables);
    }
    if let Some(page) = &args.html {
        replace(page, report::tables_html(&tables, &args.frame.0).as_bytes())?;
        terminal::message(&format!("page: {}", page.display()));
    } else if pages.is_empty() {
        print(args, &tables, &collected)?;
    }
    match collected.problems.len() {
        0 => {}
        count if pages.is_empty() => return Err(Error::Data(format!("the tables lack {count} of what was named"))),
        count => {
            return Err(Error::Data(format!("{count} of what was named could not be read, so no page was touched")));
        }
    }
    let content = |region: &Region| between(&args.results, &tables, region);
    // All pages are parsed before any is written.
    let pages = pages.iter().map(|path| Page::read(path)).collect::<Result<Vec<_>>>()?;
    match args.update.is_empty() {
        true => check(&pages, &named(&args.results), content),
        false => pages.iter().try_for_each(|page| page.update(content)),
    }
}

/// Collects the results; default folders may be missing or empty.
fn collect(results: &[PathBuf]) -> Collected {
    if !results.is_empty() {
        return result_files::collect(results);
    }
    let found: Vec<_> = default_folders().iter().map(|folder| result_files::files_at(folder)).collect();
    let files: Vec<PathBuf> = found.iter().flatten().flatten().cloned().collect();
    if files.is_empty() {
        let problems: Vec<String> = found.into_iter().filter_map(std::result::Result::err).collect();
        return Collected::nothing(&format!("{}; the tables hold published rows alone", problems.join("; ")));
    }
    result_files::collect(&files)
}

/// The folder of the user's results, and in a checkout of gpubench its `results`.
fn default_folders() -> Vec<PathBuf> {
    let is_checkout = |folder: &&Path| {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        manifest.lines().any(|line| line.trim() == "name = \"gpubench\"") && folder.join("results").is_dir()
    };
    let here = std::env::current_dir().unwrap_or_default();
    let checkout = here.ancestors().find(is_checkout).map(|folder| folder.join("results"));
    results_folder().ok().into_iter().chain(checkout).collect()
}

/// Reports on stderr the results that no table shows.
fn report_left_out(tables: &Tables<'_>) {
    for one in &tables.excluded {
        terminal::message(&format!("left out: {}: {}", one.loaded.file, one.reason));
    }
}

fn print(args: &TableArgs, tables: &Tables<'_>, collected: &Collected) -> Result<()> {
    let parts = &args.frame.0;
    terminal::output(&match args.format {
        Format::Text => tables.text(parts, terminal::width()),
        Format::Markdown => tables.markdown(parts),
        Format::Csv => tables.csv(parts)?,
        Format::GithubActionBenchmark => {
            for stored in &collected.stored {
                if let Some(stamp) = stored.result.status.stamp() {
                    terminal::message(&format!("left out: {}: it is {stamp}", stored.file));
                }
            }
            let results = collected.stored.iter().map(|stored| &stored.result);
            report::action_benchmark(&results.filter(|result| result.status == Status::Complete).collect::<Vec<_>>())?
        }
    })
}

/// The content of a region: its tables and the command that prints them.
fn between(results: &[PathBuf], tables: &Tables<'_>, region: &Region) -> String {
    let results = named(results);
    let markdown = tables.markdown(&region.parts);
    let command = code_span(&format!("gpubench table{results} --frame {} --format markdown", region.name));
    format!("\n{markdown}\nMade by {command}.\n\n")
}

/// A text as Markdown's code, whatever it holds.
fn code_span(text: &str) -> String {
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let (fence, gap) = ("`".repeat(longest + 1), if longest > 0 { " " } else { "" });
    format!("{fence}{gap}{text}{gap}{fence}")
}

/// Results as arguments of a command.
fn named(results: &[PathBuf]) -> String {
    let quoted = |path: &PathBuf| match escape::line(&path.to_string_lossy()) {
        path if path.contains(char::is_whitespace) => format!(" '{path}'"),
        path => format!(" {path}"),
    };
    results.iter().map(quoted).collect()
}

/// A Markdown file with tables.
struct Page {
    path: PathBuf,
    text: String,
    regions: Vec<Region>,
}

impl Page {
    fn read(path: &Path) -> Result<Self> {
        let wrong = |error: &dyn std::fmt::Display| Error::Data(format!("{}: {error}", path.display()));
        let bytes = input::bytes(path, PAGE_LIMIT_BYTES).map_err(|why| wrong(&format!("it cannot be read ({why})")))?;
        let text = String::from_utf8(bytes).map_err(|error| wrong(&format!("it is no text in UTF-8 ({error})")))?;
        let regions = markdown_regions::find(&text).map_err(|error| wrong(&error))?;
        Ok(Self { path: path.to_owned(), text, regions })
    }

    /// Writes the page with `content` in its regions if that changes it, and reports the outcome on stderr.
    fn update(&self, content: impl Fn(&Region) -> String) -> Result<()> {
        let new = markdown_regions::replaced(&self.text, &self.regions, content);
        let shown = self.path.display();
        if new == self.text {
            terminal::message(&format!("unchanged: {shown}"));
            return Ok(());
        }
        // A symbolic link is kept, and its target replaced.
        let target = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        replace(&target, new.as_bytes())?;
        terminal::message(&format!("updated: {shown}"));
        Ok(())
    }
}

/// Fails if a region of any page differs from `content`, which is made of `results`.
fn check(pages: &[Page], results: &str, content: impl Fn(&Region) -> String) -> Result<()> {
    for page in pages {
        if let Some(region) = markdown_regions::first_difference(&page.text, &page.regions, &content) {
            let path = page.path.display();
            return Err(Error::Differs(format!(
                "{path}: the table of line {} ({}) is not what the results give; `gpubench table{results} --update {path}` writes it",
                region.line, region.name
            )));
        }
    }
    Ok(())
}

//! `gpubench table`: results among the published rows, as tables and in Markdown files.

use super::marked::{self, Marked};
use super::output::replace;
use super::stored::{self, Collected};
use super::terminal;
use crate::error::{Error, Result};
use crate::report::{Part, Tables};
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};

/// Where results are looked for if nothing is named.
const FOLDER: &str = "results";

/// Options of `gpubench table`.
#[derive(Debug, Args)]
pub struct TableArgs {
    /// Result files, or folders of them; - is standard input [default: results]
    #[arg(value_name = "FILE or FOLDER")]
    pub results: Vec<PathBuf>,
    /// What to print: by-tool, by-gpu, gpu-against-cpu, generations, left-out (results that no table holds) or all
    #[arg(long, value_name = "NAME", default_value = "all", value_parser = frame)]
    pub frame: Chosen,
    /// How to print
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub format: Format,
    /// Write the tables between the markers of these Markdown files in place of printing
    #[arg(long, value_name = "FILE.md", num_args = 1.., conflicts_with_all = ["frame", "format"])]
    pub update: Vec<PathBuf>,
    /// Say whether these Markdown files hold the tables that --update would write
    #[arg(long, value_name = "FILE.md", num_args = 1.., conflicts_with_all = ["frame", "format", "update"])]
    pub check: Vec<PathBuf>,
}

/// What `--format` can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For a terminal.
    Text,
    /// For a page.
    Markdown,
    /// For programs: every column, as measured.
    Csv,
}

/// What `--frame` names.
#[derive(Debug, Clone)]
pub struct Chosen(Vec<Part>);

fn frame(name: &str) -> std::result::Result<Chosen, String> {
    Part::named(name).map(Chosen).map_err(|error| error.to_string())
}

/// Prints the tables, or writes or checks those in Markdown files.
///
/// # Errors
/// [`Error::Data`] if a result file cannot be read, after the tables of the others were printed but before any page is
/// touched, or if a Markdown file cannot be read or its markers are wrong; [`Error::Output`] if it cannot be written;
/// [`Error::Differs`] if one that is checked holds other tables.
pub fn table(args: &TableArgs) -> Result<()> {
    let collected = collect(&args.results);
    collected.notes.iter().for_each(|note| terminal::talk(&format!("note: {note}")));
    collected.problems.iter().for_each(|problem| terminal::talk(&format!("not read: {problem}")));
    let tables = Tables::of(&collected.stored);
    let pages = if args.update.is_empty() { &args.check } else { &args.update };
    if !pages.is_empty() || !args.frame.0.contains(&Part::LeftOut) {
        tell_left_out(&tables);
    }
    if pages.is_empty() {
        print(args, &tables)?;
    }
    match collected.problems.len() {
        0 => {}
        count if pages.is_empty() => return Err(Error::Data(format!("the tables lack {count} of what was named"))),
        count => {
            return Err(Error::Data(format!("{count} of what was named could not be read, so no page was touched")));
        }
    }
    let content = |marked: &Marked| between(&args.results, &tables, marked);
    // Every page is proved before any is written.
    let pages = pages.iter().map(|path| Page::read(path)).collect::<Result<Vec<_>>>()?;
    match args.update.is_empty() {
        true => check(&pages, content),
        false => pages.iter().try_for_each(|page| page.update(content)),
    }
}

/// What the tables are made of. The folder that is taken if none is named need not hold anything.
fn collect(results: &[PathBuf]) -> Collected {
    if !results.is_empty() {
        return stored::collect(results);
    }
    match stored::files_at(Path::new(FOLDER)) {
        Ok(files) => stored::collect(&files),
        Err(problem) => {
            let notes = vec![format!("{problem}; the tables hold published rows alone")];
            Collected { notes, ..Collected::default() }
        }
    }
}

/// Names on stderr what no table holds, where stdout does not.
fn tell_left_out(tables: &Tables<'_>) {
    for one in &tables.left_out {
        terminal::talk(&format!("left out: {}: {}", one.stored.file, one.reason));
    }
}

fn print(args: &TableArgs, tables: &Tables<'_>) -> Result<()> {
    let parts = &args.frame.0;
    terminal::data(&match args.format {
        Format::Text => tables.text(parts, terminal::width()),
        Format::Markdown => tables.markdown(parts),
        Format::Csv => tables.csv(parts)?,
    })
}

/// What stands between two markers: the tables they name and the command that prints these.
fn between(results: &[PathBuf], tables: &Tables<'_>, marked: &Marked) -> String {
    let quoted = |path: &PathBuf| match path.display().to_string() {
        path if path.contains(char::is_whitespace) => format!(" '{path}'"),
        path => format!(" {path}"),
    };
    let results: String = results.iter().map(quoted).collect();
    let markdown = tables.markdown(&marked.parts);
    format!("\n{markdown}\nMade by `gpubench table{results} --frame {} --format markdown`.\n\n", marked.name)
}

/// A Markdown file that holds tables.
struct Page {
    path: PathBuf,
    text: String,
    marked: Vec<Marked>,
}

impl Page {
    fn read(path: &Path) -> Result<Self> {
        let wrong = |error: &dyn std::fmt::Display| Error::Data(format!("{}: {error}", path.display()));
        let text = fs::read_to_string(path).map_err(|error| wrong(&format!("it cannot be read ({error})")))?;
        let marked = marked::find(&text).map_err(|error| wrong(&error))?;
        Ok(Self { path: path.to_owned(), text, marked })
    }

    /// Writes the page with `content` in it, unless it holds that already, and says so.
    fn update(&self, content: impl Fn(&Marked) -> String) -> Result<()> {
        let new = marked::replaced(&self.text, &self.marked, content);
        let shown = self.path.display();
        if new == self.text {
            terminal::talk(&format!("unchanged: {shown}"));
            return Ok(());
        }
        // Where the path is a link, the file it leads to is the one to replace.
        let target = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        replace(&target, new.as_bytes())?;
        terminal::talk(&format!("updated: {shown}"));
        Ok(())
    }
}

/// Expects `content` in every page.
fn check(pages: &[Page], content: impl Fn(&Marked) -> String) -> Result<()> {
    for page in pages {
        if let Some(marked) = marked::first_difference(&page.text, &page.marked, &content) {
            let path = page.path.display();
            return Err(Error::Differs(format!(
                "{path}: the table of line {} ({}) is not what the results give; `gpubench table --update {path}` writes it",
                marked.line, marked.name
            )));
        }
    }
    Ok(())
}

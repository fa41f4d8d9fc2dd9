//! `gpubench site`: a static site of many results.

mod rows;

use super::output::replace;
use super::result_files::{self, documents};
use super::{input, interrupt, terminal};
use crate::error::{Error, Result};
use crate::report::HTML_STYLE;
use crate::result::RunResult;
use clap::Args;
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The file that marks a folder as a site of this program.
const MARKER: &str = ".gpubench-site";
/// What a site consists of; anything else in its folder is the user's and stays.
const OWN: [&str; 7] = [MARKER, "index.html", "site.js", "site.css", "data.js", "results", "benchmark"];
/// Problems that are named one by one; more are counted.
const MOST_NAMED: usize = 20;

/// Options of `gpubench site`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gpubench site results/ -o public             open public/index.html, or put the folder on any web server
  gpubench site results/ -o public --page target/page   with the benchmark for browsers beside it")]
pub struct SiteArgs {
    /// Result files and folders of them, which are read without their subfolders
    #[arg(value_name = "FILE or FOLDER", required = true)]
    pub results: Vec<PathBuf>,
    /// Folder for the site: a new or an empty one, or a site that is replaced
    #[arg(long, short, value_name = "DIR")]
    pub output: PathBuf,
    /// Folder of the browser's page, as `make web` builds it, which is copied beside the results
    #[arg(long, value_name = "DIR")]
    pub page: Option<PathBuf>,
}

/// Makes the site of all results that can be read, beside its place, and puts it there when it is whole.
///
/// # Errors
/// [`Error::Data`] if there is no result, or, once the site of the others is in its place, if some could not be read;
/// [`Error::Usage`] if the folder holds something else than a site, or --page no page; [`Error::Output`] if a file
/// cannot be written.
pub fn site(args: &SiteArgs) -> Result<()> {
    expect_place(&args.output)?;
    if let Some(page) = args.page.as_ref().filter(|page| !page.join("index.html").is_file()) {
        let shown = input::shown(page);
        return Err(Error::Usage(format!("{shown} holds no page; `make web` builds one in target/page")));
    }
    let parent = args.output.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(|error| cannot_write(parent, &error))?;
    let temporary = || tempfile::Builder::new().prefix(".gpubench-site-").tempdir_in(parent);
    let (_unfinished, folder) = interrupt::Unfinished::create(temporary, |made| made.path().to_owned())
        .map_err(|error| cannot_write(parent, &error))?;
    let mut site = Site::begin(&folder)?;
    for path in &args.results {
        match result_files::files_at(path) {
            Ok(files) => files.iter().try_for_each(|file| site.take(file))?,
            Err(problem) => site.problem(&problem),
        }
    }
    let (results, problems) = site.end(args.page.as_deref())?;
    if results == 0 {
        return Err(Error::Data("there is no result to show; `gpubench` makes one".to_owned()));
    }
    interrupt::undisturbed(|| put(&folder, &args.output))?;
    terminal::message(&format!("site: {} with {results} results", args.output.join("index.html").display()));
    match problems {
        0 => Ok(()),
        count => Err(Error::Data(format!("the site lacks {count} of what was named"))),
    }
}

/// Whether the site may be put at `place`.
fn expect_place(place: &Path) -> Result<()> {
    let shown = input::shown(place);
    let refused = |why: &str| Err(Error::Usage(format!("{shown} {why}; choose a new folder with --output")));
    match fs::read_dir(place).map(|mut entries| entries.next().is_none()) {
        Ok(is_empty) if is_empty || place.join(MARKER).is_file() => Ok(()),
        Ok(_) => refused("holds something else than a site of gpubench, which would be lost"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => refused(&format!("cannot be a site ({error})")),
    }
}

/// Puts the whole site in `made` at `place`: what is the user's there stays.
fn put(made: &TempDir, place: &Path) -> Result<()> {
    let failed = |error: &std::io::Error| cannot_write(place, error);
    fs::create_dir_all(place).map_err(|error| failed(&error))?;
    // The marker first: a site that is half replaced can be replaced again.
    fs::write(place.join(MARKER), "").map_err(|error| failed(&error))?;
    for name in OWN {
        let (from, to) = (made.path().join(name), place.join(name));
        if to.is_dir() {
            fs::remove_dir_all(&to).map_err(|error| failed(&error))?;
        }
        if from.exists() {
            fs::rename(&from, &to).map_err(|error| failed(&error))?;
        }
    }
    Ok(())
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Error {
    Error::Output(format!("{} cannot be written ({error})", input::shown(path)))
}

/// A site in the making. Results are read, copied and dropped one by one.
struct Site {
    folder: PathBuf,
    data: BufWriter<File>,
    names: HashSet<String>,
    /// The number to try next for each name that several results would have.
    numbers: HashMap<String, usize>,
    seen: HashSet<String>,
    problems: usize,
}

impl Site {
    fn begin(folder: &TempDir) -> Result<Self> {
        let folder = folder.path().to_owned();
        let failed = |error: std::io::Error| cannot_write(&folder, &error);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).map_err(failed)?;
        }
        fs::create_dir(folder.join("results")).map_err(failed)?;
        let data = File::create(folder.join("data.js")).map_err(failed)?;
        let mut site = Self {
            data: BufWriter::new(data),
            folder: folder.clone(),
            names: HashSet::new(),
            numbers: HashMap::new(),
            seen: HashSet::new(),
            problems: 0,
        };
        site.data.write_all(b"\"use strict\";\nconst ROWS = [\n").map_err(|error| cannot_write(&folder, &error))?;
        Ok(site)
    }

    fn problem(&mut self, problem: &str) {
        self.problems += 1;
        if self.problems <= MOST_NAMED {
            terminal::message(&format!("not read: {problem}"));
        }
    }

    /// Adds every result of a file.
    fn take(&mut self, file: &Path) -> Result<()> {
        interrupt::expect_none()?;
        let shown = input::shown(file);
        let text = match input::text(file, input::RESULT_LIMIT_BYTES) {
            Ok(text) => text,
            Err(problem) => {
                self.problem(&format!("{shown}: {problem}"));
                return Ok(());
            }
        };
        let stem = file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        match documents(&text) {
            Err(problem) => self.problem(&format!("{shown}: {problem}")),
            Ok(found) => {
                for document in found {
                    match RunResult::from_json(document) {
                        Ok(result) => self.add(&stem, &result)?,
                        Err(problem) => self.problem(&format!("{shown}: {problem}")),
                    }
                }
            }
        }
        Ok(())
    }

    /// Writes a result into the folder `results`, and its row. A result that is there already is not shown twice.
    fn add(&mut self, stem: &str, result: &RunResult) -> Result<()> {
        let json = result.to_json()?;
        if !self.seen.insert(crate::hash::sha256_hex(json.as_bytes())) {
            return Ok(());
        }
        let plain: String = stem
            .chars()
            .map(|letter| if letter.is_ascii_alphanumeric() || "-_".contains(letter) { letter } else { '-' })
            .take(80)
            .collect();
        let next = self.numbers.entry(plain.clone()).or_insert(1);
        let name = loop {
            let number = if *next == 1 { String::new() } else { format!("-{next}") };
            *next += 1;
            let name = format!("{plain}{number}.json");
            if !self.names.contains(&name) {
                break name;
            }
        };
        let path = self.folder.join("results").join(&name);
        fs::write(&path, json).map_err(|error| cannot_write(&path, &error))?;
        self.row(&rows::row(name.clone(), result))?;
        self.names.insert(name);
        Ok(())
    }

    /// Writes a row of the data, in a form that is JavaScript whatever its strings hold.
    fn row(&mut self, row: &rows::Row) -> Result<()> {
        let failed = |error: std::io::Error| cannot_write(&self.folder, &error);
        let json = serde_json::to_string(row).map_err(|error| failed(error.into()))?;
        let json = json.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
        self.data.write_all(json.as_bytes()).and_then(|()| self.data.write_all(b",\n")).map_err(failed)
    }

    /// Writes the rest of the site; gives the number of results and of problems.
    fn end(mut self, page: Option<&Path>) -> Result<(usize, usize)> {
        rows::published().try_for_each(|row| self.row(&row))?;
        let benchmark = page.is_some();
        let failed = |error: std::io::Error| cannot_write(&self.folder, &error);
        let end = format!("];\nconst HAS_BENCHMARK = {benchmark};\n");
        self.data.write_all(end.as_bytes()).and_then(|()| self.data.flush()).map_err(failed)?;
        let css = format!("{HTML_STYLE}{}", include_str!("site.css"));
        for (name, text) in
            [("index.html", include_str!("index.html")), ("site.js", include_str!("site.js")), ("site.css", &css)]
        {
            replace(&self.folder.join(name), text.as_bytes())?;
        }
        if let Some(page) = page {
            copy(page, &self.folder.join("benchmark")).map_err(|error| cannot_write(page, &error))?;
        }
        if self.problems > MOST_NAMED {
            terminal::message(&format!("and {} more could not be read", self.problems - MOST_NAMED));
        }
        Ok((self.names.len(), self.problems))
    }
}

/// Copies the regular files of a folder and of those within it.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, place) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &place)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), place)?;
        }
    }
    Ok(())
}

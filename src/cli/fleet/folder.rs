//! The folder in which the results of a fleet are gathered: a result and a log for each host, and a note of what was
//! gathered, so that a fleet goes on where it ended.

use super::hosts::Host;
use crate::cli::output;
use crate::cli::result_files;
use crate::error::{Error, Result};
use crate::hash;
use crate::result::RunResult;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The file with the note; `gpubench table` and `site` pass it over.
const NOTE: &str = "fleet.state";
/// The most bytes that a host may print.
const LIMIT_BYTES: u64 = crate::cli::input::RESULT_LIMIT_BYTES;

/// What was gathered, and by which options.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    /// Options of the run.
    args: Vec<String>,
    /// Hash of each host's result.
    gathered: BTreeMap<String, String>,
}

/// The folder of a fleet.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    note: Note,
    /// Locked while a fleet gathers into the folder.
    _lock: File,
}

impl Folder {
    /// Opens or makes the folder for a run with `args`.
    ///
    /// # Errors
    /// [`Error::Output`] if it cannot be made, read or written, or another fleet is at work in it; [`Error::Usage`] if
    /// it holds results of another run.
    pub fn open(path: &Path, args: &[String], hosts: &[Host]) -> Result<Self> {
        let failed = |error: std::io::Error| {
            Error::Output(format!("{} cannot be used ({error}); name another folder with --output", path.display()))
        };
        fs::create_dir_all(path).map_err(failed)?;
        output::remove_abandoned(path);
        let lock = File::create(path.join("fleet.lock")).map_err(failed)?;
        if lock.try_lock().is_err() {
            let folder = path.display();
            return Err(Error::Output(format!("another `gpubench fleet` gathers into {folder}: wait for its end")));
        }
        let other = |what: String| {
            let advice = "name another folder with --output, or remove it";
            Err(Error::Usage(format!("{} holds {what}: {advice}", path.display())))
        };
        let note = match fs::read_to_string(path.join(NOTE)) {
            Ok(text) => serde_json::from_str(&text).ok(),
            Err(_) => Some(Note { args: args.to_vec(), gathered: BTreeMap::new() }),
        };
        let Some(note) = note else { return other(format!("a damaged {NOTE}")) };
        if note.args != args {
            let run = |args: &[String]| if args.is_empty() { "no options".to_owned() } else { args.join(" ") };
            return other(format!("the fleet's results of a run with {}, not {}", run(&note.args), run(args)));
        }
        let folder = Self { path: path.to_owned(), note, _lock: lock };
        for host in hosts {
            if folder.result_path(&host.name).exists() && !folder.has(&host.name) {
                return other(format!("{}.json, which this fleet did not gather so", host.name));
            }
        }
        Ok(folder)
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a host's result is kept.
    pub fn result_path(&self, host: &str) -> PathBuf {
        self.path.join(format!("{host}.json"))
    }

    /// Where what a host prints is kept until its end.
    pub fn printed(&self, host: &str) -> PathBuf {
        self.path.join(format!("{host}.out"))
    }

    /// Where a host's log is kept.
    pub fn log(&self, host: &str) -> PathBuf {
        self.path.join(format!("{host}.log"))
    }

    /// Whether the result of a host is there, as it was gathered.
    pub fn has(&self, host: &str) -> bool {
        let bytes = fs::read(self.result_path(host));
        bytes.is_ok_and(|bytes| self.note.gathered.get(host) == Some(&hash::sha256_hex(&bytes)))
    }

    /// The results of a host that were gathered.
    ///
    /// # Errors
    /// [`Error::Data`] if they cannot be read.
    pub fn results(&self, host: &str) -> Result<Vec<RunResult>> {
        result_files::results_in(&self.result_path(host))
    }

    /// Takes the results out of what a host printed, which may have a banner around them.
    ///
    /// # Errors
    /// [`Error::Output`] if they cannot be kept; the inner one says why there are none.
    pub fn gather(&mut self, host: &str) -> Result<std::result::Result<Vec<RunResult>, String>> {
        let printed = self.printed(host);
        let text = match crate::cli::input::text(&printed, LIMIT_BYTES) {
            Ok(text) => text,
            Err(why) => return Ok(Err(format!("what it printed cannot be read ({why})"))),
        };
        let Some((document, results)) = results_within(&text) else {
            let blank = text.trim().is_empty();
            let what = if blank { "it printed nothing" } else { "what it printed holds no result of gpubench" };
            return Ok(Err(what.to_owned()));
        };
        let document = format!("{document}\n");
        output::replace(&self.result_path(host), document.as_bytes())?;
        self.note.gathered.insert(host.to_owned(), hash::sha256_hex(document.as_bytes()));
        self.write()?;
        // The result is kept by its own name.
        let _ = fs::remove_file(printed);
        Ok(Ok(results))
    }

    /// Forgets the result of a host, which will be replaced.
    ///
    /// # Errors
    /// [`Error::Output`] if that cannot be noted.
    pub fn forget(&mut self, host: &str) -> Result<()> {
        if self.note.gathered.remove(host).is_some() {
            let _ = fs::remove_file(self.result_path(host));
            self.write()?;
        }
        Ok(())
    }

    /// Writes the note.
    ///
    /// # Errors
    /// [`Error::Output`] if that fails.
    pub fn write(&self) -> Result<()> {
        let text = serde_json::to_string_pretty(&self.note)
            .map_err(|error| Error::Output(format!("{NOTE} cannot be written: {error}")))?;
        output::replace(&self.path.join(NOTE), format!("{text}\n").as_bytes())
    }
}

/// The results in a text, and the document that holds them; lines around it are passed over.
fn results_within(text: &str) -> Option<(&str, Vec<RunResult>)> {
    let starts = text.match_indices(['{', '[']).map(|(place, _)| place);
    let at_line = |place: &usize| *place == 0 || text[..*place].ends_with('\n');
    starts.filter(at_line).find_map(|place| {
        let mut values = serde_json::Deserializer::from_str(&text[place..]).into_iter::<&RawValue>();
        let document = values.next()?.ok()?.get();
        let found = result_files::documents(document).ok()?;
        let results: Result<Vec<_>> = found.iter().map(|one| RunResult::from_json(one)).collect();
        results.ok().map(|results| (document, results))
    })
}

//! Many result files at once: one that cannot be read hides none of the others.

use super::{input, terminal};
use crate::data::format::Format;
use crate::error::{Error, Result as Outcome};
use crate::escape;
use crate::report::LoadedResult;
use crate::result::{RunResult, SCHEMA, SCHEMA_VERSION, Seal, seal};
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::fs;
use std::path::{Path, PathBuf};

/// What is said of a result whose digest is not that of the rest.
const CHANGED: &str = "it was changed after it was written; `gpubench verify` checks its figures";

/// What was found in files and folders.
#[derive(Debug, Default)]
pub struct Collected {
    /// The results, in the order of the files; those of a folder in the order of their names.
    pub stored: Vec<LoadedResult>,
    /// What could not be read and why, one sentence each.
    pub problems: Vec<String>,
    /// What should be known of the rest, each with the files that it is about.
    notes: Vec<(String, Vec<String>)>,
}

/// Reads result files, and every JSON file in folders but not in folders within them.
pub fn collect(paths: &[PathBuf]) -> Collected {
    let mut collected = Collected::default();
    for path in paths {
        match files_at(path) {
            Ok(files) => files.iter().for_each(|file| collected.read(file)),
            Err(problem) => collected.problems.push(problem),
        }
    }
    collected
}

/// The file itself, also `-` for standard input, or the JSON files of a folder in the order of their names.
///
/// # Errors
/// A sentence, if there is nothing there, it cannot be read, or it is a folder without any.
pub fn files_at(path: &Path) -> Result<Vec<PathBuf>, String> {
    let unreadable = |error: std::io::Error| format!("{} cannot be read ({error})", input::shown(path));
    if input::is_stdin(path) || !fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.is_file() && file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(format!("{} holds no JSON file; `gpubench` makes a result", input::shown(path)));
    }
    Ok(files)
}

impl Collected {
    /// What should be known of the results, one sentence each, however many files it is about.
    pub fn notes(&self) -> impl Iterator<Item = String> {
        self.notes.iter().map(|(note, files)| match files.as_slice() {
            [only] => format!("{only}{note}"),
            [first, rest @ ..] => format!("{first} and {} more{note}", rest.len()),
            [] => note.clone(),
        })
    }

    /// Nothing but a sentence on why.
    pub fn nothing(reason: &str) -> Self {
        Self { notes: vec![(reason.to_owned(), Vec::new())], ..Self::default() }
    }

    fn note(&mut self, file: &str, note: String) {
        match self.notes.iter_mut().find(|(one, _)| *one == note) {
            Some((_, files)) => files.push(file.to_owned()),
            None => self.notes.push((note, vec![file.to_owned()])),
        }
    }

    fn read(&mut self, path: &Path) {
        let shown = input::shown(path);
        let text = match text_of(path) {
            Ok(text) => text,
            Err(problem) => return self.problems.push(format!("{shown}: it {problem}")),
        };
        let file = path.file_name().filter(|_| !input::is_stdin(path));
        let file = file.map_or_else(|| shown.clone(), |name| escape::line(&name.to_string_lossy()).into_owned());
        let found = match documents(&text) {
            Ok(found) => found,
            Err(problem) => return self.problems.push(format!("{shown}: {problem}")),
        };
        let count = found.len();
        let results: Vec<Outcome<RunResult>> = found.iter().map(|document| RunResult::from_json(document)).collect();
        // A list of something else is one problem.
        if let (Some(Err(first)), true) = (results.first(), results.iter().all(Outcome::is_err)) {
            let values = if count == 1 { String::new() } else { format!("none of its {count} values is a result: ") };
            return self.problems.push(format!("{shown}: {values}{first}"));
        }
        for (index, (document, result)) in found.iter().zip(results).enumerate() {
            let number = if count == 1 { String::new() } else { format!("#{}", index + 1) };
            match result {
                Ok(result) => self.take(format!("{file}{number}"), &format!("{shown}{number}"), document, result),
                Err(problem) => self.problems.push(format!("{shown}{number}: {problem}")),
            }
        }
    }

    /// Takes the result of a document, called `file` in tables and `shown` in messages.
    fn take(&mut self, file: String, shown: &str, document: &str, result: RunResult) {
        // A run that is given twice must not count twice in a median.
        if let Some(same) = self.stored.iter().find(|other| other.result == result) {
            let note = format!(": the same run as {}, counts once", same.file);
            self.note(shown, note);
            return;
        }
        if seal(document) == Seal::Broken {
            self.note(shown, format!(": {CHANGED}"));
        }
        if result.schema_version < SCHEMA_VERSION {
            self.note(shown, format!(": {}", older(document, &result)));
        }
        self.stored.push(LoadedResult { file, result });
    }
}

/// The results in a file, which may be a list of them, or on standard input where the name is `-`.
///
/// # Errors
/// [`Error::Data`], naming the file, if it cannot be read, holds nothing, or holds something else than results.
pub fn results_in(path: &Path) -> Outcome<Vec<RunResult>> {
    let shown = input::shown(path);
    let wrong = |problem: String| Error::Data(format!("{shown}: {problem}"));
    let text = text_of(path).map_err(|problem| Error::Data(format!("{shown} {problem}")))?;
    let found = documents(&text).map_err(wrong)?;
    let number = |index: usize| if found.len() == 1 { String::new() } else { format!("value {}: ", index + 1) };
    let read = |(index, document): (usize, &&str)| {
        let result = RunResult::from_json(document).map_err(|error| wrong(format!("{}{error}", number(index))))?;
        if seal(document) == Seal::Broken {
            terminal::message(&format!("note: {shown}: {}{CHANGED}", number(index)));
        }
        Ok(result)
    };
    found.iter().enumerate().map(read).collect()
}

fn text_of(path: &Path) -> Result<String, String> {
    let read = input::text(path, input::RESULT_LIMIT_BYTES);
    read.map_err(|problem| format!("cannot be read ({problem}); give a result file written by gpubench"))
}

/// The most results in one file.
const MOST_DOCUMENTS: usize = 10_000;

/// The JSON values in a text, one after the other; of an array, as `--adapter all --json` prints, its values.
///
/// # Errors
/// A sentence, if the text is not JSON or there are none or too many.
pub fn documents(text: &str) -> Result<Vec<&str>, String> {
    let mut found = Vec::new();
    let values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    for value in values {
        let value = value.map_err(|error| not_json(text, &error))?.get();
        if value.starts_with('[') {
            let listed = serde_json::Deserializer::from_str(value).deserialize_seq(Values);
            found.extend(listed.map_err(|error| not_json(text, &error))?);
        } else {
            found.push(value);
        }
        if found.len() > MOST_DOCUMENTS {
            return Err(format!("it holds more than {MOST_DOCUMENTS} values; give fewer results at once"));
        }
    }
    if found.is_empty() {
        let blank = text.trim().is_empty();
        let what = if blank { "it is empty: its run has" } else { "its list is empty: its runs have" };
        return Err(format!("{what} not come to the first stage, or {} killed", if blank { "was" } else { "were" }));
    }
    Ok(found)
}

fn not_json(text: &str, error: &serde_json::Error) -> String {
    let advice = "give a result file written by gpubench";
    match Format::of(text.as_bytes()) {
        _ if text.contains(SCHEMA) => format!("this gpubench result is damaged ({error})"),
        None | Some(Format::Json) => format!("this is not JSON ({error}); {advice}"),
        Some(format) => format!("this is {}, not JSON ({error}); {advice}", format.name()),
    }
}

/// Gives the values of an array as they are written.
struct Values;

impl<'de> Visitor<'de> for Values {
    type Value = Vec<&'de str>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a list of results")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while let Some(value) = list.next_element::<&RawValue>()? {
            found.push(value.get());
            if found.len() > MOST_DOCUMENTS {
                return Err(A::Error::custom(format!("the list has more than {MOST_DOCUMENTS} values")));
            }
        }
        Ok(found)
    }
}

/// What a file of an older schema lacks of what is written today.
fn older(document: &str, result: &RunResult) -> String {
    let version = result.schema_version;
    let mut lacks = Vec::new();
    // A document that is nested too deeply for a `Value` is a result all the same: fields that are not known may be
    // anything.
    if let (Ok(file), Ok(whole)) = (serde_json::from_str::<Value>(document), serde_json::to_value(result)) {
        absent(&file, &whole, "", &mut lacks);
    }
    let lacks = if lacks.is_empty() { "it lacks nothing".to_owned() } else { format!("it lacks {}", lacks.join(", ")) };
    format!("schema version {version}, today's is {SCHEMA_VERSION}; {lacks}")
}

/// Adds the names of fields that `whole` has and `part` has not; those of a list's values once.
fn absent(part: &Value, whole: &Value, place: &str, names: &mut Vec<String>) {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            for (key, value) in whole {
                let name = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
                match part.get(key) {
                    Some(inner) => absent(inner, value, &name, names),
                    None if names.contains(&name) => {}
                    None => names.push(name),
                }
            }
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.iter().zip(whole).for_each(|(part, whole)| absent(part, whole, place, names));
        }
        _ => {}
    }
}

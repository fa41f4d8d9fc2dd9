//! Many result files at once: one that cannot be read hides none of the others.

use crate::report::LoadedResult;
use crate::result::{RunResult, SCHEMA, SCHEMA_VERSION};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// What was found in files and folders.
#[derive(Debug, Default)]
pub struct Collected {
    /// The results, in the order of the files; those of a folder in the order of their names.
    pub stored: Vec<LoadedResult>,
    /// What could not be read and why, one sentence each.
    pub problems: Vec<String>,
    /// What should be known of the rest, one sentence each.
    pub notes: Vec<String>,
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

/// The file itself, or the JSON files of a folder in the order of their names.
///
/// # Errors
/// A sentence, if there is nothing there, it cannot be read, or it is a folder without any.
pub fn files_at(path: &Path) -> Result<Vec<PathBuf>, String> {
    let unreadable = |error: std::io::Error| format!("{} cannot be read ({error})", path.display());
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
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
        return Err(format!("{} holds no JSON file; `gpubench` makes a result", path.display()));
    }
    Ok(files)
}

impl Collected {
    fn read(&mut self, path: &Path) {
        match read(path) {
            Ok((result, note)) => {
                let file = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
                // A run that is given twice must not count twice in a median.
                if let Some(same) = self.stored.iter().find(|other| other.result == result) {
                    let same = &same.file;
                    self.notes.push(format!("{} is the same run as {same} and counts once", path.display()));
                    return;
                }
                self.notes.extend(note.map(|note| format!("{}: {note}", path.display())));
                self.stored.push(LoadedResult { file, result });
            }
            Err(problem) => self.problems.push(format!("{}: {problem}", path.display())),
        }
    }
}

/// A result, and what an older file lacks.
fn read(path: &Path) -> Result<(RunResult, Option<String>), String> {
    let text = fs::read_to_string(path).map_err(|error| format!("it cannot be read ({error})"))?;
    if text.trim().is_empty() {
        return Err("it is empty: its run has not come to its first stage, or was killed".to_owned());
    }
    let value: Value = serde_json::from_str(&text).map_err(|error| {
        let kind = if text.contains(SCHEMA) { "this gpubench result is damaged" } else { "this is not JSON" };
        format!("{kind} ({error})")
    })?;
    let result = RunResult::from_json(&text).map_err(|error| error.to_string())?;
    let note = (result.schema_version < SCHEMA_VERSION).then(|| older(&value, &result));
    Ok((result, note))
}

/// What a file of an older schema lacks of what is written today.
fn older(file: &Value, result: &RunResult) -> String {
    let version = result.schema_version;
    let mut lacks = Vec::new();
    if let Ok(whole) = serde_json::to_value(result) {
        absent(file, &whole, "", &mut lacks);
    }
    let lacks = if lacks.is_empty() { "it lacks nothing".to_owned() } else { format!("it lacks {}", lacks.join(", ")) };
    format!("its schema is version {version}, today's {SCHEMA_VERSION}; {lacks}")
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

//! Results under a name of the user's, in the data folder, to compare others with.

use super::output::{replace, results_folder};
use crate::error::{Error, Result};
use crate::result::RunResult;
use std::fs;
use std::path::PathBuf;

/// The most letters of a name.
const MOST_LETTERS: usize = 64;

/// A name that stands for a file of its own in the folder of baselines.
///
/// # Errors
/// What to type, for a name that could lead out of the folder or that some file system lacks.
pub fn name(text: &str) -> std::result::Result<String, String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let fits = !text.is_empty() && text.len() <= MOST_LETTERS && text.chars().all(plain);
    match fits && text.starts_with(|first: char| first.is_ascii_alphanumeric()) && !text.ends_with('.') {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "a baseline's name has up to {MOST_LETTERS} letters, digits, dots, dashes and underscores and begins with a letter or digit, as in main or v1.2"
        )),
    }
}

fn folder() -> Result<PathBuf> {
    Ok(results_folder()?.with_file_name("baselines"))
}

/// The file of the baseline `name`.
///
/// # Errors
/// [`Error::Data`] with the names that there are, if there is none; [`Error::Usage`] if the user has no home folder.
pub fn existing(name: &str) -> Result<PathBuf> {
    let folder = folder()?;
    let path = folder.join(format!("{name}.json"));
    if path.is_file() {
        return Ok(path);
    }
    let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
    let stem = |entry: fs::DirEntry| Some(entry.file_name().to_str()?.strip_suffix(".json")?.to_owned());
    let mut names: Vec<String> = entries.filter_map(stem).collect();
    names.sort();
    let there =
        if names.is_empty() { "there is none yet".to_owned() } else { format!("there are {}", names.join(", ")) };
    Err(Error::Data(format!(
        "there is no baseline {name}: {there}; `gpubench compare --save-baseline {name} RESULT.json` keeps one"
    )))
}

/// Keeps `results` under `name`, in place of what had it before; gives the file.
///
/// # Errors
/// [`Error::Output`] if it cannot be written.
pub fn save(name: &str, results: &[RunResult]) -> Result<PathBuf> {
    let folder = folder()?;
    fs::create_dir_all(&folder)
        .map_err(|error| Error::Output(format!("{} cannot be created ({error})", folder.display())))?;
    let path = folder.join(format!("{name}.json"));
    replace(&path, (RunResult::list_to_json(results)? + "\n").as_bytes())?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_folder() {
        for good in ["main", "v1.2", "a-b_c", "0"] {
            assert_eq!(name(good).as_deref(), Ok(good));
        }
        let long = "a".repeat(65);
        for bad in ["", ".", "..", "../x", "a/b", "a\\b", "/etc/x", "C:x", ".hidden", "-x", "a.", "a\0", "ä", &long] {
            assert!(name(bad).is_err_and(|says| says.contains("as in main")), "{bad:?}");
        }
    }
}

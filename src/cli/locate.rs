//! Where in a folder the four files of a data set lie, as downloads and libraries leave them on disk.

use crate::data::idx::FILES;
use crate::data::idx::IdxFile;
use crate::data::sets::{KnownSet, SETS};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// How far below the folder that was named the files may lie: `MNIST/raw` of torchvision and one level to spare.
const DEPTH: usize = 3;

/// The most folders that are looked at, so that naming a home folder ends soon.
const MOST_FOLDERS: usize = 500;

/// The most entries of a folder that are looked at.
const MOST_ENTRIES: usize = 5000;

/// Four files that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The data set that has these names.
    pub set: &'static KnownSet,
    /// The folder that holds them.
    pub folder: PathBuf,
    /// The files, in the order of the set's.
    pub paths: [PathBuf; 4],
}

/// Finds the four files of a data set in `folder`, else in the folders below it.
///
/// # Errors
/// [`Error::Data`] if there is no such folder, a file is missing, the data cannot be trained on, or several folders
/// below hold data.
pub fn locate(folder: &Path) -> Result<Located> {
    let shown = folder.display();
    if !folder.is_dir() {
        let what = if folder.exists() { "is not a folder" } else { "does not exist" };
        return Err(Error::Data(format!(
            "the data folder {shown} {what}; name the folder that holds the four files with --data, or use --data synthetic"
        )));
    }
    if let Some(located) = complete(folder) {
        return Ok(located);
    }
    // What lies below must not stand in for a file that is missing here.
    if trainable().any(|set| set.files.iter().any(|file| find(folder, file).is_some())) {
        return Err(nothing(folder, &[]));
    }
    let below = folders_below(folder);
    let mut found: Vec<Located> = below.iter().filter_map(|folder| complete(folder)).collect();
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(nothing(folder, &below)),
        _ => {
            let folders: Vec<String> = found.iter().map(|located| located.folder.display().to_string()).collect();
            let folders = folders.join(", ");
            Err(Error::Data(format!(
                "{shown} holds the data of several folders; name one of them with --data: {folders}"
            )))
        }
    }
}

/// The data sets that can be trained on.
fn trainable() -> impl Iterator<Item = &'static KnownSet> {
    SETS.iter().filter(|set| set.refusal.is_none())
}

/// The first data set that can be trained on and has all its files in `folder`.
fn complete(folder: &Path) -> Option<Located> {
    trainable().find_map(|set| {
        let paths: Vec<PathBuf> = set.files.iter().map_while(|file| find(folder, file)).collect();
        Some(Located { set, folder: folder.to_owned(), paths: paths.try_into().ok()? })
    })
}

/// The folders below `folder`, level by level and in the order of their names; hidden ones are left out.
fn folders_below(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut level = vec![folder.to_owned()];
    for _ in 0..DEPTH {
        let mut next: Vec<PathBuf> = Vec::new();
        for folder in &level {
            // A folder that may not be read holds nothing that could be.
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(MOST_ENTRIES);
            let visible = entries.filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."));
            next.extend(visible.map(|entry| entry.path()).filter(|path| path.is_dir()));
            if next.len() > MOST_FOLDERS {
                break;
            }
        }
        next.sort();
        next.truncate(MOST_FOLDERS - found.len().min(MOST_FOLDERS));
        found.extend(next.iter().cloned());
        level = next;
    }
    found
}

/// Why neither `folder` nor a folder below it can be trained on: a file is missing, or the data are not for this
/// network.
fn nothing(folder: &Path, below: &[PathBuf]) -> Error {
    let places = || std::iter::once(folder).chain(below.iter().map(PathBuf::as_path));
    // Where some of the files are, the first that is not.
    let incomplete = places().find_map(|place| {
        let has = |set: &&KnownSet| set.files.iter().any(|file| find(place, file).is_some());
        SETS.iter().find(has).map(|set| (place, set))
    });
    if let Some((place, set)) = incomplete
        && let Some(refused) = set.refused()
    {
        return Error::Data(format!(
            "{}: {refused}; use EMNIST's splits mnist or digits, QMNIST or MNIST",
            place.display()
        ));
    }
    let (place, set) = incomplete.unwrap_or((folder, &SETS[0]));
    let absent = set.files.iter().find(|file| find(place, file).is_none()).map_or(FILES[0].name, |file| file.name);
    Error::Data(format!(
        "{} has no {absent}, with or without .gz; run `gpubench data fetch` for MNIST, or name another folder with --data",
        place.display()
    ))
}

/// The path of `file` in `folder`, under the first of its usual names that there is a file of.
///
/// Where there is none, a folder of such a name may hold it, as unpacking programs leave it. Else the path is that of
/// whatever has such a name, so that reading it tells what it is.
pub fn find(folder: &Path, file: &IdxFile) -> Option<PathBuf> {
    let names = file.usual_names();
    let paths = || names.iter().map(|name| folder.join(name));
    let inside = || paths().flat_map(|path| names.iter().map(move |name| path.join(name)));
    let is_file = |path: &PathBuf| path.is_file();
    paths()
        .find(is_file)
        .or_else(|| inside().find(is_file))
        .or_else(|| paths().find(|path| path.symlink_metadata().is_ok()))
}

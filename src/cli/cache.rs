//! The cache of measurements of adapters: one file for each kind, adapter and backend in the user's cache folder.

use super::{dataset, input, output, terminal};
use crate::error::{Error, Result};
use crate::result::Subject;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A measurement that can be cached.
pub trait CacheEntry: Sized {
    /// Name of its folder below the cache folder.
    const FOLDER: &'static str;

    /// The identity that the measurement is valid for.
    fn subject(&self) -> &Subject;

    /// Parses the output of [`CacheEntry::to_json`].
    ///
    /// # Errors
    /// [`Error::Data`] if the text is damaged or has impossible values.
    fn from_json(text: &str) -> Result<Self>;

    /// Serialises to JSON.
    ///
    /// # Errors
    /// [`Error::Output`] if that fails.
    fn to_json(&self) -> Result<String>;

    /// Marks the measurement as read from the cache.
    fn into_cached(self) -> Self;
}

/// The outcome of a cache lookup.
#[derive(Debug, Clone, PartialEq)]
pub enum Lookup<T> {
    /// An entry of this subject, marked as cached.
    Hit(Box<T>),
    /// No entry.
    Miss,
    /// An entry that must not be used, with the reason in a sentence.
    Rejected(String),
}

/// The cache folder of this kind, if the user has a cache folder.
pub fn folder<T: CacheEntry>() -> Option<PathBuf> {
    dataset::cache_folder_of(T::FOLDER).ok()
}

/// The file in `folder` for the adapter and backend of `subject`.
pub fn file(folder: &Path, subject: &Subject) -> PathBuf {
    // Identical adapters of one machine differ only in their bus id.
    let name = [output::slug(&subject.adapter), output::slug(&subject.pci_bus_id), output::slug(&subject.backend)];
    let name: Vec<&str> = name.iter().map(String::as_str).filter(|part| *part != "adapter").collect();
    folder.join(format!("{}.json", if name.is_empty() { "adapter".to_owned() } else { name.join("-") }))
}

/// Looks up the entry of `subject` in `folder`.
pub fn read<T: CacheEntry>(folder: &Path, subject: &Subject) -> Lookup<T> {
    let (path, kind, again) = (file(folder, subject), T::FOLDER, "measured again");
    if std::fs::symlink_metadata(&path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Lookup::Miss;
    }
    let text = match input::text(&path, input::RESULT_LIMIT_BYTES) {
        Ok(text) => text,
        Err(why) => return Lookup::Rejected(format!("{} cannot be read ({why}): {again}", path.display())),
    };
    match T::from_json(&text) {
        Ok(entry) => match entry.subject().difference(subject) {
            None => Lookup::Hit(Box::new(entry.into_cached())),
            Some(difference) => Lookup::Rejected(format!("the kept {kind} are of another {difference}: {again}")),
        },
        Err(error) => Lookup::Rejected(format!("the cache {} is damaged: {error}: {again}", path.display())),
    }
}

/// As [`read`]; reports a rejected entry on stderr.
pub fn read_or_warn<T: CacheEntry>(folder: Option<&Path>, subject: &Subject) -> Option<T> {
    match folder.map_or(Lookup::Miss, |folder| read(folder, subject)) {
        Lookup::Hit(entry) => Some(*entry),
        Lookup::Miss => None,
        Lookup::Rejected(why) => {
            terminal::message(&format!("note: {why}"));
            None
        }
    }
}

/// Writes `entry` to `folder`, replacing the previous entry of its adapter.
///
/// # Errors
/// [`Error::Output`] if the folder cannot be written; it is then unchanged.
pub fn write<T: CacheEntry>(folder: &Path, entry: &T) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| Error::Output(format!("{} ({error})", folder.display())))?;
    output::remove_abandoned(folder);
    output::replace(&file(folder, entry.subject()), entry.to_json()?.as_bytes())
}

/// As [`write()`]; reports a failure on stderr instead of returning it.
pub fn write_or_warn<T: CacheEntry>(entry: &T, folder: Option<&Path>) {
    let outcome = match folder {
        Some(folder) => write(folder, entry),
        None => Err(Error::Output("there is no cache folder; set HOME".to_owned())),
    };
    if let Err(error) = outcome {
        terminal::message(&format!("note: the {} cannot be kept for other runs: {error}", T::FOLDER));
    }
}

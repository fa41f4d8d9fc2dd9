//! What was measured of an adapter and is kept for other runs: one file for each kind, adapter and backend in the user's cache folder.

use super::{dataset, output, terminal};
use crate::error::{Error, Result};
use crate::result::Subject;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Something that is kept.
pub trait Kept: Sized {
    /// Name of its folder below the cache folder.
    const FOLDER: &'static str;

    /// What it belongs to.
    fn subject(&self) -> &Subject;

    /// Reads what [`Kept::to_json`] wrote.
    ///
    /// # Errors
    /// [`Error::Data`] if the text is damaged or not to be believed.
    fn from_json(text: &str) -> Result<Self>;

    /// The JSON document.
    ///
    /// # Errors
    /// [`Error::Output`] if it cannot be written as JSON.
    fn to_json(&self) -> Result<String>;

    /// The same, marked as read from the cache.
    fn marked(self) -> Self;
}

/// What the cache holds for a subject.
#[derive(Debug, Clone, PartialEq)]
pub enum Cached<T> {
    /// What belongs to exactly this subject, marked as cached.
    Found(Box<T>),
    /// Nothing.
    Nothing,
    /// Something that must not be used; why, in a sentence.
    Ignored(String),
}

/// Where things of this kind are kept, if the user has a place for such things.
pub fn folder<T: Kept>() -> Option<PathBuf> {
    dataset::cache_folder_of(T::FOLDER).ok()
}

/// The file in `folder` for one adapter and backend.
pub fn file(folder: &Path, subject: &Subject) -> PathBuf {
    // Two equal adapters of one machine differ in their bus id alone.
    let name = [output::slug(&subject.adapter), output::slug(&subject.pci_bus_id), output::slug(&subject.backend)];
    let name: Vec<&str> = name.iter().map(String::as_str).filter(|part| *part != "adapter").collect();
    folder.join(format!("{}.json", if name.is_empty() { "adapter".to_owned() } else { name.join("-") }))
}

/// Looks in `folder` for what belongs to `wanted`.
pub fn read<T: Kept>(folder: &Path, wanted: &Subject) -> Cached<T> {
    let (path, kind, again) = (file(folder, wanted), T::FOLDER, "measured again");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Cached::Nothing,
        Err(error) => return Cached::Ignored(format!("{} cannot be read ({error}): {again}", path.display())),
    };
    match T::from_json(&text) {
        Ok(kept) => match kept.subject().difference(wanted) {
            None => Cached::Found(Box::new(kept.marked())),
            Some(difference) => Cached::Ignored(format!("the kept {kind} are of another {difference}: {again}")),
        },
        Err(error) => Cached::Ignored(format!("the cache {} is damaged: {error}: {again}", path.display())),
    }
}

/// As [`read`]; why something must not be used is said on stderr.
pub fn read_or_note<T: Kept>(folder: Option<&Path>, wanted: &Subject) -> Option<T> {
    match folder.map_or(Cached::Nothing, |folder| read(folder, wanted)) {
        Cached::Found(kept) => Some(*kept),
        Cached::Nothing => None,
        Cached::Ignored(why) => {
            terminal::talk(&format!("note: {why}"));
            None
        }
    }
}

/// Keeps `kept` in `folder` in place of what it held for its adapter.
///
/// # Errors
/// [`Error::Output`] if the folder cannot be written; it then holds what it held before.
pub fn keep<T: Kept>(folder: &Path, kept: &T) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| Error::Output(format!("{} ({error})", folder.display())))?;
    output::replace(&file(folder, kept.subject()), kept.to_json()?.as_bytes())
}

/// As [`keep`]; that nothing could be kept is worth a note, but no reason to end.
pub fn keep_or_note<T: Kept>(kept: &T, folder: Option<&Path>) {
    let outcome = match folder {
        Some(folder) => keep(folder, kept),
        None => Err(Error::Output("there is no cache folder; set HOME".to_owned())),
    };
    if let Err(error) = outcome {
        terminal::talk(&format!("note: the {} cannot be kept for other runs: {error}", T::FOLDER));
    }
}

//! Result files: created before anything is measured, rewritten after each stage, never replacing another run's file.

use super::interrupt::{self, Unfinished};
use crate::error::{Error, Result};
use crate::result::{RunResult, Status, Sweep};
use etcetera::BaseStrategy;
use jiff::Timestamp;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// The folder of the user's results: `~/.local/share/gpubench/results` on Linux and macOS (`XDG_DATA_HOME` in place of
/// `~/.local/share` where set), below `%APPDATA%` on Windows.
///
/// # Errors
/// [`Error::Usage`] if the user has no home folder.
pub fn results_folder() -> Result<PathBuf> {
    etcetera::choose_base_strategy().map(|strategy| strategy.data_dir().join("gpubench").join("results")).map_err(
        |error| Error::Usage(format!("there is no folder for results ({error}); set HOME or choose one with --output")),
    )
}

/// The file of one run's result.
#[derive(Debug)]
pub struct ResultFile {
    path: PathBuf,
    /// Until something was measured.
    unfinished: Option<Unfinished>,
}

impl ResultFile {
    /// Creates an empty file named after the time, the adapter and the seed in `folder`, which is created if needed.
    ///
    /// # Errors
    /// [`Error::Output`] if the folder cannot be created or written.
    pub fn create(folder: &Path, adapter: &str, seed: u64) -> Result<Self> {
        fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
        let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let stem = format!("{time}-{}-seed{seed}", slug(adapter));
        // Runs that start in the same second are numbered.
        for attempt in 1..=1000 {
            let name = if attempt == 1 { format!("{stem}.json") } else { format!("{stem}-{attempt}.json") };
            let path = folder.join(name);
            let create = || OpenOptions::new().write(true).create_new(true).open(&path);
            match Unfinished::create(create, |_| path.clone()) {
                Ok((unfinished, _)) => return Ok(Self { path, unfinished: Some(unfinished) }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(cannot_write(folder, &error)),
            }
        }
        Err(Error::Output(format!(
            "the output folder {} is full of results of this second; try again",
            folder.display()
        )))
    }

    /// Path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file holds something that was measured, or why nothing was. Else it goes with this.
    pub fn is_kept(&self) -> bool {
        self.unfinished.is_none()
    }

    /// Replaces the content of the file by `result`, atomically.
    ///
    /// # Errors
    /// [`Error::Output`] if it cannot be written; the file is then unchanged.
    pub fn write(&mut self, result: &RunResult) -> Result<()> {
        replace(&self.path, result.to_json()?.as_bytes())?;
        let timed = |sweep: &Sweep| sweep.points.iter().any(|point| point.step_s.value().is_some());
        if result.status != Status::Partial || !result.repeats.is_empty() || result.sweep.value().is_some_and(timed) {
            interrupt::keep(&self.path);
            self.unfinished = None;
        }
        Ok(())
    }
}

impl Drop for ResultFile {
    /// Removes the file if it holds nothing.
    fn drop(&mut self) {
        if !self.is_kept() {
            // Nothing depends on the file, and drop cannot return an error.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Writes `bytes` to a temporary file beside `path` and renames it, so that `path` is replaced atomically.
///
/// # Errors
/// [`Error::Output`] if that fails; no temporary file is left.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: &std::io::Error| cannot_write(path, error);
    interrupt::undisturbed(|| {
        let mut file = temporary_beside(path)?;
        file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(|error| failed(&error))?;
        file.persist(path).map_err(|error| failed(&error.error))?;
        Ok(())
    })
}

/// Creates a temporary file in the folder of `path`, with the permissions of an ordinary file.
///
/// # Errors
/// [`Error::Output`] if the folder cannot be written.
pub fn temporary_beside(path: &Path) -> Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".gpubench-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o644));
    }
    builder.tempfile_in(folder).map_err(|error| cannot_write(path, &error))
}

/// Whether a file can be put at `path`, before any work is done for it.
///
/// # Errors
/// [`Error::Output`] if `path` is a folder or its folder cannot be written.
pub fn expect_writable(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Err(Error::Output(format!("{} cannot be written (it is a folder); name a file in it", path.display())));
    }
    temporary_beside(path).map(drop)
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Error {
    Error::Output(format!("{} cannot be written ({error}); free space there or choose another place", path.display()))
}

/// Lower-case letters and digits of `name`, separated by single dashes.
pub(super) fn slug(name: &str) -> String {
    let name = name.split('(').next().unwrap_or(name).to_lowercase();
    let words: Vec<&str> =
        name.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    if words.is_empty() { "adapter".to_owned() } else { words.join("-") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adapters_give_short_names() {
        assert_eq!(slug("llvmpipe (LLVM 15.0.6, 256 bits)"), "llvmpipe");
        assert_eq!(slug("NVIDIA GeForce GTX 1080 Ti"), "nvidia-geforce-gtx-1080-ti");
        assert_eq!(slug("()"), "adapter");
    }

    #[test]
    fn files_of_the_same_second_are_distinct_and_unused_ones_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let first = ResultFile::create(folder.path(), "a", 1).unwrap();
        let second = ResultFile::create(folder.path(), "a", 1).unwrap();
        assert_ne!(first.path(), second.path());
        drop((first, second));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_instead_of_the_folder_is_reported() {
        let file = NamedTempFile::new().unwrap();
        let error = ResultFile::create(file.path(), "a", 1).unwrap_err();
        assert_eq!(error.exit_code(), 7);
        assert!(error.to_string().contains("cannot be written"), "{error}");
    }
}

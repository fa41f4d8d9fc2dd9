//! What is put on disk: result files, which appear whole, are rewritten after each stage and never replace another
//! run's; and the files that options name, which replace nothing that is needed.

use super::interrupt::{self, Unfinished};
use super::system::utc_now;
use crate::error::{Error, Result};
use crate::result::{RunResult, Status, Sweep, TurnsEnd};
use etcetera::BaseStrategy;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::NamedTempFile;

/// How the name of a temporary file begins and ends.
const TEMPORARY_PREFIX: &str = ".gpubench-";
const TEMPORARY_SUFFIX: &str = ".tmp";
/// The age of a temporary file that nobody has locked at which its program is taken to have ended: a younger one may be
/// about to be locked.
const ABANDONED_AFTER: Duration = Duration::from_secs(30);
/// The most results with names of the same second.
const MOST_IN_A_SECOND: u32 = 1000;

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
    folder: PathBuf,
    /// Its name, without the ending and the number.
    stem: String,
    /// Where it lies, once something was written.
    path: Option<PathBuf>,
    /// From the first content until something was measured.
    unfinished: Option<Unfinished>,
    kept: bool,
}

impl ResultFile {
    /// Names a file after the time, the adapter and the seed in `folder`, which is created if needed and has to take
    /// files. The file appears with its first content.
    ///
    /// # Errors
    /// [`Error::Output`] if the folder cannot be created or written.
    pub fn create(folder: &Path, adapter: &str, seed: u64) -> Result<Self> {
        fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
        remove_abandoned(folder);
        let time = utc_now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let stem = format!("{time}-{}-seed{seed}", slug(adapter));
        interrupt::undisturbed(|| temporary_beside(&folder.join(&stem)).map(drop))
            .map_err(|error| cannot_write(folder, &error))?;
        Ok(Self { folder: folder.to_owned(), stem, path: None, unfinished: None, kept: false })
    }

    /// Path of the file, if it holds something that was measured, or why nothing was. Else it goes with this.
    pub fn kept(&self) -> Option<&Path> {
        self.path.as_deref().filter(|_| self.kept)
    }

    /// Replaces the content of the file by `result`, atomically.
    ///
    /// # Errors
    /// [`Error::Output`] if it cannot be written; the file is then unchanged.
    pub fn write(&mut self, result: &RunResult) -> Result<()> {
        let json = result.to_json()?;
        let path = match &self.path {
            Some(path) => {
                replace(path, json.as_bytes())?;
                path.clone()
            }
            None => self.place(json.as_bytes())?,
        };
        let timed = |sweep: &Sweep| sweep.points.iter().any(|point| point.step_s.value().is_some());
        if result.status != Status::Partial || !result.repeats.is_empty() || result.sweep.value().is_some_and(timed) {
            let turns_ended = result.turns.value().is_none_or(|turns| turns.ended != TurnsEnd::Unfinished);
            interrupt::keep(&path, result.status != Status::Partial && turns_ended);
            self.unfinished = None;
            self.kept = true;
        }
        self.path = Some(path);
        Ok(())
    }

    /// Puts a file with `bytes` where none is: runs that start in the same second are numbered.
    fn place(&mut self, bytes: &[u8]) -> Result<PathBuf> {
        let create = || {
            let mut file = written_beside(&self.folder.join(&self.stem), bytes)?;
            for attempt in 1..=MOST_IN_A_SECOND {
                let number = if attempt == 1 { String::new() } else { format!("-{attempt}") };
                let path = self.folder.join(format!("{}{number}.json", self.stem));
                match file.persist_noclobber(&path) {
                    Ok(_) => return Ok(path),
                    Err(error) if error.error.kind() == ErrorKind::AlreadyExists => file = error.file,
                    Err(error) => return Err(error.error),
                }
            }
            Err(std::io::Error::other(format!("it holds {MOST_IN_A_SECOND} results of this second")))
        };
        let (unfinished, path) =
            Unfinished::create(create, Clone::clone).map_err(|error| cannot_write(&self.folder, &error))?;
        self.unfinished = Some(unfinished);
        Ok(path)
    }
}

impl Drop for ResultFile {
    /// Removes the file if it holds nothing.
    fn drop(&mut self) {
        if let (Some(path), false) = (&self.path, self.kept) {
            // Nothing depends on the file, and drop cannot return an error.
            let _ = fs::remove_file(path);
        }
    }
}

/// Makes `bytes` the content of the file at `path`, which is replaced atomically and keeps its permissions.
///
/// A link stays a link: what it leads to is replaced. Into a pipe or a device is written.
///
/// # Errors
/// [`Error::Output`] if that fails; no temporary file is left.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: std::io::Error| cannot_write(path, &error);
    let target = linked_to(path);
    let existing = fs::metadata(&target).ok();
    if existing.as_ref().is_some_and(|existing| !existing.is_file() && !existing.is_dir()) {
        let mut stream = OpenOptions::new().write(true).open(&target).map_err(failed)?;
        return stream.write_all(bytes).and_then(|()| stream.flush()).map_err(failed);
    }
    interrupt::undisturbed(|| {
        let file = written_beside(&target, bytes)?;
        if let Some(existing) = existing {
            file.as_file().set_permissions(existing.permissions())?;
        }
        file.persist(&target).map_err(|error| error.error)
    })
    .map(drop)
    .map_err(failed)
}

/// A temporary file in the folder of `path` that holds `bytes`.
fn written_beside(path: &Path, bytes: &[u8]) -> std::io::Result<NamedTempFile> {
    let mut file = temporary_beside(path)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Creates a temporary file in the folder of `path`, with the permissions of an ordinary file, locked while it is used.
fn temporary_beside(path: &Path) -> std::io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY_PREFIX).suffix(TEMPORARY_SUFFIX);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(folder)?;
    // Where files cannot be locked, an abandoned one stays.
    let _ = file.as_file().try_lock();
    Ok(file)
}

/// Removes what killed programs left in `folder`: temporary files that nobody has locked.
pub fn remove_abandoned(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let named =
            name.to_str().is_some_and(|name| name.starts_with(TEMPORARY_PREFIX) && name.ends_with(TEMPORARY_SUFFIX));
        if named && is_abandoned(&entry.path(), &entry.path()) {
            // Another program may remove it at the same time.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether what lies at `path` was left by a program that has ended: it is not new, and the file `lock` is not locked.
pub fn is_abandoned(path: &Path, lock: &Path) -> bool {
    let age = fs::symlink_metadata(path).and_then(|file| file.modified()).ok().and_then(|time| time.elapsed().ok());
    let locked = || match File::open(lock) {
        Ok(file) => file.try_lock().is_err(),
        Err(error) => error.kind() != ErrorKind::NotFound,
    };
    age.is_some_and(|age| age >= ABANDONED_AFTER) && !locked()
}

/// What `path` leads to, if it is a link to something.
fn linked_to(path: &Path) -> PathBuf {
    let is_link = fs::symlink_metadata(path).is_ok_and(|file| file.is_symlink());
    if is_link { fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()) } else { path.to_owned() }
}

/// Whether a file can be put at `path`, before any work is done for it.
///
/// # Errors
/// [`Error::Output`] if `path` is a folder, a file that is write-protected, a link to nothing, or in a folder that
/// cannot be written.
pub fn expect_writable(path: &Path) -> Result<()> {
    let refused =
        |why: &str, advice: &str| Err(Error::Output(format!("{} cannot be written ({why}); {advice}", path.display())));
    match fs::metadata(path) {
        Ok(existing) if existing.is_dir() => refused("it is a folder", "name a file in it"),
        Ok(existing) if existing.permissions().readonly() => refused("it is write-protected", "name another file"),
        Ok(existing) if !existing.is_file() => Ok(()),
        Err(_) if fs::symlink_metadata(path).is_ok() => refused("it is a link to nothing", "name another file"),
        _ => interrupt::undisturbed(|| temporary_beside(&linked_to(path)).map(drop))
            .map_err(|error| cannot_write(path, &error)),
    }
}

/// Whether files can be put at all of `outputs`, each beside its option, with none in the place of another or of what
/// is read: `inputs`, of folders the JSON files in them.
///
/// # Errors
/// As [`expect_writable`]; [`Error::Usage`] if one would take the place of another.
pub fn expect_outputs(outputs: &[(&str, Option<&Path>)], inputs: &[&Path]) -> Result<()> {
    let mut places: Vec<(&str, PathBuf)> = Vec::new();
    for (option, path) in outputs.iter().filter_map(|(option, path)| path.map(|path| (*option, path))) {
        expect_writable(path)?;
        let place = place_of(path);
        // Into a pipe or a device is written without replacing anything.
        if fs::metadata(&place).is_ok_and(|existing| !existing.is_file()) {
            continue;
        }
        let lost = |what: &str| {
            Err(Error::Usage(format!("{option} {} would replace {what}: name another file", path.display())))
        };
        if let Some((other, _)) = places.iter().find(|(_, other)| *other == place) {
            return lost(&format!("what {other} writes"));
        }
        let is_json = place.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        let reads = |input: &&Path| {
            let input = place_of(input);
            input == place || (is_json && place.is_file() && place.parent() == Some(&input))
        };
        if let Some(input) = inputs.iter().find(|input| reads(input)) {
            return lost(&format!("what is read from {}", input.display()));
        }
        places.push((option, place));
    }
    Ok(())
}

/// A name of the place at `path` that two paths to it have in common.
fn place_of(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        path.file_name().map_or_else(|| folder.clone(), |name| folder.join(name))
    })
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

    /// A result with nothing in it but what every result has.
    fn result(status: Status) -> RunResult {
        let stored = include_str!("../../results/20261124T040412Z-llvmpipe-seed1.json");
        RunResult { status, repeats: Vec::new(), ..RunResult::from_json(stored).unwrap() }
    }

    #[test]
    fn files_of_the_same_second_are_distinct_and_unused_ones_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let create = || {
            let mut file = ResultFile::create(folder.path(), "a", 1).unwrap();
            file.stem = "same".to_owned();
            file
        };
        let count = || fs::read_dir(folder.path()).unwrap().count();
        let (mut first, mut second) = (create(), create());
        assert_eq!(count(), 0, "nothing is written before there is something to write");
        first.write(&result(Status::Partial)).unwrap();
        second.write(&result(Status::Failed)).unwrap();
        assert!(count() == 2 && first.kept().is_none());
        assert_eq!(second.kept(), Some(folder.path().join("same-2.json").as_path()));
        drop((first, second));
        assert_eq!(count(), 1);
    }

    #[test]
    fn what_a_killed_program_left_is_removed_and_what_is_in_use_stays() {
        let folder = tempfile::tempdir().unwrap();
        let old = std::time::SystemTime::now() - 2 * ABANDONED_AFTER;
        let made: Vec<NamedTempFile> = (0..3).map(|_| temporary_beside(&folder.path().join("any")).unwrap()).collect();
        made[0].as_file().unlock().unwrap();
        made[0].as_file().set_modified(old).unwrap();
        made[1].as_file().set_modified(old).unwrap();
        made[2].as_file().unlock().unwrap();
        fs::write(folder.path().join("notes.tmp"), "").unwrap();
        remove_abandoned(folder.path());
        let stays: Vec<bool> = made.iter().map(|file| file.path().exists()).collect();
        assert_eq!(stays, [false, true, true], "abandoned, in use, new");
        assert!(folder.path().join("notes.tmp").exists(), "it is not of this program");
    }

    #[cfg(unix)]
    #[test]
    fn replacing_keeps_links_permissions_and_devices() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "before").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        expect_writable(&link).unwrap();
        replace(&link, b"after").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"after");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

        replace(Path::new("/dev/null"), b"gone").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        assert_eq!(replace(Path::new("/dev/full"), b"much").unwrap_err().exit_code(), 7);

        fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("broken")).unwrap();
        for (path, says) in [("file", "write-protected"), ("broken", "link to nothing"), (".", "folder")] {
            let error = expect_writable(&folder.path().join(path)).unwrap_err().to_string();
            assert!(error.contains(says), "{path}: {error}");
        }
    }

    #[test]
    fn outputs_do_not_take_the_place_of_each_other_or_of_inputs() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("result.json"), "{}").unwrap();
        fs::create_dir(at("inner")).unwrap();
        let refused = |outputs: &[(&str, Option<&Path>)], inputs: &[&Path]| {
            expect_outputs(outputs, inputs).err().map(|error| (error.exit_code(), error.to_string()))
        };
        let (result, page, roundabout) = (at("result.json"), at("page.html"), at("inner/../page.html"));
        assert_eq!(refused(&[("--html", Some(&page)), ("--save", None)], &[&result]), None);
        let (code, error) = refused(&[("--html", Some(&page)), ("--save", Some(&roundabout))], &[]).unwrap();
        assert!(code == 2 && error.contains("would replace what --html writes"), "{error}");
        for input in [&result, &folder.path().to_owned()] {
            let (code, error) = refused(&[("--html", Some(&result))], &[input]).unwrap();
            assert!(code == 2 && error.contains("would replace what is read from"), "{error}");
        }
        #[cfg(unix)]
        assert_eq!(
            refused(&[("--html", Some(Path::new("/dev/null"))), ("--save", Some(Path::new("/dev/null")))], &[]),
            None
        );
    }

    #[test]
    fn a_file_instead_of_the_folder_is_reported() {
        let file = NamedTempFile::new().unwrap();
        let error = ResultFile::create(file.path(), "a", 1).unwrap_err();
        assert_eq!(error.exit_code(), 7);
        assert!(error.to_string().contains("cannot be written"), "{error}");
    }
}

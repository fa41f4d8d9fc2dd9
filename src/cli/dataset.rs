//! Loading what `--data` names: synthetic digits, or a folder with MNIST's four files.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use etcetera::BaseStrategy;
use mnist::{Mnist, MnistBuilder};

use super::interrupt::Unfinished;
use super::locate::{Located, find, locate};
use super::output::is_abandoned;
use crate::data::idx::{self, FILES, Facts, IdxFile};
use crate::data::{Dataset, Split, gzip, synthetic};
use crate::error::{Error, Result};
use crate::model::{CLASSES, IMAGE_PIXELS};

/// The environment variable that `--data auto` consults first; takes the same values as `--data`.
pub const DATA_VARIABLE: &str = "GPUBENCH_DATA";
/// How the names of folders with working copies begin, in the folder for temporary files.
const COPIES_PREFIX: &str = "gpubench-data-";
/// The file in such a folder that is locked while it is used.
const COPIES_LOCK: &str = "lock";

/// A value of `--data`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DataSource {
    /// The environment variable [`DATA_VARIABLE`], then the user's cache folder, then synthetic digits; never the
    /// network.
    #[default]
    Auto,
    /// Digits drawn by this program, as many as MNIST has.
    Synthetic,
    /// A few of them: so many to train on, and so many to test on.
    FewSynthetic(usize, usize),
    /// A folder with the four files.
    Folder(PathBuf),
}

impl FromStr for DataSource {
    type Err = Infallible;

    fn from_str(text: &str) -> std::result::Result<Self, Infallible> {
        Ok(OsString::from(text).into())
    }
}

/// The numbers of images in `synthetic:TRAIN+TEST`, each from 1 to that of MNIST.
fn few(text: &str) -> Option<DataSource> {
    let (train, test) = text.strip_prefix("synthetic:")?.split_once('+')?;
    let count = |text: &str, most| text.parse().ok().filter(|count| (1..=most).contains(count));
    Some(DataSource::FewSynthetic(count(train, FILES[0].items)?, count(test, FILES[2].items)?))
}

/// `auto`, `synthetic`, `synthetic:TRAIN+TEST`, or else a folder, whose name need not be UTF-8.
impl From<OsString> for DataSource {
    fn from(text: OsString) -> Self {
        match text.to_str() {
            Some("auto") => Self::Auto,
            Some("synthetic") => Self::Synthetic,
            known => known.and_then(few).unwrap_or_else(|| Self::Folder(text.into())),
        }
    }
}

impl fmt::Display for DataSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => formatter.write_str("auto"),
            Self::Synthetic => formatter.write_str("synthetic"),
            Self::FewSynthetic(train, test) => write!(formatter, "synthetic:{train}+{test}"),
            Self::Folder(folder) => folder.display().fmt(formatter),
        }
    }
}

/// Where `auto` looks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places {
    /// The value of [`DATA_VARIABLE`], if set and not empty.
    pub variable: Option<OsString>,
    /// The folder into which `gpubench data fetch` downloads, if the user has a home folder.
    pub cache: Option<PathBuf>,
}

impl Places {
    /// The places of this process: its environment and its user's cache folder.
    pub fn of_this_process() -> Self {
        let variable = std::env::var_os(DATA_VARIABLE).filter(|value| !value.is_empty());
        Self { variable, cache: cache_folder().ok() }
    }
}

/// The folder into which `gpubench data fetch` downloads: `~/.cache/gpubench/mnist` on Linux and macOS
/// (`XDG_CACHE_HOME` in place of `~/.cache` where set), below `%LOCALAPPDATA%` on Windows.
///
/// # Errors
/// [`Error::Usage`] if the user has no home folder.
pub fn cache_folder() -> Result<PathBuf> {
    cache_folder_of("mnist")
}

/// The folder `name` among those that this program keeps in the user's cache folder.
///
/// # Errors
/// As [`cache_folder`].
pub fn cache_folder_of(name: &str) -> Result<PathBuf> {
    etcetera::choose_base_strategy()
        .map(|strategy| strategy.cache_dir().join("gpubench").join(name))
        .map_err(|error| Error::Usage(format!("there is no cache folder ({error}); set HOME or name a folder")))
}

/// Loads the data `source` names and says why these data were chosen, for people.
///
/// `seed` is that of synthetic digits, usually [`synthetic::SEED`].
///
/// # Errors
/// [`Error::Data`] if a folder or a file in it is missing or wrong; [`Error::Output`] if the temporary folder cannot be
/// written.
pub fn load(source: &DataSource, seed: u64) -> Result<(Dataset, String)> {
    load_from(source, seed, &Places::of_this_process())
}

/// [`load`] with given places for `auto`.
///
/// # Errors
/// As [`load`].
pub fn load_from(source: &DataSource, seed: u64, places: &Places) -> Result<(Dataset, String)> {
    let (chosen, mut origin) = choose(source, places);
    let dataset = match chosen {
        DataSource::Folder(folder) => {
            let dataset = load_folder(&folder)?;
            if let Some(found) = dataset.source.as_ref().filter(|found| **found != folder.display().to_string()) {
                origin += &format!(", found in {found}");
            }
            dataset
        }
        DataSource::Auto | DataSource::Synthetic => synthetic::digits(seed, FILES[0].items, FILES[2].items),
        DataSource::FewSynthetic(train, test) => {
            let all = synthetic::digits(seed, train, test);
            Dataset { name: format!("{}, {train}+{test}", all.name), ..all }
        }
    };
    Ok((dataset, origin))
}

/// What `auto` stands for, and why.
fn choose(source: &DataSource, places: &Places) -> (DataSource, String) {
    if *source != DataSource::Auto {
        return (source.clone(), "--data".to_owned());
    }
    if let Some(value) = &places.variable {
        let named = DataSource::from(value.clone());
        if named != DataSource::Auto {
            return (named, format!("environment variable {DATA_VARIABLE}"));
        }
    }
    let Some(cache) = &places.cache else {
        return (DataSource::Synthetic, "default (there is no cache folder)".to_owned());
    };
    match FILES.iter().filter(|file| find(cache, file).is_some()).count() {
        0 => (DataSource::Synthetic, "default (`gpubench data fetch` gets MNIST)".to_owned()),
        4 => (DataSource::Folder(cache.clone()), "cache folder".to_owned()),
        found => (
            DataSource::Synthetic,
            format!("default (the cache has {found} of 4 files; `gpubench data fetch` gets the others)"),
        ),
    }
}

/// Reads a file, but no more of it than a right one can have.
///
/// # Errors
/// [`Error::Data`] if it is not a regular file or cannot be read.
pub fn read(path: &Path, file: &IdxFile) -> Result<Vec<u8>> {
    let fail = |reason: String| {
        Error::Data(format!(
            "{} cannot be read ({reason}); make it a readable file or name another folder",
            path.display()
        ))
    };
    // Looked at before it is opened: opening a named pipe would wait for a writer.
    if !path.metadata().map_err(|error| fail(error.to_string()))?.is_file() {
        return Err(fail("not a regular file".to_owned()));
    }
    let opened = File::open(path).map_err(|error| fail(error.to_string()))?;
    let mut bytes = Vec::new();
    let limit_bytes = file.read_limit_bytes();
    opened.take(limit_bytes as u64 + 1).read_to_end(&mut bytes).map_err(|error| fail(error.to_string()))?;
    // Of a plain file the header tells what is wrong; a gzip file that is cut off here would be taken for a truncated
    // one.
    if bytes.len() > limit_bytes && gzip::is_gzip(&bytes) {
        // What it holds, if it is something else or too much, tells more than its length.
        let decompressed = |most_bytes: usize| gzip::decompress(&bytes, most_bytes).unwrap_or_default();
        let (head, too_much) = (decompressed(4), file.size_bytes() + 1);
        if head.len() == 4 && head != file.content.magic().to_be_bytes() {
            return Ok(head);
        }
        let content = decompressed(too_much);
        if content.len() == too_much {
            return Ok(content);
        }
        return Err(fail(format!("it is longer than {limit_bytes} bytes, which no right file is")));
    }
    Ok(bytes)
}

/// Loads the four files of a data set in `folder` or below it, plain or gzip, under their usual names.
///
/// [`locate`] says where they may lie and [`SETS`](crate::data::sets::SETS) which names they may have. Every file
/// is checked first. Then the `mnist` crate parses private copies of what was checked, as MNIST would have it: it
/// panics on a wrong file, and the user's own could change in between.
///
/// # Errors
/// [`Error::Data`] if the folder or a file is missing, unreadable or wrong; [`Error::Output`] if the private copies
/// cannot be written.
pub fn load_folder(folder: &Path) -> Result<Dataset> {
    let Located { set, folder, paths } = locate(folder)?;
    let source = folder.display().to_string();
    remove_abandoned_copies();
    let create = || tempfile::Builder::new().prefix(COPIES_PREFIX).tempdir();
    // In this order, so that the mark stays until the folder is gone.
    let (_unfinished, copies) =
        Unfinished::create(create, |copies| copies.path().to_owned()).map_err(|error| no_copies(&error))?;
    // Locked as long as the copies are needed. Where files cannot be locked, those of a killed program stay.
    let lock = File::create(copies.path().join(COPIES_LOCK)).map_err(|error| no_copies(&error))?;
    let _ = lock.try_lock();
    let shown = paths.clone().map(|path| path.display().to_string());
    let mut facts = FILES.map(|_| Facts { items: 0, sha256: String::new() });
    for (index, file) in set.files.iter().enumerate() {
        let (bytes, checked) = idx::check(file, &shown[index], read(&paths[index], file)?)?;
        facts[index] = checked;
        // Files of a wrong size are told of once all four are known.
        if facts[index].items == file.items {
            let copy = copies.path().join(FILES[index].name);
            std::fs::write(copy, set.as_mnist(index, bytes)).map_err(|error| no_copies(&error))?;
        }
    }
    idx::check_counts(&set.files, &facts, &shown)?;
    let parsed = parse(copies.path())?;
    let identity = idx::identity(&facts);
    Ok(Dataset {
        identity,
        name: set
            .description()
            .map_or_else(|| idx::dataset_name(identity, &source), |description| format!("{description} in {source}")),
        source: Some(source),
        train: Split { images: parsed.trn_img, labels: parsed.trn_lbl },
        test: Split { images: parsed.tst_img, labels: parsed.tst_lbl },
    })
}

/// Removes working copies of programs that were killed.
fn remove_abandoned_copies() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let named = entry.file_name().to_str().is_some_and(|name| name.starts_with(COPIES_PREFIX));
        if named && is_abandoned(&path, &path.join(COPIES_LOCK)) {
            // Another user's, or gone already.
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

/// Parses checked, decompressed files with the `mnist` crate.
fn parse(folder: &Path) -> Result<Mnist> {
    let Some(base_path) = folder.to_str() else {
        return Err(no_copies(&"its path is not UTF-8"));
    };
    let mut parsed = MnistBuilder::new()
        .base_path(base_path)
        .training_images_filename(FILES[0].name)
        .training_labels_filename(FILES[1].name)
        .test_images_filename(FILES[2].name)
        .test_labels_filename(FILES[3].name)
        .label_format_digit()
        .training_set_length(FILES[0].items as u32)
        .validation_set_length(0)
        .test_set_length(FILES[2].items as u32)
        .finalize();
    // The crate cuts the test part off a longer vector and leaves the rest of it allocated.
    parsed.trn_img.shrink_to_fit();
    let right = |images: &[u8], labels: &[u8], items: usize| {
        images.len() == items * IMAGE_PIXELS
            && labels.len() == items
            && labels.iter().all(|&label| usize::from(label) < CLASSES)
    };
    if right(&parsed.trn_img, &parsed.trn_lbl, FILES[0].items)
        && right(&parsed.tst_img, &parsed.tst_lbl, FILES[2].items)
    {
        Ok(parsed)
    } else {
        Err(no_copies(&"they changed while they were parsed"))
    }
}

fn no_copies(reason: &dyn fmt::Display) -> Error {
    Error::Output(format!(
        "working copies of the data cannot be kept in {} ({reason}); make room there or set TMPDIR to another folder",
        std::env::temp_dir().display()
    ))
}

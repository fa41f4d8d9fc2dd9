//! The verbs `gpubench data fetch` and `gpubench data verify`: MNIST into a folder, and whether what is there is MNIST.

use std::fmt;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use ureq::Agent;

use super::dataset;
use super::locate::{find, locate};
use super::output::replace;
use crate::data::idx::{self, FILES, IdxFile};
use crate::error::{Error, Result};

/// Public copies of MNIST's four gzip files, tried in turn.
pub const MIRRORS: [&str; 2] =
    ["https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"];

/// The environment variable that replaces [`MIRRORS`]: one or more base URLs or folders, separated by spaces.
pub const MIRROR_VARIABLE: &str = "GPUBENCH_MNIST_MIRROR";

/// How long to wait for a connection, and for each of the further answers of a server.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// How long one file may take in all.
const FILE_TIMEOUT: Duration = Duration::from_secs(300);

/// The mirrors of this process: those of [`MIRROR_VARIABLE`], else [`MIRRORS`].
pub fn mirrors() -> Vec<String> {
    let named = std::env::var(MIRROR_VARIABLE).unwrap_or_default();
    let named: Vec<String> = named.split_whitespace().map(str::to_owned).collect();
    if named.is_empty() { MIRRORS.map(str::to_owned).to_vec() } else { named }
}

/// What one file of a folder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Its decompressed bytes have MNIST's SHA-256.
    Mnist,
    /// It can be read, but its decompressed bytes have another SHA-256.
    Differs {
        /// The SHA-256 it has, in hexadecimal.
        sha256: String,
    },
    /// It is there but cannot be read or decompressed.
    Damaged {
        /// Why, in a sentence.
        reason: String,
    },
    /// There is no file under any usual name.
    Missing,
}

/// The verdict on one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Usual name, without `.gz`.
    pub name: &'static str,
    /// The file found, if any.
    pub path: Option<PathBuf>,
    /// Its size on disk in bytes, if known.
    pub size_bytes: Option<u64>,
    /// What it is.
    pub state: State,
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", self.name)?;
        if let Some(size_bytes) = self.size_bytes {
            write!(formatter, "{size_bytes} bytes, ")?;
        }
        match &self.state {
            State::Mnist => formatter.write_str("is MNIST's (SHA-256 agrees)"),
            State::Differs { sha256 } => write!(formatter, "differs from MNIST's (SHA-256 {sha256})"),
            State::Damaged { reason } => write!(formatter, "damaged: {reason}"),
            State::Missing => formatter.write_str("missing"),
        }
    }
}

/// Looks at the four files of `folder`, or where they lie below it, and says of each whether it is MNIST's own.
pub fn verify(folder: &Path) -> [Verdict; 4] {
    // A folder that holds none at all is looked at itself, so that each is named as missing.
    let below = locate(folder).ok().filter(|located| located.set.files == FILES).map(|located| located.folder);
    let folder = below.as_deref().unwrap_or(folder);
    FILES.map(|file| verify_file(folder, &file))
}

/// Looks at one file of `folder`.
pub fn verify_file(folder: &Path, file: &IdxFile) -> Verdict {
    let path = find(folder, file);
    let state = match &path {
        None => State::Missing,
        Some(path) => match dataset::read(path, file).and_then(|raw| digest(file, &path.display().to_string(), raw)) {
            Ok(sha256) if sha256 == file.mnist_sha256 => State::Mnist,
            Ok(sha256) => State::Differs { sha256 },
            Err(error) => State::Damaged { reason: error.to_string() },
        },
    };
    let size_bytes = path.as_ref().and_then(|path| path.metadata().ok()).map(|metadata| metadata.len());
    Verdict { name: file.name, path, size_bytes, state }
}

/// SHA-256 of the decompressed bytes, in hexadecimal.
fn digest(file: &IdxFile, shown: &str, raw: Vec<u8>) -> Result<String> {
    Ok(idx::sha256_hex(&idx::decompress(file, shown, raw)?))
}

/// Downloads MNIST's four files into `folder`, as gzip, and skips those already there and right.
///
/// A file is checked in memory, written under a temporary name and then renamed, so that nothing half-written ever has
/// a usual name. `progress` is told, a line at a time, what happens.
///
/// # Errors
/// [`Error::Data`] if no mirror gives a right file; [`Error::Output`] if `folder` cannot be written.
pub fn fetch(folder: &Path, mirrors: &[String], progress: &mut dyn FnMut(&str)) -> Result<()> {
    fetch_files(&FILES, folder, mirrors, progress)
}

/// [`fetch`] for given files, whose `mnist_sha256` is what their content must have.
///
/// # Errors
/// As [`fetch`].
pub fn fetch_files(files: &[IdxFile], folder: &Path, mirrors: &[String], progress: &mut dyn FnMut(&str)) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
    let agent = agent();
    // A mirror that failed once is not asked again before the others, so that a dead one costs its timeout only once.
    let mut order: Vec<&String> = mirrors.iter().collect();
    for file in files {
        if verify_file(folder, file).state == State::Mnist {
            progress(&format!("{} is already in {}", file.name, folder.display()));
            continue;
        }
        let mut failures = Vec::new();
        let content = loop {
            let Some(mirror) = order.get(failures.len()) else {
                return Err(by_hand(file, folder, &failures));
            };
            let url = format!("{}/{}.gz", mirror.trim_end_matches('/'), file.name);
            let here = find(Path::new(mirror), file);
            progress(&here.as_ref().map_or(format!("downloading {url}"), |path| format!("copying {}", path.display())));
            match here.map_or_else(|| download(&agent, &url, file), |path| copied(&path, file)) {
                Ok(content) => break content,
                Err(reason) => {
                    progress(&format!("{url}: {reason}"));
                    failures.push(format!("{url}: {reason}"));
                }
            }
        };
        order.rotate_left(failures.len());
        let target = folder.join(format!("{}.gz", file.name));
        replace(&target, &content)?;
        progress(&format!("{} written and verified, {} bytes", target.display(), content.len()));
    }
    Ok(())
}

fn agent() -> Agent {
    Agent::config_builder()
        .timeout_connect(Some(ANSWER_TIMEOUT))
        .timeout_recv_response(Some(ANSWER_TIMEOUT))
        .timeout_global(Some(FILE_TIMEOUT))
        .user_agent(concat!("gpubench/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}

/// A right file of a folder as gzip, or why it is none.
fn copied(path: &Path, file: &IdxFile) -> std::result::Result<Vec<u8>, String> {
    verified(dataset::read(path, file).map_err(|error| error.to_string())?, file)
}

/// One right file as gzip, or why there is none.
fn download(agent: &Agent, url: &str, file: &IdxFile) -> std::result::Result<Vec<u8>, String> {
    // The client looks names up on a thread, and panics where none can be started.
    let thread =
        std::thread::Builder::new().spawn(|| ()).map_err(|error| format!("no thread can be started: {error}"))?;
    let _ = thread.join();
    let response = agent.get(url).call().map_err(|error| error.to_string())?;
    let mut content = Vec::new();
    let limit_bytes = file.read_limit_bytes() as u64;
    let reader = response.into_body().into_reader();
    reader.take(limit_bytes + 1).read_to_end(&mut content).map_err(|error| error.to_string())?;
    if content.len() as u64 > limit_bytes {
        return Err(format!("the answer is longer than {limit_bytes} bytes"));
    }
    verified(content, file)
}

/// `content` as gzip, or why it is not MNIST's file.
fn verified(content: Vec<u8>, file: &IdxFile) -> std::result::Result<Vec<u8>, String> {
    let sha256 = digest(file, "the answer", content.clone()).map_err(|error| error.to_string())?;
    if sha256 != file.mnist_sha256 {
        return Err(format!("the answer of {} bytes is not MNIST's file (SHA-256 {sha256})", content.len()));
    }
    if content.starts_with(&[0x1f, 0x8b]) {
        return Ok(content);
    }
    // Some servers decompress on the way.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&content).and_then(|()| encoder.finish()).map_err(|error| error.to_string())
}

fn cannot_write(folder: &Path, error: &std::io::Error) -> Error {
    Error::Output(format!(
        "{} cannot be written ({error}); make room or set XDG_CACHE_HOME to a folder that can be",
        folder.display()
    ))
}

fn by_hand(file: &IdxFile, folder: &Path, failures: &[String]) -> Error {
    Error::Data(format!(
        "{} could not be downloaded ({}); without a network, copy the four files of MNIST ({}) into {} by hand, or use --data synthetic",
        file.name,
        failures.join("; "),
        FILES.map(|file| format!("{}.gz", file.name)).join(", "),
        folder.display()
    ))
}

//! Signals that end the program: heard from the first moment and answered at once, with nothing half-done left behind.

use super::terminal;
use crate::error::{Error, Result};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long measurements may take to stop before the program ends without them: a driver may compile for longer.
pub const PATIENCE: Duration = Duration::from_millis(1600);
/// How long a second signal is taken for the first: `timeout` sends one to the process and one to its group.
const SAME_REQUEST: Duration = Duration::from_millis(300);
/// How often a second signal is looked for.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

static REQUESTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
/// The exit code of the signal that was heard: 128 and its number.
static CODE: AtomicU8 = AtomicU8::new(130);
static FILES: Mutex<Files> = Mutex::new(Files { unfinished: Vec::new(), kept: Vec::new() });

/// What the program has put on disk.
struct Files {
    /// Removed if the program ends now.
    unfinished: Vec<PathBuf>,
    /// Results that hold something, and whether they are those of runs that came to their end.
    kept: Vec<(PathBuf, bool)>,
}

impl Files {
    fn words(&self) -> &'static str {
        match self.kept.as_slice() {
            [] => "interrupted; there is no result to keep",
            kept if kept.iter().all(|(_, ended)| *ended) => "interrupted; what had ended before was kept",
            _ => "interrupted; the partial result was kept",
        }
    }
}

fn files() -> MutexGuard<'static, Files> {
    FILES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a stop was requested, for whoever polls it.
pub fn flag() -> Arc<AtomicBool> {
    REQUESTED.clone()
}

/// Whether a stop was requested.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// # Errors
/// [`Error::Interrupted`] if a stop was requested.
pub fn expect_none() -> Result<()> {
    if requested() { Err(Error::Interrupted) } else { Ok(()) }
}

/// The results that are worth keeping, as far as they can be known in the middle of a failure.
pub fn kept() -> Vec<PathBuf> {
    FILES.try_lock().map(|files| files.kept.iter().map(|(path, _)| path.clone()).collect()).unwrap_or_default()
}

/// The exit code and the message of a program that was stopped.
pub fn outcome() -> (u8, &'static str) {
    (CODE.load(Ordering::Relaxed), files().words())
}

/// Does `work`, in the middle of which the program does not end.
pub fn undisturbed<T>(work: impl FnOnce() -> T) -> T {
    let _held = files();
    work()
}

/// Keeps note of a result that is worth keeping, and of whether its run has ended.
pub fn keep(path: &Path, ended: bool) {
    let mut files = files();
    match files.kept.iter_mut().find(|(kept, _)| kept == path) {
        Some(kept) => kept.1 = ended,
        None => files.kept.push((path.to_owned(), ended)),
    }
}

/// A file or folder that is removed if the program ends while this exists.
#[derive(Debug)]
pub struct Unfinished(PathBuf);

impl Unfinished {
    /// Runs `create`, and marks what it made, which lies at `path`.
    ///
    /// # Errors
    /// As `create`.
    pub fn create<T>(
        create: impl FnOnce() -> io::Result<T>,
        path: impl FnOnce(&T) -> PathBuf,
    ) -> io::Result<(Self, T)> {
        let mut files = files();
        let created = create()?;
        let path = path(&created);
        files.unfinished.push(path.clone());
        Ok((Self(path), created))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        files().unfinished.retain(|path| *path != self.0);
    }
}

/// Ends the program with the code of the signal, without what is unfinished. No file can be made meanwhile.
fn end(exit: impl Fn(i32)) {
    let files = files();
    for path in &files.unfinished {
        // Nothing can be done about what cannot be removed.
        let _ = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    }
    for (path, _) in &files.kept {
        terminal::message(&format!("result: {}", path.display()));
    }
    terminal::message(&format!("error: {}", files.words()));
    exit(i32::from(CODE.load(Ordering::Relaxed)));
}

/// Acts on a first signal, with `pending` to look for a second: requests a stop, and ends the program if it goes on for
/// longer than `patience`.
fn stop(patience: Duration, mut pending: impl FnMut() -> bool, exit: impl Fn(i32)) {
    REQUESTED.store(true, Ordering::Relaxed);
    if !patience.is_zero() {
        terminal::message("stopping after this kernel; press again to end at once");
    }
    let mut waited = Duration::ZERO;
    while waited < patience {
        std::thread::sleep(POLL_INTERVAL);
        waited += POLL_INTERVAL;
        if pending() && waited > SAME_REQUEST {
            break;
        }
    }
    end(exit);
}

/// Hears SIGINT, SIGTERM, and SIGHUP unless it is ignored, as under `nohup`. The first requests a stop, the second ends
/// the program, as does the end of `patience`, which is zero where there is nothing to stop gently.
///
/// Where no thread can be started, signals keep their default effect.
#[cfg(unix)]
pub fn listen(patience: Duration) {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::{iterator::Signals, low_level};
    ignore_file_size_limit();
    let mut kinds = vec![SIGINT, SIGTERM];
    if !hangups_are_ignored() {
        kinds.push(SIGHUP);
    }
    let (ready, installed) = std::sync::mpsc::channel();
    let hear = move || {
        let Ok(mut signals) = Signals::new(kinds) else { return };
        let _ = ready.send(());
        let first = signals.forever().next().unwrap_or(SIGINT);
        CODE.store(u8::try_from(128 + first).unwrap_or(130), Ordering::Relaxed);
        // Not `std::process::exit`: it runs what drivers registered, while their threads work.
        stop(patience, || signals.pending().next().is_some(), |code| low_level::exit(code));
    };
    if std::thread::Builder::new().name("signals".to_owned()).spawn(hear).is_ok() {
        let _ = installed.recv();
    }
}

/// Makes a file that would outgrow `ulimit -f` an error of the write, which is reported, in place of a signal that ends
/// the program.
#[cfg(unix)]
#[allow(unsafe_code, reason = "ignoring a signal runs no code of this program")]
fn ignore_file_size_limit() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    // SAFETY: an ignored signal runs no handler.
    let _ = unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) };
}

/// Whether SIGHUP was ignored when the program started. It is left so, else with its default effect.
#[cfg(unix)]
#[allow(unsafe_code, reason = "neither handler is code of this program")]
fn hangups_are_ignored() -> bool {
    use nix::sys::signal::{SigHandler, Signal, signal};
    // SAFETY: ignoring a signal and its default effect run no handler.
    unsafe {
        let before = signal(Signal::SIGHUP, SigHandler::SigIgn);
        let ignored = matches!(before, Ok(SigHandler::SigIgn));
        ignored || signal(Signal::SIGHUP, SigHandler::SigDfl).is_err()
    }
}

/// Hears Ctrl-C and the closing of the window. The first requests a stop, the end of `patience` ends the program.
#[cfg(windows)]
pub fn listen(patience: Duration) {
    // Without a handler Ctrl-C ends the program at once.
    let _ = ctrlc::set_handler(move || stop(patience, || false, |code| std::process::exit(code)));
}

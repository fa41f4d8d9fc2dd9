//! Other programs as processes in a group of their own, which is ended as a whole: at a time limit, and on a signal.

use super::interrupt;
use crate::error::Result;
use crate::escape;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How often a signal is looked for.
pub const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// The most characters of a process's own last words that are shown.
const MOST_SHOWN: usize = 300;
/// The bytes at the end of a log in which the last words are looked for.
const TAIL_BYTES: u64 = 4096;

/// A value, or why a process did not give one, in words.
pub type Answer<T> = std::result::Result<T, String>;

/// Runs `command` to its end, for at most `limit`, with what it prints in the file `log`.
///
/// # Errors
/// [`crate::Error::Interrupted`] if a signal stopped it; the inner one says how it failed, with its last words.
pub fn run(command: Command, log: &Path, limit: Duration) -> Result<Answer<()>> {
    let output = File::create(log).and_then(|file| Ok((file.try_clone()?, file)));
    let ended = match output {
        Ok((stdout, stderr)) => run_into(command, stdout, stderr, log, limit)?,
        Err(error) => return Ok(Err(format!("{} cannot be written ({error})", log.display()))),
    };
    Ok(ended.map_err(|failed| failed.reason))
}

/// How a process failed.
#[derive(Debug)]
pub struct Failed {
    /// In words, its own last ones among them.
    pub reason: String,
    /// Its exit code, if it ended by itself.
    pub code: Option<i32>,
}

/// Runs `command` to its end, for at most `limit`, with what it prints in open files, of which that of stderr lies at
/// `log`.
///
/// # Errors
/// As [`run`].
pub fn run_into(
    mut command: Command,
    stdout: File,
    stderr: File,
    log: &Path,
    limit: Duration,
) -> Result<std::result::Result<(), Failed>> {
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    own_group(&mut command);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let reason = format!("{} cannot be started: {error}", command_name(&command));
            return Ok(Err(Failed { reason, code: None }));
        }
    };
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(Ok(())),
            Ok(Some(status)) => {
                let reason = format!("{}: {}", command_name(&command), or(&last_words(log), &status));
                return Ok(Err(Failed { reason, code: status.code() }));
            }
            Ok(None) if begun.elapsed() < limit && !interrupt::requested() => std::thread::sleep(POLL_INTERVAL),
            _ => {
                kill(&mut child);
                interrupt::expect_none()?;
                let reason = format!("it was stopped after {} s", limit.as_secs_f64().round());
                return Ok(Err(Failed { reason, code: None }));
            }
        }
    }
}

fn or(words: &str, status: &dyn std::fmt::Display) -> String {
    if words.is_empty() { status.to_string() } else { words.to_owned() }
}

/// A program's name for messages.
pub fn command_name(command: &Command) -> String {
    shown(&command.get_program().to_string_lossy())
}

/// Foreign words, shortened, without hidden characters.
pub fn shown(words: &str) -> String {
    escape::line(words).chars().take(MOST_SHOWN).collect()
}

/// The last line of a log that says anything.
pub fn last_words(log: &Path) -> String {
    let tail = || {
        let mut file = File::open(log)?;
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map(|_| String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = tail().unwrap_or_default();
    shown(text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default())
}

/// Lets `command` start a group of processes, which [`kill`] ends as a whole.
#[cfg(unix)]
pub fn own_group(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

/// Groups of processes are Unix's.
#[cfg(not(unix))]
pub fn own_group(_: &mut Command) {}

/// Ends a process with all of its group.
pub fn kill(child: &mut Child) {
    #[cfg(unix)]
    if let Ok(group) = i32::try_from(child.id()) {
        // It may have ended by itself.
        let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group), nix::sys::signal::Signal::SIGKILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

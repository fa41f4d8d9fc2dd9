//! Processes in a group of their own, which is ended as a whole: at a time limit, on a signal, and when it is done.

use crate::cli::interrupt;
use crate::error::Result;
use crate::escape;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How often a signal is looked for.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// The most characters of a process's own last words that are shown.
const MOST_SHOWN: usize = 300;
/// The bytes at the end of a log in which the last words are looked for.
const TAIL_BYTES: u64 = 4096;

/// A value, or why a process did not give one, in words.
pub type Answer<T> = std::result::Result<T, String>;

/// A process that answers requests, one line of JSON each; what else it prints goes to a log.
pub struct Worker {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    log: std::path::PathBuf,
}

impl Worker {
    /// Starts `command`, with stderr in the file `log`.
    ///
    /// # Errors
    /// In words, if it cannot be started.
    pub fn start(mut command: Command, log: &Path) -> Answer<Self> {
        let name = command_name(&command);
        let stderr = File::create(log).map_err(|error| format!("{} cannot be written ({error})", log.display()))?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr);
        own_group(&mut command);
        let mut child = command.spawn().map_err(|error| format!("{name} cannot be started: {error}"))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (send, lines) = channel();
        if let Some(stdout) = stdout {
            std::thread::spawn(move || {
                let lines = BufReader::new(stdout).lines().map_while(std::io::Result::ok);
                let _ = lines.map(|line| send.send(line)).take_while(std::result::Result::is_ok).count();
            });
        }
        Ok(Self { child, stdin, lines, log: log.to_owned() })
    }

    /// The group of its processes.
    pub fn group(&self) -> u32 {
        self.child.id()
    }

    /// Sends `request` and waits for the answer, at most until `limit`.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`] if a signal stopped it.
    pub fn ask(&mut self, request: &Value, limit: Duration) -> Result<Answer<Value>> {
        if let Some(stdin) = &mut self.stdin {
            // A process that has ended is told by its silence.
            let _ = writeln!(stdin, "{request}").and_then(|()| stdin.flush());
        }
        self.answer(limit)
    }

    /// The next answer; lines that are none are passed over.
    ///
    /// # Errors
    /// As [`Worker::ask`].
    pub fn answer(&mut self, limit: Duration) -> Result<Answer<Value>> {
        let begun = Instant::now();
        loop {
            interrupt::expect_none()?;
            match self.lines.recv_timeout(POLL_INTERVAL) {
                Ok(line) => {
                    let Ok(answer @ Value::Object(_)) = serde_json::from_str::<Value>(&line) else { continue };
                    return Ok(match answer["error"].as_str() {
                        Some(error) => Err(shown(error)),
                        None => Ok(answer),
                    });
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(Err(self.end())),
                Err(RecvTimeoutError::Timeout) if begun.elapsed() < limit => {}
                Err(RecvTimeoutError::Timeout) => {
                    return Ok(Err(format!(
                        "it was stopped after {} s without an answer; --time-limit allows more",
                        limit.as_secs_f64().round()
                    )));
                }
            }
        }
    }

    /// How the process ended, with its last words.
    fn end(&mut self) -> String {
        let status = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        let words = last_words(&self.log);
        format!("it ended ({status}){}{words}", if words.is_empty() { "" } else { ": " })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        kill(&mut self.child);
    }
}

/// Runs `command` to its end, for at most `limit`, with what it prints in the file `log`.
///
/// # Errors
/// [`crate::Error::Interrupted`] if a signal stopped it; the inner one says how it failed, with its last words.
pub fn run(mut command: Command, log: &Path, limit: Duration) -> Result<Answer<()>> {
    let output = File::create(log).and_then(|file| Ok((file.try_clone()?, file)));
    let (stdout, stderr) = match output {
        Ok(files) => files,
        Err(error) => return Ok(Err(format!("{} cannot be written ({error})", log.display()))),
    };
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    own_group(&mut command);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Ok(Err(format!("{} cannot be started: {error}", command_name(&command)))),
    };
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(Ok(())),
            Ok(Some(status)) => {
                return Ok(Err(format!("{}: {}", command_name(&command), or(&last_words(log), &status))));
            }
            Ok(None) if begun.elapsed() < limit && !interrupt::requested() => std::thread::sleep(POLL_INTERVAL),
            _ => {
                kill(&mut child);
                interrupt::expect_none()?;
                return Ok(Err(format!("it was stopped after {} s", limit.as_secs_f64().round())));
            }
        }
    }
}

fn or(words: &str, status: &dyn std::fmt::Display) -> String {
    if words.is_empty() { status.to_string() } else { words.to_owned() }
}

fn command_name(command: &Command) -> String {
    shown(&command.get_program().to_string_lossy())
}

/// Foreign words, shortened, without hidden characters.
pub fn shown(words: &str) -> String {
    escape::line(words).chars().take(MOST_SHOWN).collect()
}

/// The last line of a log that says anything.
fn last_words(log: &Path) -> String {
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

#[cfg(unix)]
fn own_group(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

#[cfg(not(unix))]
fn own_group(_: &mut Command) {}

/// Ends a process with all of its group.
fn kill(child: &mut Child) {
    #[cfg(unix)]
    if let Ok(group) = i32::try_from(child.id()) {
        // It may have ended by itself.
        let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group), nix::sys::signal::Signal::SIGKILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

//! A process of a framework, which answers requests.

use crate::cli::interrupt;
use crate::cli::process::{Answer, POLL_INTERVAL, command_name, kill, last_words, own_group, shown};
use crate::error::Result;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

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

//! The conversation with the process that compiles: a kernel at which it ends or hangs is told, and the others are
//! compiled by another.

use super::protocol::{Reply, Request};
use super::worker::VERB;
use crate::cli::interrupt;
use crate::error::{Error, Result};
use crate::escape;
use crate::gpu::{CompilerDevice, Executable};
use crate::result::{Compiled, Measured};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long a driver may take to open a device, and to compile a kernel.
pub const LIMIT: Duration = Duration::from_secs(30);
/// How often a signal is looked for.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// The most characters of a driver's own message that are shown.
const MOST_SHOWN: usize = 200;

/// What a driver's compiler answered.
#[derive(Debug, Default)]
pub struct Answer {
    /// The device, if there is one.
    pub device: Option<CompilerDevice>,
    /// The version of Vulkan that it has: major and minor number.
    pub vulkan: Option<(u32, u32)>,
    /// Why no kernel was compiled, if the compiler cannot be asked.
    pub unavailable: Option<String>,
    /// Each kernel of the request, or why it was not compiled.
    pub kernels: Vec<std::result::Result<Executable, String>>,
}

impl Answer {
    /// What a result says of the kernel at `place` of the request.
    pub fn compiled(&self, place: Option<usize>) -> Measured<Compiled> {
        match place.and_then(|place| self.kernels.get(place)) {
            Some(Ok(executable)) => Measured::Value(Compiled::from(executable)),
            Some(Err(reason)) => Measured::missing(reason.as_str()),
            None => Measured::missing(self.unavailable.as_deref().unwrap_or("nothing was compiled")),
        }
    }
}

/// This program as the process that compiles, with fresh results: what a driver keeps has no figures.
///
/// # Errors
/// [`Error::Device`] if this program does not find itself.
pub fn own() -> Result<Command> {
    let program = std::env::current_exe()
        .map_err(|error| Error::Device(format!("this program does not find itself to start a process: {error}")))?;
    let mut command = Command::new(program);
    command.arg(VERB);
    for variable in ["MESA_SHADER_CACHE_DISABLE", "MESA_GLSL_CACHE_DISABLE"] {
        command.env(variable, "true");
    }
    command.env("NODEVICE_SELECT", "1").env("__GL_SHADER_DISK_CACHE", "0").env_remove("RADV_FORCE_FAMILY");
    Ok(command)
}

/// Sends `request` to a process that `command` makes, and to further ones for what is left where one ends early or
/// takes longer than `limit` for a kernel.
///
/// # Errors
/// [`Error::Device`] if no process can be started, [`Error::Interrupted`] if a signal stopped it.
pub fn ask(command: &dyn Fn() -> Result<Command>, mut request: Request, limit: Duration) -> Result<Answer> {
    let mut answer = Answer::default();
    loop {
        let mut talk = Talk::begin(command()?, &request)?;
        let ended = loop {
            match talk.next(limit)? {
                Ok(Reply::Device { device, vulkan }) => {
                    (answer.device, answer.vulkan) = (Some(device), Some(vulkan));
                    if request.kernels.is_empty() {
                        return Ok(answer);
                    }
                }
                Ok(Reply::Unavailable { device, reason }) => {
                    (answer.device, answer.unavailable) = (device, Some(reason));
                    return Ok(answer);
                }
                Ok(Reply::Compiled(executable)) => answer.kernels.push(Ok(executable)),
                Ok(Reply::Refused(reason)) => answer.kernels.push(Err(reason)),
                Err(ended) => break ended,
            }
            if talk.heard_all(&request) {
                return Ok(answer);
            }
        };
        if !talk.heard_device {
            answer.unavailable = Some(format!("opening the device: {ended}"));
            return Ok(answer);
        }
        answer.kernels.push(Err(ended));
        request.kernels.drain(..=talk.kernels_heard);
        if request.kernels.is_empty() {
            return Ok(answer);
        }
    }
}

/// A process and what it has said.
struct Talk {
    child: Child,
    replies: Receiver<Reply>,
    errors: Option<std::thread::JoinHandle<String>>,
    heard_device: bool,
    kernels_heard: usize,
}

impl Talk {
    fn begin(mut command: Command, request: &Request) -> Result<Self> {
        let failed = |what: &dyn std::fmt::Display| Error::Device(format!("no process can be started: {what}"));
        let text = serde_json::to_string(request).map_err(|error| failed(&error))?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| failed(&error))?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err(failed(&"it has no pipes"));
        };
        std::thread::spawn(move || write(stdin, &text));
        let (send, replies) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(std::io::Result::ok) {
                // A driver's own words on stdout are none of ours.
                if let Ok(reply) = serde_json::from_str(&line)
                    && send.send(reply).is_err()
                {
                    break;
                }
            }
        });
        let errors = std::thread::spawn(move || {
            let mut text = Vec::new();
            // What was read until an error is all that there is.
            let _ = BufReader::new(stderr).read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        Ok(Self { child, replies, errors: Some(errors), heard_device: false, kernels_heard: 0 })
    }

    /// The next reply, or how the process ended, in words.
    fn next(&mut self, limit: Duration) -> Result<std::result::Result<Reply, String>> {
        let start = Instant::now();
        loop {
            interrupt::expect_none()?;
            match self.replies.recv_timeout(POLL_INTERVAL) {
                Ok(reply) => {
                    match reply {
                        Reply::Compiled(_) | Reply::Refused(_) => self.kernels_heard += 1,
                        Reply::Device { .. } | Reply::Unavailable { .. } => self.heard_device = true,
                    }
                    return Ok(Ok(reply));
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(Err(self.end())),
                Err(RecvTimeoutError::Timeout) if start.elapsed() < limit => {}
                Err(RecvTimeoutError::Timeout) => {
                    let seconds = limit.as_secs_f64();
                    return Ok(Err(format!("the driver took longer than {seconds} s and was stopped")));
                }
            }
        }
    }

    fn heard_all(&self, request: &Request) -> bool {
        self.kernels_heard == request.kernels.len()
    }

    /// How the process ended, with its last words.
    fn end(&mut self) -> String {
        let status = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        let said = self.errors.take().and_then(|errors| errors.join().ok()).unwrap_or_default();
        let said = said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
        let said: String = escape::line(said).chars().take(MOST_SHOWN).collect();
        let colon = if said.is_empty() { "" } else { ": " };
        format!("the driver ended the process that compiles ({status}){colon}{said}")
    }
}

impl Drop for Talk {
    /// Ends the process, whatever it does.
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write(mut stdin: ChildStdin, text: &str) {
    // A process that ends before it has read everything is told by its replies.
    let _ = stdin.write_all(text.as_bytes());
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::compiler::protocol::KernelRequest;

    const DEVICE: &str = r#"{"device":{"device":{"name":"n","vendor_id":1,"device_id":2,"driver":"d","driver_info":""},"vulkan":[1,3]}}"#;
    const COMPILED: &str = r#"{"compiled":{"subgroup_size":8,"compile_s":0.1,"statistics":[],"representations":[]}}"#;

    fn request(count: usize) -> Request {
        let kernel = KernelRequest { kernel: "k".into(), constants: Vec::new(), subgroups: false };
        Request { device: None, kernels: vec![kernel; count], texts: false }
    }

    /// Asks a shell that stands in for the process.
    fn answer(script: &str, count: usize, limit: Duration) -> Answer {
        let command = || {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            Ok(command)
        };
        ask(&command, request(count), limit).unwrap()
    }

    #[test]
    fn replies_are_heard_between_a_drivers_own_lines() {
        let script = format!("echo hello; echo '{DEVICE}'; echo '{COMPILED}'; echo '{{\"refused\":\"no\"}}'; sleep 9");
        let answer = answer(&script, 2, LIMIT);
        assert!(answer.device.is_some() && answer.vulkan == Some((1, 3)) && answer.unavailable.is_none());
        assert_eq!(answer.kernels[0].as_ref().map(|one| one.subgroup_size), Ok(8));
        assert_eq!(answer.kernels[1], Err("no".to_owned()));
    }

    #[test]
    fn a_process_that_ends_or_hangs_costs_one_kernel() {
        let script = format!("echo '{DEVICE}'; echo Oops >&2; kill -SEGV $$");
        let crashed = answer(&script, 2, LIMIT);
        for kernel in &crashed.kernels {
            let words = kernel.as_ref().unwrap_err();
            assert!(words.contains("ended the process") && words.ends_with(": Oops"), "{words}");
        }
        let hung = answer(&format!("echo '{DEVICE}'; sleep 9"), 2, Duration::from_millis(200));
        assert_eq!(hung.kernels.len(), 2);
        assert_eq!(hung.kernels[1], Err("the driver took longer than 0.2 s and was stopped".to_owned()));
    }

    #[test]
    fn a_device_that_cannot_be_opened_has_its_reason() {
        let lost = answer("echo no family >&2; exit 134", 1, LIMIT);
        assert!(lost.device.is_none() && lost.kernels.is_empty());
        assert!(lost.unavailable.is_some_and(|words| words.contains("no family")));
        let lacking = answer(r#"echo '{"unavailable":{"device":null,"reason":"no loader"}}'; sleep 9"#, 1, LIMIT);
        assert_eq!(lacking.unavailable.as_deref(), Some("no loader"));
    }
}

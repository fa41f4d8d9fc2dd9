//! `gpubench doctor`: why there is no GPU, or not the expected one.

mod checks;
mod drivers;
mod finding;

use super::system::System;
use super::terminal;
use crate::error::{Error, Result};
use crate::escape;
use clap::Args;
pub use drivers::drivers_of;
use finding::{Finding, State};
use serde_json::Value;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Seconds after which looking for adapters is given up: a driver may hang.
const PATIENCE: Duration = Duration::from_secs(30);
/// Exit code where no GPU can be used.
const EXIT_NO_GPU: u8 = 4;

/// Options of `gpubench doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
}

/// Shows what lies between this program and the GPU, each fault with what to do about it; returns exit code 0 if a GPU
/// is found, 4 if not.
///
/// # Errors
/// [`Error::Output`] if stdout cannot be written.
pub fn doctor(args: &DoctorArgs) -> Result<u8> {
    let system = System::this();
    let (adapters, has_gpu) = adapters();
    let mut findings = vec![adapters];
    if cfg!(target_os = "linux") {
        findings.push(drivers::loader(&system));
        findings.extend(drivers::drivers(&system));
        findings.extend(checks::bus(&system));
        findings.extend(checks::nodes(&system));
        findings.extend(checks::nvidia(&system));
        findings.extend(checks::container(&system));
        findings.push(checks::display(&system));
        findings.extend(checks::browsers(&system));
    }
    findings.extend(checks::variables(&system));
    if args.json {
        let written = serde_json::to_string_pretty(&findings);
        let text = written.map_err(|error| Error::Output(format!("the findings cannot be written: {error}")))?;
        terminal::output(&escape::json(&text))?;
    } else {
        terminal::output(&text(&findings, has_gpu))?;
    }
    Ok(if has_gpu { 0 } else { EXIT_NO_GPU })
}

/// The findings, one or two lines each, and a sentence on the whole.
fn text(findings: &[Finding], has_gpu: bool) -> String {
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for Finding { check, state, found, fix } in findings {
        let mark = match state {
            State::Ok => "ok      ",
            State::Note => "note    ",
            State::Problem => "PROBLEM ",
        };
        lines.push(format!("{mark} {check:width$}  {}", escape::line(found)));
        lines.extend(fix.as_ref().map(|fix| format!("{:8} {:width$}  -> {}", "", "", escape::line(fix))));
    }
    let problems = findings.iter().filter(|finding| finding.is_problem()).count();
    let conclusion = match (has_gpu, problems) {
        (true, 0) => "A GPU is found, and nothing stands in its way.".to_owned(),
        (true, count) => format!("A GPU is found; {count} of the above may keep another from being used."),
        (false, 0) => "No GPU is found, and nothing tells why: this machine may have none.".to_owned(),
        (false, _) => "No GPU is found: begin with the first problem that concerns your GPU.".to_owned(),
    };
    format!("{}\n\n{conclusion}", lines.join("\n"))
}

/// The adapters that this program finds, and whether a GPU is among them. Another process looks for them, so that a
/// driver that crashes or hangs is a finding too.
fn adapters() -> (Finding, bool) {
    const CHECK: &str = "adapters";
    let broken = |found: String| {
        let fix = "leave out the driver at fault: VK_LOADER_DRIVERS_DISABLE='*NAME*' gpubench list";
        (Finding::problem(CHECK, found, fix), false)
    };
    let listed = match list() {
        Ok(listed) => listed,
        Err(found) => return broken(found),
    };
    let Ok(Value::Array(rows)) = serde_json::from_str::<Value>(&listed) else {
        return broken("looking for adapters gave no list".to_owned());
    };
    let adapters: Vec<&Value> = rows.iter().filter(|row| row["backend"] != crate::cpu::NAME).collect();
    let name =
        |row: &&Value| format!("{} ({})", row["name"].as_str().unwrap_or("?"), row["backend"].as_str().unwrap_or("?"));
    let names = adapters.iter().map(name).collect::<Vec<_>>().join(", ");
    let has_gpu = adapters.iter().any(|row| row["software"] == false);
    let finding = match (adapters.is_empty(), has_gpu) {
        (true, _) => Finding::problem(CHECK, "none is found", "see below; the host's cores need none: --adapter cpu"),
        (false, false) => {
            let found = format!("software adapters alone: {names}");
            Finding::problem(CHECK, found, "see below; the host's cores are measured by --adapter cpu")
        }
        (false, true) => Finding::ok(CHECK, names),
    };
    (finding, has_gpu)
}

/// What `gpubench list --json` prints, or how it ended.
fn list() -> std::result::Result<String, String> {
    let program = std::env::current_exe().map_err(|error| format!("this program does not find itself: {error}"))?;
    let mut command = Command::new(program);
    command.args(["list", "--json"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| format!("no process can be started: {error}"))?;
    let mut stdout = child.stdout.take().expect("it is piped");
    // Read beside the wait, so that a long list cannot block the process.
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    let start = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if start.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(20)),
            _ => {
                // It may have ended in between.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("looking for adapters took more than {} s: a driver hangs", PATIENCE.as_secs()));
            }
        }
    };
    let text = reader.join().ok().and_then(std::io::Result::ok).unwrap_or_default();
    if status.success() { Ok(text) } else { Err(format!("looking for adapters ended with {status}: a driver crashes")) }
}

//! Each trial in a process of its own.
//!
//! A software driver compiles one shader at a time in a process, which takes most of the time of these tests: with a
//! process to each trial all cores compile. What was compiled is kept on disk and serves the other trials too. A trial
//! that ends its process fails alone.

use crate::common::process::DRIVER_CACHE;
use libtest_mimic::{Completion, Failed, Trial};
use std::env;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Set in the processes of single trials.
const SINGLE: &str = "GPUBENCH_TEST_SINGLE";

/// How long a trial may take: one that hangs fails, and the others go on.
const LIMIT: Duration = Duration::from_secs(900);

/// Lines of a failed trial that are shown: backtraces of a whole process are long.
const SHOWN_LINES: usize = 80;

/// How long each trial took.
static DURATIONS: Mutex<Vec<(Duration, String)>> = Mutex::new(Vec::new());

/// Whether this process runs one trial for another process.
pub fn is_single() -> bool {
    env::var_os(SINGLE).is_some()
}

/// `trial` of the file `kind`, run in a process of its own.
pub fn in_its_own(kind: &'static str, trial: &Trial) -> Trial {
    let name = trial.name().to_owned();
    let run = {
        let name = format!("[{kind}] {name}");
        move || {
            let begun = Instant::now();
            let outcome = outcome(&name);
            DURATIONS.lock().unwrap_or_else(PoisonError::into_inner).push((begun.elapsed(), name));
            outcome
        }
    };
    Trial::ignorable_test(name, run).with_kind(kind).with_ignored_flag(trial.has_ignored_flag())
}

fn outcome(name: &str) -> Result<Completion, Failed> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--exact", name, "--include-ignored", "--test-threads", "1"]).env(SINGLE, "1").stdin(Stdio::null());
    // Most shaders of a test run once: less is spent on making them fast.
    command.env("MESA_SHADER_CACHE_DIR", DRIVER_CACHE).env("GALLIVM_PERF", "nopt");
    let (status, told, errors) = finished(&mut command)?;
    if told.contains("1 passed") && status.success() {
        return Ok(Completion::Completed);
    }
    if told.contains("1 ignored") && status.success() {
        return Ok(Completion::ignored_with("see the trial alone"));
    }
    let lines: Vec<&str> = errors.lines().chain(told.lines()).collect();
    let shown = match lines.len().checked_sub(SHOWN_LINES) {
        Some(more) if more > 0 => {
            [&lines[..SHOWN_LINES / 2], &["[…]"], &lines[lines.len() - SHOWN_LINES / 2..]].concat()
        }
        _ => lines,
    };
    Err(format!("{status}\n{}", shown.join("\n")).into())
}

/// Runs `command` to its end, or ends it after [`LIMIT`]; gives its stdout and stderr too.
fn finished(command: &mut Command) -> io::Result<(ExitStatus, String, String)> {
    let (mut told, mut errors) = (tempfile::tempfile()?, tempfile::tempfile()?);
    let mut child = command.stdout(told.try_clone()?).stderr(errors.try_clone()?).spawn()?;
    let begun = Instant::now();
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if begun.elapsed() > LIMIT => {
                child.kill()?;
                writeln!(errors, "ended after {} s", LIMIT.as_secs())?;
                break child.wait()?;
            }
            None => thread::sleep(Duration::from_millis(20)),
        }
    };
    let text = |file: &mut File| -> io::Result<String> {
        let mut bytes = Vec::new();
        file.rewind()?;
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    Ok((status, text(&mut told)?, text(&mut errors)?))
}

/// The trials that took longest, a line each: where to look when all take too long.
pub fn slowest(count: usize) -> String {
    let mut durations = DURATIONS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    durations.sort_by(|a, b| b.cmp(a));
    durations.iter().take(count).map(|(took, name)| format!("{:7.1} s  {name}\n", took.as_secs_f64())).collect()
}

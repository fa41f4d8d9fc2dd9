//! Signals: heard from the first moment, acknowledged at once, and nothing half-done is left.

#![cfg(unix)]

use crate::common::names_in;
use crate::common::process::{DIGITS, only_result, outcome_of, program, results, signalled, through};
use crate::data::{folder_with, full_size};
use gpubench::result::{RunResult, Status};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What a run may take to end after a signal.
const SOON: Duration = Duration::from_millis(2500);

/// A run on the host's cores that lasts until it is stopped, and puts temporary files into `folder/tmp`.
fn long_run(folder: &Path, data: impl AsRef<Path>) -> Command {
    fs::create_dir_all(folder.join("tmp")).unwrap();
    let mut command = program(folder);
    command.args(["--adapter", "cpu", "--epochs", "1000", "--data"]).arg(data.as_ref());
    command.env("TMPDIR", folder.join("tmp"));
    command
}

/// The same where a hangup is not ignored from the start, as it is under nohup.
#[cfg(target_os = "linux")]
fn hearing(command: Command) -> Command {
    let mut hearing = through(&command, "env");
    hearing.arg("--default-signal=HUP").arg(command.get_program()).args(command.get_args());
    hearing
}

#[cfg(not(target_os = "linux"))]
fn hearing(command: Command) -> Command {
    command
}

fn is_epoch(line: &str) -> bool {
    line.starts_with("epoch ")
}

fn has(lines: &[String], words: &str) -> bool {
    lines.iter().any(|line| line.contains(words))
}

#[test]
fn each_signal_is_acknowledged_and_ends_a_training_with_its_partial_result() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let folder = TempDir::new().unwrap();
        let mut command = hearing(long_run(folder.path(), DIGITS));
        let ended = signalled(&mut command, is_epoch, &[(Duration::ZERO, signal)]);
        assert_eq!(ended.code, Some(code), "{signal}: {:?}", ended.lines);
        assert!(ended.took < SOON, "{signal}: {:?}", ended.took);
        for words in ["stopping after this kernel; press again", "interrupted; the partial result was kept"] {
            assert!(has(&ended.lines, words), "{signal}: {:?}", ended.lines);
        }
        assert_eq!(only_result(folder.path()).status, Status::Partial);
        let told = format!("result: {}", results(folder.path())[0].display());
        assert!(has(&ended.lines, &told), "{signal}: {:?}", ended.lines);
    }
}

/// What cannot be answered: the result is there whole or not at all, and the next run removes what was left.
#[test]
fn a_run_that_is_killed_leaves_no_empty_result() {
    let (folder, data) = (TempDir::new().unwrap(), folder_with(&full_size()));
    for pause_ms in [60, 130, 200, 280, 370, 500, 700, 1000] {
        let mut child =
            long_run(folder.path(), data.path()).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(pause_ms));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // Old enough to be taken for what a killed program left.
    let (made, temporary) = (folder.path().join("data/gpubench/results"), folder.path().join("tmp"));
    let touch = "find . -exec touch -d '2 minutes ago' {} +";
    assert!(Command::new("sh").args(["-c", touch]).current_dir(folder.path()).status().unwrap().success());
    outcome_of(long_run(folder.path(), data.path()).args(["--steps", "1"]), 0);
    for file in results(folder.path()) {
        let text = fs::read_to_string(&file).unwrap();
        assert!(RunResult::from_json(&text).is_ok(), "{}: {text}", file.display());
    }
    let hidden =
        |folder: &Path| names_in(folder).into_iter().filter(|name| !name.ends_with(".json")).collect::<Vec<_>>();
    assert_eq!((hidden(&made), hidden(&temporary)), (Vec::new(), Vec::new()));
}

#[test]
fn a_signal_before_anything_is_measured_leaves_nothing() {
    let data = folder_with(&full_size());
    for pause_ms in [150, 400, 700] {
        let folder = TempDir::new().unwrap();
        let mut command = long_run(folder.path(), data.path());
        command.args(["--batch", "60000", "--threads", "1"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(pause_ms));
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        let sent = Instant::now();
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(130), "{stderr}");
        assert!(sent.elapsed() < SOON, "{:?}", sent.elapsed());
        assert!(!stderr.contains("result was kept"), "{stderr}");
        assert!(results(folder.path()).is_empty(), "{stderr}");
        assert_eq!(fs::read_dir(folder.path().join("tmp")).unwrap().count(), 0, "{stderr}");
    }
}

#[test]
fn a_hangup_that_was_ignored_at_the_start_stays_ignored() {
    let folder = TempDir::new().unwrap();
    let run = long_run(folder.path(), DIGITS);
    let mut command = through(&run, "sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(run.get_program()).args(run.get_args());
    let pause = Duration::from_millis(700);
    let ended = signalled(&mut command, is_epoch, &[(pause, "HUP"), (pause, "INT")]);
    assert_eq!(ended.code, Some(130), "{:?}", ended.lines);
}

/// A step of all images on one core takes longer than anyone waits.
#[test]
fn a_second_signal_ends_the_program_at_once_and_patience_ends_too() {
    let data = folder_with(&full_size());
    let pause = Duration::from_secs(3);
    let again = Duration::from_millis(500);
    for (signals, most) in
        [(&[(pause, "INT")][..], SOON), (&[(pause, "INT"), (again, "TERM")][..], Duration::from_millis(700))]
    {
        let folder = TempDir::new().unwrap();
        let mut command = long_run(folder.path(), data.path());
        command.args(["--batch", "60000", "--threads", "1"]);
        let ended = signalled(&mut command, |line| line.starts_with("data: "), signals);
        assert_eq!(ended.code, Some(130), "{:?}", ended.lines);
        assert!(ended.took < most, "{:?}: {:?}", ended.took, ended.lines);
        assert_eq!(has(&ended.lines, "result was kept"), !results(folder.path()).is_empty(), "{:?}", ended.lines);
    }
}

#[test]
fn what_has_nothing_to_keep_ends_at_the_first_signal() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("index.html"), "<!DOCTYPE html>").unwrap();
    let mut command = program(folder.path());
    let ended = signalled(
        command.args(["serve", ".", "--port", "0"]),
        |line| line.starts_with("serving "),
        &[(Duration::ZERO, "TERM")],
    );
    assert_eq!(ended.code, Some(143), "{:?}", ended.lines);
    assert!(ended.took < Duration::from_millis(500), "{:?}", ended.took);
}

#[test]
fn without_a_terminal_progress_is_told_every_ten_seconds() {
    let folder = TempDir::new().unwrap();
    let mut command = program(folder.path());
    command.args(["--adapter", "cpu", "--data", DIGITS, "--steps", "1", "--repeat", "2", "--cooldown", "11"]);
    let (_, stderr) = outcome_of(&mut command, 0);
    let told: Vec<&str> = stderr.lines().filter(|line| line.starts_with("progress: ")).collect();
    assert_eq!(told, ["progress: run: pausing between trainings, 10 s"], "{stderr}");
}

//! The program as a process.

use gpubench::result::RunResult;
use std::fs;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The program that is tested.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_gpubench");

/// What the drivers compiled is kept from test to test here, as it is on a machine that is in use. A test of what
/// happens without it sets `MESA_SHADER_CACHE_DIR` to a folder of its own.
pub const DRIVER_CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/driver-cache");

/// Few digits, with a smaller last batch: a software adapter takes half a minute for the 10,000 test images of the
/// whole set.
pub const DIGITS: &str = "synthetic:1500+200";

/// The program in an environment of its own in `folder`, without what the caller's variables would choose.
pub fn program(folder: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    for variable in [
        "WGPU_BACKEND",
        "WGPU_ADAPTER_NAME",
        "GPUBENCH_DATA",
        "GPUBENCH_MNIST_MIRROR",
        "GPUBENCH_PLAN",
        "GPUBENCH_SYSFS",
    ] {
        command.env_remove(variable);
    }
    command.env("XDG_CACHE_HOME", folder.join("cache")).env("MESA_SHADER_CACHE_DIR", DRIVER_CACHE);
    command.env("XDG_DATA_HOME", folder.join("data"));
    command.env("NODEVICE_SELECT", "1").current_dir(folder);
    command
}

/// The same with a plan that is named: each test has a cache of its own, and looking for the fastest plan takes some
/// seconds.
pub fn gpubench(folder: &Path) -> Command {
    let mut command = program(folder);
    command.env("GPUBENCH_PLAN", "layered");
    command
}

/// The same with the peaks that an earlier test measured, if there was one: measuring them takes some seconds, and a
/// profile wants some.
pub fn with_kept_peaks(folder: &Path) -> Command {
    let mut command = gpubench(folder);
    command.env("XDG_CACHE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"));
    command
}

/// Another program, in the environment and folder of `command`.
pub fn through(command: &Command, other: &str) -> Command {
    let mut through = Command::new(other);
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => through.env(key, value),
            None => through.env_remove(key),
        };
    }
    through.current_dir(command.get_current_dir().expect("it has a folder"));
    through
}

/// Runs `.ci/setup data` with a stand-in for npm that runs `npm`, where no mirror answers. Gives what it says.
#[cfg(unix)]
pub fn set_up_data(folder: &Path, npm: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).unwrap();
    fs::write(bin.join("npm"), format!("#!/bin/sh\n{npm}\n")).unwrap();
    fs::set_permissions(bin.join("npm"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut command = through(&program(folder), concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/setup"));
    command.args(["data", PROGRAM]).env("PATH", path).env("GPUBENCH_MNIST_MIRROR", "http://127.0.0.1:9/");
    outcome_of(&mut command, 0).1
}

/// The program where no driver can be found.
pub fn without_adapters(folder: &Path) -> Command {
    let none = folder.join("none.json");
    let mut command = program(folder);
    command.env("VK_ICD_FILENAMES", &none).env("VK_DRIVER_FILES", &none);
    command
}

/// Runs a command with `input` on its standard input, expects `code`, and gives stdout and stderr.
pub fn outcome_with(command: &mut Command, input: &str, code: i32) -> (String, String) {
    let mut file = tempfile::tempfile().expect("a temporary file can be made");
    file.write_all(input.as_bytes()).and_then(|()| file.rewind()).expect("it can be written");
    outcome_of(command.stdin(file), code)
}

/// Runs a command, expects `code`, and gives stdout and stderr.
pub fn outcome_of(command: &mut Command, code: i32) -> (String, String) {
    let output = command.output().expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "stdout: {stdout}\nstderr: {stderr}");
    (stdout, stderr)
}

/// Runs the program in `folder`, expects `code`, and gives stdout and stderr.
pub fn outcome(folder: &Path, arguments: &[&str], code: i32) -> (String, String) {
    outcome_of(gpubench(folder).args(arguments), code)
}

/// Expects `code` and an error that contains every one of `says`, nothing on stdout, nothing in the user's folder of
/// results.
pub fn refused(arguments: &[&str], code: i32, says: &[&str]) {
    let folder = TempDir::new().unwrap();
    let (stdout, stderr) = outcome_of(program(folder.path()).args(arguments), code);
    assert!(stdout.is_empty(), "{arguments:?}: {stdout}");
    for says in says {
        assert!(stderr.contains(says), "{arguments:?}: {says:?} is not in: {stderr}");
    }
    assert!(results(folder.path()).is_empty(), "{arguments:?}: {:?}", results(folder.path()));
}

/// The folder of the user's results, in the environment of [`program`].
pub fn results_folder(folder: &Path) -> PathBuf {
    folder.join("data/gpubench/results")
}

/// The result files in the user's folder.
pub fn results(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(results_folder(folder)) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// The one result file there.
pub fn only_result(folder: &Path) -> RunResult {
    let files = results(folder);
    assert_eq!(files.len(), 1, "{files:?}");
    RunResult::from_json(&fs::read_to_string(&files[0]).unwrap()).unwrap()
}

/// Starts `command`, waits until a line on stderr satisfies `ready` and for `pause` after it, interrupts the process as
/// Ctrl-C does, expects exit code 130, and gives the lines that came after.
#[cfg(unix)]
pub fn interrupted(command: &mut Command, ready: impl Fn(&str) -> bool, pause: Duration) -> Vec<String> {
    let ended = signalled(command, ready, &[(pause, "INT")]);
    assert_eq!(ended.code, Some(130), "{:?}", ended.lines);
    ended.lines
}

/// How a process ended that was sent signals.
#[cfg(unix)]
pub struct Ended {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// The lines on stderr since it was ready.
    pub lines: Vec<String>,
    /// How long it ran after the last signal.
    pub took: Duration,
}

/// Starts `command`, waits until a line on stderr satisfies `ready`, and sends each signal after a pause.
#[cfg(unix)]
pub fn signalled(command: &mut Command, ready: impl Fn(&str) -> bool, signals: &[(Duration, &str)]) -> Ended {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| ready(&line))), "the run has not come as far as it should");
    for (pause, signal) in signals {
        std::thread::sleep(*pause);
        let kill = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
        assert!(kill.success(), "kill -{signal}");
    }
    let sent = Instant::now();
    let lines: Vec<String> = lines.map_while(Result::ok).collect();
    let code = child.wait().unwrap().code();
    Ended { code, lines, took: sent.elapsed() }
}

//! The program as a process in a folder of its own.

use assert_cmd::Command;
use gpubench::result::RunResult;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// The program in an environment of its own, without what the caller's variables would choose.
pub fn gpubench(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gpubench"));
    for variable in ["WGPU_BACKEND", "WGPU_ADAPTER_NAME", "GPUBENCH_DATA", "GPUBENCH_MNIST_MIRROR", "GPUBENCH_SYSFS"] {
        command.env_remove(variable);
    }
    command.env("XDG_CACHE_HOME", folder.join("cache")).env("NODEVICE_SELECT", "1").current_dir(folder);
    // Each test has a cache of its own, and looking for the fastest plan takes some seconds.
    command.env("GPUBENCH_PLAN", "layered");
    command
}

/// Runs the program, expects `code`, and gives stdout and stderr.
pub fn outcome(folder: &Path, arguments: &[&str], code: i32) -> (String, String) {
    outcome_of(gpubench(folder).args(arguments), code)
}

/// Runs `command`, expects `code`, and gives stdout and stderr.
pub fn outcome_of(command: &mut Command, code: i32) -> (String, String) {
    let output = command.output().expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "stdout: {stdout}\nstderr: {stderr}");
    (stdout, stderr)
}

/// Expects `code` and a single line of error that contains every one of `says`, nothing on stdout, no result file.
pub fn refused(arguments: &[&str], code: i32, says: &[&str]) {
    let folder = TempDir::new().unwrap();
    let (stdout, stderr) = outcome(folder.path(), arguments, code);
    assert!(stdout.is_empty(), "{stdout}");
    for says in says {
        assert!(stderr.contains(says), "{says:?} is not in: {stderr}");
    }
    assert!(results(folder.path()).is_empty(), "{:?}", results(folder.path()));
}

/// The result files.
pub fn results(folder: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = fs::read_dir(folder.join("results")) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// The one result file.
pub fn only_result(folder: &Path) -> RunResult {
    let files = results(folder);
    assert_eq!(files.len(), 1, "{files:?}");
    RunResult::from_json(&fs::read_to_string(&files[0]).unwrap()).unwrap()
}

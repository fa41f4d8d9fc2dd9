//! A system that gives little: closed pipes, full disks, few threads and files end in a documented exit code, and what
//! is told as written exists.

#![cfg(unix)]

use crate::common::process::{PROGRAM, program, results, through};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Output;
use tempfile::TempDir;

/// A short run on the host's cores.
const SHORT: &str = "\"$0\" --adapter cpu --data synthetic:1500+200 --steps 1";

/// A download from where nobody answers.
const FETCH: &str = "GPUBENCH_MNIST_MIRROR=http://127.0.0.1:9/ \"$0\" data fetch mnist";

/// Runs a shell script in which `$0` is the program, in the environment of [`program`]; ends it after a minute.
fn shell(folder: &Path, script: &str) -> Output {
    through(&program(folder), "timeout").args(["-s", "KILL", "60", "sh", "-c", script, PROGRAM]).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The script's exit code, which is one of those that the help lists, and its stderr.
fn documented(folder: &Path, script: &str) -> (i32, String) {
    let output = shell(folder, script);
    let stderr = text(&output.stderr);
    let code = output.status.code().unwrap_or_else(|| panic!("{script}: a signal, or it took a minute: {stderr}"));
    assert!([0, 2, 3, 4, 5, 6, 7, 8, 9].contains(&code), "{script}: {code}: {stderr}");
    assert!(!stderr.contains("panicked"), "{script}: {stderr}");
    for line in stderr.lines() {
        if let Some((_, path)) = line.split_once("result: ").or(line.split_once("weights: ")) {
            assert!(folder.join(path).exists(), "{script}: {line}");
        }
    }
    (code, stderr)
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = TempDir::new().unwrap();
    for arguments in
        ["list", "list --json", "--help", "table", "--adapter cpu --data synthetic:1500+200 --steps 1 --json"]
    {
        let script = format!("{{ \"$0\" {arguments}; echo $? >code; }} | true");
        documented(folder.path(), &script);
        assert_eq!(fs::read_to_string(folder.path().join("code")).unwrap(), "0\n", "{arguments}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_is_kept_where_standard_output_is_full() {
    let folder = TempDir::new().unwrap();
    assert_eq!(documented(folder.path(), "\"$0\" list >/dev/full").0, 7);
    let (code, stderr) = documented(folder.path(), &format!("{SHORT} --save w.safetensors >/dev/full"));
    assert_eq!(code, 7, "{stderr}");
    assert!(stderr.contains("standard output cannot be written"), "{stderr}");
    assert!(stderr.contains("result: ") && folder.path().join("w.safetensors").exists(), "{stderr}");
    assert_eq!(documented(folder.path(), &format!("{SHORT} 2>/dev/full")).0, 0);
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written_does_not_cost_the_others() {
    let folder = TempDir::new().unwrap();
    let (code, stderr) = documented(folder.path(), &format!("{SHORT} --html /dev/full --save w.safetensors --json >r"));
    assert!(code == 7 && stderr.contains("/dev/full cannot be written"), "{stderr}");
    assert!(folder.path().join("w.safetensors").exists() && results(folder.path()).len() == 1, "{stderr}");
    assert!(fs::read_to_string(folder.path().join("r")).unwrap().contains("schema"));
    let (code, stderr) = documented(folder.path(), &format!("{SHORT} --html same --save ./same"));
    assert!(code == 2 && stderr.contains("would replace what"), "{stderr}");
}

#[test]
fn a_run_needs_no_open_standard_streams() {
    let folder = TempDir::new().unwrap();
    assert_eq!(documented(folder.path(), &format!("{SHORT} <&- >&- 2>&-")).0, 0);
    assert_eq!(results(folder.path()).len(), 1);
}

/// A process whose files cannot grow stands for a full disk.
#[test]
fn a_result_that_cannot_be_written_is_not_told_as_written() {
    let folder = TempDir::new().unwrap();
    let (code, stderr) = documented(folder.path(), &format!("ulimit -f 0; {SHORT}"));
    assert!(code == 7 && stderr.contains("cannot be written") && !stderr.contains("result: "), "{stderr}");
    assert!(results(folder.path()).is_empty());
}

#[test]
fn few_open_files_end_in_a_documented_code() {
    let folder = TempDir::new().unwrap();
    for files in [32, 12, 8, 5, 4] {
        for verb in [SHORT, "\"$0\" list", FETCH] {
            // Files that this test's caller left open would count.
            let closed: String = (3..=9).map(|file| format!("{file}<&- ")).collect();
            documented(folder.path(), &format!("exec {closed}; ulimit -n {files}; {verb}"));
        }
    }
}

/// The limit holds for no root, who runs this as nobody.
#[cfg(target_os = "linux")]
#[test]
fn few_threads_end_in_a_documented_code() {
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let program = folder.path().join("gpubench");
    fs::copy(PROGRAM, &program).unwrap();
    let nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups";
    let user = if fs::metadata("/proc/self").unwrap().uid() == 0 { nobody } else { "" };
    let program = program.display();
    for threads in [1, 2, 3, 4] {
        for arguments in
            ["--adapter cpu --data synthetic:1500+200 --steps 1", "--data synthetic:1500+200 --steps 1", "list"]
        {
            let script = format!("{user} bash -c 'ulimit -u {threads}; exec {program} {arguments}'");
            let (code, stderr) = documented(folder.path(), &script);
            assert!(!arguments.starts_with("--adapter cpu") || [0, 8].contains(&code), "{script}: {code}: {stderr}");
        }
    }
}

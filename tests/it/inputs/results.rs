//! Results as shells and other programs hand them on: lists, other encodings, standard input, and what never ends.

use crate::common::process::{PROGRAM, gpubench, outcome, outcome_with};
use crate::common::sample;
use gpubench::result::RunResult;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Two results of different devices.
fn two() -> [RunResult; 2] {
    [sample::gpu_run(1), sample::software_run()]
}

/// What `--adapter all --json` prints.
fn list() -> String {
    let documents = two().map(|result| result.to_json().unwrap());
    format!("[\n{}\n]\n", documents.join(",\n"))
}

fn folder_with(files: &[(&str, &[u8])]) -> TempDir {
    let folder = TempDir::new().unwrap();
    files.iter().for_each(|(name, content)| fs::write(folder.path().join(name), content).unwrap());
    folder
}

/// Runs the program with `input` on its standard input.
fn piped(folder: &Path, arguments: &[&str], input: &str, code: i32) -> (String, String) {
    outcome_with(gpubench(folder).args(arguments), input, code)
}

/// Whether a text shows both results.
fn shows_both(text: &str) -> bool {
    two().iter().all(|result| text.contains(result.environment.adapter.name.split(' ').next().unwrap()))
}

/// What PowerShell's `>` makes of a text, and what editors on Windows do.
fn encodings(text: &str) -> [(&'static str, Vec<u8>); 4] {
    let units: Vec<u16> = text.encode_utf16().collect();
    let le: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let be: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    [
        ("mark.json", [b"\xef\xbb\xbf", text.as_bytes()].concat()),
        ("le.json", [b"\xff\xfe", &le[..]].concat()),
        ("be.json", [b"\xfe\xff", &be[..]].concat()),
        ("no-mark.json", le),
    ]
}

#[test]
fn every_command_reads_the_list_that_all_adapters_give() {
    let folder = folder_with(&[("all.json", list().as_bytes())]);
    let path = folder.path();
    let (stdout, _) = outcome(path, &["report", "all.json"], 0);
    assert!(shows_both(&stdout), "{stdout}");
    let (stdout, stderr) = outcome(path, &["table", "all.json", "--frame", "all", "--format", "csv"], 0);
    assert!(stdout.contains("all.json#1") && (stdout + &stderr).contains("all.json#2"), "{stderr}");
    // Each is compared with the same device's in the other list.
    let (stdout, _) = outcome(path, &["compare", "all.json", "all.json"], 0);
    assert!(shows_both(&stdout), "{stdout}");
    fs::write(path.join("one.json"), sample::gpu_run(1).to_json().unwrap()).unwrap();
    let (stdout, _) = outcome(path, &["compare", "one.json", "all.json", "--force"], 0);
    assert!(shows_both(&stdout), "{stdout}");
}

#[test]
fn a_list_is_reported_as_a_list_and_a_page_needs_one_result() {
    let folder = folder_with(&[("all.json", list().as_bytes())]);
    let (stdout, _) = outcome(folder.path(), &["report", "all.json", "--json"], 0);
    let read: Vec<serde_json::Value> = serde_json::from_str(&stdout).unwrap();
    assert_eq!(read, serde_json::from_str::<Vec<serde_json::Value>>(&list()).unwrap());
    let (stdout, stderr) = outcome(folder.path(), &["report", "all.json", "--html", "page.html"], 2);
    assert!(stdout.is_empty() && stderr.contains("--html shows one result, but the list has 2"), "{stderr}");
    assert!(!folder.path().join("page.html").exists());
}

#[test]
fn every_command_reads_json_with_a_mark_and_in_utf_16() {
    let one = sample::gpu_run(1).to_json().unwrap();
    for (name, bytes) in encodings(&one) {
        let folder = folder_with(&[(name, &bytes)]);
        let path = folder.path();
        let (stdout, _) = outcome(path, &["report", name, "--json"], 0);
        assert!(RunResult::from_json(&stdout).unwrap() == sample::gpu_run(1), "{name}");
        let (stdout, stderr) = outcome(path, &["table", name], 0);
        assert!(stdout.contains("Imaginary GPU 9000"), "{name}: {stderr}");
        outcome(path, &["compare", name, name], 0);
    }
    let lists = encodings(&list());
    let folder = folder_with(&[("all.json", &lists[1].1)]);
    assert!(shows_both(&outcome(folder.path(), &["report", "all.json"], 0).0));
}

#[test]
fn a_dash_stands_for_standard_input_once() {
    let folder = folder_with(&[("one.json", sample::gpu_run(1).to_json().unwrap().as_bytes())]);
    let path = folder.path();
    assert!(shows_both(&piped(path, &["report", "-"], &list(), 0).0));
    let (stdout, stderr) = piped(path, &["table", "-", "--format", "csv"], &list(), 0);
    assert!(stdout.contains("standard input#1"), "{stdout}\n{stderr}");
    assert!(shows_both(&piped(path, &["compare", "one.json", "-", "--force"], &list(), 0).0));
    let (_, stderr) = piped(path, &["compare", "-", "-"], &list(), 3);
    assert!(stderr.contains("standard input cannot be read (it can be read only once"), "{stderr}");
    // Files one after the other, as `cat` gives them, are a list too.
    let joined = two().map(|result| result.to_json().unwrap()).concat();
    assert!(shows_both(&piped(path, &["report", "-"], &joined, 0).0));
    let (_, stderr) = piped(path, &["report", "-"], "", 3);
    assert!(stderr.contains("standard input: it is empty"), "{stderr}");
}

#[test]
fn a_bad_value_in_a_list_is_named_by_its_place() {
    let list = list().replacen('[', "[{\"schema\": \"gpubench.peaks\", \"schema_version\": 1},", 1);
    let folder = folder_with(&[("all.json", list.as_bytes()), ("none.json", b"[]")]);
    let (_, stderr) = outcome(folder.path(), &["report", "all.json"], 3);
    assert!(stderr.contains("all.json: value 1: this JSON is a \"gpubench.peaks\""), "{stderr}");
    let (stdout, stderr) = outcome(folder.path(), &["table", "all.json"], 3);
    assert!(
        stdout.contains("Imaginary GPU 9000") && stderr.contains("not read: all.json#1: this JSON is a"),
        "{stderr}"
    );
    fs::write(folder.path().join("others.json"), format!("[{}1]", "1,".repeat(5000))).unwrap();
    let (_, stderr) = outcome(folder.path(), &["table", "others.json"], 3);
    assert!(stderr.contains("others.json: none of its 5001 values is a result") && stderr.len() < 1000, "{stderr}");
    let (_, stderr) = outcome(folder.path(), &["report", "none.json"], 3);
    assert!(stderr.contains("its list is empty"), "{stderr}");
}

#[test]
fn lists_without_a_common_device_are_not_compared() {
    let mut others = two();
    others.iter_mut().for_each(|result| result.environment.adapter.name += " II");
    let others = format!("[{}]", others.map(|result| result.to_json().unwrap()).join(","));
    let folder = folder_with(&[("all.json", list().as_bytes()), ("others.json", others.as_bytes())]);
    let (_, stderr) = outcome(folder.path(), &["compare", "all.json", "others.json"], 3);
    assert!(stderr.contains("no device in common"), "{stderr}");
}

#[test]
fn what_is_no_json_is_named() {
    let folder = folder_with(&[
        ("page.json", b"<!DOCTYPE html><html></html>"),
        ("pointer.json", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n"),
    ]);
    for (name, says) in
        [("page.json", "this is an HTML page, not JSON"), ("pointer.json", "this is a Git LFS pointer, not JSON")]
    {
        for verb in ["report", "table"] {
            let (_, stderr) = outcome(folder.path(), &[verb, name], 3);
            assert!(stderr.contains(says), "{stderr}");
        }
    }
}

#[test]
fn fields_that_nobody_knows_may_be_nested_deeply() {
    let deep = format!("{{\"more\": {}{},", "[".repeat(500), "]".repeat(500));
    let old = sample::gpu_run(1).to_json().unwrap();
    let old = old.replacen("\"schema_version\": 2", "\"schema_version\": 1", 1).replacen('{', &deep, 1);
    let folder = folder_with(&[("deep.json", old.as_bytes())]);
    for verb in ["report", "table"] {
        let (stdout, stderr) = outcome(folder.path(), &[verb, "deep.json"], 0);
        assert!(stdout.contains("Imaginary GPU 9000"), "{verb}: {stderr}");
    }
}

#[test]
fn inputs_without_end_are_refused_soon() {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    fs::File::create(path.join("huge.json")).unwrap().set_len(1 << 40).unwrap();
    fs::write(path.join("many.json"), format!("[{}1]", "1,".repeat(100_000))).unwrap();
    let start = std::time::Instant::now();
    for verb in ["report", "table"] {
        let (_, stderr) = outcome(path, &[verb, "huge.json"], 3);
        assert!(stderr.contains("it has more than 64 MiB"), "{stderr}");
        let (_, stderr) = outcome(path, &[verb, "many.json"], 3);
        assert!(stderr.contains("more than 10000 values") && stderr.len() < 1000, "{stderr}");
    }
    if cfg!(unix) {
        let pipe = path.join("pipe.json");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for place in ["/dev/zero", pipe.to_str().unwrap()] {
            for arguments in [&["report", place][..], &["table", place], &["compare", place, place]] {
                let (_, stderr) = outcome(path, arguments, 3);
                assert!(stderr.contains("it is no regular file but a pipe or a device"), "{stderr}");
            }
        }
        let zeros = fs::File::open("/dev/zero").unwrap();
        let mut command = std::process::Command::new(PROGRAM);
        let output = command.args(["report", "-"]).stdin(zeros).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(3) && stderr.contains("more than 64 MiB"), "{stderr}");
    }
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}

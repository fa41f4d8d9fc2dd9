//! The program as a process where no adapter matters: help, refusals, stored results.

use crate::common::process::{gpubench, outcome, outcome_of, refused, without_adapters};
use crate::common::stored_result;
use gpubench::result::RunResult;
use std::fs;
use tempfile::TempDir;

#[test]
fn help_names_every_exit_code() {
    let folder = TempDir::new().unwrap();
    let (stdout, _) = outcome(folder.path(), &["--help"], 0);
    for code in ["2 ", "3 ", "4 ", "5 ", "6 ", "7 ", "8 ", "9 ", "10 ", "129, 130, 143 "] {
        assert!(stdout.contains(&format!("\n  {code}")), "exit code {code} is not in the help");
    }
}

#[test]
fn impossible_options_are_refused() {
    refused(&["--batch", "0"], 2, &["--batch"]);
    refused(&["--epochs", "0"], 2, &["--epochs"]);
    refused(&["--dropout", "1"], 2, &["below 1"]);
    refused(&["peaks", "--json", "--explain"], 2, &["--explain"]);
    refused(&["--colour"], 2, &["--colour"]);
    refused(
        &["--plan", "magic"],
        2,
        &[
            "there is no plan magic",
            "layered, fused, fused_subgroups, fused_image, fused_f16, fused_f16_arithmetic, fused_lanes",
        ],
    );
    refused(&["--backend", "glide"], 2, &["unknown backend 'glide'", "--backend or WGPU_BACKEND"]);
}

#[test]
fn an_invalid_backend_variable_is_refused() {
    let folder = TempDir::new().unwrap();
    let (_, stderr) = outcome_of(gpubench(folder.path()).env("WGPU_BACKEND", "glide"), 2);
    assert!(stderr.contains("unknown backend 'glide'"), "{stderr}");
}

#[test]
fn without_any_adapter_the_message_says_what_to_do() {
    let folder = TempDir::new().unwrap();
    let (stdout, stderr) = outcome_of(without_adapters(folder.path()).args(["--backend", "vulkan"]), 4);
    assert!(stdout.is_empty() && stderr.contains("none.json limits the drivers"), "{stderr}");
    let list = ["list", "--json", "--backend", "vulkan"];
    let (stdout, _) = outcome_of(without_adapters(folder.path()).args(list), 0);
    assert_eq!(stdout.trim(), "[]");
}

#[test]
fn a_stored_result_is_shown_and_made_a_page() {
    let folder = TempDir::new().unwrap();
    let stored = stored_result();
    let stored = stored.to_str().unwrap();
    let (stdout, stderr) = outcome(folder.path(), &["report", stored, "--html", "page.html"], 0);
    assert!(
        stdout.starts_with("1,599 images/s: 10 epochs of MNIST in 375 s") && stdout.contains("CPU 4 cores"),
        "{stdout}"
    );
    assert_eq!(stderr.trim(), "page: page.html");
    let page = fs::read_to_string(folder.path().join("page.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("10 epochs of MNIST in 375 s"), "{page}");
    let (stdout, stderr) = outcome(folder.path(), &["report", stored, "--json"], 0);
    let json = RunResult::from_json(&stdout).unwrap();
    assert!(json == RunResult::from_json(&fs::read_to_string(stored).unwrap()).unwrap() && stderr.is_empty());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing but the page is left");
}

#[test]
fn what_is_no_result_has_no_report() {
    refused(&["report"], 2, &["RESULT.json"]);
    refused(&["report", "nowhere.json"], 3, &["nowhere.json cannot be read", "give a result file"]);
    let folder = TempDir::new().unwrap();
    for (content, says) in [
        (&b"{}"[..], "not a gpubench result"),
        (b"\xff\xfe{", "cannot be read"),
        (b"{\"schema\": \"x\"}", "not a gpubench"),
    ] {
        fs::write(folder.path().join("other.json"), content).unwrap();
        let (stdout, stderr) = outcome(folder.path(), &["report", "other.json", "--html", "page.html"], 3);
        assert!(stdout.is_empty() && stderr.contains("other.json") && stderr.contains(says), "{stderr}");
        assert!(!folder.path().join("page.html").exists());
    }
}

#[test]
fn a_page_that_cannot_be_written_is_found_first() {
    // The result is not there either, but that is not reached.
    refused(&["report", "nowhere.json", "--html", "no/such/folder/page.html"], 7, &["cannot be written"]);
    refused(&["report", "nowhere.json", "--html", "."], 7, &["it is a folder"]);
}

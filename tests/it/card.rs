//! The card at the end of a run, and the verbs around it.

use crate::common::process::{DIGITS, only_result, outcome, outcome_of, program, results, without_adapters};
use crate::common::sample;
use gpubench::report::{CARD_LINES, card, headline};
use gpubench::result::{Measured, RunResult, Status};
use std::fs;
use tempfile::TempDir;

/// The results that are published with the program.
fn published() -> Vec<RunResult> {
    let files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/results")).unwrap().flatten();
    let paths = files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|end| end == "json"));
    paths.map(|path| RunResult::from_json(&fs::read_to_string(path).unwrap()).unwrap()).collect()
}

#[test]
fn a_card_has_at_most_ten_lines_none_of_them_wider_than_the_terminal() {
    let mut all = published();
    assert!(all.len() > 5);
    all.extend([sample::gpu_run(1), sample::gpu_run(7), sample::software_run(), sample::profiled_run()]);
    for status in [Status::Invalid, Status::Partial, Status::Failed] {
        let reasons = vec!["a long reason that goes on and on, ".repeat(9), "another".to_owned()];
        all.push(RunResult { status, reasons, ..sample::gpu_run(1) });
    }
    for result in &all {
        for width in [80, 100] {
            let shown = card(result, Some("/results/file.json"), width);
            let lines: Vec<&str> = shown.lines().collect();
            assert!(lines.len() <= CARD_LINES, "{shown}");
            assert!(lines.iter().all(|line| line.chars().count() <= usize::from(width)), "{shown}");
            assert_eq!(lines[0], headline(result, width));
            assert!(lines.last().unwrap().ends_with("/results/file.json"), "{shown}");
            assert!(!shown.contains("NaN") && !shown.contains("\n\n"), "{shown}");
        }
    }
}

#[test]
fn the_readme_shows_the_card_of_a_published_result() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let file = readme.split("(`gpubench report ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    let text = fs::read_to_string(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let shown = card(&RunResult::from_json(&text).unwrap(), None, 100);
    assert!(readme.contains(&format!("```text\n{shown}```")), "{shown}");
}

#[test]
fn a_card_tells_speed_error_limit_kernels_and_place() {
    let several = card(&sample::gpu_run(7), None, 160);
    assert!(several.contains("median of 7 trainings, 98 % interval") && several.contains("deviation"), "{several}");
    let mut result = sample::profiled_run();
    let shown = card(&result, None, 160);
    for words in ["images/s", "10 epochs", "passed", "bound by", "Keras (", "2016-17"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let line = |shown: &str, name: &str| shown.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    let heaviest = &result.profile.value().unwrap().kernels;
    let shares = heaviest.iter().filter_map(|time| time.share_pct.value()).copied();
    let most = shares.fold(0.0, f64::max);
    let first = heaviest.iter().find(|time| time.share_pct == Measured::Value(most)).unwrap();
    assert!(line(&shown, "kernels").contains(&format!("  {} {most:.0} %", first.kernel)), "{shown}");
    // As fast as the fastest published row, then five times slower than the slowest.
    result.summary.train_s = 20.0.into();
    result.repeats.iter_mut().for_each(|repeat| repeat.train_s = 20.0.into());
    let same = line(&card(&result, None, 160), "compare");
    assert!(same.ends_with("1.00 times as fast as Keras (tensorflow) on a Tesla V100 (20.0 s, 2016-17)"), "{same}");
    result.repeats.iter_mut().for_each(|repeat| repeat.train_s = 1630.0.into());
    let slow = line(&card(&result, None, 160), "compare");
    assert!(slow.contains("takes 5.00 times as long as Keras (tensorflow) on a 4-core CPU"), "{slow}");
}

#[test]
fn what_is_missing_has_one_reason_and_other_work_no_place() {
    let mut result = sample::gpu_run(1);
    result.profile = Measured::missing("left out");
    result.account = Measured::missing("no profile");
    result.settings.epochs.value = 3;
    let shown = card(&result, None, 160);
    assert_eq!(shown.matches("n/a").count(), 1, "{shown}");
    assert!(shown.contains("n/a (left out)") && shown.contains("did other work than the published ones"), "{shown}");
}

#[test]
fn a_run_prints_the_card_or_its_first_line_or_everything() {
    let run = ["--adapter", "cpu", "--data", DIGITS, "--steps", "2"];
    let folder = TempDir::new().unwrap();
    let (stdout, stderr) = outcome(folder.path(), &run, 0);
    assert!(stdout.lines().count() <= CARD_LINES && stdout.lines().count() > 5, "{stdout}");
    let path = results(folder.path())[0].display().to_string();
    assert!(stdout.contains(&path) && !stderr.contains("result: "), "{stdout}{stderr}");
    let (quiet, stderr) = outcome(folder.path(), &[&run[..], &["-q"]].concat(), 0);
    assert!(quiet.lines().count() == 1 && quiet.contains("images/s"), "{quiet}");
    assert!(stderr.contains("result: "), "{stderr}");
    let (verbose, _) = outcome(folder.path(), &[&run[..], &["-v"]].concat(), 0);
    assert!(verbose.contains("Phases") && verbose.contains("Tesla K80"), "{verbose}");
    let (csv, _) = outcome(folder.path(), &[&run[..], &["--format", "csv"]].concat(), 0);
    assert!(csv.starts_with("frame,") && csv.lines().count() > 1, "{csv}");
    let (markdown, _) = outcome(folder.path(), &[&run[..], &["--format", "markdown"]].concat(), 0);
    assert!(markdown.contains("| --- |"), "{markdown}");
    let (_, stderr) = outcome(folder.path(), &[&run[..], &["--json", "--verbose"]].concat(), 2);
    assert!(stderr.contains("cannot be used with"), "{stderr}");
    let other = folder.path().join("elsewhere");
    outcome(folder.path(), &[&run[..], &["-o", other.to_str().unwrap()]].concat(), 0);
    assert_eq!(fs::read_dir(other).unwrap().count(), 1);
}

#[test]
fn the_cpu_target_says_why_it_has_no_profile() {
    let folder = TempDir::new().unwrap();
    let (stdout, _) = outcome(folder.path(), &["--adapter", "cpu", "--data", DIGITS, "--steps", "2"], 0);
    assert!(stdout.contains("profile  n/a (the CPU target is timed as a whole"), "{stdout}");
    assert!(only_result(folder.path()).profile.reason().unwrap().contains("timed as a whole"));
}

#[test]
fn the_doctor_finds_what_keeps_drivers_from_being_loaded() {
    let folder = TempDir::new().unwrap();
    let (stdout, _) = outcome_of(without_adapters(folder.path()).args(["doctor", "--json"]), 4);
    let findings: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let problem = |words: &str| {
        let findings = findings.as_array().unwrap();
        findings.iter().any(|one| one["state"] == "problem" && one["fix"].as_str().unwrap_or("").contains(words))
    };
    assert!(problem("--adapter cpu"), "{stdout}");
    assert!(!cfg!(target_os = "linux") || problem("unset VK_DRIVER_FILES"), "{stdout}");
    let (stdout, stderr) = outcome_of(without_adapters(folder.path()).arg("doctor"), 4);
    assert!(stdout.contains("PROBLEM  adapters") && stdout.contains("-> unset VK_"), "{stdout}");
    assert!(stdout.trim_end().lines().last().unwrap().starts_with("No GPU is found"), "{stdout}");
    assert!(stderr.is_empty(), "{stderr}");
}

#[test]
fn help_completions_manual_and_version_are_those_of_this_build() {
    let folder = TempDir::new().unwrap();
    let stdout = |arguments: &[&str]| outcome_of(program(folder.path()).args(arguments), 0).0;
    let version = stdout(&["--version"]);
    assert!(version.contains("(commit ") && version.contains(", wgpu 30."), "{version}");
    let help = stdout(&["--help"]);
    for words in ["Examples:", "Device:", "Task:", "Repetition:", "Output:", "-v, --verbose", "-o, --output <DIR>"] {
        assert!(help.contains(words), "{words}: {help}");
    }
    let profile = stdout(&["profile", "--help"]);
    assert!(profile.contains("ui.perfetto.dev") && profile.contains("--timestamps"), "{profile}");
    assert!(!profile.contains("--soak") && !profile.contains("--adapters"), "{profile}");
    for (shell, words) in [("bash", "complete -F _gpubench"), ("zsh", "#compdef gpubench"), ("fish", "-c gpubench")] {
        let script = stdout(&["completions", shell]);
        assert!(script.contains(words) && script.contains("doctor"), "{script}");
    }
    assert!(stdout(&["man"]).contains(".TH gpubench 1"));
    stdout(&["man", "pages"]);
    assert!(folder.path().join("pages/gpubench-profile.1").exists());
}

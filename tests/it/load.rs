//! Options of load and repetition, and results that have none of it.

use crate::common::process::{outcome, refused, results};
use crate::common::{names_in, stored_result};
use gpubench::report::text;
use gpubench::result::{RunResult, StoppingRule};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

#[test]
fn impossible_options_say_what_to_choose() {
    refused(&["--cooldown", "-1"], 2, &["choose seconds from 0 to 3600"]);
    refused(&["--cooldown", "soon", "--repeat", "2"], 2, &["choose seconds from 0 to 3600"]);
    refused(&["--target-ci", "0"], 2, &["choose percent from 0.01 to 50"]);
    refused(&["--target-ci", "NaN"], 2, &["choose percent"]);
    refused(&["--max-time", "0", "--repeat", "3"], 2, &["choose seconds from 0.1"]);
    refused(&["--soak", "0"], 2, &["choose minutes from 0.01"]);
    refused(&["--soak", "1", "--epochs", "3"], 2, &["--soak", "--epochs", "cannot be used with"]);
    refused(&["--soak", "1", "--repeat", "3"], 2, &["cannot be used with"]);
    refused(&["--cooldown", "1"], 2, &["--cooldown pauses between trainings", "add --repeat 2 or more"]);
    refused(&["--max-time", "60"], 2, &["--max-time limits the number of trainings", "or leave --max-time out"]);
}

#[test]
fn a_result_of_an_older_version_says_that_it_has_no_load() {
    let result = RunResult::from_json(&fs::read_to_string(stored_result()).unwrap()).unwrap();
    let version = |reason: Option<&str>| reason.is_some_and(|reason| reason.contains("version that made this file"));
    assert!(version(result.repeats[0].load.reason()) && version(result.phases.tune_s.reason()));
    assert!(version(result.summary.driver_gpu_busy_pct.reason()) && version(result.repeating.reason()));
    assert_eq!(result.settings.stopping, StoppingRule::default());
    assert!(text(&result, 100).contains("version that made this file"));
    assert!(results(Path::new("nowhere")).is_empty());
}

#[test]
fn a_soak_of_many_epochs_keeps_a_bounded_number_and_counts_them_all() {
    let folder = TempDir::new().unwrap();
    let soak = ["--adapter", "cpu", "--threads", "1", "--data", "synthetic:16+2", "--batch", "16", "--soak", "0.1"];
    outcome(folder.path(), &[&soak[..], &["-o", "."]].concat(), 0);
    let file = names_in(folder.path()).into_iter().find(|name| name.ends_with(".json")).unwrap();
    let text = fs::read_to_string(folder.path().join(&file)).unwrap();
    let result = RunResult::from_json(&text).unwrap();
    let (repeat, epochs) = (&result.repeats[0], result.soak.value().unwrap().epochs);
    assert!(repeat.epochs.len() <= 256 && repeat.samples.len() <= 256, "{epochs} epochs");
    // A machine with much else to do may not come to so many.
    let counted = repeat.thinned.value().map_or(repeat.epochs.len() as u32, |thinned| thinned.epochs);
    assert_eq!((counted, repeat.steps(), repeat.thinned.value().is_some()), (epochs, epochs, epochs > 256));
    assert!(text.len() < 400_000, "{} bytes", text.len());
    outcome(folder.path(), &["verify", &file], 0);
}

//! `gpubench --adapters` and `--adapter all` as a process.

use crate::common::named;
use crate::common::process::{DIGITS, outcome_of, program, refused, results};
use crate::common::trials::{Test, with_adapter};
use gpubench::gpu::Adapters;
use libtest_mimic::Trial;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

fn wrong_wishes_are_refused() {
    let cases: [(&[&str], &str); 12] = [
        (&["--adapters", "0,0"], "twice: name each once"),
        (&["--adapters", "0"], "cannot share a batch"),
        (&["--adapters", "0,"], "empty name"),
        (&["--adapters", "0,cpu,CPU"], "twice: name each once"),
        (&["--adapters", "0", "--logical-devices", "2", "--threads", "2"], "add cpu to --adapters"),
        (&["--adapters", "0", "--adapter", "0"], "cannot be used with"),
        (&["--adapters", "0", "--logical-devices", "0"], "1..=16"),
        (&["--adapters", "0", "--logical-devices", "2", "--split", "1:2:3"], "3 parts for 2 devices"),
        (&["--adapters", "0", "--logical-devices", "2", "--split", "1:0"], "such as 3:1"),
        (&["--split", "1:1"], "name them with --adapters"),
        (&["--sync", "epoch"], "name them with --adapters"),
        (&["--adapters", "0", "--logical-devices", "2", "--profile"], "cannot be profiled together"),
    ];
    for (arguments, says) in cases {
        refused(arguments, 2, &[says]);
    }
    // These are found when the run has begun, which keeps a result.
    let output = TempDir::new().unwrap();
    let output = output.path().to_str().unwrap();
    let base = ["--adapters", "0", "--data", "synthetic", "--output", output, "--logical-devices"];
    refused(&[&base[..], &["3", "--batch", "2"]].concat(), 2, &["cannot be shared between 3 devices"]);
    refused(&[&base[..], &["2", "--split", "1000:1"]].concat(), 2, &["gets no image of a batch"]);
}

fn an_unknown_adapter_is_an_error_that_lists_the_others() {
    refused(&["--adapters", "0,voodoo"], 4, &["no adapter matches 'voodoo'"]);
}

/// Mesa's and Chromium's software adapters.
const LAVAPIPE: &str = "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json";
const SWIFTSHADER: &str = "/usr/lib/chromium/vk_swiftshader_icd.json";

fn two_kinds_of_adapters_train_together() {
    let folder = TempDir::new().unwrap();
    let mut losses = Vec::new();
    for adapters in [&["--adapters", "llvmpipe,swiftshader", "--split", "3:1"][..], &["--adapter", "llvmpipe"]] {
        let mut command = program(folder.path());
        command.args(adapters).args(["--data", DIGITS, "--steps", "6", "--json", "--no-tune"]);
        let (stdout, _) = outcome_of(command.env("VK_ICD_FILENAMES", format!("{LAVAPIPE}:{SWIFTSHADER}")), 0);
        let result: Value = serde_json::from_str(&stdout).unwrap();
        let epoch = &result["repeats"][0]["epochs"][0];
        losses.push(epoch["loss_curve"].as_array().unwrap().iter().filter_map(Value::as_f64).collect::<Vec<_>>());
        if adapters[0] == "--adapters" {
            let members = result["parallel"]["members"].as_array().unwrap();
            assert_eq!(members.len(), 2);
            assert_eq!((&members[0]["images_per_batch"], &members[1]["images_per_batch"]), (&96.into(), &32.into()));
            assert!(members[1]["name"].as_str().is_some_and(|name| name.contains("SwiftShader")), "{members:?}");
        }
    }
    assert_eq!(losses[0].len(), 6);
    for (both, one) in losses[0].iter().zip(&losses[1]) {
        assert!((both - one).abs() < 1e-3 * one, "{losses:?}");
    }
}

/// Two rounds on every device: one row and one result file each, with the trainings of both rounds and the same bits in
/// each.
fn every_device_takes_its_turns() {
    let folder = TempDir::new().unwrap();
    let mut command = program(folder.path());
    command.args(["--adapter", "all", "--repeat", "2", "--steps", "3", "--data", DIGITS, "--no-tune", "--json"]);
    let (stdout, stderr) = outcome_of(&mut command, 0);
    let found: Vec<Value> = serde_json::from_str(&stdout).unwrap();
    assert!(stderr.contains("round 2 of 2"), "{stderr}");
    assert_eq!(results(folder.path()).len(), found.len());
    assert_eq!(found.last().unwrap()["environment"]["adapter"]["backend"], "cpu");
    for result in &found {
        let repeats = result["repeats"].as_array().unwrap();
        assert_eq!(repeats.len(), 2);
        assert_eq!(repeats[0]["parameters_sha256"], repeats[1]["parameters_sha256"]);
        assert_eq!(result["settings"]["repeat"]["value"], 2);
        assert_eq!(result["status"], "complete");
    }
    refused(&["--adapter", "all", "--soak", "1"], 2, &["is for one device"]);
    refused(&["--adapter", "all", "--profile"], 2, &["is for one device"]);
}

pub fn trials(adapters: &Arc<Adapters>) -> Vec<Trial> {
    const TESTS: &[Test] = &named![wrong_wishes_are_refused, an_unknown_adapter_is_an_error_that_lists_the_others];
    let mut trials = with_adapter(adapters, TESTS);
    // The processor takes its turn even where there is no adapter.
    let turns = Trial::test("every_device_takes_its_turns", || {
        every_device_takes_its_turns();
        Ok(())
    });
    let both = [LAVAPIPE, SWIFTSHADER].iter().all(|file| Path::new(file).exists());
    let two_kinds = Trial::test("two_kinds_of_adapters_train_together", || {
        two_kinds_of_adapters_train_together();
        Ok(())
    });
    trials.extend([turns, two_kinds.with_ignored_flag(!both)]);
    trials
}

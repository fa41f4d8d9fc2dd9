//! The program as a process on an adapter: exit codes, messages, stdout that parses, files left behind.

use crate::common::named;
use crate::common::process::{
    DIGITS, gpubench, interrupted, only_result, outcome, outcome_of, refused, results, with_kept_peaks,
};
use crate::common::trace;
use crate::common::trials::{Test, with_adapter};
use gpubench::gpu::Adapters;
use gpubench::model::{DROPOUT_RATE, Model};
use gpubench::result::{Peaks, RunResult, Status, Tuning};
use gpubench::weights::to_safetensors;
use libtest_mimic::Trial;
use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// A short run on few digits.
const SHORT: [&str; 4] = ["--data", DIGITS, "--steps", "2"];

fn an_unknown_adapter_is_refused_with_the_list() {
    refused(&["--adapter", "voodoo"], 4, &["no adapter matches 'voodoo'", "0: "]);
    let folder = TempDir::new().unwrap();
    let (_, stderr) = outcome_of(gpubench(folder.path()).env("WGPU_ADAPTER_NAME", "voodoo"), 4);
    assert!(stderr.contains("no adapter matches 'voodoo'"), "{stderr}");
}

fn the_list_of_adapters_parses() {
    let folder = TempDir::new().unwrap();
    let (stdout, _) = outcome(folder.path(), &["list", "--json"], 0);
    let list: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let first = &list.as_array().unwrap()[0];
    for key in ["index", "name", "vendor", "kind", "backend", "driver", "pci_bus_id", "software", "timestamps"] {
        assert!(!first[key].is_null(), "{key} is missing in {first}");
    }
    let (short, _) = outcome(folder.path(), &["--list"], 0);
    assert!(short.contains(first["name"].as_str().unwrap()), "{short}");
}

fn bad_data_are_refused_before_anything_is_written() {
    refused(&["--data", "nowhere"], 3, &["nowhere"]);
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("train-images-idx3-ubyte"), b"").unwrap();
    let (_, stderr) = outcome(folder.path(), &["--data", "."], 3);
    assert!(stderr.contains("error: "), "{stderr}");
    assert!(results(folder.path()).is_empty());
}

fn a_batch_larger_than_the_data_is_refused() {
    let folder = TempDir::new().unwrap();
    let (_, stderr) = outcome(folder.path(), &["--data", "synthetic", "--batch", "60001"], 2);
    assert!(stderr.contains("choose --batch from 1 to 60000"), "{stderr}");
}

fn a_batch_beyond_the_adapter_is_refused() {
    let folder = TempDir::new().unwrap();
    let (_, stderr) = outcome(folder.path(), &["--data", "synthetic", "--batch", "50000"], 4);
    assert!(stderr.contains("maxStorageBufferBindingSize") || stderr.contains("maxBufferSize"), "{stderr}");
    assert!(stderr.contains("smaller --batch"), "{stderr}");
}

fn bad_weights_are_refused() {
    let folder = TempDir::new().unwrap();
    let (_, stderr) = outcome(folder.path(), &["--init", "missing.safetensors"], 3);
    assert!(stderr.contains("missing.safetensors cannot be read"), "{stderr}");
    fs::write(folder.path().join("bad.safetensors"), b"not weights").unwrap();
    let (_, stderr) = outcome(folder.path(), &["--init", "bad.safetensors"], 3);
    assert!(stderr.contains("bad.safetensors: this is not a whole safetensors file"), "{stderr}");
    assert!(results(folder.path()).is_empty());
}

fn an_output_folder_that_cannot_be_written_is_found_before_the_run() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("file"), b"in the way").unwrap();
    let (_, stderr) = outcome(folder.path(), &["--output", "file"], 7);
    assert!(stderr.contains("cannot be written") && !stderr.contains("epoch"), "{stderr}");
    let (_, stderr) = outcome(folder.path(), &["--save", "no/such/folder/w.safetensors"], 7);
    assert!(stderr.contains("cannot be written") && !stderr.contains("epoch"), "{stderr}");
    let (_, stderr) = outcome(folder.path(), &["--trace", "no/such/folder/t.json"], 7);
    assert!(stderr.contains("t.json cannot be written") && !stderr.contains("epoch"), "{stderr}");
    assert_eq!(fs::read(folder.path().join("file")).unwrap(), b"in the way");
    assert!(results(folder.path()).is_empty(), "nothing was measured");
}

fn a_short_run_reports_and_keeps_its_result() {
    let folder = TempDir::new().unwrap();
    let (stdout, stderr) = outcome(folder.path(), &[&SHORT[..], &["--verbose"]].concat(), 0);
    assert!(stderr.contains("adapter: ") && stderr.contains("result: "), "{stderr}");
    assert!(stdout.contains("Tesla K80") || stdout.contains("CPU 4 cores"), "{stdout}");
    assert!(stdout.contains("non-standard"), "{stdout}");
    assert!(!stdout.contains("NaN") && !stdout.contains("null") && !stdout.contains("\u{1b}["), "{stdout}");
    let result = only_result(folder.path());
    assert_eq!(result.status, Status::Complete);
    assert!(!result.standard);
    assert_eq!(result.repeats[0].samples.iter().map(|sample| sample.steps).sum::<u32>(), 2);
    let check = result.check.value().expect("the check is in the result");
    assert!(check.kernels.len() > 20 && check.steps.len() == 5);
}

fn a_profile_tells_device_time_for_each_kernel() {
    let folder = TempDir::new().unwrap();
    let (stdout, _) = outcome_of(with_kept_peaks(folder.path()).args(["profile", "--data", DIGITS, "--steps", "4"]), 0);
    assert!(stdout.contains("Kernels by device time") && stdout.contains("samples dropped"), "{stdout}");
    let result = only_result(folder.path());
    let profile = result.profile.value().expect("the profile is in the result");
    assert_eq!(profile.steps, 4);
    assert_eq!(profile.kernels.len(), result.plan.kernels.len());
    let shares: f64 = profile.kernels.iter().filter_map(|time| time.share_pct.value()).sum();
    assert!((shares - 100.0).abs() < 1e-6, "{shares}");
    let sum_ns: f64 = profile.kernels.iter().filter_map(|time| time.median_ns.value()).sum();
    // Medians of four steps on a busy machine: their sum may exceed a step's median span, but not by much.
    if let Some(span_ns) = profile.span_ns.value() {
        assert!(sum_ns > 0.5 * span_ns && sum_ns < 1.5 * span_ns, "{sum_ns} of {span_ns}");
    }
}

fn a_trace_holds_what_the_table_says() {
    let folder = TempDir::new().unwrap();
    let arguments = ["--data", DIGITS, "--steps", "3", "--trace", "t.json"];
    let (stdout, stderr) = outcome_of(with_kept_peaks(folder.path()).args(arguments), 0);
    assert!(stdout.contains("Where the time of the training went"), "--trace asks for a profile: {stdout}");
    assert!(stderr.contains("trace: t.json"), "{stderr}");
    let trace = trace::check(&fs::read_to_string(folder.path().join("t.json")).unwrap()).unwrap();
    let result = only_result(folder.path());
    let profile = result.profile.value().expect("a profile is in the result");
    let sum = |time: &gpubench::result::KernelTime| {
        let label = format!("{}/{}", time.kernel, time.layer);
        let name = if time.repeats == 1 { label } else { format!("{label} x{}", time.repeats) };
        (name, f64::from(time.repeats) * time.samples_ns.iter().sum::<f64>())
    };
    let sums: BTreeMap<String, f64> = profile.kernels.iter().map(sum).collect();
    trace.expect_device_sums(&sums).unwrap();
    // Every submission of the timed training is encoded, submitted, waited for and reported; there are 3 steps or fewer
    // pieces.
    assert!(trace.events["timed training/host"] >= 4 + 4, "{:?}", trace.events);
    assert_eq!(trace.events["profiled steps/host"], 5 * 3);
}

fn peaks_are_shown_and_kept() {
    let folder = TempDir::new().unwrap();
    let (stdout, stderr) = outcome(folder.path(), &["peaks", "--json"], 0);
    assert!(stderr.starts_with("adapter: ") && stderr.contains("measuring peaks"), "{stderr}");
    let peaks = Peaks::from_json(&stdout).unwrap();
    assert!(!peaks.cached && !peaks.measured_utc.is_empty());
    let kept = fs::read_dir(folder.path().join("cache/gpubench/peaks")).unwrap();
    let kept: Vec<_> = kept.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    assert_eq!(kept, [stdout]);
}

fn the_fastest_plan_is_found_kept_and_used() {
    let folder = TempDir::new().unwrap();
    let (stdout, _) = outcome(folder.path(), &["tune", "--batch", "24", "--json"], 0);
    let tuning = Tuning::from_json(&stdout).unwrap();
    // A plan that computes something else is no candidate, however fast it is.
    let searched = || gpubench::kernels::PLANS.iter().filter(|row| row.non_standard.is_none());
    assert!(tuning.candidates.len() >= searched().count() && searched().count() < gpubench::kernels::PLANS.len());
    assert!(!tuning.candidates.iter().any(|candidate| candidate.plan.starts_with("fused_f16")));
    let best = tuning.best().unwrap().to_owned();
    let arguments = [&SHORT[..], &["--batch", "24", "--plan", "auto"]].concat();
    let (_, stderr) = outcome(folder.path(), &arguments, 0);
    assert!(stderr.contains(&format!("plan: {best} (the fastest, from the cache)")), "{stderr}");
    let result = only_result(folder.path());
    assert_eq!(Some(&*result.plan.name), best.split(':').next());
    assert!(result.tuning.value().is_some_and(|tuning| tuning.cached));
    // A cache that is damaged is no reason to end.
    for entry in fs::read_dir(folder.path().join("cache/gpubench/tuning")).unwrap() {
        fs::write(entry.unwrap().path(), b"{").unwrap();
    }
    let (_, stderr) = outcome(folder.path(), &arguments, 0);
    assert!(stderr.contains("is damaged") && stderr.contains("measured again"), "{stderr}");
    let without = TempDir::new().unwrap();
    let (_, stderr) = outcome(without.path(), &[&SHORT[..], &["--plan", "auto", "--no-tune"]].concat(), 0);
    assert!(!stderr.contains("tuning"), "{stderr}");
    assert!(only_result(without.path()).plan.name.starts_with("fused"));
}

fn json_is_all_that_stdout_gets() {
    let folder = TempDir::new().unwrap();
    let arguments = [&SHORT[..], &["--json", "--repeat", "2", "--output", "elsewhere"]].concat();
    let (stdout, _) = outcome(folder.path(), &arguments, 0);
    let result = RunResult::from_json(&stdout).unwrap();
    assert_eq!(result.repeats.len(), 2);
    let bits: Vec<_> = result.repeats.iter().map(|repeat| repeat.parameters_sha256.value().unwrap()).collect();
    assert_eq!(bits[0], bits[1], "the same seed gives the same bits");
    assert_eq!(fs::read_dir(folder.path().join("elsewhere")).unwrap().count(), 1);
}

fn saved_weights_can_be_started_from() {
    let folder = TempDir::new().unwrap();
    let (_, _) = outcome(folder.path(), &[&SHORT[..], &["--save", "w.safetensors"]].concat(), 0);
    let (stdout, _) = outcome(
        folder.path(),
        &[&SHORT[..], &["--init", "w.safetensors", "--json", "--seed", "9", "--no-shuffle", "--dropout", "0"]].concat(),
        0,
    );
    let result = RunResult::from_json(&stdout).unwrap();
    for phrase in ["initial weights from a file", "not shuffled", "dropout 0 instead of 0.2"] {
        assert!(result.non_standard.iter().any(|difference| difference == phrase), "{:?}", result.non_standard);
    }
}

/// Weights so large that the loss overflows: the run ends, but nobody may believe it.
fn a_run_whose_loss_overflows_is_invalid() {
    let folder = TempDir::new().unwrap();
    let model = Model::new(DROPOUT_RATE);
    let huge = to_safetensors(&model, &vec![1e30; model.parameter_count()]).unwrap();
    fs::write(folder.path().join("huge.safetensors"), huge).unwrap();
    let (stdout, _) = outcome(folder.path(), &[&SHORT[..], &["--init", "huge.safetensors"]].concat(), 6);
    assert!(stdout.contains("INVALID") && stdout.contains("not a finite number"), "{stdout}");
    let result = only_result(folder.path());
    assert_eq!(result.status, Status::Invalid);
    assert!(result.repeats[0].epochs[0].train_loss.value().is_none());
}

#[cfg(unix)]
fn interrupted_runs_keep_what_they_have() {
    let folder = TempDir::new().unwrap();
    let mut command = gpubench(folder.path());
    command.args(["--data", DIGITS, "--epochs", "1000"]);
    let rest = interrupted(&mut command, |line| line.starts_with("epoch "), Duration::ZERO);
    assert!(rest.iter().any(|line| line.contains("interrupted; the partial result was kept")), "{rest:?}");
    let result = only_result(folder.path());
    assert_eq!(result.status, Status::Partial);
}

const TESTS: &[Test] = &named![
    the_fastest_plan_is_found_kept_and_used,
    a_trace_holds_what_the_table_says,
    peaks_are_shown_and_kept,
    a_profile_tells_device_time_for_each_kernel,
    a_run_whose_loss_overflows_is_invalid,
    an_unknown_adapter_is_refused_with_the_list,
    the_list_of_adapters_parses,
    bad_data_are_refused_before_anything_is_written,
    a_batch_larger_than_the_data_is_refused,
    a_batch_beyond_the_adapter_is_refused,
    bad_weights_are_refused,
    an_output_folder_that_cannot_be_written_is_found_before_the_run,
    a_short_run_reports_and_keeps_its_result,
    json_is_all_that_stdout_gets,
    saved_weights_can_be_started_from,
    #[cfg(unix)]
    interrupted_runs_keep_what_they_have,
];

pub fn trials(adapters: &Arc<Adapters>) -> Vec<Trial> {
    with_adapter(adapters, TESTS)
}

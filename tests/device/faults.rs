//! Drivers that fail: a Vulkan layer lets each kind of call fail, from the first or from a later one on.

use crate::common::named;
use crate::common::process::{gpubench, outcome_of};
use crate::common::trials::{Test, with_adapter};
use gpubench::gpu::Adapters;
use gpubench::result::{RunResult, Status};
use libtest_mimic::Trial;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, LazyLock};
use tempfile::TempDir;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/fault_layer.rs");
const OUT_OF_DEVICE_MEMORY: i32 = -2;
const DEVICE_LOST: i32 = -4;

/// Which call of a function fails, and all after it.
#[derive(Clone, Copy)]
enum From {
    First,
    Middle,
}

/// Functions that a run cannot do without, the answers by which each fails, and from which call on.
const FAULTS: [(&str, i32, From); 10] = [
    ("vkCreateDevice", OUT_OF_DEVICE_MEMORY, From::First),
    ("vkQueueSubmit", DEVICE_LOST, From::Middle),
    ("vkWaitSemaphores", DEVICE_LOST, From::Middle),
    ("vkGetSemaphoreCounterValue", DEVICE_LOST, From::Middle),
    ("vkAllocateMemory", OUT_OF_DEVICE_MEMORY, From::First),
    ("vkMapMemory", OUT_OF_DEVICE_MEMORY, From::First),
    ("vkCreateBuffer", OUT_OF_DEVICE_MEMORY, From::Middle),
    ("vkCreateShaderModule", OUT_OF_DEVICE_MEMORY, From::First),
    ("vkCreateComputePipelines", OUT_OF_DEVICE_MEMORY, From::Middle),
    ("vkBeginCommandBuffer", OUT_OF_DEVICE_MEMORY, From::Middle),
];

fn rustc() -> Command {
    Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

/// The folder of the layer, built once.
static LAYER: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("fault-layer");
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let library = folder.join("libfault.so");
    let mut rustc = rustc();
    rustc
        .args(["--edition", "2024", "--crate-type", "cdylib", "--crate-name", "fault", "-o"])
        .arg(&library)
        .arg(SOURCE);
    let output = rustc.output().map_err(|error| format!("rustc cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let manifest = serde_json::json!({
        "file_format_version": "1.2.0",
        "layer": {
            "name": "VK_LAYER_GPUBENCH_fault",
            "type": "GLOBAL",
            "library_path": library,
            "api_version": "1.3.0",
            "implementation_version": "1",
            "description": "lets calls fail",
        }
    });
    fs::write(folder.join("fault.json"), manifest.to_string()).map_err(|error| error.to_string())?;
    Ok(folder)
});

/// The program through the layer.
fn layered(folder: &Path) -> Command {
    let mut command = gpubench(folder);
    command.env("VK_LAYER_PATH", LAYER.as_ref().unwrap()).env("VK_INSTANCE_LAYERS", "VK_LAYER_GPUBENCH_fault");
    command.env("GPUBENCH_PLAN", "fused").env_remove("RUST_BACKTRACE");
    command
}

/// A short run through the layer.
fn command(folder: &Path) -> Command {
    let mut command = layered(folder);
    command.args(["--backend", "vulkan", "--data", "synthetic:300+50", "--no-pipeline-cache", "--steps", "2"]);
    command
}

/// What else works on a device, each with little work; `tests/experiments/faults.py` has the same.
const VERBS: [(&str, &[&str]); 6] = [
    ("profile", &["profile", "--backend", "vulkan", "--data", "synthetic:300+50", "--steps", "2"]),
    ("peaks", &["peaks", "--backend", "vulkan"]),
    ("tune", &["tune", "--backend", "vulkan", "--batch", "8"]),
    ("sweep", &["sweep", "--backend", "vulkan", "--data", "synthetic:300+50", "--batch", "4,8", "--seconds", "0.05"]),
    (
        "two devices",
        &[
            "--backend",
            "vulkan",
            "--data",
            "synthetic:300+50",
            "--adapters",
            "0",
            "--logical-devices",
            "2",
            "--steps",
            "2",
        ],
    ),
    ("all devices", &["--backend", "vulkan", "--data", "synthetic:300+50", "--adapter", "all", "--steps", "2"]),
];

/// Functions of which a later call fails, while a verb works on the device.
const LATER_FAULTS: [(&str, i32, u64); 4] = [
    ("vkQueueSubmit", DEVICE_LOST, 3),
    ("vkCreateBuffer", OUT_OF_DEVICE_MEMORY, 17),
    ("vkCreateComputePipelines", OUT_OF_DEVICE_MEMORY, 2),
    ("vkCreateQueryPool", OUT_OF_DEVICE_MEMORY, 1),
];

/// The number of calls of each function in a run that nothing disturbs.
fn calls() -> BTreeMap<String, u64> {
    let folder = TempDir::new().unwrap();
    let counts = folder.path().join("counts");
    outcome_of(command(folder.path()).env("GPUBENCH_FAULT_COUNTS", &counts), 0);
    let line = |line: &str| {
        let (name, count) = line.split_once(' ')?;
        Some((name.to_owned(), count.parse().ok()?))
    };
    fs::read_to_string(counts).unwrap().lines().filter_map(line).collect()
}

/// What must hold however a driver fails, or what does not.
fn wrong_with(output: &Output, folder: &Path) -> Option<String> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    if !matches!(output.status.code(), Some(0 | 4 | 8)) || stderr.contains("panicked") || stderr.contains("defect") {
        return Some(format!("{}: {stderr}", output.status));
    }
    let results = folder.join("data/gpubench/results");
    let (mut files, mut failed) = (0, 0);
    for entry in fs::read_dir(results).into_iter().flatten() {
        let path = entry.unwrap().path();
        let result = fs::read_to_string(&path).ok().and_then(|text| RunResult::from_json(&text).ok());
        let Some(result) = result.filter(|result| result.status != Status::Partial) else {
            return Some(format!("{} does not tell how the run ended: {stderr}", path.display()));
        };
        files += 1;
        failed += usize::from(result.status == Status::Failed && !result.reasons.is_empty());
    }
    // Where one of several devices fails, the others go on.
    let told = output.status.success() == (failed == 0);
    (files > 0 && !told).then(|| format!("{failed} of {files} results failed: {stderr}"))
}

fn a_driver_that_fails_is_told_of_and_costs_no_result() {
    let counts = calls();
    let mut failures = Vec::new();
    for (function, answer, from) in FAULTS {
        let Some(&count) = counts.get(function) else { continue };
        let call = match from {
            From::First => 1,
            From::Middle => count / 2 + 1,
        };
        let folder = TempDir::new().unwrap();
        let fault = format!("{function}:{call}:{answer}");
        let output = command(folder.path()).env("GPUBENCH_FAULT", &fault).output().unwrap();
        failures.extend(wrong_with(&output, folder.path()).map(|wrong| format!("{fault}: {wrong}")));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let called = FAULTS.iter().filter(|(function, _, _)| counts.contains_key(*function)).count();
    assert!(called >= 8, "few of these functions are called at all: {counts:?}");
}

fn every_verb_on_a_driver_that_fails_ends_in_words() {
    let mut failures = Vec::new();
    let mut failed = 0;
    for (verb, arguments) in VERBS {
        for (function, answer, call) in LATER_FAULTS {
            // A verb that takes no timestamps makes no queries, and would do all its work.
            if function == "vkCreateQueryPool" && !matches!(verb, "profile" | "peaks") {
                continue;
            }
            let folder = TempDir::new().unwrap();
            let fault = format!("{function}:{call}:{answer}");
            let mut command = layered(folder.path());
            command.args(arguments).arg("--no-pipeline-cache").env("GPUBENCH_FAULT", &fault);
            let output = command.output().unwrap();
            failed += usize::from(!output.status.success());
            failures.extend(wrong_with(&output, folder.path()).map(|wrong| format!("{verb}, {fault}: {wrong}")));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(failed >= 12, "only {failed} of these were in the way of their verb");
}

const TESTS: &[Test] =
    &named![a_driver_that_fails_is_told_of_and_costs_no_result, every_verb_on_a_driver_that_fails_ends_in_words,];

pub fn trials(adapters: &Arc<Adapters>) -> Vec<Trial> {
    let vulkan = adapters.infos().iter().any(|adapter| adapter.backend == "vulkan");
    let able = vulkan && cfg!(target_os = "linux") && rustc().arg("--version").output().is_ok();
    let ignored = |trial: Trial| if able { trial } else { trial.with_ignored_flag(true) };
    with_adapter(adapters, TESTS).into_iter().map(ignored).collect()
}

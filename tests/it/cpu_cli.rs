//! The CPU target as a process: what it is asked with, what it says, what it leaves.

use crate::common::process::{DIGITS, outcome_of, program, refused, without_adapters};
use gpubench::result::{AdapterKind, RunResult, Status};
use std::fs;
use tempfile::TempDir;

const SHORT: [&str; 6] = ["--adapter", "cpu", "--data", DIGITS, "--steps", "3"];

fn cores() -> usize {
    std::thread::available_parallelism().unwrap().get()
}

/// A short run's result with the given number of threads, and what it said.
fn short(threads: &str) -> (RunResult, String) {
    let folder = TempDir::new().unwrap();
    let mut command = program(folder.path());
    let (stdout, stderr) = outcome_of(command.args(SHORT).args(["--threads", threads, "--json"]), 0);
    (RunResult::from_json(&stdout).unwrap(), stderr)
}

#[test]
fn a_short_run_tells_what_it_ran_on_and_passes_the_check() {
    let (result, stderr) = short("1");
    assert!(stderr.starts_with("adapter: ") && stderr.contains("(cpu, 1 thread, "), "{stderr}");
    assert_eq!(result.status, Status::Complete);
    let adapter = &result.environment.adapter;
    assert_eq!((adapter.kind, adapter.backend.as_str(), adapter.software), (AdapterKind::Cpu, "cpu", false));
    assert_eq!(result.environment.cpu.name.value(), Some(&adapter.name));
    assert_eq!((result.plan.name.as_str(), result.settings.plan.value.as_str()), ("cpu", "cpu"));
    assert_eq!(result.plan.tuning["threads"], "1");
    assert!(["avx512", "avx2", "neon", "portable"].contains(&result.plan.tuning["simd"].as_str()));
    let check = result.check.value().unwrap();
    assert!(check.kernels.len() > 20 && check.steps.len() == 5);
    assert_eq!(result.repeats[0].samples.iter().map(|sample| sample.steps).sum::<u32>(), 3);
    assert!(result.warnings.iter().all(|warning| !warning.contains("software")), "{:?}", result.warnings);
    assert!(result.repeats[0].commands.value().is_none() && result.phases.compile_s.value().is_none());
    if let Some(bytes) = result.summary.peak_host_memory_bytes.value() {
        assert!(*bytes < 500_000_000, "{bytes} bytes");
    }
}

#[test]
fn threads_change_the_time_alone() {
    let hash = |result: &RunResult| result.repeats[0].parameters_sha256.value().unwrap().clone();
    let (alone, _) = short("1");
    let (both, _) = short("2");
    assert_eq!(hash(&alone), hash(&both));
    assert_eq!(alone.repeats[0].epochs[0].train_loss, both.repeats[0].epochs[0].train_loss);
}

/// Processes that use up a core each until they are dropped.
#[cfg(unix)]
struct Busy(Vec<std::process::Child>);

#[cfg(unix)]
impl Busy {
    fn start(count: usize) -> Self {
        let spin = |_| std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        Self((0..count).map(spin).collect())
    }
}

#[cfg(unix)]
impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            child.kill().and_then(|()| child.wait()).unwrap();
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn beside_other_work_a_strict_run_is_invalid_and_another_is_warned() {
    let busy = Busy::start(2 * cores());
    for (strict, code, status) in [(&["--strict"][..], 6, Status::Invalid), (&[], 0, Status::Complete)] {
        let folder = TempDir::new().unwrap();
        let mut command = program(folder.path());
        command.args(["--adapter", "cpu", "--data", DIGITS, "--steps", "40", "--json"]).args(strict);
        let (stdout, _) = outcome_of(&mut command, code);
        let result = RunResult::from_json(&stdout).unwrap();
        assert_eq!(result.status, status);
        let words = "disturbed: other programs used";
        assert!(result.warnings.iter().any(|warning| warning.starts_with(words)), "{:?}", result.warnings);
        let reason = format!("--strict: {words}");
        assert_eq!(result.reasons.iter().any(|of| of.starts_with(&reason)), code == 6, "{:?}", result.reasons);
    }
    drop(busy);
}

/// Losses and the digest of the parameters of two members that share the host's cores.
fn shared(arguments: &[&str]) -> (Vec<f64>, String) {
    let folder = TempDir::new().unwrap();
    let mut command = program(folder.path());
    let base = ["--adapters", "cpu", "--logical-devices", "2", "--data", DIGITS, "--steps", "3", "--json"];
    let (stdout, _) = outcome_of(command.args(base).args(arguments), 0);
    let result = RunResult::from_json(&stdout).unwrap();
    assert_eq!((result.plan.name.as_str(), result.environment.adapter.backend.as_str()), ("cpu", "cpu"));
    let members = &result.parallel.value().unwrap().members;
    assert!(members.iter().all(|member| member.plan == "cpu" && member.alone_step_s.value().is_some()), "{members:?}");
    assert!(members[1].name.ends_with(" #2"), "{members:?}");
    let repeat = &result.repeats[0];
    (repeat.epochs[0].loss_curve.clone(), repeat.parameters_sha256.value().unwrap().clone())
}

#[test]
fn the_hosts_cores_can_be_members_of_a_shared_training() {
    let (alone, _) = short("1");
    let (losses, digest) = shared(&["--split", "3:1", "--threads", "1"]);
    for (shared, alone) in losses.iter().zip(&alone.repeats[0].epochs[0].loss_curve) {
        assert!((shared - alone).abs() < 1e-4 * alone, "{shared} {alone}");
    }
    assert_eq!(losses.len(), 3);
    assert_eq!(shared(&["--split", "3:1", "--threads", "2"]), (losses, digest));
    shared(&["--sync", "epoch"]);
}

#[test]
fn more_threads_than_cores_are_allowed_with_a_note() {
    let many = (cores() + 1).to_string();
    let (result, stderr) = short(&many);
    let words = format!("{many} threads share {} cores", cores());
    assert!(stderr.contains(&words), "{stderr}");
    assert!(result.warnings.iter().any(|warning| warning.contains(&words)), "{:?}", result.warnings);
    assert_eq!(result.plan.tuning["threads"], many);
}

#[test]
fn without_any_adapter_the_lane_trains_and_says_so_first() {
    let folder = TempDir::new().unwrap();
    let (stdout, stderr) = outcome_of(without_adapters(folder.path()).args(&SHORT[2..]).arg("-v"), 0);
    let lines: Vec<&str> = stderr.lines().collect();
    assert!(lines[0].starts_with("no GPU found: ") && lines[0].ends_with("; the CPU target trains"), "{stderr}");
    assert!(lines[0].contains("VK_DRIVER_FILES=") && lines[0].contains("none.json"), "{stderr}");
    assert!(lines[1].starts_with("adapter: ") && lines[1].contains(&format!("(cpu, {} thread", cores())), "{stderr}");
    assert!(stdout.contains("GPU against CPU") && stdout.contains("CPU 4 cores"), "{stdout}");
    assert!(!stdout.contains("NaN") && !stdout.contains("null"), "{stdout}");
}

#[test]
fn who_asks_for_a_backend_that_has_no_adapter_is_told_of_the_lane() {
    let folder = TempDir::new().unwrap();
    let (stdout, stderr) = outcome_of(without_adapters(folder.path()).args(["--backend", "vulkan"]), 4);
    assert!(stdout.is_empty() && stderr.contains("no adapter found: VK_DRIVER_FILES="), "{stderr}");
    assert!(stderr.contains("--adapter cpu"), "{stderr}");
}

#[test]
fn the_lane_is_in_the_list() {
    let folder = TempDir::new().unwrap();
    let (stdout, _) = outcome_of(without_adapters(folder.path()).args(["list", "--json"]), 0);
    let list: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let rows = list.as_array().unwrap();
    assert_eq!(rows.len(), 1, "{stdout}");
    for (key, value) in [("index", "cpu"), ("backend", "cpu"), ("kind", "cpu")] {
        assert_eq!(rows[0][key], value);
    }
    assert_eq!(rows[0]["software"], false);
    let (stdout, _) = outcome_of(program(folder.path()).args(["list"]), 0);
    assert!(stdout.lines().last().unwrap().trim_start().starts_with("cpu "), "{stdout}");
}

#[test]
fn a_page_of_a_run_needs_no_profile() {
    let folder = TempDir::new().unwrap();
    let (_, stderr) = outcome_of(program(folder.path()).args(SHORT).args(["--html", "page.html"]), 0);
    assert!(stderr.contains("page.html"), "{stderr}");
    let page = fs::read_to_string(folder.path().join("page.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && !page.contains("NaN"));
}

#[test]
fn impossible_threads_are_refused() {
    for threads in ["0", "1025", "4294967296", "18446744073709551615"] {
        refused(&["--adapter", "cpu", "--threads", threads], 2, &["choose --threads from 1 to 1024"]);
    }
    refused(&["--adapter", "cpu", "--threads", "many"], 2, &["--threads"]);
    refused(&["--adapter", "0", "--threads", "2"], 2, &["--threads is for the host's cores: add --adapter cpu"]);
    refused(&["--adapters", "0,1", "--threads", "2"], 2, &["add cpu to --adapters"]);
}

#[cfg(not(feature = "mpi"))]
#[test]
fn ranks_need_a_program_built_with_mpi_and_are_told_how() {
    let says = ["built with MPI", "libopenmpi-dev", "libclang-dev", "cargo build --release --features mpi"];
    refused(&["--distributed", "--adapter", "cpu"], 2, &says);
}

#[test]
fn what_the_lane_lacks_is_refused() {
    for option in ["--profile", "--trace=t.json"] {
        refused(&["--adapter", "cpu", option], 2, &["timed as a whole"]);
    }
    refused(&["profile", "--adapter", "cpu"], 2, &["timed as a whole"]);
    refused(&["--adapter", "CPU", "--plan", "fused"], 2, &["one plan: leave --plan out"]);
    refused(&["--adapter", "cpu", "--backend", "vulkan"], 2, &["no backend: leave --backend out"]);
    refused(&["--adapter", "cpu", "--checked"], 2, &["no shaders: leave --checked out"]);
    for verb in ["peaks", "tune", "sweep"] {
        refused(&[verb, "--adapter", "cpu"], 2, &["leave `--adapter cpu` out", &format!("gpubench {verb}")]);
    }
}

#[test]
fn a_batch_larger_than_the_data_is_refused() {
    let folder = TempDir::new().unwrap();
    let (_, stderr) = outcome_of(program(folder.path()).args(SHORT).args(["--batch", "1501"]), 2);
    assert!(stderr.contains("choose --batch from 1 to 1500"), "{stderr}");
}

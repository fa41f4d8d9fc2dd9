//! What trainings use, and how they are repeated, as the program tells it, on the first adapter of this machine.

use super::load::{close, load_of};
use crate::common::named;
use crate::common::process::{DIGITS, gpubench, interrupted, only_result, outcome_of};
use crate::common::trials::{Test, adapters, with_adapter};
use gpubench::gpu::Adapters;
use gpubench::report::text;
use gpubench::result::{Measured, Phases, RunResult, Status};
use libtest_mimic::Trial;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A tree of sysfs with a processor whose counter grows by 100 W until this is dropped.
struct Processor {
    root: TempDir,
    ended: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Processor {
    fn new() -> Self {
        let root = TempDir::new().unwrap();
        let zone = root.path().join("class/powercap/intel-rapl:0");
        fs::create_dir_all(&zone).unwrap();
        fs::write(zone.join("name"), "package-0\n").unwrap();
        fs::write(zone.join("max_energy_range_uj"), "262143328850\n").unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let (begun, of_thread) = (Instant::now(), ended.clone());
        let count = move |zone: &Path| {
            // At once, so that nobody reads half a number.
            fs::write(zone.join("next"), format!("{}\n", begun.elapsed().as_micros() * 100)).unwrap();
            fs::rename(zone.join("next"), zone.join("energy_uj")).unwrap();
        };
        count(&zone);
        let thread = std::thread::spawn(move || {
            while !of_thread.load(Ordering::Relaxed) {
                count(&zone);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        Self { root, ended, thread: Some(thread) }
    }
}

impl Drop for Processor {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// A short run on few digits, on an adapter that computes on the CPU if there is one.
const SHORT: [&str; 4] = ["--data", DIGITS, "--steps", "2"];

fn the_program_tells_load_energy_and_repeating() {
    let (folder, processor) = (TempDir::new().unwrap(), Processor::new());
    let mut command = gpubench(folder.path());
    command.env("GPUBENCH_SYSFS", processor.root.path()).args(SHORT);
    command.args(["--repeat", "2", "--cooldown", "0.5", "--max-time", "900", "-v"]);
    let (stdout, _) = outcome_of(&mut command, 0);
    assert!(stdout.contains("repeating") && stdout.contains("Trainings"), "{stdout}");
    let result = only_result(folder.path());
    let told = text(&result, 1000);
    assert!(told.contains("2 trainings in") && told.contains("with pauses of 0.5 s"), "{told}");
    assert_eq!(result.settings.stopping.max_time_s.value, Measured::Value(900.0));
    assert!(result.repeating.value().is_some_and(|repeating| repeating.elapsed_s >= 0.5));
    assert!(result.phases.tune_s.reason().is_some_and(|reason| reason.contains("named")));
    let load = load_of(&result, 1);
    assert!(load.busiest_cpu_pct.value().is_some_and(|&pct| pct > 0.0 && pct <= 100.0), "{:?}", load.busiest_cpu_pct);
    if !adapters().infos()[0].software {
        return;
    }
    let energy = load.energy.value().unwrap();
    close(*energy.idle_w.value().unwrap(), 100.0, 0.2);
    close(energy.total_j, 100.0 * load.window_s, 0.3);
    assert!(energy.of.contains("processor's packages") && told.contains("for 1,000 images"), "{told}");
}

fn a_processor_without_a_counter_says_where_it_was_looked_for() {
    let (folder, empty) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut command = gpubench(folder.path());
    command.env("GPUBENCH_SYSFS", empty.path()).args(SHORT).args(["--plan", "auto", "--batch", "24", "--json"]);
    let (stdout, _) = outcome_of(&mut command, 0);
    let result = RunResult::from_json(&stdout).unwrap();
    let [tune_s, total_s] = [&result.phases.tune_s, &result.phases.cold_total_s].map(|phase| *phase.value().unwrap());
    assert!(tune_s > 0.0 && tune_s < total_s, "the cold total holds the search: {tune_s} of {total_s}");
    if adapters().infos()[0].software {
        let load = load_of(&result, 0);
        let place = empty.path().join("class/powercap").display().to_string();
        assert!(load.energy.reason().is_some_and(|reason| reason.contains(&place)), "{:?}", load.energy);
        assert!(load.gpu.busy_pct.reason().is_some_and(|reason| reason.contains("computes on the CPU")));
    }
}

/// Two trainings of four steps, compiled from nothing.
fn trained_twice_without_caches() -> RunResult {
    let folder = TempDir::new().unwrap();
    let mut command = gpubench(folder.path());
    command.env("MESA_SHADER_CACHE_DIR", folder.path().join("driver-cache"));
    command.args(["--data", DIGITS, "--steps", "4", "--repeat", "2", "--json", "--no-pipeline-cache"]);
    RunResult::from_json(&outcome_of(&mut command, 0).0).unwrap()
}

/// What drivers compile when a kernel first runs is no part of a training, and no phase contains another.
fn the_first_training_is_as_fast_as_the_second_where_nothing_was_compiled_before() {
    let mut result = trained_twice_without_caches();
    let told = |result: &RunResult| {
        let [first_s, second_s] = [0, 1].map(|index: usize| *result.repeats[index].train_s.value().unwrap());
        let compiled = result.warnings.iter().filter(|warning| warning.contains("compilation")).cloned();
        // Compiling takes longer than these steps; the rest is for other work on this machine.
        let slower = (first_s >= 2.0 * second_s).then(|| format!("{first_s} s, then {second_s} s"));
        compiled.chain(slower).collect::<Vec<_>>()
    };
    // Other work can slow the first steps of one run; what belongs to them slows those of every run.
    let mut complaints = vec![told(&result)];
    while complaints.last().is_some_and(|last| !last.is_empty()) && complaints.len() < 3 {
        result = trained_twice_without_caches();
        complaints.push(told(&result));
    }
    assert!(complaints.last().is_some_and(Vec::is_empty), "{complaints:?}");
    let Phases { adapter_s, device_s, compile_s, data_s, check_s, first_step_s, warm_up_s, .. } = &result.phases;
    let before =
        [adapter_s, device_s, compile_s, data_s, check_s, first_step_s, warm_up_s].map(|s| *s.value().unwrap());
    let all_s = before.iter().sum::<f64>()
        + result.repeats[0].train_s.value().unwrap()
        + result.repeats[0].evaluate_s.value().unwrap();
    let total_s = *result.phases.cold_total_s.value().unwrap();
    assert!(all_s <= total_s && all_s > 0.8 * total_s, "no phase contains another: {before:?} of {total_s}");
}

#[cfg(unix)]
fn a_pause_ends_at_once_when_the_run_is_interrupted() {
    let folder = TempDir::new().unwrap();
    let mut command = gpubench(folder.path());
    command.args(SHORT).args(["--repeat", "2", "--cooldown", "3600"]);
    // The line of the first training's epoch is written just before the pause.
    interrupted(&mut command, |line| line.contains("epoch 1: "), Duration::from_millis(500));
    let result = only_result(folder.path());
    assert_eq!((result.status, result.repeats.len()), (Status::Partial, 1));
    assert!(result.summary.train_s.value().is_some());
}

const TESTS: &[Test] = &named![
    the_program_tells_load_energy_and_repeating,
    a_processor_without_a_counter_says_where_it_was_looked_for,
    the_first_training_is_as_fast_as_the_second_where_nothing_was_compiled_before,
    #[cfg(unix)]
    a_pause_ends_at_once_when_the_run_is_interrupted,
];

pub fn trials(adapters: &Arc<Adapters>) -> Vec<Trial> {
    with_adapter(adapters, TESTS)
}

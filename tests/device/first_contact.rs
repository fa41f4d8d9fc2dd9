//! Machines with no GPU, or one that cannot be opened, and signals while an adapter works: the program as a process.

use crate::common::named;
use crate::common::process::{DIGITS, only_result, outcome_of, program, results};
use crate::common::trials::Test;
use gpubench::gpu::Adapters;
use gpubench::result::{RunResult, Status};
use libtest_mimic::Trial;
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;

/// Drivers of Mesa: of AMD's GPUs, and the software one.
const RADV: &str = "/usr/share/vulkan/icd.d/radeon_icd.x86_64.json";
const LAVAPIPE: &str = "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json";
/// A run of a step.
const SHORT: [&str; 4] = ["--data", DIGITS, "--steps", "1"];

/// The program on Mesa's software adapter alone.
fn on_lavapipe(folder: &Path) -> Command {
    let mut command = program(folder);
    command.env("VK_DRIVER_FILES", LAVAPIPE);
    command
}

/// The program where the first adapter is a GPU that is not there, and the second lavapipe.
fn with_absent_gpu(folder: &Path) -> Command {
    let mut command = program(folder);
    command.env("RADV_FORCE_FAMILY", "navi21").env("VK_ICD_FILENAMES", format!("{RADV}:{LAVAPIPE}"));
    command
}

fn where_only_a_software_adapter_is_the_cores_train_and_it_is_told_why() {
    let folder = TempDir::new().unwrap();
    let (_, stderr) = outcome_of(on_lavapipe(folder.path()).args(SHORT), 0);
    let first = stderr.lines().next().unwrap();
    assert!(first.starts_with(&format!("no GPU found: VK_DRIVER_FILES={LAVAPIPE} ")), "{stderr}");
    assert!(first.contains("the CPU target trains; for llvmpipe") && first.ends_with("--adapter llvmpipe"), "{stderr}");
    assert_eq!(only_result(folder.path()).environment.adapter.backend, "cpu");
}

fn what_needs_an_adapter_takes_the_software_one_and_says_so() {
    for (arguments, option) in [(&["--plan", "fused"][..], "--plan"), (&["--checked", "--no-tune"], "--checked")] {
        let folder = TempDir::new().unwrap();
        let (_, stderr) = outcome_of(on_lavapipe(folder.path()).args(SHORT).args(arguments), 0);
        assert!(stderr.contains(&format!("{option} needs an adapter, so llvmpipe")), "{stderr}");
        assert!(only_result(folder.path()).environment.adapter.software);
    }
    let folder = TempDir::new().unwrap();
    let (_, stderr) =
        outcome_of(on_lavapipe(folder.path()).args(SHORT).args(["--adapter", "llvmpipe", "--no-tune"]), 0);
    assert!(!stderr.contains("no GPU found") && only_result(folder.path()).environment.adapter.software, "{stderr}");
}

fn an_adapter_that_cannot_be_opened_gives_way_to_the_next() {
    let folder = TempDir::new().unwrap();
    let (_, stderr) = outcome_of(with_absent_gpu(folder.path()).args(SHORT), 0);
    assert!(stderr.lines().next().unwrap().contains("could not be opened"), "{stderr}");
    assert!(stderr.contains("the CPU target trains"), "{stderr}");
    let (_, stderr) = outcome_of(with_absent_gpu(folder.path()).args(SHORT).args(["--plan", "fused"]), 0);
    assert!(stderr.contains("could not be opened") && stderr.contains("so llvmpipe"), "{stderr}");
    let (_, stderr) = outcome_of(with_absent_gpu(folder.path()).args(["--adapter", "navi21"]).args(SHORT), 4);
    for words in ["could not be opened", "choose another with --adapter", "--adapter cpu"] {
        assert!(stderr.contains(words), "{stderr}");
    }
}

fn of_all_devices_one_that_cannot_be_opened_is_a_failed_row() {
    let folder = TempDir::new().unwrap();
    let all = ["--adapter", "all", "--data", DIGITS, "--steps", "1"];
    let (stdout, stderr) = outcome_of(with_absent_gpu(folder.path()).args(all).arg("--json"), 4);
    let found: Vec<Value> = serde_json::from_str(&stdout).unwrap();
    assert_eq!(found.iter().filter(|one| one["status"] == "failed").count(), 1, "{stdout}");
    assert!(found.len() >= 3, "{stdout}");
    let told: Vec<&str> = stderr.lines().filter_map(|line| line.strip_prefix("result: ")).collect();
    assert_eq!(told.len(), found.len(), "{stderr}");
    assert_eq!(results(folder.path()).len(), told.len());
    for path in told {
        RunResult::from_json(&std::fs::read_to_string(path).unwrap()).unwrap();
    }
    let (stdout, _) = outcome_of(with_absent_gpu(folder.path()).args(all).arg("--no-tune"), 4);
    assert!(stdout.contains("FAILED"), "{stdout}");
    let (stdout, _) = outcome_of(with_absent_gpu(folder.path()).args(all).args(["--no-tune", "-q"]), 4);
    assert_eq!(stdout.lines().count(), found.len(), "a first line for each device: {stdout}");
    for (format, words) in [("markdown", "These runs among the published ones"), ("csv", "frame,")] {
        let (stdout, _) =
            outcome_of(with_absent_gpu(folder.path()).args(all).args(["--no-tune", "--format", format]), 4);
        assert!(stdout.contains(words) && stdout.contains("llvmpipe"), "{stdout}");
    }
}

/// Searching for the fastest plan takes a minute where the driver has nothing cached, and so does compiling that plan.
fn a_quick_run_neither_searches_nor_takes_what_compiles_for_minutes() {
    let folder = TempDir::new().unwrap();
    let mut command = on_lavapipe(folder.path());
    command.env("MESA_SHADER_CACHE_DISABLE", "true").args(SHORT).args(["--quick", "--adapter", "llvmpipe"]);
    let (_, stderr) = outcome_of(&mut command, 0);
    assert!(stderr.contains("quick: ends within 60 s") && !stderr.contains("tuning"), "{stderr}");
    let result = only_result(folder.path());
    assert_eq!(result.plan.name, "layered");
    let cold_s = *result.phases.cold_total_s.value().unwrap();
    assert!(cold_s < 55.0, "the training of a step, and all that comes before: {cold_s} s");
}

/// Without kept shaders the driver compiles for seconds, in which nothing else is heard.
#[cfg(unix)]
fn signals_are_heard_in_every_phase_of_a_run_on_an_adapter() {
    use crate::common::process::signalled;
    use std::time::Duration;
    let phases: [(&[&str], &str, u64); 5] = [
        (&["tune", "--adapter", "llvmpipe"], "tuning: ", 1500),
        (&["peaks", "--adapter", "llvmpipe"], "measuring peaks", 800),
        (&["--adapter", "llvmpipe", "--data", DIGITS], "tuning: ", 3000),
        (&["--adapter", "llvmpipe", "--data", DIGITS, "--no-tune"], "data: ", 700),
        (&["sweep", "--adapter", "llvmpipe", "--data", DIGITS], "data: ", 1500),
    ];
    for (arguments, ready, pause_ms) in phases {
        let folder = TempDir::new().unwrap();
        let mut command = on_lavapipe(folder.path());
        command.args(arguments).env("MESA_SHADER_CACHE_DIR", folder.path().join("shaders"));
        let ended =
            signalled(&mut command, |line| line.starts_with(ready), &[(Duration::from_millis(pause_ms), "INT")]);
        assert_eq!(ended.code, Some(130), "{arguments:?}: {:?}", ended.lines);
        assert!(ended.took < Duration::from_millis(2500), "{arguments:?}: {:?}: {:?}", ended.took, ended.lines);
        let kept = ended.lines.iter().any(|line| line.contains("result was kept"));
        assert_eq!(kept, !results(folder.path()).is_empty(), "{arguments:?}: {:?}", ended.lines);
        for path in results(folder.path()) {
            let result = RunResult::from_json(&std::fs::read_to_string(path).unwrap()).unwrap();
            assert_eq!(result.status, Status::Partial, "{arguments:?}");
        }
    }
}

pub fn trials(_: &Arc<Adapters>) -> Vec<Trial> {
    const ON_LAVAPIPE: &[Test] = &named![
        where_only_a_software_adapter_is_the_cores_train_and_it_is_told_why,
        what_needs_an_adapter_takes_the_software_one_and_says_so,
        a_quick_run_neither_searches_nor_takes_what_compiles_for_minutes,
        #[cfg(unix)]
        signals_are_heard_in_every_phase_of_a_run_on_an_adapter,
    ];
    const WITH_RADV: &[Test] = &named![
        an_adapter_that_cannot_be_opened_gives_way_to_the_next,
        of_all_devices_one_that_cannot_be_opened_is_a_failed_row,
    ];
    let trial = |&(name, test): &Test, absent: bool| {
        let run = move || {
            test();
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(absent)
    };
    let (lavapipe, radv) = (Path::new(LAVAPIPE).exists(), Path::new(RADV).exists());
    let on_lavapipe = ON_LAVAPIPE.iter().map(|test| trial(test, !lavapipe));
    on_lavapipe.chain(WITH_RADV.iter().map(|test| trial(test, !(lavapipe && radv)))).collect()
}

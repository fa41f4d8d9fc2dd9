//! What the tests share that run the program as a process, or run on whatever adapters this machine has.

#![allow(dead_code, reason = "not every test file that includes this module needs all of it")]
#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use assert_cmd::Command;
use gpubench::bench::{Observer, Progress};
use gpubench::gpu::Adapters;
use gpubench::result::RunResult;
use libtest_mimic::{Arguments, Failed, Trial};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// A name and what is tested.
pub type Test = (&'static str, fn());

/// The program in an environment of its own in `folder`, without what the caller's variables would choose.
pub fn gpubench(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gpubench"));
    for variable in ["WGPU_BACKEND", "WGPU_ADAPTER_NAME", "GPUBENCH_DATA", "GPUBENCH_MNIST_MIRROR", "GPUBENCH_SYSFS"] {
        command.env_remove(variable);
    }
    command.env("XDG_CACHE_HOME", folder.join("cache")).env("NODEVICE_SELECT", "1").current_dir(folder);
    // Each test has a cache of its own, and looking for the fastest plan takes some seconds.
    command.env("GPUBENCH_PLAN", "layered");
    command
}

/// Runs a command, expects `code`, and gives stdout and stderr.
pub fn outcome_of(command: &mut Command, code: i32) -> (String, String) {
    let output = command.output().expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "stdout: {stdout}\nstderr: {stderr}");
    (stdout, stderr)
}

/// Runs the program in `folder`, expects `code`, and gives stdout and stderr.
pub fn outcome(folder: &Path, arguments: &[&str], code: i32) -> (String, String) {
    outcome_of(gpubench(folder).args(arguments), code)
}

/// Expects `code` and a single line of error that contains every one of `says`, nothing on stdout, no result file.
pub fn refused(arguments: &[&str], code: i32, says: &[&str]) {
    let folder = TempDir::new().unwrap();
    let (stdout, stderr) = outcome(folder.path(), arguments, code);
    assert!(stdout.is_empty(), "{stdout}");
    for says in says {
        assert!(stderr.contains(says), "{says:?} is not in: {stderr}");
    }
    assert!(results(folder.path()).is_empty(), "{:?}", results(folder.path()));
}

/// The result files in the usual place.
pub fn results(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder.join("results")) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// The one result file there.
pub fn only_result(folder: &Path) -> RunResult {
    let files = results(folder);
    assert_eq!(files.len(), 1, "{files:?}");
    RunResult::from_json(&fs::read_to_string(&files[0]).unwrap()).unwrap()
}

/// Every adapter of this machine.
pub fn adapters() -> Adapters {
    pollster::block_on(Adapters::find(None)).expect("all backends can be asked")
}

/// A trial of each test; those in `with` are ignored where there is no adapter.
pub fn trials(without: &[Test], with: &[Test]) -> Vec<Trial> {
    let missing = adapters().infos().is_empty();
    let trial = |&(name, test): &Test| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    let with = with.iter().map(|test| trial(test).with_ignored_flag(missing));
    without.iter().map(trial).chain(with).collect()
}

/// For each adapter a trial of each test that `tests` makes for its index, named after it; where there is no adapter, ignored
/// trials called `names`.
pub fn trials_on_each<'a, R>(
    adapters: &Adapters,
    names: impl IntoIterator<Item = &'a str>,
    tests: impl Fn(usize) -> Vec<(String, R)>,
) -> Vec<Trial>
where
    R: FnOnce() -> Result<(), Failed> + Send + 'static,
{
    if adapters.infos().is_empty() {
        let ignored = |name| Trial::test(format!("{name} (no adapter here)"), || Ok(())).with_ignored_flag(true);
        return names.into_iter().map(ignored).collect();
    }
    let of_one = |(index, info): (usize, &gpubench::gpu::AdapterInfo)| {
        let place = format!("on {} ({})", info.name, info.backend);
        let trials = tests(index).into_iter().map(|(name, run)| Trial::test(format!("{name} {place}"), run));
        trials.collect::<Vec<_>>()
    };
    adapters.infos().iter().enumerate().flat_map(of_one).collect()
}

/// The same for `tests` that want the adapters and the index of one; `call` runs one of them.
pub fn trials_with_each<T: Copy + Send + 'static>(
    adapters: &Arc<Adapters>,
    tests: &[(&'static str, T)],
    call: fn(T, &Adapters, usize) -> Result<(), Failed>,
) -> Vec<Trial> {
    let of_one = |index: usize| {
        let test = |&(name, test): &(&'static str, T)| {
            let adapters = adapters.clone();
            (name.to_owned(), move || call(test, &adapters, index))
        };
        tests.iter().map(test).collect()
    };
    trials_on_each(adapters, tests.iter().map(|(name, _)| *name), of_one)
}

/// Runs the trials and ends the process.
pub fn run(trials: Vec<Trial>) -> ! {
    libtest_mimic::run(&Arguments::from_args(), trials).exit()
}

/// The same, one trial after the other: measurements must not disturb each other.
pub fn run_one_by_one(trials: Vec<Trial>) -> ! {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, trials).exit()
}

/// The trials, those of plans with subgroups ignored on adapters that have none.
pub fn ignored_without_subgroups(trials: Vec<Trial>, adapters: &Adapters) -> Vec<Trial> {
    let lacking: Vec<&str> =
        adapters.infos().iter().filter(|info| !info.subgroups).map(|info| info.name.as_str()).collect();
    let ignored = |trial: Trial| {
        let name = trial.name();
        let lacks = name.contains("fused_subgroups") && lacking.iter().any(|adapter| name.contains(adapter));
        if lacks { trial.with_ignored_flag(true) } else { trial }
    };
    trials.into_iter().map(ignored).collect()
}

/// Watches nothing and never stops.
pub struct Silent;

impl Observer for Silent {
    fn phase(&mut self, _name: &str) {}
    fn progress(&mut self, _progress: &Progress) {}
    fn stop_requested(&self) -> bool {
        false
    }
    fn checkpoint(&mut self, _result: &RunResult) -> gpubench::Result<()> {
        Ok(())
    }
}

//! `gpubench ab` as a process: both sides, their results, what it refuses, how it ends.

use crate::common::process::{PROGRAM, outcome_of, program, refused, results, results_folder};
use gpubench::result::{RunResult, TurnsEnd};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A turn of a fraction of a second on the host's cores.
const SHORT: [&str; 8] = ["--adapter", "cpu", "--threads", "1", "--data", "synthetic:300+20", "--epochs", "1"];

fn ab(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = program(folder);
    command.arg("ab").args(arguments).args(SHORT);
    command
}

/// Both results in the user's folder, the first side first.
fn both(folder: &Path) -> [RunResult; 2] {
    let read = |path: &std::path::PathBuf| RunResult::from_json(&fs::read_to_string(path).unwrap()).unwrap();
    let mut found: Vec<RunResult> = results(folder).iter().map(read).collect();
    found.sort_by_key(|result| result.turns.value().unwrap().side);
    found.try_into().unwrap()
}

/// A program that answers as `script` does.
#[cfg(unix)]
fn stand_in(folder: &Path, script: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join("stand-in");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn two_sides_of_one_process_train_in_turns_and_compare_judges_them_alike() {
    let folder = TempDir::new().unwrap();
    let mut command = program(folder.path());
    command.args(["ab", "--adapter", "cpu", "--adapter", "CPU", "--max-time", "0.1", "--json"]).args(&SHORT[2..]);
    let (stdout, stderr) = outcome_of(&mut command, 0);
    let told: Value = serde_json::from_str(&stdout).unwrap();
    let sides = both(folder.path());
    for (result, side) in sides.iter().zip([1, 2]) {
        let turns = result.turns.value().unwrap();
        assert_eq!((turns.side, turns.option.as_str(), turns.ended), (side, "--adapter", TurnsEnd::MaxTime));
        assert_eq!(turns.order.len(), 2 * result.repeats.len());
        assert_eq!(result.settings.repeat.value as usize, result.repeats.len());
    }
    assert!(stderr.contains("round 1: ") && stderr.contains("with --adapter CPU"), "{stderr}");
    let comparison = &told["comparisons"][0];
    assert_eq!(comparison["turns"]["ended"], "max_time");
    assert_eq!(comparison["figures"][0]["verdict"], "unclear");
    // The files say the same to `compare`, in which the second side is compared with the first.
    let mut files = results(folder.path());
    files.sort_by_key(|file| !fs::read_to_string(file).unwrap().contains("\"side\": 1"));
    let mut compare = program(folder.path());
    let (again, _) = outcome_of(compare.arg("compare").args(files).arg("--json"), 0);
    assert_eq!(told, serde_json::from_str::<Value>(&again).unwrap());
}

#[test]
fn a_side_with_a_variable_is_a_process_and_a_verdict_can_fail() {
    let folder = TempDir::new().unwrap();
    let mut command = ab(folder.path(), &["--env", "GPUBENCH_DATA=", "--max-time", "0.1", "--fail-on", "unclear"]);
    let (stdout, stderr) = outcome_of(&mut command, 10);
    assert!(stdout.contains("of --env none and GPUBENCH_DATA=, in an order drawn by lot"), "{stdout}");
    assert!(stderr.contains("failed: ") && stderr.contains("it takes 8 samples of each"), "{stderr}");
    let [first, second] = both(folder.path());
    assert!(first.repeats.len() == second.repeats.len() && first.started_utc != second.started_utc);
    // Nothing of the processes is left but both results.
    assert_eq!(fs::read_dir(results_folder(folder.path())).unwrap().count(), 2);
}

#[test]
fn sides_that_cannot_be_compared_are_refused_with_what_to_type() {
    for (arguments, says) in [
        (&["ab"][..], "nothing makes the two sides differ"),
        (&["ab", "--plan", "fused"], "nothing makes the two sides differ"),
        (&["ab", "--plan", "fused", "--plan", "layered", "--env", "A=1"], "differ in --plan and --env"),
        (&["ab", "--adapter", "0", "--adapter", "1", "--adapter", "2"], "--adapter is given 3 times"),
        (&["ab", "--adapter", "cpu", "--adapter", "all"], "no side"),
        (&["ab", "--env", "A"], "NAME=VALUE"),
        (&["ab", "--plan", "fused", "--plan", "none-such"], "none-such"),
        (&["ab", "--env", "A=1", "--max-time", "0"], "choose seconds"),
        (&["ab", "--env", "A=1", "--fail-on", "kernel:3%"], "kernel needs profiles"),
        (&["ab", "--env", "A=1", "--fail-on", "slower:1%"], "add --margin 1%"),
        (&["ab", "--binary", "/none/such", "--binary", PROGRAM], "/none/such cannot be started"),
        (&["ab", "--binary", "/bin/true", "--binary", PROGRAM], "/bin/true is not gpubench"),
        (&["ab", "--binary", PROGRAM, "--binary", "/bin/echo"], "/bin/echo is not gpubench"),
        (&["ab", "--adapter", "cpu", "--plan", "fused", "--plan", "layered"], "leave --plan out"),
    ] {
        refused(arguments, 2, &[says]);
    }
}

/// The long options in a help text.
fn options(help: &str) -> Vec<String> {
    let words = help.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-'));
    words.filter_map(|word| word.strip_prefix("--")).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[test]
fn options_of_a_run_that_mean_nothing_in_turns_are_refused_in_words() {
    for (option, says) in [
        (&["--repeat", "7"][..], "rounds are added until the verdict is clear"),
        (&["--target-ci=2"], "limit them with --max-time"),
        (&["--quick"], "as long as --epochs or --steps make it"),
        (&["--soak", "30"], "as long as --epochs or --steps make it"),
        (&["--profile"], "turns take no profile"),
        (&["--trace", "x.json"], "turns take no profile"),
        (&["--adapters", "0,1"], "a side is one device"),
        (&["--dropout", "0.5"], "both sides train the same task"),
        (&["--strict"], "order by lot"),
    ] {
        refused(&[&["ab", "--env", "A=1"][..], option].concat(), 2, &[says, option[0].split('=').next().unwrap()]);
    }
    // Every other option of a run is one of `ab` too, or unknown to it.
    let folder = TempDir::new().unwrap();
    let help = |verb: &str| options(&outcome_of(program(folder.path()).args([verb, "--help"]), 0).0);
    let (of_run, of_ab) = (help("run"), help("ab"));
    let others: Vec<&String> = of_run.iter().filter(|name| !of_ab.contains(name)).collect();
    assert!(others.len() > 20, "{others:?}");
    for name in others {
        refused(&["ab", "--env", "A=1", &format!("--{name}")], 2, &[&format!("--{name}")]);
    }
}

#[cfg(unix)]
#[test]
fn a_program_that_crashes_hangs_or_talks_nonsense_ends_the_turns_with_words_and_its_own_code() {
    let version = "[ \"$1\" = --version ] && echo gpubench 0.0.9 && exit 0";
    for (script, options, code, says) in [
        ("echo Oops >&2; kill -SEGV $$", &[][..], 11, "it ended with signal: 11"),
        ("echo not json", &[], 3, "gave no result that can be read"),
        ("echo '{\"schema\": \"gpubench.result\", \"schema_version\": 99}'", &[], 3, "use a newer gpubench"),
        ("echo error: no such adapter >&2; exit 4", &[], 4, "error: no such adapter"),
        ("exec sleep 60", &["--turn-time", "0.3"], 11, "took longer than 0.3 s and was ended"),
    ] {
        let folder = TempDir::new().unwrap();
        let binary = stand_in(folder.path(), &format!("{version}\n{script}"));
        let mut command = ab(folder.path(), &["--binary", &binary, "--binary", &binary]);
        let (stdout, stderr) = outcome_of(command.args(options), code);
        assert!(stdout.is_empty() && stderr.contains(says), "{script}: {stdout}{stderr}");
        assert!(stderr.contains("stand-in, gpubench 0.0.9"), "{stderr}");
        assert!(results(folder.path()).is_empty());
    }
}

#[cfg(unix)]
#[test]
fn an_interrupt_keeps_what_was_measured() {
    use crate::common::process::interrupted;
    use std::time::Duration;
    for option in [&["--env", "A=1"][..], &["--adapter", "cpu"]] {
        let folder = TempDir::new().unwrap();
        let mut command = ab(folder.path(), option);
        let lines = interrupted(&mut command, |line| line.starts_with("round 2"), Duration::from_millis(20));
        let sides = both(folder.path());
        assert!(sides.iter().all(|side| side.repeats.len() >= 2), "{lines:?}");
        assert!(sides.iter().all(|side| side.turns.value().unwrap().ended == TurnsEnd::Unfinished));
        assert!(lines.iter().any(|line| line.contains("the partial result was kept")), "{lines:?}");
    }
}

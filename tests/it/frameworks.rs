//! `gpubench frameworks` as a process, with shell scripts that stand in for Python: no framework and no network is
//! needed.

use crate::common::process::{interrupted, outcome, outcome_of, program, refused, signalled, without_adapters};
use crate::common::{ROOT, names_in};
use gpubench::result::{RunResult, Status};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const DATA: &str = "synthetic:400+100";
/// The training that the tests ask for: three steps.
const RUN: [&str; 7] = ["frameworks", "run", "mxnet", "--data", DATA, "--steps", "3"];

/// An executable shell script.
fn script(path: &Path, text: &str) -> PathBuf {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_owned()
}

/// Runs three steps with a tool that answers by the branches `answers` of a shell's `case`; gives its result if there
/// is one, and stderr.
fn run_with(begin: &str, answers: &str, more: &[&str], code: i32) -> (Option<RunResult>, String, TempDir) {
    let folder = TempDir::new().unwrap();
    let text = format!("{begin}\nwhile read -r line; do case $line in\n{answers}\nesac; done");
    let python = script(&folder.path().join("python"), &text);
    let mut command = without_adapters(folder.path());
    command.args(RUN).args(more).arg("--python").arg(python).args(["--output", "out"]);
    let (_, stderr) = outcome_of(&mut command, code);
    let files = fs::read_dir(folder.path().join("out")).unwrap().map(|file| file.unwrap().path());
    let results = files.map(|file| RunResult::from_json(&fs::read_to_string(file).unwrap()).unwrap());
    (results.into_iter().find(|result| result.tool.is_some()), stderr, folder)
}

const ABOUT: &str = r#"echo 'a banner'; echo '{"version":"9.9","backend":"made up 1","device":"CPU"}'"#;
const WARM: &str = r#"*warm_up*) echo noise; echo '{"steps": 3}';;"#;

#[test]
fn other_losses_are_told_and_the_tool_is_not_timed() {
    let answers = format!(r#"{WARM} *losses*) echo '{{"losses": [2.3, 2.2, 2.1]}}';;"#);
    let (result, stderr, _folder) = run_with(ABOUT, &answers, &[], 11);
    let result = result.unwrap();
    let tool = result.tool.as_ref().unwrap();
    assert_eq!((tool.name.as_str(), tool.version.as_str(), result.status), ("mxnet", "9.9", Status::Failed));
    assert!(tool.agreement.value().is_some_and(|agreement| agreement.steps == 3), "{:?}", tool.agreement);
    assert!(result.reasons[0].contains("it trains something else") && result.repeats.is_empty());
    assert!(stderr.contains("mxnet: n/a (it trains something else") && stderr.contains("without figures: mxnet"));
}

#[test]
fn a_tool_that_crashes_has_its_last_words_as_the_reason() {
    let (result, stderr, _folder) = run_with("echo Segmentation of everything >&2; exit 3", "", &[], 11);
    assert!(result.unwrap().reasons[0].contains("exit status: 3): Segmentation of everything"), "{stderr}");
}

#[test]
fn a_tool_that_hangs_is_ended_with_its_children() {
    let begin = "sleep 77 & echo $! > child; sleep 77";
    let began = Instant::now();
    let (result, _, folder) = run_with(begin, "", &["--time-limit", "0.1"], 11);
    assert!(began.elapsed() < Duration::from_secs(60));
    assert!(result.unwrap().reasons[0].contains("stopped after 6 s without an answer; --time-limit"));
    let child = fs::read_to_string(folder.path().join("child")).unwrap();
    let state = fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "the tool's child still runs: {state}");
}

#[test]
fn unknown_names_missing_gpus_and_tools_of_the_past_are_refused_in_words() {
    refused(&["frameworks", "run", "keras-tensorflw"], 2, &["did you mean keras-tensorflow?"]);
    refused(&["frameworks", "setup", "neon"], 2, &["no package of neon"]);
    refused(&["frameworks", "run", "mxnet", "--time-limit", "0"], 2, &["minutes from above 0"]);
    refused(&["frameworks", "run", "torch", "--gpus", "2", "--device", "cpu"], 2, &["--gpus is for GPUs"]);
    let folder = TempDir::new().unwrap();
    let mut command = without_adapters(folder.path());
    let (_, stderr) = outcome_of(command.args(["frameworks", "run", "mxnet", "--device", "gpu"]), 4);
    assert!(stderr.contains("there is no GPU here") && stderr.contains("--device cpu"), "{stderr}");
    let (_, stderr) =
        outcome_of(without_adapters(folder.path()).args(["frameworks", "run", "torch", "--gpus", "2"]), 4);
    assert!(stderr.contains("--gpus 2 needs as many GPUs, and there are 0"), "{stderr}");
}

#[test]
fn what_is_not_set_up_says_how_to_set_it_up() {
    let folder = TempDir::new().unwrap();
    let (_, stderr) = outcome_of(without_adapters(folder.path()).args(RUN).args(["--output", "out"]), 11);
    assert!(stderr.contains("mxnet: n/a (not set up: `gpubench frameworks setup mxnet`)"), "{stderr}");
}

#[test]
fn the_list_says_what_cannot_be_had_and_why() {
    let folder = TempDir::new().unwrap();
    let (stdout, _) = outcome_of(program(folder.path()).args(["frameworks", "list", "--json"]), 0);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&stdout).unwrap();
    let of = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
    assert!(of("keras-cntk")["state"].as_str().unwrap().contains("no package of CNTK"));
    assert_eq!((&of("mxnet")["set_up"], &of("mxnet")["row"]), (&false.into(), &"mxnet".into()));
}

/// `setup mxnet` with this Python and no other program but the shell's.
fn set_up(folder: &Path, python: &Path) -> Command {
    let mut command = program(folder);
    command.args(["frameworks", "setup", "mxnet", "--python"]).arg(python).env("PATH", "/usr/bin:/bin");
    command
}

/// A Python 3.10 whose environments are folders, and whose pip runs `pip`.
fn stand_in(folder: &Path, pip: &str) -> PathBuf {
    let text = format!(
        "case \"$*\" in *version_info*) echo 3 10;; *venv*) mkdir -p $3/bin; cp $0 $3/bin/python;; *pip*) {pip};; esac"
    );
    script(&folder.join("python"), &text)
}

/// What lies in the folder of the environments, but for its lock.
fn environments(home: &Path) -> Vec<String> {
    names_in(home).into_iter().filter(|name| name != ".lock").collect()
}

#[test]
fn an_environment_is_whole_or_not_there() {
    let folder = TempDir::new().unwrap();
    let home = folder.path().join("data/gpubench/frameworks");
    let left = || environments(&home).len();
    let full = stand_in(folder.path(), "echo 'OSError: [Errno 28] No space left on device'; exit 1");
    let (_, stderr) = outcome_of(&mut set_up(folder.path(), &full), 7);
    assert!(stderr.contains("the disk is full") && stderr.contains("about 250 MB"), "{stderr}");
    assert_eq!(left(), 0);
    let unreachable = stand_in(folder.path(), "echo 'No matching distribution found'; exit 1");
    let (_, stderr) = outcome_of(&mut set_up(folder.path(), &unreachable), 11);
    assert!(stderr.contains("nothing is left of it") && stderr.contains("No matching distribution"), "{stderr}");
    assert_eq!(left(), 0);
    let good = stand_in(folder.path(), "exit 0");
    outcome_of(&mut set_up(folder.path(), &good), 0);
    assert_eq!(left(), 1);
    let (_, stderr) = outcome_of(&mut set_up(folder.path(), &good), 0);
    assert!(stderr.contains("mxnet: is set up"), "{stderr}");
}

#[test]
fn a_python_that_is_too_new_or_none_at_all_is_told() {
    let folder = TempDir::new().unwrap();
    let new = script(&folder.path().join("new"), "echo 3 14");
    let (_, stderr) = outcome_of(&mut set_up(folder.path(), &new), 11);
    assert!(stderr.contains("mxnet needs Python 3.8 to 3.11") && stderr.contains("is Python 3.14"), "{stderr}");
    let (_, stderr) = outcome_of(&mut set_up(folder.path(), Path::new("/none")), 11);
    assert!(stderr.contains("/none is no Python"), "{stderr}");
}

/// A folder with the few programs that the stand-ins need: no Python, no R, no uv.
fn bare_path(folder: &Path) -> PathBuf {
    let path = folder.join("bare");
    fs::create_dir_all(&path).unwrap();
    for name in ["mkdir", "cp", "sleep"] {
        let program = ["/usr/bin", "/bin"].map(|of| Path::new(of).join(name)).into_iter().find(|one| one.exists());
        std::os::unix::fs::symlink(program.unwrap(), path.join(name)).unwrap();
    }
    path
}

#[test]
fn without_python_or_r_it_says_what_to_install_and_sets_the_others_up() {
    let folder = TempDir::new().unwrap();
    let path = bare_path(folder.path());
    let setup = |names: &[&str]| {
        let mut command = program(folder.path());
        command.args(["frameworks", "setup"]).args(names).env("PATH", &path);
        command
    };
    let (_, stderr) = outcome_of(&mut setup(&["mxnet"]), 11);
    assert!(stderr.contains("mxnet needs Python 3.8 to 3.11, and there is no Python: install one"), "{stderr}");
    let good = stand_in(folder.path(), "exit 0");
    let (_, stderr) = outcome_of(setup(&["r-keras", "mxnet"]).arg("--python").arg(good), 11);
    assert!(stderr.contains("r-keras: n/a (r-keras needs Rscript: there is no R: install it"), "{stderr}");
    assert!(stderr.contains("mxnet: is set up") && stderr.contains("not set up: r-keras"), "{stderr}");
}

#[test]
fn a_set_up_that_is_interrupted_or_killed_leaves_nothing_to_the_next() {
    let folder = TempDir::new().unwrap();
    let home = folder.path().join("data/gpubench/frameworks");
    let slow = stand_in(folder.path(), "echo $$ > installer; sleep 77");
    let begins = |line: &str| line.contains("mxnet: installing");
    let installs = Duration::from_millis(700);
    interrupted(&mut set_up(folder.path(), &slow), begins, installs);
    assert!(environments(&home).is_empty());
    let installer = fs::read_to_string(folder.path().join("installer")).unwrap();
    let state = fs::read_to_string(format!("/proc/{}/stat", installer.trim())).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "the installer still runs: {state}");
    signalled(&mut set_up(folder.path(), &slow), begins, &[(installs, "KILL")]);
    let left = environments(&home);
    assert!(left.len() == 1 && left[0].starts_with(".setup-"), "{left:?}");
    let installer = fs::read_to_string(folder.path().join("installer")).unwrap();
    // It has a group of its own, which nobody ends when gpubench is killed.
    assert!(
        Command::new("kill")
            .args(["-KILL", "--", &format!("-{}", installer.trim())])
            .status()
            .is_ok_and(|status| status.success())
    );
    let good = stand_in(folder.path(), "exit 0");
    outcome_of(&mut set_up(folder.path(), &good), 0);
    assert_eq!(environments(&home), ["mxnet"]);
}

#[test]
fn a_set_up_waits_for_another() {
    let folder = TempDir::new().unwrap();
    let home = folder.path().join("data/gpubench/frameworks");
    fs::create_dir_all(&home).unwrap();
    let lock = fs::File::create(home.join(".lock")).unwrap();
    lock.lock().unwrap();
    let good = stand_in(folder.path(), "exit 0");
    let mut waiting = set_up(folder.path(), &good).stderr(std::process::Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert!(waiting.try_wait().unwrap().is_none(), "it did not wait");
    lock.unlock().unwrap();
    let output = waiting.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && stderr.contains("waiting for another"), "{stderr}");
}

#[test]
fn an_interrupted_run_ends_the_tool_and_keeps_the_trainings_that_ended() {
    let folder = TempDir::new().unwrap();
    let python = script(&folder.path().join("python"), "echo $$ > tool; sleep 77");
    let mut command = without_adapters(folder.path());
    command.args(RUN).arg("--python").arg(python).args(["--output", "out"]);
    let lines = interrupted(&mut command, |line| line.contains("round 1 of 1: mxnet"), Duration::from_millis(700));
    assert!(lines.iter().any(|line| line == "error: interrupted; what had ended before was kept"), "{lines:?}");
    let tool = fs::read_to_string(folder.path().join("tool")).unwrap();
    let state = fs::read_to_string(format!("/proc/{}/stat", tool.trim())).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "the tool still runs: {state}");
    let files = fs::read_dir(folder.path().join("out")).unwrap().map(|file| file.unwrap().path());
    let read = |file: PathBuf| RunResult::from_json(&fs::read_to_string(file).unwrap()).unwrap();
    // That of gpubench's own turn; a tool that has not trained to the end leaves no file.
    let kept: Vec<(bool, Status)> = files.map(read).map(|one| (one.tool.is_some(), one.status)).collect();
    assert_eq!(kept, [(false, Status::Complete)]);
}

#[test]
fn a_program_is_built_with_cargo_kept_without_what_it_was_built_of_and_run() {
    let folder = TempDir::new().unwrap();
    let path = bare_path(folder.path());
    let run = |arguments: &[&str], code: i32| {
        let mut command = without_adapters(folder.path());
        outcome_of(command.arg("frameworks").args(arguments).env("PATH", &path), code)
    };
    let (_, stderr) = run(&["setup", "burn"], 11);
    assert!(stderr.contains("burn needs cargo: it is built with cargo, and there is none: install Rust"), "{stderr}");
    let program = "mkdir -p $last/release; echo exit 3 >$last/release/gpubench-burn";
    script(&path.join("cargo"), &format!("for last; do :; done; case $1 in build) {program};; esac"));
    let (_, stderr) = run(&["setup", "burn"], 0);
    assert!(stderr.contains("burn: building burn =0.22.0 into") && stderr.contains("burn: is set up, 0 MB in "));
    assert_eq!(environments(&folder.path().join("data/gpubench/frameworks")), ["burn"]);
    let (stdout, _) = run(&["list", "--json"], 0);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&stdout).unwrap();
    assert!(rows.iter().any(|row| row["name"] == "burn" && row["state"] == "set up"), "{stdout}");
    let (_, stderr) = run(&["run", "burn", "--device", "cpu", "--data", DATA, "--steps", "3", "--output", "out"], 11);
    assert!(stderr.contains("burn: n/a (there is no adapter of Vulkan in software: install Mesa's"), "{stderr}");
}

#[test]
fn tools_of_the_past_are_tried_where_an_interpreter_is_named() {
    let folder = TempDir::new().unwrap();
    let python = script(&folder.path().join("python"), "echo \"ModuleNotFoundError: no module of $2\" >&2; exit 1");
    let mut command = without_adapters(folder.path());
    command.args(["frameworks", "run", "keras-cntk", "neon", "--data", DATA, "--steps", "3", "--output", "out"]);
    let (stdout, stderr) = outcome_of(command.arg("--python").arg(python), 11);
    for name in ["keras-cntk", "neon"] {
        assert!(stderr.contains(&format!("{name}: n/a (it ended (exit status: 1): ModuleNotFoundError")), "{stderr}");
    }
    assert!(stdout.contains("Keras (CNTK)") && stdout.contains("FAILED"), "{stdout}");
}

#[test]
fn phases_that_are_not_the_same_work_are_not_divided() {
    let folder = TempDir::new().unwrap();
    let of = |name: &str| format!("{ROOT}/results/20261127T19054{name}-amd-epyc-seed1.json");
    let compare = |first: &str, second: &str| -> Vec<serde_json::Value> {
        let (stdout, _) = outcome(folder.path(), &["compare", first, second, "--json"], 0);
        let told: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        let figures = told["comparisons"][0]["figures"].as_array().unwrap().clone();
        figures.into_iter().filter(|figure| figure["kind"] == "phase").collect()
    };
    let (own, jax) = (format!("{ROOT}/results/20261127T190543Z-amd-epyc-seed1.json"), of("2Z-keras-jax"));
    let phases = compare(&own, &jax);
    for phase in &phases {
        let reason = phase["ratio"]["missing"].as_str();
        match phase["name"].as_str().unwrap() {
            "training" => assert!(phase["ratio"].as_f64().is_some_and(|ratio| (20.0..30.0).contains(&ratio))),
            "device" => assert!(reason.is_some_and(|reason| reason.contains("the import of its packages"))),
            _ => assert!(reason.is_some(), "{phase}"),
        }
    }
    assert!(phases.iter().any(|phase| phase["second_us"]["missing"] == "another tool has no such phase"));
    // Between two other tools they are.
    let phases = compare(&jax, &of("2Z-keras-tensorflow"));
    assert!(phases.iter().any(|phase| phase["name"] == "device" && phase["ratio"].is_number()), "{phases:?}");
    assert!(phases.iter().all(|phase| phase["name"] != "adapter"), "{phases:?}");
}

#[test]
fn reports_and_comparisons_name_the_tool() {
    let folder = TempDir::new().unwrap();
    let of = |name: &str| format!("{ROOT}/results/20261127T190542Z-{name}-amd-epyc-seed1.json");
    let (jax, tensorflow) = (of("keras-jax"), of("keras-tensorflow"));
    for format in ["card", "text"] {
        let (stdout, _) = outcome(folder.path(), &["report", &jax, "--format", format], 0);
        let text = stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("tool Keras (jax) 3.15.1 on jax 0.10.2; its losses of 10 steps differ"), "{stdout}");
        assert!(!text.contains("EPYC, spread"), "{stdout}");
    }
    let (stdout, _) = outcome(folder.path(), &["compare", &jax, &tensorflow], 0);
    assert!(stdout.contains("first    Keras (jax) 3.15.1 on jax 0.10.2 on AMD EPYC"), "{stdout}");
    let (stdout, _) = outcome(folder.path(), &["verify", &jax], 0);
    assert!(stdout.contains("its figures follow from each other"), "{stdout}");
}

#[test]
fn for_the_cpu_no_adapter_is_looked_for() {
    let folder = TempDir::new().unwrap();
    let mut command = program(folder.path());
    // Without these a layer of Mesa's complains on stderr as soon as Vulkan's loader is asked for adapters.
    command.env_remove("NODEVICE_SELECT").env_remove("XDG_RUNTIME_DIR");
    let (_, stderr) = outcome_of(command.args(RUN).args(["--device", "cpu", "--output", "out"]), 11);
    assert!(!stderr.contains("XDG_RUNTIME_DIR") && stderr.contains("mxnet: n/a (not set up"), "{stderr}");
}

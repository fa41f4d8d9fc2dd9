//! `gpubench fleet` as a process, with shell scripts that stand in for ssh, srun and the hosts behind them.

use crate::common::names_in;
use crate::common::process::{PROGRAM, outcome_of, refused, signalled, without_adapters};
use gpubench::result::{RunResult, Status};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The run of every host: three steps on the host's cores.
const RUN: &str = r#"["--adapter", "cpu", "--threads", "1", "--data", "synthetic:400+100", "--steps", "3"]"#;

/// An ssh that reaches hosts by their names: `good` runs what it is told, behind a banner; the others fail in their
/// ways.
const SSH: &str = r#"
while [ "$1" != -- ]; do shift; done; shift
destination=$1; echo "$destination" >> "$HERE/reached"; shift
case $destination in
*good*) echo 'Welcome to the cluster'; echo '{ not a result }'; HOME=$HERE sh -c "$*"; code=$?; echo bye; exit $code;;
*locked*) echo 'me@locked: Permission denied (publickey,password).' >&2; exit 255;;
*slow*) sleep 77;;
*bare*) sh -c "$*"; exit $?;;
*silent*) exit 0;;
esac"#;

/// An srun that runs the program as its one task.
const SRUN: &str = r#"
for word; do case $word in -*) echo "$word" >> "$HERE/srun";; *) break;; esac; shift; done
exec "$@""#;

/// The program in `folder`, which has stand-ins for ssh and srun on its path and a file of hosts.
fn fleet(folder: &Path, hosts: &str) -> Command {
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).unwrap();
    for (name, text) in [("ssh", SSH), ("srun", SRUN), ("sbatch", "exit 9")] {
        fs::write(bin.join(name), format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(folder.join("hosts.toml"), format!("program = {PROGRAM:?}\nargs = {RUN}\n{hosts}")).unwrap();
    let mut command = without_adapters(folder);
    command.env("PATH", format!("{}:/usr/bin:/bin", bin.display())).env("HERE", folder);
    command.args(["fleet", "hosts.toml"]);
    command
}

fn result_of(folder: &Path, host: &str) -> RunResult {
    RunResult::from_json(&fs::read_to_string(folder.join(format!("fleet/{host}.json"))).unwrap()).unwrap()
}

#[test]
fn hosts_behind_banners_slurm_and_commands_are_gathered_into_one_table() {
    let folder = TempDir::new().unwrap();
    let hosts = format!(
        "[[host]]\nname = 'alpha'\nssh = 'me@good'\noptions = ['-p', '2222']\n\
         [[host]]\nname = 'node'\nslurm = true\noptions = ['--partition=gpu']\n\
         [[host]]\nname = 'here'\ncommand = 'env A=1 {PROGRAM}'\n"
    );
    let (stdout, stderr) = outcome_of(&mut fleet(folder.path(), &hosts), 0);
    let row = |host: &str| stdout.lines().find(|line| line.trim_start().starts_with(host)).unwrap().to_owned();
    assert!(["alpha", "node", "here"].map(row).iter().all(|row| row.contains("complete")), "{stdout}");
    assert!(stdout.contains("vs best") && stdout.contains("1.00"), "{stdout}");
    assert!(stderr.contains("alpha: begins, through ssh") && stderr.contains("node: ended after"), "{stderr}");
    let results = ["alpha", "node", "here"].map(|host| result_of(folder.path(), host));
    assert!(
        results
            .iter()
            .all(|result| result.status == Status::Complete && result.settings.steps.value.value() == Some(&3))
    );
    let told = fs::read_to_string(folder.path().join("srun")).unwrap();
    assert!(told.contains("--ntasks=1") && told.contains("--partition=gpu"), "{told}");
    // The tables of many results take the folder as it is, and the files are as they were written.
    let (_, _) = outcome_of(without_adapters(folder.path()).args(["table", "fleet"]), 0);
    let (_, _) = outcome_of(without_adapters(folder.path()).args(["verify", "fleet"]), 0);
}

#[test]
fn hosts_that_fail_are_rows_and_alone_are_tried_again() {
    let folder = TempDir::new().unwrap();
    let hosts = "[[host]]\nname = 'alpha'\nssh = 'good'\n[[host]]\nname = 'beta'\nssh = 'locked'\n\
                 [[host]]\nname = 'gamma'\nssh = 'slow'\n[[host]]\nname = 'delta'\nssh = 'bare'\n\
                 program = 'gpubench-of-nowhere'\n\
                 [[host]]\nname = 'epsilon'\nssh = 'silent'\n";
    let began = Instant::now();
    let mut first = fleet(folder.path(), hosts);
    let (stdout, stderr) = outcome_of(first.args(["--time-limit", "0.2", "--json"]), 11);
    assert!(began.elapsed() < Duration::from_secs(60));
    let rows: Vec<Value> = serde_json::from_str(&stdout).unwrap();
    let reason =
        |host: &str| rows.iter().find(|row| row["host"] == host).unwrap()["reason"].as_str().map(str::to_owned);
    assert_eq!(reason("alpha"), None);
    let beta = reason("beta").unwrap();
    assert!(beta.contains("Permission denied") && beta.contains("`ssh locked true` has to work"), "{beta}");
    assert!(reason("gamma").unwrap().contains("stopped after 12 s; --time-limit allows more"));
    assert!(reason("delta").unwrap().contains("program = "));
    assert!(reason("epsilon").unwrap().contains("it printed nothing"));
    assert!(stderr.contains("without a valid result: beta, gamma, delta, epsilon"), "{stderr}");
    let reached = || fs::read_to_string(folder.path().join("reached")).unwrap();
    assert_eq!(reached().lines().count(), 5);
    let (stdout, _) = outcome_of(fleet(folder.path(), hosts).args(["--time-limit", "0.02"]), 11);
    assert!(stdout.contains("FAILED: ") && stdout.contains("complete"), "{stdout}");
    assert_eq!(reached().lines().filter(|host| *host == "good").count(), 1, "what is there is not run again");
    assert_eq!(reached().lines().count(), 9);
    outcome_of(fleet(folder.path(), hosts).args(["--time-limit", "0.02", "--again", "alpha"]), 11);
    assert_eq!(reached().lines().filter(|host| *host == "good").count(), 2, "it was asked for again");
}

#[test]
fn a_folder_of_another_run_is_not_mixed_with_this_one() {
    let folder = TempDir::new().unwrap();
    let hosts = "[[host]]\nname = 'alpha'\nssh = 'good'\n";
    outcome_of(&mut fleet(folder.path(), hosts), 0);
    let other = ["--", "--adapter", "cpu", "--steps", "2", "--data", "synthetic:400+100"];
    let (_, stderr) = outcome_of(fleet(folder.path(), hosts).args(other), 2);
    assert!(stderr.contains("holds the fleet's results of a run with --adapter cpu --threads 1"), "{stderr}");
    let file = folder.path().join("fleet/alpha.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("\"complete\"", "\"partial\"", 1)).unwrap();
    let (_, stderr) = outcome_of(&mut fleet(folder.path(), hosts), 2);
    assert!(stderr.contains("alpha.json, which this fleet did not gather so"), "{stderr}");
}

#[test]
fn what_cannot_work_is_refused_before_a_host_is_reached() {
    let folder = TempDir::new().unwrap();
    let host = "[[host]]\nname = 'alpha'\nssh = 'good'\n";
    for (more, says) in [
        (vec!["--", "--epocs", "3"], "unexpected argument '--epocs'"),
        (vec!["--", "--json"], "--json is no option of a fleet's run"),
        (vec!["--again", "alpa"], "did you mean alpha?"),
    ] {
        let (_, stderr) = outcome_of(fleet(folder.path(), host).args(more), 2);
        assert!(stderr.contains(says), "{stderr}");
    }
    let (_, stderr) = outcome_of(&mut fleet(folder.path(), "[[host]]\nname = 'a b'\nssh = 'good'\n"), 2);
    assert!(stderr.contains("hosts.toml: host \"a b\": a name has up to 64"), "{stderr}");
    let (stdout, _) = outcome_of(fleet(folder.path(), host).arg("--dry-run"), 0);
    assert!(stdout.starts_with("alpha: ssh -o BatchMode=yes") && stdout.contains("--steps 3"), "{stdout}");
    assert!(!folder.path().join("reached").exists() && !folder.path().join("fleet").exists());
    refused(&["fleet", "nowhere.toml"], 3, &["nowhere.toml cannot be read"]);
}

#[test]
fn jobs_of_slurm_are_written_and_their_results_gathered() {
    let folder = TempDir::new().unwrap();
    let hosts =
        "[[host]]\nname = 'node'\nslurm = true\noptions = ['--gres=gpu:1']\n[[host]]\nname = 'alpha'\nssh = 'good'\n";
    let (_, stderr) = outcome_of(fleet(folder.path(), hosts).args(["--sbatch", "jobs.sh"]), 0);
    assert!(stderr.contains("jobs.sh, 1 jobs"), "{stderr}");
    let (_, stderr) = outcome_of(fleet(folder.path(), hosts).arg("--gather"), 11);
    assert!(stderr.contains("without a valid result: node, alpha"), "{stderr}");
    // An sbatch that runs its job at once.
    let job = r#"for word; do case $word in
        --output=*) out=${word#*=};; --error=*) log=${word#*=};; --wrap=*) job=${word#*=};; esac; done
        sh -c "$job" > "$out" 2> "$log""#;
    fs::write(folder.path().join("bin/sbatch"), format!("#!/bin/sh\n{job}\n")).unwrap();
    let mut script = Command::new("sh");
    script.arg(folder.path().join("jobs.sh")).env("PATH", format!("{}/bin:/usr/bin:/bin", folder.path().display()));
    script.env("XDG_DATA_HOME", folder.path().join("data"));
    outcome_of(&mut script, 0);
    let (stdout, _) = outcome_of(fleet(folder.path(), hosts).arg("--gather"), 11);
    let row = |host: &str| stdout.lines().find(|line| line.trim_start().starts_with(host)).unwrap().to_owned();
    assert!(row("node").contains("complete") && row("alpha").contains("FAILED: it has left nothing"), "{stdout}");
}

#[test]
fn an_interrupted_fleet_goes_on() {
    let folder = TempDir::new().unwrap();
    let hosts = "[[host]]\nname = 'alpha'\nssh = 'good'\n[[host]]\nname = 'gamma'\nssh = 'slow'\n";
    let ended = signalled(
        &mut fleet(folder.path(), hosts),
        |line| line.starts_with("alpha: ended"),
        &[(Duration::from_millis(100), "INT")],
    );
    assert_eq!(ended.code, Some(130), "{:?}", ended.lines);
    assert!(names_in(&folder.path().join("fleet")).contains(&"alpha.json".to_owned()));
    let (_, stderr) = outcome_of(fleet(folder.path(), hosts).args(["--time-limit", "0.02"]), 11);
    assert!(stderr.contains("alpha: its result is there"), "{stderr}");
}

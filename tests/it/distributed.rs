//! Ranks as processes that mpirun starts: what they train together, what they refuse, what is left when one ends.

use crate::common::process::{DIGITS, Ended, PROGRAM, only_result, outcome_of, program, results, signalled, through};
use gpubench::result::{Repeat, RunResult, ScalingMode, Status};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Options of ranks that share this machine's cores.
const RANK: [&str; 5] = ["--distributed", "--adapter", "cpu", "--threads", "1"];
const DATA: [&str; 2] = ["--data", DIGITS];
/// Where the stopped rank is found out, and those that wait for it have ended: 15 s, and some for other tests.
const MOST_TIME_TO_END: Duration = Duration::from_secs(25);

/// Ranks of one test at a time: they wait for each other by spinning, and share two cores as it is.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// mpirun in the environment of a test: as root too, with more ranks than cores, without a network.
fn mpirun(folder: &Path) -> Command {
    let mut command = through(&program(folder), "mpirun");
    for (variable, value) in [
        ("OMPI_ALLOW_RUN_AS_ROOT", "1"),
        ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"),
        ("OMPI_MCA_plm", "isolated"),
        ("OMPI_MCA_btl", "self,vader"),
        // Containers forbid to read another process's memory.
        ("OMPI_MCA_btl_vader_single_copy_mechanism", "none"),
        ("OMPI_MCA_rmaps_base_oversubscribe", "1"),
        ("OMPI_MCA_hwloc_base_binding_policy", "none"),
        // A test that hangs fails.
        ("MPIEXEC_TIMEOUT", "150"),
    ] {
        command.env(variable, value);
    }
    command
}

/// `ranks` ranks with the same arguments.
fn ranks(folder: &Path, ranks: &str, arguments: &[&str]) -> Command {
    let mut command = mpirun(folder);
    command.args(["-n", ranks, PROGRAM]).args(RANK).args(DATA).args(arguments);
    command
}

/// The result of a run, which ends well, of as many ranks.
fn trained(count: &str, arguments: &[&str]) -> RunResult {
    let folder = TempDir::new().unwrap();
    let (stdout, _) = outcome_of(ranks(folder.path(), count, arguments).arg("--json"), 0);
    assert_eq!(results(folder.path()).len(), 1, "one rank alone writes");
    RunResult::from_json(&stdout).unwrap()
}

fn losses(repeat: &Repeat) -> Vec<f64> {
    repeat.epochs.iter().flat_map(|epoch| epoch.loss_curve.clone()).collect()
}

fn digest(result: &RunResult) -> &String {
    result.repeats[0].parameters_sha256.value().unwrap()
}

/// The same with devices of one process.
fn in_one_process(arguments: &[&str]) -> RunResult {
    let folder = TempDir::new().unwrap();
    let mut command = program(folder.path());
    command.args(["--threads", "1", "--data", DIGITS, "--json"]).args(arguments);
    RunResult::from_json(&outcome_of(&mut command, 0).0).unwrap()
}

#[test]
fn fifty_losses_are_those_of_one_process_and_the_same_ranks_give_the_same_bits() {
    let _alone = alone();
    let alone = losses(&in_one_process(&["--adapter", "cpu", "--steps", "50"]).repeats[0]);
    assert_eq!(alone.len(), 50);
    for count in ["1", "2", "4"] {
        let result = trained(count, &["--steps", "50"]);
        assert_eq!(result.status, Status::Complete);
        let found = losses(&result.repeats[0]);
        assert_eq!(found.len(), 50);
        for (step, (found, alone)) in found.iter().zip(&alone).enumerate() {
            // Another order of sums rounds otherwise, which grows from step to step at the standard rate.
            let allowed = if step < 20 { 1e-3 } else { 5e-2 };
            assert!((found - alone).abs() < allowed * alone, "{count} ranks, step {step}: {found} {alone}");
        }
        if count != "1" {
            assert_eq!(digest(&result), digest(&trained(count, &["--steps", "50"])), "{count} ranks");
            let devices = ["--adapters", "cpu", "--logical-devices", count, "--steps", "50"];
            assert_eq!(digest(&result), digest(&in_one_process(&devices)), "{count} ranks");
        }
    }
}

#[test]
fn uneven_parts_and_rare_sums_give_the_bits_of_one_process_too() {
    let _alone = alone();
    let several = ["--adapters", "cpu", "--logical-devices", "3"];
    for arguments in [["--split", "2:1:1", "--steps", "14"], ["--sync", "epoch", "--epochs", "1"]] {
        assert_eq!(digest(&trained("3", &arguments)), digest(&in_one_process(&[&several[..], &arguments].concat())));
    }
}

#[test]
fn a_result_tells_where_the_time_of_each_rank_went() {
    let _alone = alone();
    let result = trained("2", &["--steps", "30", "--split", "3:1"]);
    let parallel = result.parallel.value().unwrap();
    assert_eq!(parallel.members.iter().map(|member| member.images_per_batch).collect::<Vec<_>>(), [96, 32]);
    assert_eq!(parallel.scaling_mode.value(), Some(&ScalingMode::Strong));
    let ranks = parallel.ranks.value().unwrap();
    assert_eq!(ranks.iter().map(|rank| rank.images_per_batch).collect::<Vec<_>>(), [96, 32]);
    for rank in ranks {
        let [step, compute, wait, exchange, update] =
            [&rank.step_s, &rank.compute_s, &rank.wait_s, &rank.exchange_s, &rank.update_s]
                .map(|time| *time.value().unwrap());
        assert!(compute > 0.0 && wait >= 0.0 && exchange > 0.0 && update > 0.0, "{rank:?}");
        assert!(compute + wait + exchange + update <= step * 1.001, "{rank:?}");
        assert!(!rank.host.is_empty() && rank.devices.len() == 1);
    }
    let computing = [0, 1].map(|rank| *ranks[rank].compute_s.value().unwrap());
    assert!(computing[0] > computing[1], "a third of the images is done first: {computing:?}");
    assert!(*parallel.scaling_efficiency_pct.value().unwrap() > 0.0);
    let text = gpubench::report::text(&result, 160);
    for words in ["computing", "imbalance", "MPI", "strong: the batch stays"] {
        assert!(text.contains(words), "{words} is not in: {text}");
    }
}

#[test]
fn with_weak_scaling_each_rank_has_the_batch_of_one() {
    let _alone = alone();
    let result = trained("2", &["--steps", "2", "--batch", "64", "--scaling-mode", "weak"]);
    assert_eq!((result.settings.batch.value, result.data.train_images), (128, 1500));
    let parallel = result.parallel.value().unwrap();
    assert_eq!(parallel.scaling_mode.value(), Some(&ScalingMode::Weak));
    assert!(parallel.ranks.value().unwrap().iter().all(|rank| rank.images_per_batch == 64));
}

#[test]
fn without_a_launcher_there_is_one_rank_and_it_says_so() {
    let _alone = alone();
    let folder = TempDir::new().unwrap();
    let mut command = through(&mpirun(folder.path()), PROGRAM);
    let (_, stderr) = outcome_of(command.args(RANK).args(DATA).args(["--steps", "2"]), 0);
    assert!(stderr.contains("distributed: one rank") && stderr.contains("mpirun -n 4"), "{stderr}");
    assert_eq!(only_result(folder.path()).parallel.value().unwrap().members.len(), 1);
}

/// Starts one rank with each of `arguments`; expects that all end with `code` and say `words`, and nothing is left.
fn all_refuse(arguments: &[&[&str]], code: u8, words: &[&str]) {
    let folder = TempDir::new().unwrap();
    let mut command = mpirun(folder.path());
    for (rank, arguments) in arguments.iter().enumerate() {
        let keep = format!("\"$@\"; echo $? > code{rank}");
        command.args((rank > 0).then_some(":"));
        let data = if arguments.contains(&"--data") { &[][..] } else { &DATA };
        command.args(["-n", "1", "sh", "-c", &keep, "sh", PROGRAM]).args(RANK).args(data).args(*arguments);
    }
    let (stdout, stderr) = outcome_of(&mut command, 0);
    assert!(stdout.is_empty() && results(folder.path()).is_empty(), "{stdout}");
    // mpirun may put the last words of two ranks on one line.
    for words in words {
        assert!(stderr.matches(words).count() >= arguments.len(), "{words:?}: {stderr}");
    }
    assert_eq!(stderr.matches("error: ").count(), arguments.len(), "{stderr}");
    all_ended_with(folder.path(), arguments.len(), code, &stderr);
}

/// Expects that every one of `ranks` ranks noted `code` in its file.
fn all_ended_with(folder: &Path, ranks: usize, code: u8, said: &str) {
    for rank in 0..ranks {
        let ended = fs::read_to_string(folder.join(format!("code{rank}"))).unwrap();
        assert_eq!(ended.trim(), code.to_string(), "rank {rank}: {said}");
    }
}

#[test]
fn what_does_not_fit_together_is_refused_by_all_ranks_alike() {
    let _alone = alone();
    all_refuse(&[&[], &["--seed", "7"]], 2, &["rank 1 of 2 (", "has another seed than rank 0 of 2", "7 in place of 1"]);
    all_refuse(&[&[], &[], &["--steps", "9"]], 2, &["rank 2 of 3 (", "another limit of steps", "9 in place of none"]);
    all_refuse(&[&[], &["--data", "synthetic:1500+201"]], 2, &["rank 1 of 2 (", "has another data set than rank 0"]);
    all_refuse(&[&[], &["--data", "nowhere"]], 3, &["rank 1 of 2 (", "the data folder nowhere does not exist"]);
    all_refuse(&[&["--batch", "2"][..]; 3], 2, &["a batch of 2 cannot be shared between 3 devices"]);
    all_refuse(&[&["--split", "3:1"][..]; 3], 2, &["--split 3:1 has 2 parts for 3 devices"]);
    all_refuse(&[&["--split", "1000:1"][..]; 2], 2, &["device 2 gets no image of a batch of 128"]);
    all_refuse(&[&["--profile"][..]; 2], 2, &["several cannot be profiled together"]);
}

/// Trains for long with three ranks, sends `signal` to `rank` after two epochs, and expects that all end in time; gives
/// the result, mpirun's exit code, and what the ranks said since.
fn with_a_signal(signal: &str, rank: usize) -> (RunResult, Option<i32>, String) {
    let folder = TempDir::new().unwrap();
    let mut command = mpirun(folder.path());
    let note = "echo $$ > pid$OMPI_COMM_WORLD_RANK; exec \"$@\"";
    command.args(["-n", "3", "sh", "-c", note, "sh", PROGRAM]).args(RANK).args(DATA).args(["--epochs", "500"]);
    // The signal is for a rank, not for mpirun: another process waits for the second epoch and sends it.
    let send = format!("until [ -s pid{rank} ]; do sleep 0.1; done; read pid < pid{rank}; kill -{signal} $pid");
    let folder_path = folder.path().to_owned();
    let ready = move |line: &str| {
        let second = line.starts_with("epoch  2");
        if second {
            let sent = Command::new("sh").args(["-c", &send]).current_dir(&folder_path).status();
            assert!(sent.unwrap().success());
        }
        second
    };
    let Ended { code, lines, took } = signalled(&mut command, ready, &[]);
    assert!(took < MOST_TIME_TO_END, "{signal}: {took:?}");
    for rank in 0..3 {
        let pid = fs::read_to_string(folder.path().join(format!("pid{rank}"))).unwrap();
        let status = || fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap_or_default();
        let ended = || status().is_empty() || status().contains("zombie");
        // mpirun does not wait for the last of them.
        let begun = Instant::now();
        while !ended() && begun.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(ended(), "rank {rank} is left: {}", status());
    }
    (only_result(folder.path()), code, lines.join("\n"))
}

#[test]
fn a_killed_rank_ends_all_and_the_partial_result_names_it() {
    let _alone = alone();
    let (result, code, said) = with_a_signal("KILL", 2);
    assert_ne!(code, Some(0));
    assert_eq!(result.status, Status::Failed);
    // mpirun asks all to stop at once: who waits for several may name another one first, and says so.
    let named = |text: &str| text.contains("rank 2 of 3 (") || text.contains("or another one was");
    assert!(named(&result.reasons[0]), "{:?}", result.reasons);
    assert!(result.repeats[0].epochs.len() >= 2 && named(&said), "{said}");
}

#[test]
fn a_stopped_rank_ends_all_and_the_partial_result_names_it() {
    let _alone = alone();
    let (result, code, said) = with_a_signal("STOP", 1);
    assert_eq!(code, Some(8), "{said}");
    assert_eq!(result.status, Status::Failed);
    assert!(result.reasons[0].starts_with("rank 1 of 3 (") && result.reasons[0].contains("no sign of life"));
    assert!(result.repeats[0].epochs.len() >= 2 && said.contains("error: rank 1 of 3 ("), "{said}");
}

#[test]
fn a_rank_that_fails_tells_the_others_which_end_with_its_code() {
    let _alone = alone();
    let folder = TempDir::new().unwrap();
    let mut command = mpirun(folder.path());
    let keep = "\"$@\"; echo $? > code$OMPI_COMM_WORLD_RANK";
    let arguments = ["--epochs", "500", "--output", "out"];
    command.args(["-n", "2", "sh", "-c", keep, "sh", PROGRAM]).args(RANK).args(DATA).args(arguments);
    let out = folder.path().join("out");
    let ready = |line: &str| {
        let second = line.starts_with("epoch  2");
        if second {
            // A file may be written into it at the same time.
            while fs::remove_dir_all(&out).is_err() {}
            fs::write(&out, "no folder any more").unwrap();
        }
        second
    };
    let Ended { lines, took, .. } = signalled(&mut command, ready, &[]);
    let said = lines.join("\n");
    assert!(took < MOST_TIME_TO_END, "{took:?}");
    all_ended_with(folder.path(), 2, 7, &said);
    assert!(lines.iter().any(|line| line.starts_with("error: rank 0 of 2 (") && line.contains("out")), "{said}");
}

#[test]
fn an_interrupted_rank_stops_all_after_the_same_step() {
    let _alone = alone();
    let (result, code, said) = with_a_signal("INT", 1);
    assert_eq!((code, result.status), (Some(130), Status::Partial), "{said}");
    assert!(said.contains("interrupted; the partial result was kept"), "{said}");
}

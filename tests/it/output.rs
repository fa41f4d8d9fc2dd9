//! The result file of a run on disk.

use crate::common::{names_in, sample};
use gpubench::cli::output::ResultFile;
use gpubench::result::{RunResult, Sample};
use std::fs;
use std::path::Path;

/// Names the folder of [`a_full_disk_child`] to that test.
const FOLDER_VARIABLE: &str = "GPUBENCH_TEST_FULL_FOLDER";

fn read(path: &Path) -> RunResult {
    RunResult::from_json(&fs::read_to_string(path).expect("the file is readable")).expect("the file is a result")
}

#[test]
fn a_result_is_rewritten_in_place_and_other_runs_keep_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let nested = folder.path().join("new/results");
    let mut first = ResultFile::create(&nested, "Imaginary GPU 9000", 7).unwrap();
    let mut second = ResultFile::create(&nested, "Imaginary GPU 9000", 7).unwrap();
    first.write(&sample::gpu_run(1)).unwrap();
    second.write(&sample::gpu_run(2)).unwrap();
    first.write(&sample::gpu_run(3)).unwrap();
    let paths = [first.kept().unwrap().to_owned(), second.kept().unwrap().to_owned()];
    drop((first, second));
    assert!(read(&paths[0]) == sample::gpu_run(3), "the last version stands in the first file");
    assert!(read(&paths[1]) == sample::gpu_run(2), "the second file is untouched");
    let names = names_in(&nested);
    assert_eq!(names.len(), 2, "no temporary file is left: {names:?}");
    assert!(
        names.iter().all(|name| name.contains("-imaginary-gpu-9000-seed7") && name.ends_with(".json")),
        "{names:?}"
    );
}

#[test]
fn a_run_that_ends_before_its_first_stage_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = ResultFile::create(folder.path(), "adapter", 1).unwrap();
    drop(file);
    assert_eq!(names_in(folder.path()).len(), 0);
}

#[test]
#[cfg(target_os = "linux")]
fn a_folder_that_cannot_be_written_is_found_at_once() {
    // Nobody, not even root, can make a file in /proc.
    let error = ResultFile::create(Path::new("/proc"), "adapter", 1).unwrap_err();
    assert_eq!(error.exit_code(), 7);
    assert!(error.to_string().contains("/proc") && error.to_string().contains("choose another place"), "{error}");
}

/// A process whose files cannot grow past a limit stands for a full disk: writing fails half-way in both.
#[test]
#[cfg(unix)]
fn a_full_disk_keeps_the_last_good_version_and_leaves_no_temporary_file() {
    let folder = tempfile::tempdir().unwrap();
    let script = "trap '' XFSZ; ulimit -f 128; exec \"$0\" --exact output::a_full_disk_child --ignored";
    let output = std::process::Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(FOLDER_VARIABLE, folder.path())
        .output()
        .unwrap();
    let talk = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && talk.contains("1 passed"), "{talk}");
    let names = names_in(folder.path());
    assert_eq!(names.len(), 1, "no temporary file is left: {names:?}");
    assert!(read(&folder.path().join(&names[0])) == sample::gpu_run(1), "the last good version stands");
}

#[test]
#[ignore = "run by a_full_disk_keeps_the_last_good_version_and_leaves_no_temporary_file under a limit of file size"]
fn a_full_disk_child() {
    let folder = std::env::var_os(FOLDER_VARIABLE).expect("the test that runs this one names the folder");
    let mut file = ResultFile::create(Path::new(&folder), "adapter", 1).unwrap();
    file.write(&sample::gpu_run(1)).unwrap();
    let mut grown = sample::gpu_run(1);
    grown.repeats[0].samples = vec![Sample { epoch: 1, first_step: 0, steps: 1, duration_s: 0.5 }; 10_000];
    let error = file.write(&grown).unwrap_err();
    assert_eq!(error.exit_code(), 7);
    assert!(error.to_string().contains("free space there or choose another place"), "{error}");
}

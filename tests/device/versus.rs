//! The scripts that compare with other frameworks: their arithmetic, and how they end where they cannot begin.
//!
//! Without Python the tests show as ignored; no framework is needed.

use crate::common::ROOT;
use crate::common::process::PROGRAM;
use crate::common::trials::Outcome;
use gpubench::gpu::Adapters;
use libtest_mimic::Trial;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;

fn folder() -> PathBuf {
    Path::new(ROOT).join("tests").join("versus")
}

/// Python on `arguments`, without what the caller's variables would choose.
fn python(arguments: &[&str]) -> Command {
    let mut command = Command::new("python3");
    for variable in ["BENCH_CPU", "COMPARE_ICD", "GPUBENCH_DATA"] {
        command.env_remove(variable);
    }
    command.env("GPUBENCH_BIN", PROGRAM).env("PYTHONDONTWRITEBYTECODE", "1");
    command.current_dir(folder()).args(arguments);
    command
}

/// Expects exit code `code`, nothing on stdout and `says` on stderr.
fn ends(command: &mut Command, code: i32, says: &str) -> Outcome {
    let output = command.output()?;
    let stderr = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(stderr.contains(says), "{says:?} is not in: {stderr}");
    Ok(())
}

fn the_arithmetic_of_a_comparison() -> Outcome {
    let output = python(&["-m", "unittest", "discover"]).output()?;
    let stderr = String::from_utf8(output.stderr)?;
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("Ran ") && !stderr.contains("Ran 0 tests"), "{stderr}");
    Ok(())
}

fn without_a_gpu_there_is_a_code_of_its_own() -> Outcome {
    // A loader that is sent to no driver finds none.
    let mut command = python(&["compare.py", "gpu"]);
    command.env("WGPU_BACKEND", "vulkan").env("VK_DRIVER_FILES", "/none").env("VK_ICD_FILENAMES", "/none");
    ends(&mut command, 4, "no GPU here (adapters: none); BENCH_CPU=1 runs")
}

fn without_a_software_adapter_too() -> Outcome {
    ends(python(&["compare.py", "webgpu"]).env("COMPARE_ICD", "/none"), 4, "no software adapter")
}

fn without_data_it_says_where_to_get_them() -> Outcome {
    let empty = TempDir::new()?;
    ends(python(&["compare.py", "cpu"]).env("XDG_CACHE_HOME", empty.path()), 3, "gpubench data fetch")
}

fn without_the_program_it_says_how_to_build_it() -> Outcome {
    ends(python(&["compare.py", "gpu"]).env("GPUBENCH_BIN", "/none"), 2, "cargo build --release")
}

fn no_rounds_are_refused() -> Outcome {
    ends(&mut python(&["compare.py", "cpu", "--rounds", "0"]), 2, "1 or more")
}

fn on_gpu(out: &TempDir) -> Command {
    let mut command = python(&["../on-gpu"]);
    command.arg(out.path().join("out")).env_remove("ADAPTER");
    command.env("WGPU_BACKEND", "vulkan").env("VK_DRIVER_FILES", "/none").env("VK_ICD_FILENAMES", "/none");
    command
}

fn the_measurements_of_a_gpu_need_one_and_the_program() -> Outcome {
    let out = TempDir::new()?;
    ends(&mut on_gpu(&out), 4, "ADAPTER=llvmpipe tries this script")?;
    ends(on_gpu(&out).env("GPUBENCH_BIN", "/none"), 2, "name a built program in GPUBENCH_BIN")
}

type Test = fn() -> Outcome;

const TESTS: [(&str, Test); 7] = [
    ("the measurements of a GPU need one and the program", the_measurements_of_a_gpu_need_one_and_the_program),
    ("the arithmetic of a comparison", the_arithmetic_of_a_comparison),
    ("without a GPU there is a code of its own", without_a_gpu_there_is_a_code_of_its_own),
    ("without a software adapter too", without_a_software_adapter_too),
    ("without data it says where to get them", without_data_it_says_where_to_get_them),
    ("without the program it says how to build it", without_the_program_it_says_how_to_build_it),
    ("no rounds are refused", no_rounds_are_refused),
];

pub fn trials(_: &Arc<Adapters>) -> Vec<Trial> {
    let has_python = Command::new("python3").arg("--version").output().is_ok();
    let trial = |(name, test): (&str, Test)| {
        let name = if has_python { name.to_owned() } else { format!("{name} (no Python here)") };
        Trial::test(name, test).with_ignored_flag(!has_python)
    };
    TESTS.map(trial).into()
}

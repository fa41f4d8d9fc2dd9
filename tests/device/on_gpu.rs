//! The script that measures a GPU in one call: how it ends where it cannot begin.
//!
//! Without Python the tests show as ignored; no framework is needed.

use crate::common::ROOT;
use crate::common::process::PROGRAM;
use crate::common::trials::Outcome;
use gpubench::gpu::Adapters;
use libtest_mimic::Trial;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;

/// The script, sent to no driver of Vulkan.
fn on_gpu(out: &TempDir) -> Command {
    let mut command = Command::new("python3");
    command.arg(Path::new(ROOT).join("tests").join("on-gpu")).arg(out.path().join("out"));
    command.env("GPUBENCH_BIN", PROGRAM).env("PYTHONDONTWRITEBYTECODE", "1").env_remove("ADAPTER");
    command.env("WGPU_BACKEND", "vulkan").env("VK_DRIVER_FILES", "/none").env("VK_ICD_FILENAMES", "/none");
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

fn the_measurements_of_a_gpu_need_one_and_the_program() -> Outcome {
    let out = TempDir::new()?;
    ends(&mut on_gpu(&out), 4, "ADAPTER=llvmpipe tries this script")?;
    ends(on_gpu(&out).env("GPUBENCH_BIN", "/none"), 2, "name a built program in GPUBENCH_BIN")
}

type Test = fn() -> Outcome;

const TESTS: [(&str, Test); 1] =
    [("the measurements of a GPU need one and the program", the_measurements_of_a_gpu_need_one_and_the_program)];

pub fn trials(_: &Arc<Adapters>) -> Vec<Trial> {
    let has_python = Command::new("python3").arg("--version").output().is_ok();
    let trial = |(name, test): (&str, Test)| {
        let name = if has_python { name.to_owned() } else { format!("{name} (no Python here)") };
        Trial::test(name, test).with_ignored_flag(!has_python)
    };
    TESTS.map(trial).into()
}

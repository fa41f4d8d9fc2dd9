//! What depends on what this machine has: adapters above all, then Python and the files of MNIST.
//!
//! What is lacking shows as ignored, never as passed, which the standard harness cannot decide while running.

#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod cli;
#[path = "../common/mod.rs"]
mod common;
mod compilers;
mod data_parallel;
mod data_parallel_cli;
mod faults;
mod first_contact;
mod indices;
mod kernels;
mod languages;
mod load;
mod load_cli;
mod mnist_files;
mod on_gpu;
mod peaks;
mod pipeline_cache;
mod processes;
mod profile;
mod stream;
mod sweep;
mod validation;

use gpubench::gpu::Adapters;
use libtest_mimic::{Arguments, Trial, run};
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

/// The name of a file, and a function that makes its trials.
type File = (&'static str, fn(&Arc<Adapters>) -> Vec<Trial>);

/// Tests that may run beside each other.
const SIDE_BY_SIDE: [File; 15] = [
    ("kernels", kernels::trials),
    ("indices", indices::trials),
    ("data_parallel", data_parallel::trials),
    ("data_parallel_cli", data_parallel_cli::trials),
    ("cli", cli::trials),
    ("first_contact", first_contact::trials),
    ("sweep", sweep::trials),
    ("stream", stream::trials),
    ("pipeline_cache", pipeline_cache::trials),
    ("mnist_files", mnist_files::trials),
    ("validation", validation::trials),
    ("compilers", compilers::trials),
    ("languages", languages::trials),
    ("on-gpu", on_gpu::trials),
    ("faults", faults::trials),
];

/// Tests whose measurements nothing may disturb.
const ONE_BY_ONE: [File; 4] =
    [("profile", profile::trials), ("load", load::trials), ("load_cli", load_cli::trials), ("peaks", peaks::trials)];

fn main() -> ExitCode {
    let adapters = Arc::new(common::trials::adapters());
    let mut arguments = Arguments::from_args();
    let together = arguments.list || processes::is_single();
    let of_file = |&(file, trials): &File| {
        let trial = move |trial: Trial| match together {
            true => trial.with_kind(file),
            false => processes::in_its_own(file, &trial),
        };
        trials(&adapters).into_iter().map(trial)
    };
    let side_by_side = run(&arguments, SIDE_BY_SIDE.iter().flat_map(of_file).collect());
    arguments.test_threads = Some(1);
    let one_by_one = run(&arguments, ONE_BY_ONE.iter().flat_map(of_file).collect());
    if !together {
        let told = format!("the slowest trials\n{}", processes::slowest(20));
        // Who closed stderr does not want it.
        let _ = std::io::stderr().write_all(told.as_bytes());
    }
    match side_by_side.has_failed() || one_by_one.has_failed() {
        true => ExitCode::from(101),
        false => ExitCode::SUCCESS,
    }
}

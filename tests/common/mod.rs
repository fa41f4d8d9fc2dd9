//! What the tests share: the program as a process, adapters and trials on them, small trainings, results made by hand,
//! traces.

#![allow(dead_code, unused_imports, unused_macros, reason = "no test program needs all of it")]
#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

pub mod process;
pub mod sample;
pub mod trace;
pub mod training;
pub mod trials;

use std::path::{Path, PathBuf};

/// The root of this project.
pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Where the four files of MNIST may be: in `GPUBENCH_TEST_MNIST`, else in `../shared/data/mnist`.
pub fn mnist() -> PathBuf {
    std::env::var_os("GPUBENCH_TEST_MNIST").map_or_else(|| Path::new(ROOT).join("../shared/data/mnist"), PathBuf::from)
}

/// A result of schema version 1 that came with the program.
pub fn stored_result() -> PathBuf {
    Path::new(ROOT).join("results/20261124T040412Z-llvmpipe-seed1.json")
}

/// The names of what lies in `folder`, sorted.
pub fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder is readable");
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A list of functions, each beside its name.
macro_rules! named {
    ($($(#[$attribute:meta])* $test:ident),* $(,)?) => { [$($(#[$attribute])* (stringify!($test), $test)),*] };
}
pub(crate) use named;

//! The terminal program `gpubench`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A panic has the exit code that the help names, in place of Rust's own.
    std::panic::catch_unwind(gpubench::cli::main).unwrap_or(ExitCode::from(1))
}

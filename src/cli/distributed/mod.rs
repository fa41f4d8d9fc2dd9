//! `gpubench --distributed`: the ranks that an MPI launcher started train together.

#[cfg(feature = "mpi")]
mod observer;
#[cfg(feature = "mpi")]
mod ranks;

use super::run_args::RunArgs;
use crate::error::Result;
use web_time::Instant;

/// Trains as one of the ranks that a launcher started; rank 0 reports. Returns the exit code, the same on all.
///
/// # Errors
/// The error that ended the run early, of whichever rank; rank 0's result file holds what was measured before.
#[cfg(feature = "mpi")]
pub fn run(args: &RunArgs, started: Instant) -> Result<u8> {
    ranks::run(args, started)
}

/// Says how to build a program that can.
///
/// # Errors
/// [`Error::Usage`](crate::Error::Usage), always.
#[cfg(not(feature = "mpi"))]
pub fn run(_args: &RunArgs, _started: Instant) -> Result<u8> {
    Err(crate::Error::Usage(
        "--distributed needs a program built with MPI: install what Debian and Ubuntu call openmpi-bin, libopenmpi-dev \
         and libclang-dev (or another MPI library and libclang), then `cargo build --release --features mpi`"
            .to_owned(),
    ))
}

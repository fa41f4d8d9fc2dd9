//! `gpubench frameworks`: the tools of the published comparison and their successors, live on this machine.

mod args;
mod catalogue;
mod devices;
mod list;
mod run;
mod setup;
mod turn;
mod worker;

use crate::error::Result;
use args::{RunFrameworksArgs, SetupArgs};
use catalogue::{Device, chosen};
use clap::Subcommand;

/// Verbs of `gpubench frameworks`.
#[derive(Debug, Subcommand)]
pub enum FrameworksVerb {
    /// List the frameworks: what is set up, what it needs, what cannot be had and why
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// List what is needed for this device
        #[arg(long, value_enum, default_value = "cpu")]
        device: Device,
    },
    /// Make the virtual environments of frameworks, below gpubench/frameworks in the user's data folder
    Setup(SetupArgs),
    /// Train the same network with frameworks, in turns with gpubench, and show all in the tables
    ///
    /// Each starts from the same weights in the same order; one whose first losses differ from gpubench's is not timed.
    /// The exit code is 11 if a framework has no figures.
    Run(RunFrameworksArgs),
}

/// Runs a verb of `gpubench frameworks`.
///
/// # Errors
/// As the verbs.
pub fn frameworks(verb: &FrameworksVerb) -> Result<()> {
    match verb {
        FrameworksVerb::List { json, device } => list::list(*json, *device),
        FrameworksVerb::Setup(args) => setup::setup(&chosen(&args.names)?, args.device, args.python.as_deref()),
        FrameworksVerb::Run(args) => run::run(args),
    }
}

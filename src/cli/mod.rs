//! The terminal program: one file for each verb.

mod all;
pub mod args;
pub mod cache;
mod compare;
mod cpu;
pub mod data;
pub mod dataset;
mod environment;
pub mod input;
mod list;
pub mod load;
pub mod locate;
pub mod marked;
pub mod output;
pub mod peaks;
pub mod pipelines;
mod progress;
mod report;
mod run;
mod serve;
mod session;
pub mod several;
mod site;
mod steady;
pub mod stored;
mod sweep;
mod table;
mod terminal;
mod tune;

use crate::error::Result;
use args::{Cli, DataVerb, Verb};
use clap::Parser;
use std::process::ExitCode;

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match &cli.verb {
        None => run::run(&cli.run),
        Some(Verb::Run(args)) => run::run(args),
        Some(Verb::Profile(args)) => run::profile(args),
        Some(Verb::Compare(args)) => compare::compare(args).map(|()| 0),
        Some(Verb::Serve(args)) => serve::serve(args).map(|()| 0),
        Some(Verb::Peaks(args)) => peaks::peaks(args).map(|()| 0),
        Some(Verb::Report(args)) => report::report(args).map(|()| 0),
        Some(Verb::Tune(args)) => tune::tune(args).map(|()| 0),
        Some(Verb::Sweep(args)) => sweep::sweep(args),
        Some(Verb::Table(args)) => table::table(args).map(|()| 0),
        Some(Verb::List(args)) => list::list(args).map(|()| 0),
        Some(Verb::Data(verb)) => on_data(verb),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            terminal::talk(&format!("error: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}

/// Fetches or verifies MNIST; a folder that does not hold MNIST gives exit code 3.
fn on_data(verb: &DataVerb) -> Result<u8> {
    let folder = |given: &Option<std::path::PathBuf>| given.clone().map_or_else(dataset::cache_folder, Ok);
    match verb {
        DataVerb::Fetch { folder: given } => {
            let folder = folder(given)?;
            data::fetch(&folder, &data::mirrors(), &mut |line| terminal::talk(line))?;
            terminal::data(&folder.display().to_string())?;
            Ok(0)
        }
        DataVerb::Verify { folder: given } => {
            let verdicts = data::verify(&folder(given)?);
            for verdict in &verdicts {
                terminal::data(&verdict.to_string())?;
            }
            let all = verdicts.iter().all(|verdict| verdict.state == data::State::Mnist);
            Ok(if all { 0 } else { 3 })
        }
    }
}

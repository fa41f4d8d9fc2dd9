//! The options of `gpubench fleet`.

use clap::{Args, value_parser};
use std::path::PathBuf;

/// Options of `gpubench fleet`.
#[derive(Debug, Args)]
pub struct FleetArgs {
    /// The hosts: tables in TOML, or a file with NAME: COMMAND on each line
    #[arg(value_name = "HOSTS.toml")]
    pub hosts: PathBuf,
    /// Folder in which results and logs are gathered; one that holds some of this fleet is gone on with
    #[arg(long, short, value_name = "DIR", default_value = "fleet")]
    pub output: PathBuf,
    /// Run again on these hosts, or on all
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub again: Vec<String>,
    /// How many hosts are at work at the same time
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = value_parser!(u32).range(1..=4096))]
    pub at_once: u32,
    /// Minutes that a host may take, from reaching it to its result
    #[arg(long, value_name = "MINUTES", default_value_t = 30.0, value_parser = crate::cli::flags::minutes)]
    pub time_limit: f64,
    /// Show what would be run and reach no host
    #[arg(long, conflicts_with_all = ["gather", "sbatch"])]
    pub dry_run: bool,
    /// Reach no host, but take what jobs of --sbatch have left in the folder
    #[arg(long, conflicts_with_all = ["again", "sbatch"])]
    pub gather: bool,
    /// Write a script that submits the hosts of Slurm as jobs whose results --gather takes, and reach no host
    #[arg(long, value_name = "FILE", conflicts_with = "again")]
    pub sbatch: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Options of the run on each host, after --; they replace those of the file
    #[arg(last = true, value_name = "OPTION OF A RUN")]
    pub run: Vec<String>,
}

//! The options of `gpubench frameworks`.

use super::catalogue::Device;
use crate::cli::dataset::DataSource;
use clap::{Args, value_parser};
use std::path::PathBuf;

/// Options of `gpubench frameworks setup`.
#[derive(Debug, Args)]
pub struct SetupArgs {
    /// Frameworks as `gpubench frameworks list` names them, or all
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
    /// Set up for this device
    #[arg(long, value_enum, default_value = "cpu")]
    pub device: Device,
    /// The Python to make environments with [default: the first on the path that the framework supports]
    #[arg(long, value_name = "FILE")]
    pub python: Option<PathBuf>,
}

/// Options of `gpubench frameworks run`.
#[derive(Debug, Args)]
pub struct RunFrameworksArgs {
    /// Frameworks as `gpubench frameworks list` names them, or all that can be had
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
    /// How often each takes its turn
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// The device to train on [default: a GPU if there is one]
    #[arg(long, value_enum)]
    pub device: Option<Device>,
    /// How many GPUs train together; frameworks that cannot do that here are left out
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=16))]
    pub gpus: u32,
    /// The adapter that gpubench trains on in its turns, as for a run [default: the GPU, or cpu]
    #[arg(long, value_name = "WHICH")]
    pub adapter: Option<String>,
    /// Data, as for a run
    #[arg(long, value_name = "WHAT", default_value = "auto")]
    pub data: DataSource,
    /// Passes over the training images [default: 10, or 2 where 10 would outlast the time limit]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=1000))]
    pub epochs: Option<u32>,
    /// Stop within the first epoch, after this many steps
    #[arg(long, value_name = "N", conflicts_with = "epochs", value_parser = value_parser!(u32).range(1..))]
    pub steps: Option<u32>,
    /// Minutes that a training, or any other part of a turn, may take; then the tool is ended
    #[arg(long, value_name = "MINUTES", default_value_t = 15.0, value_parser = crate::cli::flags::minutes)]
    pub time_limit: f64,
    /// Use this Python, which has the packages, in place of the environments
    #[arg(long, value_name = "FILE")]
    pub python: Option<PathBuf>,
    /// Folder for result files [default: gpubench/results in the user's data folder]
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

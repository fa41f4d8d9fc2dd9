//! The options of `gpubench ab`.

use super::variable::{Variable, variable};
use crate::cli::compare::Format;
use crate::cli::dataset::DataSource;
use crate::cli::gate::{self, Gate};
use crate::cli::run_args::plan;
use crate::cli::stopping;
use clap::{Arg, Args, Command, value_parser};
use std::path::PathBuf;

/// Options of a run that mean nothing here, and what to do instead.
const NOT_IN_TURNS: [(&[&str], &str); 7] = [
    (
        &["repeat", "target-ci", "cooldown"],
        "rounds are added until the verdict is clear, one after the other: limit them with --max-time",
    ),
    (&["quick", "soak"], "a turn is as long as --epochs or --steps make it"),
    (&["strict"], "each round has its order by lot, so that no disturbance speaks for one side"),
    (
        &["profile", "no-profile", "trace", "timestamps", "fresh-peaks"],
        "turns take no profile: give two results of `gpubench profile` to `gpubench compare`",
    ),
    (
        &["adapters", "split", "sync", "logical-devices"],
        "a side is one device: give two results of runs with --adapters to `gpubench compare`",
    ),
    (
        &["init", "save", "dropout", "no-shuffle"],
        "both sides train the same task from the same seed: give two results of runs with it to `gpubench compare`",
    ),
    (&["list"], "`gpubench list` lists the adapters"),
];

/// The verb with options of a run that are refused in words; no help shows them.
pub fn with_refusals(mut ab: Command) -> Command {
    for (names, words) in NOT_IN_TURNS {
        for name in names {
            let refused = move |_: &str| Err::<String, &'static str>(words);
            let option = Arg::new(*name).long(*name).hide(true).num_args(0..=1).default_missing_value("");
            ab = ab.arg(option.value_parser(refused));
        }
    }
    ab
}

/// Options of `gpubench ab`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gpubench ab --plan fused --plan fused_subgroups
  gpubench ab --adapter 0 --adapter 1 --epochs 1
  gpubench ab --binary old/gpubench --binary target/release/gpubench --adapter cpu --fail-on slower:3%
  gpubench ab --env RADV_PERFTEST=cswave32            without the variable against with it

One of --plan, --adapter, --binary and --env is given twice: the sides differ in it. Given once, an option holds for
both sides; --env given once is a side without the variable against one with it.")]
pub struct AbArgs {
    /// Plan, as for a run
    #[arg(long, help_heading = "Sides", value_name = "NAME", value_parser = plan)]
    pub plan: Vec<String>,
    /// Adapter, as for a run; cpu for the host's own cores
    #[arg(long, help_heading = "Sides", value_name = "WHICH")]
    pub adapter: Vec<String>,
    /// Another gpubench program, which trains in a process of its own in every turn
    #[arg(long, help_heading = "Sides", value_name = "PROGRAM")]
    pub binary: Vec<PathBuf>,
    /// Environment variable, with which processes of this program train; '' for none
    #[arg(long, help_heading = "Sides", value_name = "NAME=VALUE", value_parser = variable)]
    pub env: Vec<Variable>,
    /// Begin no further round this many seconds after the first one began
    #[arg(long, help_heading = "Rounds", value_name = "SECONDS", default_value_t = 300.0,
          allow_negative_numbers = true, value_parser = stopping::max_time)]
    pub max_time: f64,
    /// End a process of --binary or --env that takes longer than this for one turn
    #[arg(long, help_heading = "Rounds", value_name = "SECONDS", default_value_t = 600.0,
          allow_negative_numbers = true, value_parser = stopping::max_time)]
    pub turn_time: f64,
    /// Ratios this close to 1 are the same time [default: 2%]
    #[arg(long, help_heading = "Rounds", value_name = "PCT", allow_hyphen_values = true,
          value_parser = gate::percentage)]
    pub margin: Option<f64>,
    /// End with exit code 10 on: slower:3% (the second side is slower by more) or unclear; may be repeated
    #[arg(long, help_heading = "Rounds", value_name = "VERDICT", allow_hyphen_values = true,
          value_parser = gate::gate)]
    pub fail_on: Vec<Gate>,
    /// Data: auto, synthetic, synthetic:1500+200, or a folder, as for a run
    #[arg(long, help_heading = "Task", value_name = "WHAT", default_value = "auto")]
    pub data: DataSource,
    /// Passes over the training images in each turn [default: 10]
    #[arg(long, help_heading = "Task", value_name = "N", value_parser = value_parser!(u32).range(1..=1000))]
    pub epochs: Option<u32>,
    /// Images in a step [default: 128]
    #[arg(long, help_heading = "Task", value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub batch: Option<u32>,
    /// Steps of each turn, at most
    #[arg(long, help_heading = "Task", value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub steps: Option<u32>,
    /// Seed of initial weights, order and dropout [default: 1]
    #[arg(long, help_heading = "Task", value_name = "N")]
    pub seed: Option<u64>,
    /// Backend: vulkan, metal, dx12 or auto
    #[arg(long, help_heading = "Device", value_name = "NAME")]
    pub backend: Option<String>,
    /// Threads of --adapter cpu [default: as many as there are cores]
    #[arg(long, help_heading = "Device", value_name = "N")]
    pub threads: Option<usize>,
    /// Check indices and bound loops in shaders at run time, as browsers do
    #[arg(long, help_heading = "Device")]
    pub checked: bool,
    /// Use the default plan of this kind of adapter where none is named
    #[arg(long, help_heading = "Device")]
    pub no_tune: bool,
    /// Folder for both result files [default: gpubench/results in the user's data folder]
    #[arg(long, short, help_heading = "Output", value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Write the comparison with all trainings as a page that needs nothing else
    #[arg(long, help_heading = "Output", value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Output format
    #[arg(long, help_heading = "Output", value_name = "FORMAT", value_enum, default_value = "text")]
    pub format: Format,
    /// The same as --format json
    #[arg(long, help_heading = "Output", conflicts_with = "format")]
    pub json: bool,
}

//! The arguments of the program, and what they amount to together with the environment.

use super::cpu::CpuArgs;
use super::dataset::DataSource;
use super::pipelines::PipelineArgs;
use super::several::SeveralArgs;
use super::steady::SteadyArgs;
use super::sweep::SweepArgs;
use super::table::TableArgs;
use crate::bench::{PROFILED_STEPS, ProfileOptions};
use crate::gpu::Timestamps;
use crate::kernels::plan_named;
use crate::model::{DROPOUT_RATE, Training};
use crate::result::{Measured, Origin, Setting, Settings};
use clap::{Args, Parser, Subcommand, value_parser};
use std::path::PathBuf;

/// The environment variable that names a backend where `--backend` does not.
pub const BACKEND_VARIABLE: &str = "WGPU_BACKEND";
/// The environment variable that names an adapter where `--adapter` does not.
pub const ADAPTER_VARIABLE: &str = "WGPU_ADAPTER_NAME";

/// The environment variable that names a plan where `--plan` does not.
pub const PLAN_VARIABLE: &str = "GPUBENCH_PLAN";
/// The plan that stands for the fastest one.
pub const AUTO: &str = "auto";

const AFTER_HELP: &str = "\
Exit codes:
  0    the run is complete
  1    a defect of this program
  2    an option that cannot work
  3    input data missing or damaged
  4    no adapter, no such adapter, or one that lacks what the run needs
  5    the adapter computes otherwise than the reference
  6    the run ended, but its result is INVALID
  7    a file could not be written
  8    the device was lost, ran out of memory or refused a command
  9    a page that was checked holds other tables than the results give
  130  interrupted; the partial result was kept

Environment:
  GPUBENCH_DATA      what --data auto stands for
  GPUBENCH_PLAN      what --plan stands for where it is not given
  WGPU_BACKEND       what --backend stands for where it is not given
  WGPU_ADAPTER_NAME  what --adapter stands for where it is not given
  GPUBENCH_SYSFS     where Linux's sysfs lies, for power and load, if not in /sys
  NO_COLOR           no colours";

/// How fast does this device train a real network through the portable GPU API?
///
/// Trains a small convolutional network on MNIST with compute shaders, after checking every kernel against a reference,
/// and shows the time beside published ones.
#[derive(Debug, Parser)]
#[command(name = "gpubench", version, args_conflicts_with_subcommands = true, after_help = AFTER_HELP)]
pub struct Cli {
    /// What to do; without, a run.
    #[command(subcommand)]
    pub verb: Option<Verb>,
    /// Options of a run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Train, check and report (what happens without a verb)
    Run(RunArgs),
    /// A short training, and where its time goes: device time for each kernel, peaks, a time account
    Profile(RunArgs),
    /// What the adapter reaches at best: arithmetic, memory, launches, transfers
    Peaks(PeaksArgs),
    /// The fastest plan on the adapter, found by measurement and kept for other runs
    Tune(TuneArgs),
    /// Step time against batch size or width, and the line through it
    ///
    /// A size that cannot be timed is a row with its reason. If none can be, the exit code is that of the first one's reason.
    Sweep(SweepArgs),
    /// Show a stored result, as tables or as a page
    Report(ReportArgs),
    /// Two results side by side: how many times as long the second takes
    Compare(CompareArgs),
    /// Many results among the published ones, in the tables of the published comparison
    ///
    /// A result file that cannot be read is named, the others are shown, and the exit code is 3.
    Table(TableArgs),
    /// Serve the browser's page on localhost
    Serve(ServeArgs),
    /// List the adapters
    List(ListArgs),
    /// Fetch or verify MNIST
    #[command(subcommand)]
    Data(DataVerb),
}

/// What to do with data.
#[derive(Debug, Subcommand)]
pub enum DataVerb {
    /// Download MNIST from public mirrors into the cache folder and verify it
    Fetch {
        /// Folder to download to, in place of the user's cache folder
        folder: Option<PathBuf>,
    },
    /// Say of each file whether it is MNIST's own
    Verify {
        /// Folder to look at, in place of the user's cache folder
        folder: Option<PathBuf>,
    },
}

/// Options of `gpubench compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Result file to compare with: the native one, say; - is standard input
    pub first: PathBuf,
    /// Result file to compare: the browser's, say
    pub second: PathBuf,
}

/// Options of `gpubench serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Folder that `make web` filled
    #[arg(default_value = "target/page")]
    pub folder: PathBuf,
    /// Port; 0 takes any that is free
    #[arg(long, value_name = "N", default_value_t = 8000)]
    pub port: u16,
}

/// Options of `gpubench list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Only this backend: vulkan, metal, dx12 or auto
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
}

/// Options of `gpubench peaks`.
#[derive(Debug, Clone, Args)]
pub struct PeaksArgs {
    /// Adapter: its index, a part of its name, vendor or driver (nvidia), or its PCI bus id [default: the fastest kind]
    #[arg(long, value_name = "WHICH")]
    pub adapter: Option<String>,
    /// Backend: vulkan, metal, dx12 or auto
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Say of each figure what it means
    #[arg(long, conflicts_with = "json")]
    pub explain: bool,
    /// Keeping of compiled pipelines.
    #[command(flatten)]
    pub pipelines: PipelineArgs,
}

/// Options of `gpubench tune`.
#[derive(Debug, Clone, Args)]
pub struct TuneArgs {
    /// Adapter: its index, a part of its name, vendor or driver (nvidia), or its PCI bus id [default: the fastest kind]
    #[arg(long, value_name = "WHICH")]
    pub adapter: Option<String>,
    /// Backend: vulkan, metal, dx12 or auto
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
    /// Images in a step
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=60_000), default_value_t = Training::STANDARD.batch)]
    pub batch: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Keeping of compiled pipelines.
    #[command(flatten)]
    pub pipelines: PipelineArgs,
}

/// Options of `gpubench report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Result file, or a list of results as --adapter all --json prints it; - is standard input
    #[arg(value_name = "RESULT.json")]
    pub result: PathBuf,
    /// Write the result as a page that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Print the result as JSON in place of tables
    #[arg(long)]
    pub json: bool,
}

/// Options of a run.
#[derive(Debug, Clone, Default, Args)]
pub struct RunArgs {
    /// Adapter: its index, a part of its name, vendor or driver (nvidia), or its PCI bus id; cpu for the host's own cores
    /// [default: the fastest kind]
    #[arg(long, value_name = "WHICH")]
    pub adapter: Option<String>,
    /// Backend: vulkan, metal, dx12 or auto
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
    /// List the adapters and end
    #[arg(long)]
    pub list: bool,
    /// Data: auto, synthetic, or a folder with the four IDX files of MNIST, QMNIST or EMNIST's digits, also below it
    #[arg(long, value_name = "WHAT", default_value = "auto")]
    pub data: DataSource,
    /// Passes over the training images [default: 10]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=1000))]
    pub epochs: Option<u32>,
    /// Images in a step [default: 128]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub batch: Option<u32>,
    /// End after so many steps
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub steps: Option<u32>,
    /// Seed of initial weights, order and dropout [default: 1]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Train so many times, with the same seed [default: 1]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=1000))]
    pub repeat: Option<u32>,
    /// How to repeat.
    #[command(flatten)]
    pub steady: SteadyArgs,
    /// A minute at most: one epoch, cut short after half a minute of training
    #[arg(long)]
    pub quick: bool,
    /// Take the training images in the order of the files
    #[arg(long)]
    pub no_shuffle: bool,
    /// Kernels of a step: auto (the fastest, found by measurement), layered, fused, fused_subgroups or fused_lanes; sizes of a
    /// fused one may follow, as in fused:images=1 [default: auto]
    #[arg(long, value_name = "NAME", value_parser = plan)]
    pub plan: Option<String>,
    /// Take the plan that is shipped for this kind of adapter instead of looking for the fastest
    #[arg(long)]
    pub no_tune: bool,
    /// Several devices.
    #[command(flatten)]
    pub several: SeveralArgs,
    /// The host's cores.
    #[command(flatten)]
    pub cpu: CpuArgs,
    /// Probability of dropping a value, from 0 to below 1 [default: 0.2]
    #[arg(long, value_name = "RATE", value_parser = dropout_rate)]
    pub dropout: Option<f32>,
    /// Take device time for each kernel too, after the training, on a device of its own
    #[arg(long)]
    pub profile: bool,
    /// Timestamps to profile with: the finest the adapter has, inside-passes, inside-encoders, pass-boundaries, or none
    #[arg(long, value_name = "GRADE", value_enum, default_value = "finest")]
    pub timestamps: Grade,
    /// Profile, and write what happened when to this file, for Perfetto or chrome://tracing
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Profile, and write the whole result to this file as a page that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Measure the adapter's peaks again, whatever the cache holds
    #[arg(long)]
    pub fresh_peaks: bool,
    /// Let shaders test their indices and bound their loops while they run, as browsers do
    #[arg(long)]
    pub checked: bool,
    /// Keeping of compiled pipelines.
    #[command(flatten)]
    pub pipelines: PipelineArgs,
    /// Start from the weights in this safetensors file
    #[arg(long, value_name = "FILE")]
    pub init: Option<PathBuf>,
    /// Save the trained weights to this safetensors file
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Print the result as JSON in place of tables
    #[arg(long)]
    pub json: bool,
    /// Folder for result files
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub output: PathBuf,
}

/// What `--timestamps` can ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Grade {
    /// The finest that the adapter has.
    #[default]
    Finest,
    /// Between any two dispatches.
    InsidePasses,
    /// Between any two passes.
    InsideEncoders,
    /// At the beginning and the end of a pass.
    PassBoundaries,
    /// The host's clock instead.
    None,
}

fn plan(text: &str) -> Result<String, String> {
    if text == AUTO {
        return Ok(text.to_owned());
    }
    plan_named(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn dropout_rate(text: &str) -> Result<f32, String> {
    let rate: f32 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..1.0).contains(&rate) { Ok(rate) } else { Err("a dropout rate lies from 0 to below 1".to_owned()) }
}

/// An option, else an environment variable, else nothing.
pub fn option_or_variable(option: Option<&String>, variable: &str) -> Setting<Measured<String>> {
    if let Some(value) = option {
        return Setting::new(Measured::Value(value.clone()), Origin::Option);
    }
    match std::env::var(variable).ok().filter(|value| !value.is_empty()) {
        Some(value) => Setting::new(Measured::Value(value), Origin::Environment),
        None => Setting::default(Measured::missing("any")),
    }
}

impl RunArgs {
    /// Whether a profile was asked for, or something that is made from one.
    pub fn profiles(&self) -> bool {
        self.profile || self.trace.is_some() || self.html.is_some()
    }

    /// How to profile, where that was asked for.
    pub fn profile_options(&self) -> ProfileOptions {
        let grade = match self.timestamps {
            Grade::Finest => None,
            Grade::InsidePasses => Some(Timestamps::InsidePasses),
            Grade::InsideEncoders => Some(Timestamps::InsideEncoders),
            Grade::PassBoundaries => Some(Timestamps::PassBoundaries),
            Grade::None => Some(Timestamps::Unsupported),
        };
        ProfileOptions { grade, ..ProfileOptions::new(self.steps.unwrap_or(PROFILED_STEPS)) }
    }

    /// The settings of the run and where each came from.
    pub fn settings(&self) -> Settings {
        let standard = Training::STANDARD;
        let flag = |given: bool, value: bool| Setting::new(value, if given { Origin::Option } else { Origin::Default });
        Settings {
            adapter: option_or_variable(self.adapter.as_ref(), ADAPTER_VARIABLE),
            backend: option_or_variable(self.backend.as_ref(), BACKEND_VARIABLE),
            data: if self.data == DataSource::Auto {
                Setting::default(self.data.to_string())
            } else {
                Setting::new(self.data.to_string(), Origin::Option)
            },
            epochs: Setting::option_or(self.epochs, if self.quick { 1 } else { standard.epochs }),
            batch: Setting::option_or(self.batch, standard.batch),
            steps: match self.steps {
                Some(steps) => Setting::new(Measured::Value(steps), Origin::Option),
                None => Setting::default(Measured::missing("no limit")),
            },
            seed: Setting::option_or(self.seed, 1),
            repeat: Setting::option_or(self.repeat, 1),
            shuffle: flag(self.no_shuffle, !self.no_shuffle),
            dropout: Setting::option_or(self.dropout, DROPOUT_RATE),
            init: match &self.init {
                Some(file) => Setting::new(Measured::Value(file.display().to_string()), Origin::Option),
                None => Setting::default(Measured::missing("drawn from the seed")),
            },
            plan: match option_or_variable(self.plan.as_ref(), PLAN_VARIABLE) {
                Setting { value: Measured::Value(plan), origin } => Setting::new(plan, origin),
                Setting { value: Measured::Missing { .. }, .. } => Setting::default(AUTO.to_owned()),
            },
            quick: flag(self.quick, self.quick),
            steady: self.steady.settings(),
        }
    }
}

//! The options of a run, and the settings resulting from them and the environment.

use super::dataset::DataSource;
use super::flags::{ADAPTER_VARIABLE, AUTO, BACKEND_VARIABLE, PLAN_VARIABLE, option_or_variable};
use super::format::FormatArgs;
use super::output::results_folder;
use super::pipeline_cache::PipelineCacheArgs;
use super::stopping::StoppingArgs;
use crate::bench::{PROFILED_STEPS, ProfileOptions, Split};
use crate::gpu::Timestamps;
use crate::kernels::plan_named;
use crate::model::{DROPOUT_RATE, Training};
use crate::result::{Measured, Origin, Setting, Settings};
use clap::{Args, ValueEnum, value_parser};
use std::path::PathBuf;

/// Options of a run.
#[derive(Debug, Clone, Default, Args)]
pub struct RunArgs {
    /// Adapter: its index, a part of its name, vendor or driver (nvidia), or its PCI bus id; cpu for the host's own
    /// cores [default: the fastest kind]
    #[arg(long, help_heading = "Device", value_name = "WHICH")]
    pub adapter: Option<String>,
    /// Backend: vulkan, metal, dx12 or auto
    #[arg(long, help_heading = "Device", value_name = "NAME")]
    pub backend: Option<String>,
    /// List the adapters and exit
    #[arg(long, help_heading = "Device")]
    pub list: bool,
    /// Data: auto, synthetic, synthetic:1500+200 for so many images to train and to test on, or a folder with the four
    /// IDX files of MNIST, QMNIST or EMNIST's digits, also below it
    #[arg(long, help_heading = "Task", value_name = "WHAT", default_value = "auto")]
    pub data: DataSource,
    /// Passes over the training images [default: 10]
    #[arg(long, help_heading = "Task", value_name = "N", value_parser = value_parser!(u32).range(1..=1000))]
    pub epochs: Option<u32>,
    /// Images in a step [default: 128]
    #[arg(long, help_heading = "Task", value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub batch: Option<u32>,
    /// Stop after this many steps
    #[arg(long, help_heading = "Task", value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub steps: Option<u32>,
    /// Seed of initial weights, order and dropout [default: 1]
    #[arg(long, help_heading = "Task", value_name = "N")]
    pub seed: Option<u64>,
    /// Number of trainings, with the same seed [default: 1]
    #[arg(long, help_heading = "Repetition", value_name = "N", value_parser = value_parser!(u32).range(1..=1000))]
    pub repeat: Option<u32>,
    /// The stopping rule.
    #[command(flatten)]
    pub stopping: StoppingArgs,
    /// At most a minute: one epoch, cut short after half a minute of training, without a search for the fastest plan
    #[arg(long, help_heading = "Task")]
    pub quick: bool,
    /// Stamp the run INVALID if other programs, throttling, clocks or drift disturbed it
    #[arg(long, help_heading = "Repetition")]
    pub strict: bool,
    /// Use the training images in the order of the files
    #[arg(long, help_heading = "Task")]
    pub no_shuffle: bool,
    /// Kernels of a step: auto (the fastest, found by measurement), layered, fused, fused_subgroups, fused_image,
    /// fused_f16 (16-bit storage, non-standard), fused_f16_arithmetic (non-standard too) or fused_lanes; sizes of a
    /// fused one may follow, as in fused:images=1 [default: auto]
    #[arg(long, help_heading = "Plan", value_name = "NAME", value_parser = plan)]
    pub plan: Option<String>,
    /// Use the default plan of this kind of adapter instead of measuring which is fastest
    #[arg(long, help_heading = "Plan")]
    pub no_tune: bool,
    /// Data parallelism.
    #[command(flatten)]
    pub data_parallel: DataParallelArgs,
    /// The CPU target.
    #[command(flatten)]
    pub cpu: CpuArgs,
    /// Probability of dropping a value, from 0 to below 1 [default: 0.2]
    #[arg(long, help_heading = "Task", value_name = "RATE", value_parser = dropout_rate)]
    pub dropout: Option<f32>,
    /// Measure the device time of each kernel and the peaks too, however long it takes [default: a short profile after
    /// the training, if it takes at most 10 % of the run]
    #[arg(long, help_heading = "Profile")]
    pub profile: bool,
    /// Leave out the short profile
    #[arg(long, help_heading = "Profile", conflicts_with_all = ["profile", "trace", "html"])]
    pub no_profile: bool,
    /// Timestamps to profile with: the finest the adapter has, inside-passes, inside-encoders, pass-boundaries, or none
    #[arg(long, help_heading = "Profile", value_name = "GRADE", value_enum, default_value = "finest")]
    pub timestamps: Grade,
    /// Profile, and write a timeline to this file, for Perfetto or chrome://tracing
    #[arg(long, help_heading = "Profile", value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Profile, and write the result to this file as a self-contained HTML page
    #[arg(long, help_heading = "Profile", value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Measure the adapter's peaks again instead of reading them from the cache
    #[arg(long, help_heading = "Profile")]
    pub fresh_peaks: bool,
    /// Check indices and bound loops in shaders at run time, as browsers do
    #[arg(long, help_heading = "Device")]
    pub checked: bool,
    /// The pipeline cache.
    #[command(flatten, next_help_heading = "Device")]
    pub pipelines: PipelineCacheArgs,
    /// Start from the weights in this safetensors file
    #[arg(long, help_heading = "Task", value_name = "FILE")]
    pub init: Option<PathBuf>,
    /// Save the trained weights to this safetensors file
    #[arg(long, help_heading = "Output", value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// What is printed.
    #[command(flatten)]
    pub format: FormatArgs,
    /// Folder for result files [default: gpubench/results in the user's data folder]
    #[arg(long, short, help_heading = "Output", value_name = "DIR")]
    pub output: Option<PathBuf>,
}

/// Values of `--timestamps`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Grade {
    /// The finest grade of the adapter.
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

pub fn plan(text: &str) -> Result<String, String> {
    if text == AUTO {
        return Ok(text.to_owned());
    }
    plan_named(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn dropout_rate(text: &str) -> Result<f32, String> {
    let rate: f32 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..1.0).contains(&rate) { Ok(rate) } else { Err("a dropout rate must be at least 0 and below 1".to_owned()) }
}

/// Options of a data-parallel run.
#[derive(Debug, Clone, Default, Args)]
pub struct DataParallelArgs {
    /// Train on several devices together, each on its part of every batch; named as for --adapter, commas between
    #[arg(
        long,
        help_heading = "Several devices",
        value_name = "A,B,...",
        value_delimiter = ',',
        conflicts_with = "adapter"
    )]
    pub adapters: Option<Vec<String>>,
    /// Train together with the other ranks that mpirun or srun started, each on the device that its number on its host
    /// takes from --adapters; else on a GPU, or on what --adapter names
    #[arg(long, help_heading = "Several devices")]
    pub distributed: bool,
    /// Batch of --distributed: strong (--batch for all together) or weak (--batch for each rank) [default: strong]
    #[arg(long, help_heading = "Several devices", value_name = "MODE", value_enum, requires = "distributed")]
    pub scaling_mode: Option<Scaling>,
    /// Parts of a batch for --adapters or ranks, in whole numbers with colons between [default: equal parts]
    #[arg(long, help_heading = "Several devices", value_name = "3:1")]
    pub split: Option<Split>,
    /// When --adapters synchronise: every step, or once an epoch, which is different mathematics [default: step]
    #[arg(long, help_heading = "Several devices", value_name = "WHEN", value_enum)]
    pub sync: Option<Sync>,
    /// Devices to open on each of --adapters, 1 to 16: more than one only shows what sharing costs [default: 1]
    #[arg(long, help_heading = "Several devices", value_name = "N", value_parser = value_parser!(u32).range(1..=16))]
    pub logical_devices: Option<u32>,
}

/// Values of `--sync`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sync {
    /// Gradients are averaged in every step.
    Step,
    /// Parameters are averaged once an epoch.
    Epoch,
}

/// Values of `--scaling-mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scaling {
    /// The batch is that of all ranks together.
    Strong,
    /// The batch is that of each rank.
    Weak,
}

/// Options of the CPU target.
#[derive(Debug, Clone, Default, Args)]
pub struct CpuArgs {
    /// Threads of the CPU target [default: as many as there are cores]
    #[arg(long, help_heading = "Device", value_name = "N")]
    pub threads: Option<usize>,
}

impl RunArgs {
    /// The folder for result files.
    ///
    /// # Errors
    /// As [`results_folder`].
    pub fn output(&self) -> crate::error::Result<PathBuf> {
        self.output.clone().map_or_else(results_folder, Ok)
    }

    /// Whether a profile is requested, directly or for an output that needs one.
    pub fn profiles(&self) -> bool {
        self.profile || self.trace.is_some() || self.html.is_some()
    }

    /// What is printed: the whole report if a profile is requested.
    pub fn shown(&self) -> FormatArgs {
        if self.profiles() { self.format.or_text() } else { self.format.clone() }
    }

    /// The options of the profile, or of the short one if none is requested; `None` for none at all.
    pub fn profile_options(&self) -> Option<ProfileOptions> {
        if self.no_profile {
            return None;
        }
        if !self.profiles() {
            return Some(ProfileOptions::short());
        }
        let grade = match self.timestamps {
            Grade::Finest => None,
            Grade::InsidePasses => Some(Timestamps::InsidePasses),
            Grade::InsideEncoders => Some(Timestamps::InsideEncoders),
            Grade::PassBoundaries => Some(Timestamps::PassBoundaries),
            Grade::None => Some(Timestamps::Unsupported),
        };
        Some(ProfileOptions { grade, ..ProfileOptions::new(self.steps.unwrap_or(PROFILED_STEPS)) })
    }

    /// The settings of the run, each with its origin.
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
            strict: flag(self.strict, self.strict),
            stopping: self.stopping.settings(),
        }
    }
}

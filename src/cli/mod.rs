//! The terminal program: one file for each verb.

mod ab;
mod all;
mod baselines;
pub mod cache;
mod compare;
mod compiler;
mod cpu;
pub mod data;
pub mod data_parallel;
pub mod dataset;
mod distributed;
mod doctor;
mod explain;
mod flags;
mod fleet;
mod format;
mod frameworks;
mod gate;
pub mod input;
mod interrupt;
mod kernels;
mod list;
pub mod locate;
mod manual;
pub mod markdown_regions;
mod nearest;
mod no_gpu;
pub mod output;
mod panics;
pub mod peaks;
pub mod pipeline_cache;
mod process;
mod progress;
mod publish;
mod report;
mod rerun;
pub mod result_files;
mod run;
mod run_args;
mod scaling;
mod serve;
mod session;
mod site;
mod stopping;
mod subject;
mod sweep;
mod system;
mod table;
mod target;
mod terminal;
mod tune;
mod verify;

use crate::error::{Error, Result};
use crate::result;
use clap::{Arg, Command, CommandFactory, FromArgMatches, Parser, Subcommand};
use run_args::RunArgs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::LazyLock;
use std::time::Duration;

const AFTER_HELP: &str = "\
Examples:
  gpubench                                the standard run on the fastest kind of device
  gpubench --quick                        a first impression within a minute
  gpubench list                           the adapters of this machine
  gpubench kernels --adapter radv:navi21  what a GPU's compiler makes of the kernels
  gpubench --adapter nvidia --repeat 7    one adapter, with the spread of seven trainings
  gpubench profile --html profile.html    where the time goes, as a page
  gpubench compare before.json after.json
  gpubench ab --plan fused --plan layered which of two plans is faster, in turns
  gpubench fleet hosts.toml -- --repeat 7 the same run on many machines, one table
  gpubench doctor                         why no GPU is found
  gpubench explain                        what the figures mean

Exit codes:
  0    the run is complete
  1    a defect of this program
  2    an option that cannot work
  3    input data missing or damaged, or results that did different work
  4    no adapter, no such adapter, or one that lacks what the run needs
  5    the adapter disagrees with the reference
  6    the run ended, but its result is INVALID
  7    a file could not be written
  8    the device was lost, ran out of memory or refused a command
  9    the tables of a checked page are out of date
  10   a comparison came to what --fail-on names
  11   another program (a binary of `ab`, a framework, a host) crashed, hung, gave no figures
  12   a verified result was changed, or contradicts itself
  129, 130, 143  interrupted by SIGHUP, Ctrl-C, SIGTERM; a partial result is kept

Environment:
  GPUBENCH_DATA      meaning of --data auto
  GPUBENCH_PLAN      default of --plan
  WGPU_BACKEND       default of --backend
  WGPU_ADAPTER_NAME  default of --adapter
  GPUBENCH_SYSFS     mount point of Linux's sysfs, for power and load, if not /sys
  NO_COLOR           disables colours";

/// Options that the help of `gpubench profile` leaves out: they are accepted, but concern longer runs.
const NOT_OF_A_PROFILE: [&str; 18] = [
    "list",
    "quick",
    "repeat",
    "soak",
    "target_ci",
    "max_time",
    "cooldown",
    "profile",
    "no_profile",
    "adapters",
    "split",
    "sync",
    "logical_devices",
    "distributed",
    "scaling_mode",
    "threads",
    "save",
    "no_shuffle",
];
const AFTER_PROFILE_HELP: &str = "\
Trains 50 steps unless --steps or --epochs is given, then profiles as many on a separate device with timestamps, and
compares each kernel with the measured peaks. The timed training takes no timestamps.

Examples:
  gpubench profile                          the whole report
  gpubench profile --html profile.html      the same as a page
  gpubench profile --trace trace.json       a timeline for ui.perfetto.dev
  gpubench profile --plan layered           time by layer";

/// How fast does this device train a real network through the portable GPU API?
///
/// Trains a small convolutional network on MNIST with compute shaders, after checking every kernel against a reference,
/// and shows the time beside published ones.
#[derive(Debug, Parser)]
#[command(
    name = "gpubench",
    version,
    long_version = long_version(),
    args_conflicts_with_subcommands = true,
    after_help = AFTER_HELP
)]
struct Cli {
    /// The verb; a run without one.
    #[command(subcommand)]
    pub verb: Option<Verb>,
    /// Options of a run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Train, check and report (the default without a verb)
    Run(RunArgs),
    /// A short training, and where its time goes: device time for each kernel, peaks, a time account
    Profile(RunArgs),
    /// Measured peaks of the adapter: arithmetic, memory, launches, transfers
    Peaks(peaks::PeaksArgs),
    /// Find the fastest plan on the adapter by measurement, and cache it for other runs
    Tune(tune::TuneArgs),
    /// Step time against batch size or width, and the line through it
    ///
    /// A size that cannot be timed is a row with its reason. If no size can be timed, the exit code is that of the
    /// first one's error.
    Sweep(sweep::SweepArgs),
    /// Show a stored result, as tables or as a page
    Report(report::ReportArgs),
    /// Results side by side: how many times as long the others take, with an interval and a verdict
    ///
    /// The exit code is 10 if a verdict is one that --fail-on names, and 3 if the results did different work.
    Compare(compare::CompareArgs),
    /// Two plans, adapters, programs or environments timed in turns until it is clear which is faster
    ///
    /// The exit code is 10 if the verdict is one that --fail-on names, and 11 if a program of --binary crashed, hung or
    /// gave no result.
    Ab(ab::AbArgs),
    /// Many results among the published ones, in the tables of the published comparison
    ///
    /// A result file that cannot be read is reported, the others are shown, and the exit code is 3.
    Table(table::TableArgs),
    /// A static site of many results: leaderboard, devices, comparisons, downloads
    ///
    /// A result file that cannot be read is reported, the others are shown, and the exit code is 3.
    Site(publish::SiteArgs),
    /// Whether result files are as they were written, and their figures follow from each other
    ///
    /// The exit code is 12 if something is wrong with a result, and 3 if a file cannot be read.
    Verify(verify::VerifyArgs),
    /// Print the JSON Schema of result files
    Schema,
    /// What the figures and columns of reports mean: what they are, how they are measured, what is good
    Explain(explain::ExplainArgs),
    /// Serve the browser's page on localhost
    Serve(serve::ServeArgs),
    /// The kernels of plans, and what the driver's compiler makes of them: registers, spills, occupancy
    Kernels(kernels::KernelsArgs),
    /// List the adapters
    List(list::ListArgs),
    /// Why there is no GPU, or not the expected one: drivers, permissions, containers, variables
    ///
    /// The exit code is 0 if a GPU is found, else 4.
    Doctor(doctor::DoctorArgs),
    /// Train the same network with Keras, PyTorch, JAX, MXNet, Theano or R on this machine, in the same tables
    #[command(subcommand)]
    Frameworks(frameworks::FrameworksVerb),
    /// The same run on many hosts, through ssh, Slurm or any command, and one table of their results
    ///
    /// Hosts whose results are in the folder are not run again. The exit code is 11 if a host has no valid result.
    Fleet(fleet::FleetArgs),
    /// What 2 to 4,096 devices like a measured one would do, from the cost of a message between them
    Scaling(scaling::ScalingArgs),
    /// Fetch or verify MNIST
    #[command(subcommand)]
    Data(DataVerb),
    /// Print the completions of a shell: source <(gpubench completions bash)
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write those of all verbs into a folder
    Man {
        /// Folder for the pages
        folder: Option<PathBuf>,
    },
}

/// Verbs of `gpubench data`.
#[derive(Debug, Subcommand)]
enum DataVerb {
    /// Download MNIST from public mirrors into the cache folder and verify it
    Fetch {
        /// Folder to download to, in place of the user's cache folder
        folder: Option<PathBuf>,
    },
    /// Report for each file whether it is MNIST's original
    Verify {
        /// Folder to look at, in place of the user's cache folder
        folder: Option<PathBuf>,
    },
}

/// The version with the commit and the version of wgpu that the program was built from.
fn long_version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let known = |built: Option<&'static str>| built.unwrap_or("unknown");
        let (commit, wgpu) = (known(option_env!("GPUBENCH_GIT")), known(option_env!("GPUBENCH_WGPU")));
        format!("{} (commit {commit}, wgpu {wgpu})", env!("CARGO_PKG_VERSION"))
    });
    &VERSION
}

/// The command line, with the help of each verb.
fn command() -> Command {
    Cli::command().mut_subcommand("ab", ab::with_refusals).mut_subcommand("profile", |profile| {
        let hidden = |argument: Arg| {
            let hides = NOT_OF_A_PROFILE.contains(&argument.get_id().as_str());
            argument.hide(hides)
        };
        profile.mut_args(hidden).after_help(AFTER_PROFILE_HELP)
    })
}

/// Runs the program with the arguments of this process; returns its exit code.
pub fn main() -> ExitCode {
    panics::explain();
    // Only this program starts itself so; for people there is no such verb.
    let is_worker = std::env::args_os().nth(1).is_some_and(|first| first == compiler::VERB);
    let outcome = if is_worker { compiler::compile_kernels().map(|()| 0) } else { panics::caught(run_verb) };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(Error::Interrupted) => {
            let (code, words) = interrupt::outcome();
            terminal::message(&format!("error: {words}"));
            ExitCode::from(code)
        }
        Err(error) => {
            terminal::error(&error.to_string());
            ExitCode::from(error.exit_code())
        }
    }
}

/// Runs what the command line asks for and returns the exit code.
fn run_verb() -> Result<u8> {
    let cli = Cli::from_arg_matches(&command().get_matches()).unwrap_or_else(|error| error.exit());
    interrupt::listen(match &cli.verb {
        None
        | Some(
            Verb::Run(_)
            | Verb::Ab(_)
            | Verb::Profile(_)
            | Verb::Peaks(_)
            | Verb::Tune(_)
            | Verb::Sweep(_)
            | Verb::Frameworks(_)
            | Verb::Fleet(_),
        ) => interrupt::PATIENCE,
        Some(_) => Duration::ZERO,
    });
    match &cli.verb {
        None => run::run(&cli.run),
        Some(Verb::Run(args)) => run::run(args),
        Some(Verb::Profile(args)) => run::profile(args),
        Some(Verb::Compare(args)) => compare::compare(args).map(|()| 0),
        Some(Verb::Ab(args)) => ab::ab(args),
        Some(Verb::Serve(args)) => serve::serve(args).map(|()| 0),
        Some(Verb::Peaks(args)) => peaks::peaks(args).map(|()| 0),
        Some(Verb::Report(args)) => report::report(args).map(|()| 0),
        Some(Verb::Tune(args)) => tune::tune(args).map(|()| 0),
        Some(Verb::Sweep(args)) => sweep::sweep(args),
        Some(Verb::Table(args)) => table::table(args).map(|()| 0),
        Some(Verb::Site(args)) => publish::site(args).map(|()| 0),
        Some(Verb::Verify(args)) => verify::verify(args).map(|()| 0),
        Some(Verb::Schema) => result::result_schema().and_then(|schema| terminal::output(&schema)).map(|()| 0),
        Some(Verb::Explain(args)) => explain::explain(args).map(|()| 0),
        Some(Verb::Kernels(args)) => kernels::kernels(args).map(|()| 0),
        Some(Verb::List(args)) => list::list(args).map(|()| 0),
        Some(Verb::Doctor(args)) => doctor::doctor(args),
        Some(Verb::Frameworks(verb)) => frameworks::frameworks(verb).map(|()| 0),
        Some(Verb::Fleet(args)) => fleet::fleet(args).map(|()| 0),
        Some(Verb::Scaling(args)) => scaling::scaling(args).map(|()| 0),
        Some(Verb::Data(verb)) => run_data(verb),
        Some(Verb::Completions { shell }) => manual::completions(command(), *shell).map(|()| 0),
        Some(Verb::Man { folder }) => manual::man(command(), folder.as_deref()).map(|()| 0),
    }
}

/// Fetches or verifies MNIST; a folder that does not hold MNIST gives exit code 3.
fn run_data(verb: &DataVerb) -> Result<u8> {
    let folder = |given: &Option<PathBuf>| given.clone().map_or_else(dataset::cache_folder, Ok);
    match verb {
        DataVerb::Fetch { folder: given } => {
            let folder = folder(given)?;
            data::fetch(&folder, &data::mirrors(), &mut |line| terminal::message(line))?;
            terminal::output(&folder.display().to_string())?;
            Ok(0)
        }
        DataVerb::Verify { folder: given } => {
            let verdicts = data::verify(&folder(given)?);
            for verdict in &verdicts {
                terminal::output(&verdict.to_string())?;
            }
            let all = verdicts.iter().all(|verdict| verdict.state == data::State::Mnist);
            Ok(if all { 0 } else { 3 })
        }
    }
}

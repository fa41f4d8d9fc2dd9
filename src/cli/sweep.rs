//! `gpubench sweep`: step time against batch size or width.

use super::dataset::DataSource;
use super::flags::{AUTO, AdapterArgs};
use super::format::FormatArgs;
use super::output::ResultFile;
use super::pipeline_cache::PipelineCacheArgs;
use super::progress::TerminalObserver;
use super::run_args::{RunArgs, plan};
use super::session::{Session, announce};
use super::subject::Subject;
use super::{panics, terminal};
use crate::bench::{self, Observer, Progress, Sizes, SweepJob};
use crate::error::Result;
use crate::kernels::{layered, plan_named};
use crate::result::{Measured, RunResult, Setting, SweepPoint, SweepVariable};
use crate::telemetry::environment;
use clap::{Args, value_parser};
use std::path::PathBuf;
use web_time::Instant;

/// Maximum of `--seconds`.
const MAX_SECONDS: f64 = 600.0;

/// Options of `gpubench sweep`.
#[derive(Debug, Clone, Args)]
pub struct SweepArgs {
    /// Batch sizes to time
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', value_parser = value_parser!(u32).range(1..),
        default_value = "32,64,128,256,512,1024")]
    pub batch: Vec<u32>,
    /// Factors on the numbers of channels and hidden units to time, at batch size 128
    #[arg(long, value_name = "W,W,...", value_delimiter = ',', value_parser = width, conflicts_with = "batch")]
    pub width: Vec<f64>,
    /// Seconds to time each size
    #[arg(long, value_name = "S", value_parser = seconds, default_value = "1")]
    pub seconds: f64,
    /// Which adapter.
    #[command(flatten)]
    pub adapter: AdapterArgs,
    /// Data: auto, synthetic, or a folder with MNIST's four IDX files
    #[arg(long, value_name = "WHAT", default_value = "auto")]
    pub data: DataSource,
    /// Kernels of a step, as for a run; widths are timed with layered by default, the one plan made for all of them
    /// [default: auto]
    #[arg(long, value_name = "NAME", value_parser = plan)]
    pub plan: Option<String>,
    /// Use the default plan of this kind of adapter instead of measuring which is fastest
    #[arg(long)]
    pub no_tune: bool,
    /// Seed of initial weights, order and dropout [default: 1]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Print the result as JSON instead of a table
    #[arg(long)]
    pub json: bool,
    /// The pipeline cache.
    #[command(flatten)]
    pub pipelines: PipelineCacheArgs,
    /// Folder for result files [default: gpubench/results in the user's data folder]
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

fn number(text: &str) -> std::result::Result<f64, String> {
    text.parse().ok().filter(|number: &f64| number.is_finite()).ok_or_else(|| "not a number".to_owned())
}

fn width(text: &str) -> std::result::Result<f64, String> {
    let width = number(text)?;
    if width > 0.0 { Ok(width) } else { Err("a width must be above 0".to_owned()) }
}

fn seconds(text: &str) -> std::result::Result<f64, String> {
    let seconds = number(text)?;
    if seconds > 0.0 && seconds <= MAX_SECONDS {
        Ok(seconds)
    } else {
        Err(format!("a time must be above 0 and at most {MAX_SECONDS} seconds"))
    }
}

/// `list` without duplicates, and the duplicates.
fn deduplicated<T: PartialEq + Copy>(list: &[T]) -> (Vec<T>, Vec<T>) {
    let (mut once, mut duplicates) = (Vec::new(), Vec::new());
    for &size in list {
        if once.contains(&size) { duplicates.push(size) } else { once.push(size) }
    }
    (once, duplicates)
}

impl SweepArgs {
    /// The requested sizes, each once; duplicates are reported on stderr.
    fn sizes(&self) -> Sizes {
        let note = |duplicates: Vec<String>| {
            if !duplicates.is_empty() {
                terminal::message(&format!("asked for more than once, timed once: {}", duplicates.join(", ")));
            }
        };
        if self.width.is_empty() {
            let (batches, duplicates) = deduplicated(&self.batch);
            note(duplicates.iter().map(u32::to_string).collect());
            Sizes::Batch(batches)
        } else {
            let (widths, duplicates) = deduplicated(&self.width);
            note(duplicates.iter().map(f64::to_string).collect());
            Sizes::Width(widths)
        }
    }

    /// The options that a sweep shares with a run.
    fn as_run(&self) -> RunArgs {
        RunArgs {
            adapter: self.adapter.adapter.clone(),
            backend: self.adapter.backend.clone(),
            data: self.data.clone(),
            plan: self.plan.clone(),
            no_tune: self.no_tune,
            seed: self.seed,
            format: FormatArgs { json: self.json, verbose: !self.json, ..FormatArgs::default() },
            output: self.output.clone(),
            ..RunArgs::default()
        }
    }
}

/// Times a step at each size and shows the table; returns exit code 0.
///
/// # Errors
/// The error that ended the sweep early, or the first size's error if no size could be timed; the result file holds the
/// rows so far.
pub fn sweep(args: &SweepArgs) -> Result<u8> {
    let started = Instant::now();
    let run = args.as_run();
    let mut settings = run.settings();
    settings.steps = Setting::default(Measured::missing("as many as fill the time of each size"));
    let sizes = args.sizes();
    if matches!(sizes, Sizes::Width(_)) && settings.plan.value == AUTO {
        settings.plan = Setting::default(layered::NAME.to_owned());
    }
    let adapters = args.adapter.find("sweep")?;
    let adapter = args.adapter.choose(&adapters)?;
    let mut subject = Subject::on_adapter(&adapters, adapter, &run, settings);
    subject.adapter_s = started.elapsed().as_secs_f64();
    let _pipeline_cache = args.pipelines.guard(&adapters, adapter);
    let (session, file) = Session::begin(&run, &adapter.name, subject.settings.seed.value, started)?;
    // The sweep says why no size can be timed; a search for the fastest plan would only delay it.
    let pointless = !sizes.any_fits(session.dataset().train.len());
    subject.choose_plan(args.no_tune || pointless)?;
    if subject.tuning.value().is_none() {
        terminal::message(&format!("plan: {}", subject.settings.plan.value));
    }
    let plan = plan_named(&subject.settings.plan.value)?;
    let mut result = session.result(&subject);
    let job = SweepJob {
        adapters: &adapters,
        adapter,
        dataset: session.dataset(),
        plan: &plan,
        sizes: &sizes,
        seconds: args.seconds,
    };
    measure(&job, &mut result, file, &run.format)?;
    Ok(0)
}

/// Runs the sweep and shows its rows, even if it ended early after timing some size.
fn measure(job: &SweepJob<'_>, result: &mut RunResult, file: ResultFile, format: &FormatArgs) -> Result<()> {
    let mut observer = SweepObserver { inner: TerminalObserver::new(file), reported: Vec::new() };
    let outcome = panics::block_on(bench::sweep(job, result, &mut observer));
    let mut file = observer.inner.finish();
    result.summary.peak_host_memory_bytes = environment::peak_host_memory_bytes();
    let written = file.write(result);
    let timed = |point: &SweepPoint| point.step_s.value().is_some();
    if outcome.is_ok() || result.sweep.value().is_some_and(|sweep| sweep.points.iter().any(timed)) {
        format.show(result, None)?;
    }
    announce(&file);
    outcome?;
    written
}

/// Reports each size on stderr once, as soon as it was timed or failed.
struct SweepObserver {
    inner: TerminalObserver,
    reported: Vec<usize>,
}

impl Observer for SweepObserver {
    fn phase(&mut self, name: &str) {
        self.inner.phase(name);
    }

    fn progress(&mut self, progress: &Progress) {
        self.inner.progress(progress);
    }

    fn stop_requested(&self) -> bool {
        self.inner.stop_requested()
    }

    fn checkpoint(&mut self, result: &RunResult) -> Result<()> {
        if let Some(sweep) = result.sweep.value() {
            for (index, point) in sweep.points.iter().enumerate() {
                let line = line(sweep.variable, point);
                if !self.reported.contains(&index) && !line.is_empty() {
                    self.reported.push(index);
                    self.inner.print_line(&line);
                }
            }
        }
        self.inner.checkpoint(result)
    }
}

/// One line on a size; empty before it is timed.
fn line(variable: SweepVariable, point: &SweepPoint) -> String {
    let name = match variable {
        SweepVariable::Batch => format!("batch {}", point.batch),
        SweepVariable::Width => format!("width {}", point.width),
    };
    match &point.step_s {
        Measured::Value(step_s) => format!("{name}: about {:.3} ms a step", 1e3 * step_s),
        Measured::Missing { reason } if reason == bench::SWEEP_NOT_REACHED => String::new(),
        Measured::Missing { reason } => format!("{name}: n/a ({reason})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_removed_in_the_order_of_their_first_occurrence() {
        assert_eq!(deduplicated(&[64, 32, 64, 64, 128]), (vec![64, 32, 128], vec![64, 64]));
        assert_eq!(deduplicated(&[0.5, 1.0]), (vec![0.5, 1.0], vec![]));
    }
}

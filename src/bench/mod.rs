//! The protocol of a run: open, compile, check, train, evaluate, validate.

mod account;
mod describe;
pub mod host_timeline;
mod pacing;
pub mod probe;
mod profile;
mod rounds;
mod search;
mod step_time;
mod stopping;
pub mod target;
mod train;
mod validate;

pub use describe::{adapter as describe_adapter, tool as describe_tool};
pub use pacing::{Chunk, Pace};
pub use profile::{PROFILED_STEPS, ProfileOptions};
pub use rounds::add_round;
pub use search::{SWEEP_NOT_YET, Sizes, SweepJob, shipped_plan, sweep, tune, tuning_subject};
pub use target::{AdapterTarget, DataParallelTarget, Device, OpenedDataParallel, OpenedDevice, Split};
pub use train::QUICK_TRAIN_S;
pub use validate::{ACCEPTED_TEST_ERROR_PCT, difference_in_images, differences_from_standard, validate};

use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::{Model, Training};
use crate::result::{
    self, Environment, Measured, Outcome, Peaks, Phases, RunResult, Settings, Status, Summary, Timeline, Track,
};
use crate::trainer::TrainingConfig;
use std::collections::BTreeMap;
use target::{LastTraining, OpenedTarget, TrainingTarget};
use web_time::Instant;

/// What a reader of a software adapter's figures must know.
const SOFTWARE_ADAPTER: &str = "a software adapter computes on the CPU: its times say nothing about a GPU";

/// What a run works on.
pub struct Job<'a> {
    /// The data, in host memory.
    pub dataset: &'a Dataset,
    /// Initial parameters, laid out as the model says; drawn from the seed where there are none.
    pub init: Option<Vec<f32>>,
    /// How to profile after the timed trainings, if at all.
    pub profile: Option<ProfileOptions>,
    /// What the adapter reaches at best, to compare the profile with.
    pub peaks: Measured<Peaks>,
    /// Who measures what each timed training uses of the machine.
    pub probe: &'a dyn probe::Probe,
    /// When the program started, for the cold total.
    pub started: Instant,
}

impl Job<'_> {
    /// The parameters to start from, laid out as `model` says.
    fn initial_parameters(&self, model: &Model, seed: u64) -> Vec<f32> {
        self.init.clone().unwrap_or_else(|| model.initial_parameters(seed))
    }
}

/// What a run leaves beside its result.
pub struct Finished {
    /// The trained parameters, laid out as the model says.
    pub parameters: Vec<f32>,
    /// What happened when in the last timed training, and in the profiled steps if there were any.
    pub timeline: Timeline,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// The timed training at hand, from 1, and how many there are.
    pub repeat: (u32, u32),
    /// The epoch at hand, from 1, and how many there are.
    pub epoch: (u32, u32),
    /// Finished steps of all epochs of this training, and how many there are.
    pub step: (u32, u32),
    /// Training images per second since the last report.
    pub images_per_s: f64,
    /// Mean loss and test error in per cent of the last finished epoch.
    pub last_epoch: Option<(f64, f64)>,
}

/// Whoever watches a run: shows its progress, keeps its result, may stop it.
pub trait Observer {
    /// A part of the run begins: "compile", "check", ...
    fn phase(&mut self, name: &str);
    /// Some steps are done.
    fn progress(&mut self, progress: &Progress);
    /// Waits `seconds`, or until the run should end. Where nobody can wait, nothing happens.
    fn wait(&mut self, _seconds: f64) {}
    /// Whether the run should end at the next step.
    fn stop_requested(&self) -> bool;
    /// The result has grown and should be kept.
    ///
    /// # Errors
    /// [`Error::Output`] if it cannot be kept, which ends the run.
    fn checkpoint(&mut self, result: &RunResult) -> Result<()>;
}

/// What is known of a run before it measures anything.
pub struct Setup<'a> {
    /// What was asked for.
    pub settings: Settings,
    /// The machine and the program.
    pub environment: Environment,
    /// The data, in host memory.
    pub dataset: &'a Dataset,
    /// When the run began, RFC 3339 in UTC.
    pub started_utc: String,
    /// Seconds that finding the adapter took.
    pub adapter_s: f64,
    /// Seconds that reading or drawing the data took.
    pub data_s: f64,
}

/// The result of a run that has not measured anything yet.
pub fn begin(setup: Setup<'_>) -> RunResult {
    let Setup { settings, environment, dataset, started_utc, adapter_s, data_s } = setup;
    let mut non_standard = differences_from_standard(&settings, dataset.identity);
    non_standard.extend(difference_in_images(dataset.train.len(), dataset.test.len()));
    let model = Model::new(settings.dropout.value);
    let mut warnings = Vec::new();
    if environment.adapter.software {
        warnings.push(SOFTWARE_ADAPTER.to_owned());
    }
    RunResult {
        schema: result::SCHEMA.to_owned(),
        schema_version: result::SCHEMA_VERSION,
        status: Status::Partial,
        reasons: vec!["the run is under way".to_owned()],
        standard: non_standard.is_empty(),
        non_standard,
        warnings,
        started_utc,
        plan: result::Plan { name: settings.plan.value.clone(), tuning: BTreeMap::new(), kernels: Vec::new() },
        settings,
        environment,
        data: result::Data {
            identity: dataset.identity,
            name: dataset.name.clone(),
            source: Measured::or_missing(dataset.source.clone(), "drawn by this program"),
            train_images: dataset.train.len() as u32,
            test_images: dataset.test.len() as u32,
        },
        model: result::ModelSize {
            parameters: model.parameter_count() as u64,
            forward_macs: model.forward_macs(),
            training_macs: model.training_macs(),
        },
        check: result::not_reached(),
        phases: Phases { adapter_s: adapter_s.into(), data_s: data_s.into(), ..Phases::default() },
        repeats: Vec::new(),
        summary: Summary::default(),
        profile: result::not_profiled(),
        peaks: result::no_peaks(),
        account: result::no_account(),
        sweep: result::no_sweep(),
        tuning: result::no_tuning(),
        parallel: result::not_parallel(),
        repeating: result::not_reached(),
        soak: result::no_soak(),
    }
}

/// What `settings` ask to be trained.
pub fn training_config(settings: &Settings) -> TrainingConfig {
    let soaks = settings.stopping.soak_min.value.value().is_some();
    let epochs = if soaks { stopping::SOAK_EPOCHS } else { settings.epochs.value };
    TrainingConfig {
        model: Model::new(settings.dropout.value),
        training: Training { batch: settings.batch.value, epochs, ..Training::STANDARD },
        seed: settings.seed.value,
        shuffle: settings.shuffle.value,
    }
}

/// Runs the benchmark that `result.settings` ask for on `target` and fills `result` stage by stage.
///
/// # Errors
/// Whatever ended the run early; `result` then holds what was measured before, and its status says so.
pub async fn run(
    target: &impl TrainingTarget,
    job: &Job<'_>,
    result: &mut RunResult,
    observer: &mut dyn Observer,
) -> Result<Finished> {
    let outcome: Result<Finished> = async {
        let config = training_config(&result.settings);
        config.fits(job.dataset)?;
        let opened = target.open(job, &config, result, observer).await?;
        observer.checkpoint(result)?;
        observer.phase("check");
        check_first(&opened, result).await?;
        observer.checkpoint(result)?;
        let trained = train_repeats(job, &opened, &config, result, observer).await?;
        let finished = finish(job, &opened, trained, result, observer).await?;
        validate(result);
        Ok(finished)
    }
    .await;
    if let Err(error) = &outcome {
        result.status = if *error == Error::Interrupted { Status::Partial } else { Status::Failed };
        result.reasons = vec![error.to_string()];
    }
    observer.checkpoint(result)?;
    outcome
}

/// Profiles after the timed trainings if that was asked for, and gathers what a run leaves beside its result.
async fn finish(
    job: &Job<'_>,
    opened: &impl OpenedTarget,
    trained: train::Trained,
    result: &mut RunResult,
    observer: &mut dyn Observer,
) -> Result<Finished> {
    let train::Trained { parameters, host_timeline } = trained;
    let mut timeline = Timeline { events: host_timeline.events(Track::TimedHost).collect(), alignment_ns: 0.0 };
    if let Some(options) = job.profile {
        observer.phase("profile");
        let wall_s =
            result.repeats.last().map_or(Measured::missing("nothing was trained"), |last| last.train_s.clone());
        let last = LastTraining { host_timeline: &host_timeline, wall_s };
        let profiled = opened.profile(job, options, last, result, observer).await?;
        timeline.alignment_ns = profiled.alignment_ns;
        timeline.events.extend(profiled.events);
        result.summary.gpu_busy_pct = result.account.clone().map(|account| account.busy_pct());
    }
    Ok(Finished { parameters, timeline })
}

/// Compares kernels and training steps with the reference; no time is reported without it.
async fn check_first(opened: &impl OpenedTarget, result: &mut RunResult) -> Result<()> {
    let report = opened.check().await?;
    result.phases.check_s = report.check.duration_s.into();
    result.phases.first_step_s = report.first_step_s.into();
    let passed = report.check.outcome == Outcome::Passed;
    result.warnings.extend(Some(report.remark).filter(|remark| !remark.is_empty()).map(str::to_owned));
    result.check = Measured::Value(report.check);
    if passed { Ok(()) } else { Err(Error::Check(report.complaint)) }
}

/// Trains until nobody asks for more.
async fn train_repeats(
    job: &Job<'_>,
    opened: &impl OpenedTarget,
    config: &TrainingConfig,
    result: &mut RunResult,
    observer: &mut dyn Observer,
) -> Result<train::Trained> {
    let initial = job.initial_parameters(&config.model, config.seed);
    let mut begun = None;
    for repeat in 0.. {
        observer.phase("train");
        let idle_s = job.probe.begin();
        if repeat == 0 {
            result.phases.idle_s = idle_s;
        }
        let begun = *begun.get_or_insert_with(Instant::now);
        let mut engine = opened.engine();
        let (dataset, origin, probe) = (job.dataset, job.started, job.probe);
        let training = train::Training { config, dataset, initial: &initial, repeat, origin, probe };
        let trained = train::train_once(&mut engine, &training, result, observer).await;
        enter_load(result, config, job.probe.end());
        let trained = trained?;
        if repeat == 0 {
            result.phases.cold_total_s = seconds(job.started);
        }
        summarise(result, config);
        close_parallel(result, &trained.host_timeline);
        let elapsed_s = begun.elapsed().as_secs_f64();
        let ended = stopping::ended(&result.settings, &result.summary, repeat + 1, elapsed_s);
        let state = ended.unwrap_or(result::RepeatingEnd::Unfinished);
        result.repeating = Measured::Value(stopping::repeating(&result.repeats, &result.summary, elapsed_s, state));
        observer.checkpoint(result)?;
        if ended.is_some() {
            return Ok(trained);
        }
        if result.settings.stopping.cooldown_s.value > 0.0 {
            observer.phase("cool down");
            observer.wait(result.settings.stopping.cooldown_s.value);
        }
        if observer.stop_requested() {
            break;
        }
    }
    Err(Error::Interrupted)
}

/// Enters what the last training used, also where it broke off, and what a soak says.
fn enter_load(result: &mut RunResult, config: &TrainingConfig, load: Measured<result::Load>) {
    let epoch_images = result.data.train_images;
    let soaks = result.settings.stopping.soak_min.value.value().is_some();
    if let Some(last) = result.repeats.last_mut() {
        let images = train::images_trained(last, config, epoch_images);
        probe::attach(last, load, images, epoch_images);
        if soaks {
            result.soak = stopping::soak(&last.epochs);
        }
    }
}

/// Computes the figures of the table from the repeats so far.
fn summarise(result: &mut RunResult, config: &TrainingConfig) {
    let Some(first) = result.repeats.first() else { return };
    result.phases.train_s = first.train_s.clone();
    result.phases.evaluate_s = first.evaluate_s.clone();
    let images = train::images_trained(first, config, result.data.train_images);
    result.summary = Summary::of(&result.repeats, images, result.model.training_macs, config.seed);
}

/// Tells how well the last timed training went on several devices, if there were several.
fn close_parallel(result: &mut RunResult, host_timeline: &host_timeline::HostTimeline) {
    let RunResult { parallel: Measured::Value(parallel), repeats, .. } = result else { return };
    let Some(last) = repeats.last() else { return };
    if let Some(&train_s) = last.train_s.value() {
        let exchange_s = host_timeline.seconds(|interval| interval.activity == host_timeline::Activity::Exchange);
        target::close_parallel(parallel, exchange_s, train_s, last.samples.iter().map(|sample| sample.steps).sum());
    }
}

fn seconds(start: Instant) -> Measured<f64> {
    start.elapsed().as_secs_f64().into()
}

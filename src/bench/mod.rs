//! The protocol of a run: open, compile, check, train, evaluate, judge.

pub mod check;
mod describe;
mod drive;
mod expected;
mod judge;
mod profile;
pub mod tolerance;
mod train;

pub use describe::adapter as describe_adapter;
pub use judge::{ACCEPTED_TEST_ERROR_PCT, differences_from_standard, judge};
pub use profile::PROFILED_STEPS;
pub use train::QUICK_TRAIN_S;

use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters, Gpu, Pipelines};
use crate::kernels::plan_named;
use crate::model::{Model, Training};
use crate::result::{self, Environment, Measured, Outcome, Phases, RunResult, Settings, Status, Summary};
use crate::trainer::Recipe;
use std::collections::BTreeMap;
use web_time::Instant;

/// What a run works on.
pub struct Job<'a> {
    /// The machine's adapters.
    pub adapters: &'a Adapters,
    /// The one to use.
    pub adapter: &'a AdapterInfo,
    /// The data, in host memory.
    pub dataset: &'a Dataset,
    /// Initial parameters, laid out as the model says; drawn from the seed where there are none.
    pub init: Option<Vec<f32>>,
    /// Steps to profile after the timed trainings, if any.
    pub profile_steps: Option<u32>,
    /// When the program started, for the cold total.
    pub started: Instant,
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
    /// Whether the run should end at the next step.
    fn stop_requested(&self) -> bool;
    /// The result has grown and should be kept.
    ///
    /// # Errors
    /// [`Error::Output`] if it cannot be kept, which ends the run.
    fn checkpoint(&mut self, result: &RunResult) -> Result<()>;
}

/// The result of a run that has not measured anything yet.
pub fn begin(settings: Settings, environment: Environment, dataset: &Dataset) -> RunResult {
    let non_standard = differences_from_standard(&settings, dataset.identity);
    let model = Model::new(settings.dropout.value);
    let mut warnings = Vec::new();
    if environment.adapter.software {
        warnings.push("a software adapter computes on the CPU: its times say nothing about a GPU".to_owned());
    }
    RunResult {
        schema: result::SCHEMA.to_owned(),
        schema_version: result::SCHEMA_VERSION,
        status: Status::Partial,
        reasons: vec!["the run is under way".to_owned()],
        standard: non_standard.is_empty(),
        non_standard,
        warnings,
        started_utc: String::new(),
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
        check: Measured::missing("the run has not come this far"),
        phases: Phases::default(),
        repeats: Vec::new(),
        summary: Summary::default(),
        profile: result::not_profiled(),
        peaks: result::no_peaks(),
        account: result::no_account(),
        sweep: result::no_sweep(),
    }
}

/// What `settings` ask to be trained.
pub fn recipe(settings: &Settings) -> Recipe {
    Recipe {
        model: Model::new(settings.dropout.value),
        training: Training { batch: settings.batch.value, epochs: settings.epochs.value, ..Training::STANDARD },
        seed: settings.seed.value,
        shuffle: settings.shuffle.value,
    }
}

/// Runs the benchmark that `result.settings` ask for and fills `result` stage by stage; returns the trained parameters.
///
/// # Errors
/// Whatever ended the run early; `result` then holds what was measured before, and its status says so.
pub async fn run(job: &Job<'_>, result: &mut RunResult, observer: &mut dyn Observer) -> Result<Vec<f32>> {
    let outcome = stages(job, result, observer).await;
    if let Err(error) = &outcome {
        result.status = if *error == Error::Interrupted { Status::Partial } else { Status::Failed };
        result.reasons = vec![error.to_string()];
    }
    observer.checkpoint(result)?;
    outcome
}

async fn stages(job: &Job<'_>, result: &mut RunResult, observer: &mut dyn Observer) -> Result<Vec<f32>> {
    let recipe = recipe(&result.settings);
    recipe.fits(job.dataset)?;
    let plan = plan_named(&result.settings.plan.value)?(&recipe.model, &recipe.training, recipe.seed);

    observer.phase("device");
    let start = Instant::now();
    let gpu = Gpu::open(job.adapters, job.adapter, recipe.needs(&plan, job.dataset)).await?;
    result.phases.device_s = seconds(start);
    describe::device(result, &gpu, &plan, recipe.training.batch)?;

    observer.phase("compile");
    let start = Instant::now();
    let pipelines = Pipelines::compile(&gpu, &plan).await?;
    result.phases.compile_s = seconds(start);
    observer.checkpoint(result)?;

    observer.phase("check");
    let bench = train::Bench { gpu: &gpu, pipelines: &pipelines, plan: &plan, recipe: &recipe };
    check_first(&bench, result).await?;
    observer.checkpoint(result)?;

    let parameters = train_repeats(job, &bench, result, observer).await?;
    if let Some(steps) = job.profile_steps {
        observer.phase("profile");
        let profile = profile::profile(job.adapters, &bench, job.dataset, steps, result, observer).await?;
        result.profile = Measured::Value(profile);
    }
    judge(result);
    Ok(parameters)
}

/// Compares kernels and training steps with the reference; no time is reported without it.
async fn check_first(bench: &train::Bench<'_>, result: &mut RunResult) -> Result<()> {
    let start = Instant::now();
    let report = check::check(bench.gpu, bench.pipelines, bench.plan, bench.recipe).await?;
    result.phases.check_s = seconds(start);
    result.phases.first_step_s = report.first_step_s.into();
    let passed = report.check.outcome == Outcome::Passed;
    result.check = Measured::Value(report.check);
    if passed { Ok(()) } else { Err(Error::Check(report.complaint)) }
}

async fn train_repeats(
    job: &Job<'_>,
    bench: &train::Bench<'_>,
    result: &mut RunResult,
    observer: &mut dyn Observer,
) -> Result<Vec<f32>> {
    let initial = job.init.clone().unwrap_or_else(|| bench.recipe.model.initial_parameters(bench.recipe.seed));
    let mut parameters = Vec::new();
    for repeat in 0..result.settings.repeat.value {
        observer.phase("train");
        parameters = train::train_once(bench, job.dataset, &initial, repeat, result, observer).await?;
        if repeat == 0 {
            result.phases.cold_total_s = seconds(job.started);
        }
        summarise(result, bench.recipe);
        observer.checkpoint(result)?;
    }
    Ok(parameters)
}

/// Computes the figures of the table from the repeats so far.
fn summarise(result: &mut RunResult, recipe: &Recipe) {
    let Some(first) = result.repeats.first() else { return };
    result.phases.train_s = first.train_s.clone();
    result.phases.evaluate_s = first.evaluate_s.clone();
    let images = train::images_trained(first, recipe, result.data.train_images);
    result.summary = Summary::of(&result.repeats, images, result.model.training_macs, recipe.seed);
}

fn seconds(start: Instant) -> Measured<f64> {
    start.elapsed().as_secs_f64().into()
}

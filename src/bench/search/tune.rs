//! Autotuning: a short measured search for the fastest plan on an adapter and the values of its parameters.
//!
//! Every plan is timed with its shipped values, then the parameters of the fastest plan are varied one at a time: all
//! combinations would take longer than a run.

use crate::bench::observer::Observer;
use crate::bench::pacing::SubmissionPacer;
use crate::bench::prepared_plan::PreparedPlan;
use crate::bench::step_time::time_steps;
use crate::check;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters, Gpu, Needs, Pipelines};
use crate::kernels::{self, Choice, PLANS, Plan, fused};
use crate::peaks;
use crate::result::{Candidate, Measured, Outcome, Subject, Tuning};
use crate::stats;
use crate::trainer::TrainingConfig;
use web_time::Instant;

/// A plan slower than the fastest by this factor is not timed again.
const MAX_SLOWDOWN: f64 = 2.0;
/// Seconds of one timing, unless two samples take longer.
const TIMING_S: f64 = 0.3;
/// Batches in the random dataset: more would only take longer to copy.
const BATCHES: u32 = 8;

/// The default plan of an adapter without tuning: on software adapters loads are expensive and registers cheap, on GPUs
/// workgroups should fill a compute unit.
pub fn shipped_plan(adapter: &AdapterInfo) -> &'static str {
    if adapter.software { fused::LANES } else { fused::NAME }
}

/// The identity of the adapter, driver, program and shaders that a tuning is valid for.
pub fn tuning_subject(adapter: &AdapterInfo) -> Subject {
    Subject { shader_hash: kernels::shader_hash(), ..peaks::subject(adapter) }
}

/// A plan with its samples, or the error that prevents its timing.
struct Trial {
    choice: Choice,
    plan: Plan,
    pipelines: Result<Pipelines>,
    pacer: SubmissionPacer,
    samples_s: Vec<f64>,
}

impl Trial {
    /// Median step time, seconds.
    fn step_s(&self) -> Option<f64> {
        self.pipelines.as_ref().ok().and(stats::median(&self.samples_s))
    }
}

/// The search on one adapter.
struct Search<'a> {
    gpu: Gpu,
    config: &'a TrainingConfig,
    dataset: Dataset,
    trials: Vec<Trial>,
}

/// Times a step of every plan that passes its check, and of the fastest plan with other values of its parameters, for
/// `config`, on random images. The caller sets `measured_utc`.
///
/// # Errors
/// [`Error::Interrupted`] if the observer stopped it, [`Error::Adapter`] if the adapter cannot be opened,
/// [`Error::Device`] if the device was lost.
pub async fn tune(
    adapters: &Adapters,
    adapter: &AdapterInfo,
    config: &TrainingConfig,
    observer: &mut dyn Observer,
) -> Result<Tuning> {
    let start = Instant::now();
    let dataset = check::random_dataset((BATCHES * config.training.batch) as usize, config.seed);
    let choices: Vec<Choice> = PLANS.iter().filter(|row| row.non_standard.is_none()).map(Choice::shipped).collect();
    let plans = choices.iter().map(|choice| choice.make(&config.model, &config.training, config.seed));
    let needs = plans.map(|plan| config.needs(&plan, &dataset)).max_by_key(|needs| needs.largest_binding_bytes);
    let needs = Needs { subgroups: adapter.subgroups, ..needs.unwrap_or_default() };
    let gpu = Gpu::open(adapters, adapter, needs).await?;
    let mut search = Search { gpu, config, dataset, trials: Vec::new() };
    let (bases, variants): (Vec<Choice>, Vec<Choice>) =
        choices.into_iter().partition(|choice| choice.row.base.is_none());
    for choice in bases.into_iter().chain(variants) {
        search.try_choice(choice, observer).await?;
    }
    // A second timing in reverse order, so that a machine that slows down favours no plan.
    for index in (0..search.trials.len()).rev().filter(|&index| search.is_competitive(index)).collect::<Vec<_>>() {
        search.time(index, observer).await?;
    }
    search.search_parameters(observer).await?;
    if search.trials.iter().all(|trial| trial.step_s().is_none())
        && let Some(Err(error @ Error::Device(_))) = search.trials.iter().map(|trial| trial.pipelines.as_ref()).next()
    {
        return Err(error.clone());
    }
    Ok(Tuning {
        subject: tuning_subject(adapter),
        measured_utc: String::new(),
        batch: config.training.batch,
        cached: false,
        duration_s: start.elapsed().as_secs_f64(),
        candidates: search.trials.into_iter().map(candidate).collect(),
    })
}

impl Search<'_> {
    /// Compiles, checks and times a plan.
    async fn try_choice(&mut self, choice: Choice, observer: &mut dyn Observer) -> Result<()> {
        observer.phase(&format!("checking plan {choice}"));
        let plan = choice.make(&self.config.model, &self.config.training, self.config.seed);
        let pipelines = match self.skip_reason(&choice, &plan) {
            Some(reason) => Err(Error::Adapter(reason)),
            None => compile_and_check(&self.gpu, &plan, self.config).await,
        };
        if observer.stop_requested() {
            return Err(Error::Interrupted);
        }
        // A device that is lost runs no other plan either.
        if matches!(pipelines, Err(Error::Device(_))) {
            self.gpu.health()?;
        }
        self.trials.push(Trial { choice, plan, pipelines, pacer: SubmissionPacer::default(), samples_s: Vec::new() });
        self.time(self.trials.len() - 1, observer).await
    }

    /// Why a plan is skipped: the adapter lacks a feature, or the plan's base was too slow.
    fn skip_reason(&self, choice: &Choice, plan: &Plan) -> Option<String> {
        if plan.needs_subgroups() && !self.gpu.adapter.subgroups {
            return Some(format!("the adapter has no subgroups, which {} needs", choice.row.name));
        }
        let base = choice.row.base?;
        let index = self.trials.iter().position(|trial| trial.choice.row.name == base)?;
        let message =
            format!("{base}, of which it is a variant, took more than {MAX_SLOWDOWN} times as long as the fastest");
        (!self.is_competitive(index)).then_some(message)
    }

    async fn time(&mut self, index: usize, observer: &mut dyn Observer) -> Result<()> {
        let trial = &mut self.trials[index];
        let Ok(pipelines) = &trial.pipelines else { return Ok(()) };
        observer.phase(&format!("timing plan {}", trial.choice));
        let prepared = PreparedPlan { gpu: &self.gpu, pipelines, plan: &trial.plan, config: self.config };
        match time_steps(&prepared, &self.dataset, TIMING_S, &mut trial.pacer, &mut trial.samples_s, observer).await {
            Err(Error::Interrupted) => Err(Error::Interrupted),
            Err(error) => {
                trial.pipelines = Err(error);
                self.gpu.health()
            }
            Ok(()) => Ok(()),
        }
    }

    /// The fastest trial so far.
    fn fastest(&self) -> Option<&Trial> {
        let timed = self.trials.iter().filter_map(|trial| Some((trial, trial.step_s()?)));
        timed.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(trial, _)| trial)
    }

    fn is_competitive(&self, index: usize) -> bool {
        let fastest = self.fastest().and_then(Trial::step_s);
        self.trials[index].step_s().zip(fastest).is_some_and(|(own, fastest)| own < MAX_SLOWDOWN * fastest)
    }

    /// Coordinate descent: varies one parameter of the fastest plan at a time, with the best values found for those
    /// before it.
    async fn search_parameters(&mut self, observer: &mut dyn Observer) -> Result<()> {
        let Some(row) = self.fastest().map(|trial| trial.choice.row) else { return Ok(()) };
        for index in 0..row.parameters.len() {
            // The plan is fixed by the first comparison, even if another one has become faster.
            let own = self.trials.iter().filter(|trial| std::ptr::eq(trial.choice.row, row));
            let timed = own.filter_map(|trial| Some((trial.choice.clone(), trial.step_s()?)));
            let Some((best, _)) = timed.min_by(|a, b| a.1.total_cmp(&b.1)) else { return Ok(()) };
            for choice in best.alternatives(index) {
                self.try_choice(choice, observer).await?;
            }
        }
        Ok(())
    }
}

/// Compiles a plan and compares it with the reference.
async fn compile_and_check(gpu: &Gpu, plan: &Plan, config: &TrainingConfig) -> Result<Pipelines> {
    let pipelines = Pipelines::compile(gpu, plan).await?;
    let report = check::check(gpu, &pipelines, plan, config).await?;
    match report.check.outcome {
        Outcome::Passed => Ok(pipelines),
        Outcome::Failed => Err(Error::Check(report.failure)),
    }
}

fn candidate(trial: Trial) -> Candidate {
    let (step_s, deviation_s) = match &trial.pipelines {
        Err(error) => (Measured::missing(error.to_string()), Measured::missing(error.to_string())),
        Ok(_) => (
            Measured::or_missing(stats::median(&trial.samples_s), "no step was timed"),
            Measured::or_missing(stats::median_absolute_deviation(&trial.samples_s), "no step was timed"),
        ),
    };
    Candidate { plan: trial.choice.to_string(), step_s, deviation_s }
}

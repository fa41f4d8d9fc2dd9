//! A short measured search for the fastest plan on an adapter, and for the values of its parameters.
//!
//! Every plan is tried as shipped, then the parameters of the fastest one after the other: to try all combinations would take
//! longer than a run.

use crate::bench::observer::Observer;
use crate::bench::pacing::Pace;
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

/// A plan whose first visit took so many times the fastest's is not visited again.
const HOPELESS: f64 = 2.0;
/// Seconds of a visit, if that is enough for two samples.
const VISIT_S: f64 = 0.3;
/// Images that are trained on, in batches: more would only take longer to copy.
const BATCHES: u32 = 8;

/// The plan that is used where nothing was measured: on drivers that compute on the CPU loads are dear and registers cheap, on
/// GPUs workgroups should fill a compute unit.
pub fn shipped_plan(adapter: &AdapterInfo) -> &'static str {
    if adapter.software { fused::LANES } else { fused::NAME }
}

/// What a tuning of `adapter` belongs to.
pub fn tuning_subject(adapter: &AdapterInfo) -> Subject {
    Subject { shader_hash: kernels::shader_hash(), ..peaks::subject(adapter) }
}

/// A plan on the device, ready to be timed, or why it cannot be.
struct Entry {
    choice: Choice,
    plan: Plan,
    pipelines: Result<Pipelines>,
    pace: Pace,
    samples_s: Vec<f64>,
}

impl Entry {
    /// Median time of a step, seconds.
    fn step_s(&self) -> Option<f64> {
        self.pipelines.as_ref().ok().and(stats::median(&self.samples_s))
    }
}

/// The search on one adapter.
struct Search<'a> {
    gpu: Gpu,
    config: &'a TrainingConfig,
    dataset: Dataset,
    entries: Vec<Entry>,
}

/// Times a step of every plan that passes its check, and of the fastest with other values of its parameters, for `config`, on
/// random images; the time of the measurement is left to the caller to fill in.
///
/// # Errors
/// [`Error::Interrupted`] if the observer stopped it, [`Error::Adapter`] if the adapter cannot be opened.
pub async fn tune(
    adapters: &Adapters,
    adapter: &AdapterInfo,
    config: &TrainingConfig,
    observer: &mut dyn Observer,
) -> Result<Tuning> {
    let start = Instant::now();
    let dataset = check::random_dataset((BATCHES * config.training.batch) as usize, config.seed);
    let choices: Vec<Choice> = PLANS.iter().map(Choice::shipped).collect();
    let plans = choices.iter().map(|choice| choice.make(&config.model, &config.training, config.seed));
    let needs = plans.map(|plan| config.needs(&plan, &dataset)).max_by_key(|needs| needs.largest_binding_bytes);
    let needs = Needs { subgroups: adapter.subgroups, ..needs.unwrap_or_default() };
    let gpu = Gpu::open(adapters, adapter, needs).await?;
    let mut search = Search { gpu, config, dataset, entries: Vec::new() };
    let (bases, variants): (Vec<Choice>, Vec<Choice>) =
        choices.into_iter().partition(|choice| choice.row.base.is_none());
    for choice in bases.into_iter().chain(variants) {
        search.add(choice, observer).await?;
    }
    // Back in the other order, so that a machine that slows down favours nobody.
    for index in (0..search.entries.len()).rev().filter(|&index| search.hopeful(index)).collect::<Vec<_>>() {
        search.visit(index, observer).await?;
    }
    search.parameters(observer).await?;
    Ok(Tuning {
        subject: tuning_subject(adapter),
        measured_utc: String::new(),
        batch: config.training.batch,
        cached: false,
        duration_s: start.elapsed().as_secs_f64(),
        candidates: search.entries.into_iter().map(candidate).collect(),
    })
}

impl Search<'_> {
    /// Compiles, checks and times a plan for the first time.
    async fn add(&mut self, choice: Choice, observer: &mut dyn Observer) -> Result<()> {
        observer.phase(&format!("checking plan {choice}"));
        let plan = choice.make(&self.config.model, &self.config.training, self.config.seed);
        let pipelines = match self.reason_against(&choice, &plan) {
            Some(reason) => Err(Error::Adapter(reason)),
            None => compile_and_check(&self.gpu, &plan, self.config).await,
        };
        self.entries.push(Entry { choice, plan, pipelines, pace: Pace::default(), samples_s: Vec::new() });
        self.visit(self.entries.len() - 1, observer).await
    }

    /// Why a plan is not tried: what it needs is not there, or the plan that it is a variant of was much too slow.
    fn reason_against(&self, choice: &Choice, plan: &Plan) -> Option<String> {
        if plan.needs_subgroups() && !self.gpu.adapter.subgroups {
            return Some(format!("the adapter has no subgroups, which {} needs", choice.row.name));
        }
        let base = choice.row.base?;
        let index = self.entries.iter().position(|entry| entry.choice.row.name == base)?;
        let words = format!("{base}, of which it is a variant, took more than {HOPELESS} times as long as the fastest");
        (!self.hopeful(index)).then_some(words)
    }

    async fn visit(&mut self, index: usize, observer: &mut dyn Observer) -> Result<()> {
        let entry = &mut self.entries[index];
        let Ok(pipelines) = &entry.pipelines else { return Ok(()) };
        observer.phase(&format!("timing plan {}", entry.choice));
        let prepared = PreparedPlan { gpu: &self.gpu, pipelines, plan: &entry.plan, config: self.config };
        match time_steps(&prepared, &self.dataset, VISIT_S, &mut entry.pace, &mut entry.samples_s, observer).await {
            Err(Error::Interrupted) => Err(Error::Interrupted),
            Err(error) => {
                entry.pipelines = Err(error);
                self.gpu.health()
            }
            Ok(()) => Ok(()),
        }
    }

    /// The fastest so far.
    fn fastest(&self) -> Option<&Entry> {
        let timed = self.entries.iter().filter_map(|entry| Some((entry, entry.step_s()?)));
        timed.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(entry, _)| entry)
    }

    fn hopeful(&self, index: usize) -> bool {
        let fastest = self.fastest().and_then(Entry::step_s);
        self.entries[index].step_s().zip(fastest).is_some_and(|(own, fastest)| own < HOPELESS * fastest)
    }

    /// Tries other values of the fastest plan's parameters, one after the other, each beside the best values of those before it.
    async fn parameters(&mut self, observer: &mut dyn Observer) -> Result<()> {
        let Some(row) = self.fastest().map(|entry| entry.choice.row) else { return Ok(()) };
        for place in 0..row.parameters.len() {
            // One that is slower than another plan now is still searched: its name was the fastest.
            let own = self.entries.iter().filter(|entry| std::ptr::eq(entry.choice.row, row));
            let timed = own.filter_map(|entry| Some((entry.choice.clone(), entry.step_s()?)));
            let Some((best, _)) = timed.min_by(|a, b| a.1.total_cmp(&b.1)) else { return Ok(()) };
            for choice in best.others(place) {
                self.add(choice, observer).await?;
            }
        }
        Ok(())
    }
}

async fn compile_and_check(gpu: &Gpu, plan: &Plan, config: &TrainingConfig) -> Result<Pipelines> {
    let pipelines = Pipelines::compile(gpu, plan).await?;
    let report = check::check(gpu, &pipelines, plan, config).await?;
    match report.check.outcome {
        Outcome::Passed => Ok(pipelines),
        Outcome::Failed => Err(Error::Check(report.complaint)),
    }
}

fn candidate(entry: Entry) -> Candidate {
    let (step_s, deviation_s) = match &entry.pipelines {
        Err(error) => (Measured::missing(error.to_string()), Measured::missing(error.to_string())),
        Ok(_) => (
            Measured::or_missing(stats::median(&entry.samples_s), "no step was timed"),
            Measured::or_missing(stats::median_absolute_deviation(&entry.samples_s), "no step was timed"),
        ),
    };
    Candidate { plan: entry.choice.to_string(), step_s, deviation_s }
}

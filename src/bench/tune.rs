//! A short measured search for the fastest plan on an adapter.

use super::drive::Pace;
use super::sweep::time;
use super::train::Bench;
use super::{Observer, check};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters, Gpu, Pipelines};
use crate::kernels::{self, PLANS, Plan, fused};
use crate::result::{Candidate, Measured, Outcome, Subject, Tuning};
use crate::stats;
use crate::trainer::Recipe;
use web_time::Instant;

/// How often each plan is visited.
const ROUNDS: u32 = 2;
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
    Subject { shader_hash: kernels::shader_hash(), ..super::peaks::subject(adapter) }
}

/// A plan on the device, ready to be timed, or why it cannot be.
struct Entry {
    plan: Plan,
    pipelines: Result<Pipelines>,
    pace: Pace,
    samples_s: Vec<f64>,
}

/// Times a step of every plan that passes its check, for `recipe`, on random images; the time of the measurement is left to the
/// caller to fill in.
///
/// # Errors
/// [`Error::Interrupted`] if the observer stopped it, [`Error::Adapter`] if the adapter cannot be opened.
pub async fn tune(
    adapters: &Adapters,
    adapter: &AdapterInfo,
    recipe: &Recipe,
    observer: &mut dyn Observer,
) -> Result<Tuning> {
    let start = Instant::now();
    let dataset = check::random_dataset((BATCHES * recipe.training.batch) as usize, recipe.seed);
    let plans: Vec<Plan> = PLANS.iter().map(|(_, make)| make(&recipe.model, &recipe.training, recipe.seed)).collect();
    let needs = plans.iter().map(|plan| recipe.needs(plan, &dataset)).max_by_key(|needs| needs.largest_binding_bytes);
    let gpu = Gpu::open(adapters, adapter, needs.unwrap_or_default()).await?;
    let mut entries = Vec::new();
    for plan in plans {
        observer.phase(&format!("checking plan {}", plan.name));
        let pipelines = compile_and_check(&gpu, &plan, recipe).await;
        entries.push(Entry { plan, pipelines, pace: Pace::default(), samples_s: Vec::new() });
    }
    for round in 0..ROUNDS {
        let forth: Vec<usize> = (0..entries.len()).collect();
        let order = if round % 2 == 0 { forth } else { forth.into_iter().rev().collect() };
        for index in order {
            visit(&gpu, recipe, &dataset, &mut entries[index], observer).await?;
        }
    }
    Ok(Tuning {
        subject: tuning_subject(adapter),
        measured_utc: String::new(),
        batch: recipe.training.batch,
        cached: false,
        duration_s: start.elapsed().as_secs_f64(),
        candidates: entries.into_iter().map(candidate).collect(),
    })
}

async fn compile_and_check(gpu: &Gpu, plan: &Plan, recipe: &Recipe) -> Result<Pipelines> {
    let pipelines = Pipelines::compile(gpu, plan).await?;
    let report = check::check(gpu, &pipelines, plan, recipe).await?;
    match report.check.outcome {
        Outcome::Passed => Ok(pipelines),
        Outcome::Failed => Err(Error::Check(report.complaint)),
    }
}

async fn visit(
    gpu: &Gpu,
    recipe: &Recipe,
    dataset: &Dataset,
    entry: &mut Entry,
    observer: &mut dyn Observer,
) -> Result<()> {
    let Ok(pipelines) = &entry.pipelines else { return Ok(()) };
    observer.phase(&format!("timing plan {}", entry.plan.name));
    let bench = Bench { gpu, pipelines, plan: &entry.plan, recipe };
    match time(&bench, dataset, VISIT_S, &mut entry.pace, &mut entry.samples_s, observer).await {
        Err(Error::Interrupted) => Err(Error::Interrupted),
        Err(error) => {
            entry.pipelines = Err(error);
            gpu.health()
        }
        Ok(()) => Ok(()),
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
    Candidate { plan: entry.plan.name.to_owned(), step_s, deviation_s }
}

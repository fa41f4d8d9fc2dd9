//! Step time as a function of batch size or width; each width is checked against the reference before it is timed.
//!
//! Sizes are timed in rounds of alternating order, so that a machine that slows down does not appear as a trend. A size
//! that cannot be timed is a row with its reason, and the sweep continues.

use super::fit;
use crate::bench::job::{seconds, training_config};
use crate::bench::observer::Observer;
use crate::bench::pacing::SubmissionPacer;
use crate::bench::prepared_plan::PreparedPlan;
use crate::bench::step_time::time_steps;
use crate::check;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters, Gpu, Needs, Pipelines};
use crate::kernels::{Choice, Plan};
use crate::model::{Model, Training};
use crate::result::{Measured, Outcome, RunResult, Settings, Status, Summary, Sweep, SweepPoint, SweepVariable};
use crate::stats;
use crate::trainer::TrainingConfig;
use web_time::Instant;

/// Rounds, in each of which every size is timed once.
const ROUNDS: u32 = 3;
/// Median absolute deviation, relative to the step time, from which a warning is given.
const UNSTEADY_SPREAD: f64 = 0.1;
/// Reason why a size has no time yet.
pub const SWEEP_NOT_REACHED: &str = "the sweep has not reached this size";

/// The sizes of a sweep; the other dimension keeps its standard value.
#[derive(Debug, Clone, PartialEq)]
pub enum Sizes {
    /// Batch sizes.
    Batch(Vec<u32>),
    /// Factors that scale the numbers of channels and hidden units.
    Width(Vec<f64>),
}

/// Inputs of a sweep.
pub struct SweepJob<'a> {
    /// The machine's adapters.
    pub adapters: &'a Adapters,
    /// The adapter to use.
    pub adapter: &'a AdapterInfo,
    /// The data, in host memory.
    pub dataset: &'a Dataset,
    /// The plan to time.
    pub plan: &'a Choice,
    /// The sizes to time.
    pub sizes: &'a Sizes,
    /// Seconds to time each size, over all rounds.
    pub seconds: f64,
}

/// One size with its samples.
struct Size {
    point: SweepPoint,
    /// What timing it requires, or the error that prevents it.
    setup: Result<Setup>,
    pacer: SubmissionPacer,
}

struct Setup {
    config: TrainingConfig,
    plan: Plan,
    needs: Needs,
}

/// An opened device, with the compiled kernels of each width that passed its check.
struct OpenedDevice {
    gpu: Gpu,
    checked: Vec<(f64, Pipelines)>,
}

impl Sizes {
    /// The variable of the sweep.
    pub const fn variable(&self) -> SweepVariable {
        match self {
            Sizes::Batch(_) => SweepVariable::Batch,
            Sizes::Width(_) => SweepVariable::Width,
        }
    }

    /// Whether any batch can be taken from `images` training images.
    pub fn any_fits(&self, images: usize) -> bool {
        self.batches_and_widths().iter().any(|&(batch, _)| batch as usize <= images)
    }

    /// Batch and width of each size.
    fn batches_and_widths(&self) -> Vec<(u32, f64)> {
        match self {
            Sizes::Batch(batches) => batches.iter().map(|&batch| (batch, 1.0)).collect(),
            Sizes::Width(widths) => widths.iter().map(|&width| (Training::STANDARD.batch, width)).collect(),
        }
    }
}

/// Times a training step at each size and updates `result`, an initial result, after each timing.
///
/// # Errors
/// The error that ended the sweep early, or the first size's error if no size could be timed; `result` holds what was
/// measured.
pub async fn sweep(job: &SweepJob<'_>, result: &mut RunResult, observer: &mut dyn Observer) -> Result<()> {
    mark_as_sweep(job, result);
    let outcome = time_all(job, result, observer).await;
    (result.status, result.reasons) = match &outcome {
        Ok(()) => (Status::Complete, Vec::new()),
        Err(Error::Interrupted) => (Status::Partial, vec![Error::Interrupted.to_string()]),
        Err(error) => (Status::Failed, vec![error.to_string()]),
    };
    if outcome.is_ok() {
        result.phases.end();
    }
    result.warnings.extend(result.sweep.value().and_then(unsteady));
    observer.checkpoint(result)?;
    outcome
}

/// A warning that names the size with the largest relative deviation, if it reaches [`UNSTEADY_SPREAD`].
fn unsteady(sweep: &Sweep) -> Option<String> {
    let spread = |point: &SweepPoint| Some(point.deviation_s.value()? / point.step_s.value()?);
    let spreads = sweep.points.iter().filter_map(|point| Some((name(sweep.variable, point), spread(point)?)));
    let (name, spread) = spreads.max_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, spread)| *spread >= UNSTEADY_SPREAD)?;
    Some(format!(
        "times are unsteady, those of {name} by {:.0} %: end other work on this machine, or ask for more --seconds",
        100.0 * spread
    ))
}

/// "batch 64" or "width 0.5".
fn name(variable: SweepVariable, point: &SweepPoint) -> String {
    match variable {
        SweepVariable::Batch => format!("batch {}", point.batch),
        SweepVariable::Width => format!("width {}", point.width),
    }
}

/// Marks `result` as that of a sweep, with its plan and reasons for the figures that a sweep does not have.
fn mark_as_sweep(job: &SweepJob<'_>, result: &mut RunResult) {
    job.plan.row.name.clone_into(&mut result.plan.name);
    let parameters = job.plan.parameters().map(|(name, value)| (name.to_owned(), value.to_string()));
    result.plan.tuning.extend(parameters);
    let varied = match job.sizes {
        Sizes::Batch(_) => "batch sizes",
        Sizes::Width(_) => "widths of the network",
    };
    result.standard = false;
    result.non_standard.push(format!("a sweep over {varied}: steps are timed, no training is completed"));
    let missing = || Measured::missing("a sweep completes no training");
    let phases = &mut result.phases;
    (phases.upload_s, phases.train_s, phases.evaluate_s, phases.cold_total_s) =
        (missing(), missing(), missing(), missing());
    result.repeating = Measured::missing("a sweep completes no training");
    result.summary = Summary {
        train_s: missing(),
        train_mad_s: missing(),
        train_interval: Measured::missing("a sweep completes no training"),
        images_per_s: missing(),
        dense_gflop_per_s: missing(),
        test_error_pct: missing(),
        accepted_test_error_pct: Measured::missing("a sweep has no error rate"),
        gpu_busy_pct: missing(),
        driver_gpu_busy_pct: missing(),
        cpus_used: missing(),
        busiest_cpu_pct: missing(),
        net_j_per_1000_images: missing(),
        device_buffer_bytes: Measured::missing("a sweep completes no training"),
        ..Summary::default()
    };
}

async fn time_all(job: &SweepJob<'_>, result: &mut RunResult, observer: &mut dyn Observer) -> Result<()> {
    let pairs = job.sizes.batches_and_widths().into_iter();
    let mut sizes: Vec<Size> = pairs.map(|size| Size::new(size, job, &result.settings)).collect();
    let mut opened = None;
    update_points(job.sizes.variable(), &sizes, result);
    observer.checkpoint(result)?;
    for round in 0..ROUNDS {
        let mut order: Vec<usize> = (0..sizes.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for index in order.into_iter().filter(|&index| sizes[index].setup.is_ok()).collect::<Vec<_>>() {
            if observer.stop_requested() {
                return Err(Error::Interrupted);
            }
            let outcome = time_size(job, &mut sizes, index, round, &mut opened, result, observer).await;
            match outcome {
                Err(error @ (Error::Interrupted | Error::Output(_))) => {
                    update_points(job.sizes.variable(), &sizes, result);
                    return Err(error);
                }
                Err(error) => sizes[index].setup = Err(error),
                Ok(()) => {}
            }
            // A failed device is reopened for the next size.
            opened = opened.filter(|opened: &OpenedDevice| opened.gpu.health().is_ok());
            update_points(job.sizes.variable(), &sizes, result);
            observer.checkpoint(result)?;
        }
    }
    match sizes.iter().map(|size| size.setup.as_ref().err()).collect::<Option<Vec<_>>>() {
        Some(errors) => Err(errors.first().map_or_else(
            || Error::Usage("there is no size to sweep over: give --batch or --width some".into()),
            |error| no_size_timed((*error).clone()),
        )),
        None => Ok(()),
    }
}

/// The error of a sweep in which no size could be timed, from that of its first size.
fn no_size_timed(error: Error) -> Error {
    let message = format!("no size could be timed; the first of them: {error}");
    match error {
        Error::Usage(_) => Error::Usage(message),
        Error::Adapter(_) => Error::Adapter(message),
        Error::Check(_) => Error::Check(message),
        Error::Device(_) => Error::Device(message),
        other => other,
    }
}

/// Sets the points so far and their fit in `result`.
fn update_points(variable: SweepVariable, sizes: &[Size], result: &mut RunResult) {
    let points: Vec<SweepPoint> = sizes.iter().map(Size::result_point).collect();
    let fit = fit::fit(variable, &points);
    result.sweep = Measured::Value(Sweep { variable, points, fit });
}

impl Size {
    fn new((batch, width): (u32, f64), job: &SweepJob<'_>, settings: &Settings) -> Self {
        let model = Model::scaled(settings.dropout.value, width);
        let known = |count: &dyn Fn(&Model) -> u64| match &model {
            Ok(model) => Measured::Value(count(model)),
            Err(error) => Measured::missing(error.to_string()),
        };
        let point = SweepPoint {
            batch,
            width,
            parameters: known(&|model| model.parameter_count() as u64),
            flop_per_step: known(&|model| 2 * model.training_macs() * u64::from(batch)),
            step_s: Measured::missing(SWEEP_NOT_REACHED),
            deviation_s: Measured::missing(SWEEP_NOT_REACHED),
            samples_s: Vec::new(),
        };
        let setup = model.and_then(|model| {
            let training = Training { batch, ..Training::STANDARD };
            let config = TrainingConfig { model, training, ..training_config(settings) };
            config.fits(job.dataset)?;
            let plan = job.plan.make(&config.model, &training, config.seed);
            let needs = config.needs(&plan, job.dataset);
            Ok(Setup { config, plan, needs })
        });
        Self { point, setup, pacer: SubmissionPacer::default() }
    }

    /// The point of the result: the time from the samples so far, or the reason why there is none.
    fn result_point(&self) -> SweepPoint {
        let (step_s, deviation_s) = match &self.setup {
            Err(error) => (Measured::missing(error.to_string()), Measured::missing(error.to_string())),
            Ok(_) => (
                Measured::or_missing(stats::median(&self.point.samples_s), SWEEP_NOT_REACHED),
                Measured::or_missing(stats::median_absolute_deviation(&self.point.samples_s), SWEEP_NOT_REACHED),
            ),
        };
        SweepPoint { step_s, deviation_s, ..self.point.clone() }
    }
}

/// Times the size `index`; opens the device, compiles and checks its width first if that was not done before.
async fn time_size(
    job: &SweepJob<'_>,
    sizes: &mut [Size],
    index: usize,
    round: u32,
    opened: &mut Option<OpenedDevice>,
    result: &mut RunResult,
    observer: &mut dyn Observer,
) -> Result<()> {
    if opened.is_none() {
        observer.phase("device");
        let start = Instant::now();
        *opened = open(job, sizes).await;
        result.phases.device_s = seconds(start);
    }
    let width = sizes[index].point.width;
    let name = name(job.sizes.variable(), &sizes[index].point);
    let Size { point, setup, pacer } = &mut sizes[index];
    // Opening may have failed for a size that exceeds the adapter's limits.
    let (Some(opened), Ok(setup)) = (opened.as_mut(), &*setup) else {
        return setup.as_ref().map(|_| ()).map_err(Error::clone);
    };
    result.environment.adapter.limits = opened.gpu.limits();
    result.environment.adapter.features = opened.gpu.features();
    if !opened.checked.iter().any(|(checked, _)| *checked == width) {
        let pipelines = compile_and_check(&opened.gpu, width, setup, result, observer).await?;
        opened.checked.push((width, pipelines));
    }
    let Some((_, pipelines)) = opened.checked.iter().find(|(checked, _)| *checked == width) else { return Ok(()) };
    observer.phase(&format!("timing {name}, round {} of {ROUNDS}", round + 1));
    let prepared = PreparedPlan { gpu: &opened.gpu, pipelines, plan: &setup.plan, config: &setup.config };
    time_steps(&prepared, job.dataset, job.seconds / f64::from(ROUNDS), pacer, &mut point.samples_s, observer).await
}

/// Opens a device for all sizes within the adapter's limits; the others fail. `None` if no size is left.
async fn open(job: &SweepJob<'_>, sizes: &mut [Size]) -> Option<OpenedDevice> {
    loop {
        let needs = |size: &Size| size.setup.as_ref().map_or(0, |setup| setup.needs.largest_binding_bytes);
        let largest = sizes.iter_mut().filter(|size| size.setup.is_ok()).max_by_key(|size| needs(size))?;
        let features = largest.setup.as_ref().map_or_else(|_| Needs::default(), |setup| setup.needs);
        let Needs { subgroups, f16, .. } = features;
        let needs = Needs { largest_binding_bytes: needs(largest), subgroups, f16, ..Needs::default() };
        match Gpu::open(job.adapters, job.adapter, needs).await {
            Ok(gpu) => return Some(OpenedDevice { gpu, checked: Vec::new() }),
            Err(error) => largest.setup = Err(error),
        }
    }
}

/// Compiles the kernels of a width and compares them with the reference.
async fn compile_and_check(
    gpu: &Gpu,
    width: f64,
    setup: &Setup,
    result: &mut RunResult,
    observer: &mut dyn Observer,
) -> Result<Pipelines> {
    observer.phase("compile");
    let start = Instant::now();
    let pipelines = Pipelines::compile(gpu, &setup.plan).await?;
    let compile_s = start.elapsed().as_secs_f64();
    observer.phase("check");
    let report = check::check(gpu, &pipelines, &setup.plan, &setup.config).await?;
    let phases = &mut result.phases;
    for (phase, more_s) in [
        (&mut phases.compile_s, compile_s),
        (&mut phases.first_step_s, report.first_step_s),
        (&mut phases.check_s, report.rest_s()),
    ] {
        *phase = (phase.value().unwrap_or(&0.0) + more_s).into();
    }
    let passed = report.check.outcome == Outcome::Passed;
    if !report.warning.is_empty() {
        result.warnings.push(format!("width {}: {}", width, report.warning));
    }
    // The result holds one check: the first that passed, else the last that failed.
    if result.check.value().is_none_or(|check| check.outcome == Outcome::Failed) {
        result.check = Measured::Value(report.check);
    }
    if passed { Ok(pipelines) } else { Err(Error::Check(report.failure)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_names_the_size_with_the_largest_deviation() {
        let point = |batch, deviation_s: Measured<f64>| SweepPoint {
            batch,
            width: 1.0,
            parameters: Measured::missing("not asked for"),
            flop_per_step: Measured::missing("not asked for"),
            step_s: deviation_s.clone().map(|_| 0.1),
            deviation_s,
            samples_s: Vec::new(),
        };
        let sweep = |deviation_s: f64| Sweep {
            variable: SweepVariable::Batch,
            points: vec![
                point(16, 0.001.into()),
                point(32, deviation_s.into()),
                point(64, Measured::missing("too much")),
            ],
            fit: Measured::missing("not drawn"),
        };
        assert_eq!(unsteady(&sweep(0.009)), None);
        let warning = unsteady(&sweep(0.04)).unwrap();
        assert!(warning.starts_with("times are unsteady, those of batch 32 by 40 %"), "{warning}");
    }

    #[test]
    fn the_error_of_all_sizes_keeps_the_exit_code_of_the_first() {
        for error in
            [Error::Usage("a".into()), Error::Adapter("a".into()), Error::Check("a".into()), Error::Device("a".into())]
        {
            let code = error.exit_code();
            let all = no_size_timed(error);
            assert_eq!(all.exit_code(), code);
            assert_eq!(all.to_string(), "no size could be timed; the first of them: a");
        }
    }
}

//! The protocol of a run: open, check, train and evaluate, profile, validate.

use super::host_timeline::HostTimeline;
use super::job::{Finished, Job, seconds, training_config};
use super::observer::Observer;
use super::profile_options::{ProfileOptions, profile_cost_s};
use super::training_target::{LastTraining, OpenedTarget, TrainingEngine, TrainingTarget};
use super::validate::validate;
use super::{probe, stopping, train};
use crate::error::{Error, Result};
use crate::result::{self, Measured, Outcome, RunResult, Status, Summary, Timeline, Track};
use crate::trainer::TrainingConfig;
use web_time::Instant;

/// Seconds of warm-up before the timed trainings, at least, after its first round, in which drivers compile: a device's
/// clocks rise, and what a driver does after compiling (storing kernels, freeing memory) ends.
const WARM_UP_S: f64 = 0.5;

/// Runs the benchmark described by `result.settings` on `target` and fills `result` stage by stage.
///
/// # Errors
/// The error that ended the run early; `result` then holds what was measured before, and a status of partial or failed.
pub async fn run(
    target: &impl TrainingTarget,
    job: &Job<'_>,
    result: &mut RunResult,
    observer: &mut dyn Observer,
) -> Result<Finished> {
    let outcome = async {
        let trained = check_and_train(target, job, result, observer).await?;
        let finished = trained.profile(job, result, observer).await?;
        validate(result);
        Ok(finished)
    };
    let outcome = outcome.await;
    end(outcome, result, observer)
}

/// As [`run`], but for the profile, which [`TrainedRun::profile`] takes afterwards: the result is complete without it.
///
/// # Errors
/// As [`run`].
pub async fn train_first<'a, T: TrainingTarget>(
    target: &'a T,
    job: &Job<'_>,
    result: &mut RunResult,
    observer: &mut dyn Observer,
) -> Result<TrainedRun<T::Opened<'a>>> {
    let outcome = check_and_train(target, job, result, observer).await;
    if outcome.is_ok() {
        validate(result);
    }
    end(outcome, result, observer)
}

/// Records how a run ended.
fn end<T>(outcome: Result<T>, result: &mut RunResult, observer: &mut dyn Observer) -> Result<T> {
    if let Err(error) = &outcome {
        record_failure(error, result);
    }
    observer.checkpoint(result)?;
    outcome
}

/// Records that an error ended a run.
pub fn record_failure(error: &Error, result: &mut RunResult) {
    result.status = if *error == Error::Interrupted { Status::Partial } else { Status::Failed };
    result.reasons = vec![error.to_string()];
}

async fn check_and_train<'a, T: TrainingTarget>(
    target: &'a T,
    job: &Job<'_>,
    result: &mut RunResult,
    observer: &mut dyn Observer,
) -> Result<TrainedRun<T::Opened<'a>>> {
    let config = training_config(&result.settings);
    config.fits(job.dataset)?;
    let opened = target.open(job, &config, result, observer).await?;
    observer.checkpoint(result)?;
    observer.phase("check");
    run_check(&opened, result).await?;
    observer.checkpoint(result)?;
    let trained = train_repeats(job, &opened, &config, result, observer).await?;
    Ok(TrainedRun { opened, trained })
}

/// A run whose timed trainings are done, on the device that trained.
pub struct TrainedRun<O> {
    opened: O,
    trained: train::Trained,
}

impl<O: OpenedTarget> TrainedRun<O> {
    /// The trained parameters, in the model's layout.
    pub fn parameters(&self) -> &[f32] {
        &self.trained.parameters
    }

    /// Takes the profile if the job has one, compares it with the job's peaks, and returns the run's outputs.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if the observer stopped it, or the device's error.
    pub async fn profile(self, job: &Job<'_>, result: &mut RunResult, observer: &mut dyn Observer) -> Result<Finished> {
        finish(job, &self.opened, self.trained, result, observer).await
    }
}

/// Profiles after the timed trainings if the job has a profile, and returns the run's outputs.
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
        if let Some(reason) = reason_not_to_profile(&options, opened, job, result) {
            leave_out_profile(result, &reason);
            return Ok(Finished { parameters, timeline });
        }
        observer.phase("profile");
        let wall_s =
            result.repeats.last().map_or(Measured::missing("nothing was trained"), |last| last.train_s.clone());
        let last = LastTraining { host_timeline: &host_timeline, wall_s };
        match opened.profile(job, options, last, result, observer).await {
            Ok(profiled) => {
                timeline.alignment_ns = profiled.alignment_ns;
                timeline.events.extend(profiled.events);
                result.summary.gpu_busy_pct = result.account.and_then(result::Account::busy_pct);
            }
            // The training is whole without a profile that nobody requested.
            Err(error) if options.max_share.is_some() && error != Error::Interrupted => {
                leave_out_profile(result, &error.to_string());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Finished { parameters, timeline })
}

/// Records why there are no profile and no account.
fn leave_out_profile(result: &mut RunResult, reason: &str) {
    result.profile = Measured::missing(reason);
    result.account = Measured::missing(reason);
}

/// Why there is no profile, if so: the target has none, or one that was not requested would take too long.
fn reason_not_to_profile(
    options: &ProfileOptions,
    opened: &impl OpenedTarget,
    job: &Job<'_>,
    result: &RunResult,
) -> Option<String> {
    if let Some(reason) = opened.reason_not_to_profile() {
        return Some(reason.to_owned());
    }
    let (open_s, step_s) = profile_cost_s(result)?;
    options.reason_to_skip(job.started.elapsed().as_secs_f64(), open_s, step_s)
}

/// Compares kernels and training steps with the reference; no time is reported unless they agree.
async fn run_check(opened: &impl OpenedTarget, result: &mut RunResult) -> Result<()> {
    let report = opened.check().await?;
    result.phases.check_s = report.rest_s().into();
    result.phases.first_step_s = report.first_step_s.into();
    let passed = report.check.outcome == Outcome::Passed;
    result.warnings.extend(Some(report.warning).filter(|warning| !warning.is_empty()).map(str::to_owned));
    result.check = Measured::Value(report.check);
    if passed { Ok(()) } else { Err(Error::Check(report.failure)) }
}

/// Starts a training on `engine` and runs its first and last batches, once and then for [`WARM_UP_S`].
async fn warm_up(
    job: &Job<'_>,
    engine: &mut impl TrainingEngine,
    initial: &[f32],
    result: &mut RunResult,
    observer: &mut dyn Observer,
) -> Result<()> {
    observer.phase("warm up");
    let start = Instant::now();
    let mut unused = HostTimeline::new(start);
    engine.begin(job.dataset, initial, &mut unused).await?;
    engine.begin_epoch(0, &mut unused).await?;
    let mut compiled = None;
    loop {
        engine.warm_up().await?;
        if engine.any(observer.stop_requested())? {
            return Err(Error::Interrupted);
        }
        let end = *compiled.get_or_insert_with(Instant::now);
        if engine.led(end.elapsed().as_secs_f64() >= WARM_UP_S)? {
            break;
        }
    }
    result.phases.warm_up_s = seconds(start);
    Ok(())
}

/// Repeats the timed training until the stopping rule is met.
async fn train_repeats(
    job: &Job<'_>,
    opened: &impl OpenedTarget,
    config: &TrainingConfig,
    result: &mut RunResult,
    observer: &mut dyn Observer,
) -> Result<train::Trained> {
    let initial = job.initial_parameters(&config.model, config.seed);
    let mut engine = opened.engine();
    warm_up(job, &mut engine, &initial, result, observer).await?;
    let mut start = None;
    let mut last = None;
    for repeat in 0.. {
        if !observer.next_training() {
            return last.filter(|_| !observer.stop_requested()).ok_or(Error::Interrupted);
        }
        observer.phase("train");
        let idle_s = job.probe.begin();
        if repeat == 0 {
            result.phases.idle_s = idle_s;
        }
        let start = *start.get_or_insert_with(Instant::now);
        let (dataset, origin, probe) = (job.dataset, job.started, job.probe);
        let deadline = job.deadline.filter(|_| repeat == 0);
        let training = train::Training { config, dataset, initial: &initial, repeat, origin, deadline, probe };
        let trained = train::train_once(&mut engine, &training, result, observer).await;
        record_load(result, config, job.probe.end());
        let trained = trained?;
        if repeat == 0 {
            result.phases.cold_total_s = seconds(job.started);
        }
        summarise(result, config);
        record_sharing(&mut engine, result, &trained.host_timeline)?;
        let elapsed_s = start.elapsed().as_secs_f64();
        let stop_reason = stopping::stop_reason(&result.settings, &result.summary, repeat + 1, elapsed_s);
        let ended = engine.led(stop_reason.is_some())?;
        let state = stop_reason.unwrap_or(result::RepeatingEnd::Unfinished);
        result.repeating = Measured::Value(stopping::repeating(&result.repeats, &result.summary, elapsed_s, state));
        observer.checkpoint(result)?;
        if ended {
            return Ok(trained);
        }
        if result.settings.stopping.cooldown_s.value > 0.0 {
            observer.phase("cool down");
            observer.wait(result.settings.stopping.cooldown_s.value);
        }
        if engine.any(observer.stop_requested())? {
            break;
        }
        last = Some(trained);
    }
    Err(Error::Interrupted)
}

/// Records the resources that the last training used, even if it was aborted.
fn record_load(result: &mut RunResult, config: &TrainingConfig, load: Measured<result::Load>) {
    let epoch_images = result.data.train_images;
    if let Some(last) = result.repeats.last_mut() {
        let images = train::images_trained(last, config, epoch_images);
        probe::attach(last, load, images, epoch_images);
    }
}

/// Computes the summary from the repeats so far.
pub(super) fn summarise(result: &mut RunResult, config: &TrainingConfig) {
    let Some(first) = result.repeats.first() else { return };
    result.phases.train_s = first.train_s.clone();
    result.phases.evaluate_s = first.evaluate_s.clone();
    let images = train::images_trained(first, config, result.data.train_images);
    result.summary = Summary::of(&result.repeats, images, result.model.training_macs);
}

/// Records what sharing the last timed training cost, if devices shared it.
fn record_sharing(
    engine: &mut impl TrainingEngine,
    result: &mut RunResult,
    host_timeline: &HostTimeline,
) -> Result<()> {
    let RunResult { parallel: Measured::Value(parallel), repeats, .. } = result else { return Ok(()) };
    let Some((last, &train_s)) = repeats.last().and_then(|last| Some((last, last.train_s.value()?))) else {
        return Ok(());
    };
    engine.record_sharing(parallel, host_timeline, train_s, last.steps())
}

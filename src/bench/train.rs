//! One timed training: upload, epochs, evaluations.

use super::host_timeline::{Activity, HostTimeline};
use super::observer::{Observer, Progress, Snapshot};
use super::pacing::StepChunk;
use super::probe::Probe;
use super::stopping::{self, QuickLimit};
use super::thinning;
use super::training_target::TrainingEngine;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::hash::sha256_hex;
use crate::result::{Epoch, Measured, Repeat, RunResult, Sample};
use crate::stats;
use crate::trainer::{Metrics, TrainingConfig};
use std::ops::ControlFlow;
use web_time::Instant;

/// Minimum seconds between two checkpoints of a soak, which may have thousands of epochs.
const SOAK_CHECKPOINT_S: f64 = 10.0;

/// How many times as long as the rest, per step, a training's first submission has to take to be called slow.
const SLOW_START_RATIO: f64 = 3.0;
/// The least share of the training that it has to cost in addition, and the least seconds.
const SLOW_START_SHARE: f64 = 0.02;
const SLOW_START_S: f64 = 0.02;

/// Number of points in the loss curve of an epoch.
pub const CURVE_PARTS: usize = 32;

/// Training images processed by the steps of `repeat`, over all epochs.
pub fn images_trained(repeat: &Repeat, config: &TrainingConfig, train_images: u32) -> u64 {
    let steps = u64::from(repeat.steps());
    let per_epoch = u64::from(config.steps_per_epoch(train_images as usize)).max(1);
    let rest = (steps % per_epoch) * u64::from(config.training.batch);
    steps / per_epoch * u64::from(train_images) + rest
}

/// Outputs of a timed training besides its repeat.
pub struct Trained {
    /// The trained parameters, in the model's layout.
    pub parameters: Vec<f32>,
    /// The host's activities.
    pub host_timeline: HostTimeline,
}

/// Inputs of one timed training.
pub struct Training<'a> {
    /// The training configuration.
    pub config: &'a TrainingConfig,
    /// The data, in host memory.
    pub dataset: &'a Dataset,
    /// The initial parameters, in the model's layout.
    pub initial: &'a [f32],
    /// Number of earlier trainings in this run.
    pub repeat: u32,
    /// Origin of the times in the host's timeline.
    pub origin: Instant,
    /// When a quick run should have tested this training, if that is limited.
    pub deadline: Option<Instant>,
    /// Measures resources while the training's clock runs.
    pub probe: &'a dyn Probe,
}

impl Training<'_> {
    fn steps_per_epoch(&self) -> u32 {
        self.config.steps_per_epoch(self.dataset.train.len())
    }

    /// Steps of the training, over all epochs.
    fn total_steps(&self, result: &RunResult) -> u32 {
        let all = self.config.training.epochs.saturating_mul(self.steps_per_epoch());
        result.settings.steps.value.value().copied().unwrap_or(all).min(all)
    }

    /// The limit of a quick run, after `train_s` seconds of this training.
    fn quick_limit(&self, train_s: f64) -> QuickLimit {
        let model = &self.config.model;
        let test_share = model.forward_macs() as f64 / model.training_macs() as f64;
        let left_s = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()).as_secs_f64());
        QuickLimit::new(train_s, left_s, self.dataset.test.len() as f64 * test_share)
    }

    /// Steps of the epoch that follows `done` steps of the training.
    fn steps_in_next_epoch(&self, result: &RunResult, done: u32) -> u32 {
        self.steps_per_epoch().min(self.total_steps(result).saturating_sub(done))
    }
}

/// Runs `training` on `engine` and appends a repeat to `result`.
///
/// # Errors
/// [`Error::Interrupted`] if the observer stopped it, or the device's error; the repeat holds the finished epochs.
pub async fn train_once(
    engine: &mut impl TrainingEngine,
    training: &Training<'_>,
    result: &mut RunResult,
    observer: &mut dyn Observer,
) -> Result<Trained> {
    result.repeats.push(Repeat::unfinished());
    let mut host_timeline = HostTimeline::new(training.origin);
    training.probe.resume();
    let start = Instant::now();
    engine.begin(training.dataset, training.initial, &mut host_timeline).await?;
    let upload_s = start.elapsed().as_secs_f64();
    training.probe.pause();
    last_repeat(result)?.device_buffer_bytes = engine.buffer_bytes();
    if training.repeat == 0 {
        result.phases.upload_s = upload_s.into();
    }

    let mut clock = TrainingClock {
        train_s: upload_s,
        epochs_s: Vec::new(),
        evaluate_s: 0.0,
        steps_done: 0,
        last_checkpoint: Instant::now(),
        host_timeline,
    };
    let trained = train_epochs(engine, training, &mut clock, result, observer).await;
    if soak_s(result).is_some() {
        result.soak = stopping::soak(&clock.epochs_s);
    }
    trained?;
    let commands = engine.commands();
    let parameters = engine.parameters().await?;
    let little_endian: Vec<u8> = parameters.iter().flat_map(|value| value.to_le_bytes()).collect();
    let record = last_repeat(result)?;
    record.commands = commands;
    record.train_s = clock.train_s.into();
    record.evaluate_s = clock.evaluate_s.into();
    record.parameters_sha256 = Measured::Value(sha256_hex(&little_endian));
    record.final_test_error_pct = match record.epochs.last() {
        Some(epoch) => epoch.test_error_pct.clone(),
        None => Measured::missing("no epoch was finished"),
    };
    let slow = slow_start(record).map(|slow| format!("training {}: {slow}", training.repeat + 1));
    result.warnings.extend(slow);
    Ok(Trained { parameters, host_timeline: clock.host_timeline })
}

/// Trains and evaluates one epoch after the other.
async fn train_epochs(
    engine: &mut impl TrainingEngine,
    training: &Training<'_>,
    clock: &mut TrainingClock,
    result: &mut RunResult,
    observer: &mut dyn Observer,
) -> Result<()> {
    for epoch in 0..training.config.training.epochs {
        let steps = training.steps_in_next_epoch(result, clock.steps_done);
        if steps == 0 || train_epoch(engine, training, (epoch, steps), clock, result, observer).await? {
            break;
        }
    }
    Ok(())
}

/// What is wrong with the first submission of a training if it took far longer than the others.
fn slow_start(repeat: &Repeat) -> Option<String> {
    let per_step_s = |sample: &Sample| sample.duration_s / f64::from(sample.steps);
    let (first, rest) = repeat.samples.split_first()?;
    let typical_s = stats::median(&rest.iter().map(per_step_s).collect::<Vec<f64>>())?;
    let ratio = per_step_s(first) / typical_s;
    let excess_s = first.duration_s - f64::from(first.steps) * typical_s;
    let least_s = SLOW_START_S.max(SLOW_START_SHARE * repeat.train_s.value()?);
    let steps = if first.steps == 1 { "step".to_owned() } else { format!("{} steps", first.steps) };
    (ratio > SLOW_START_RATIO && excess_s > least_s).then(|| {
        format!(
            "the first {steps} took {:.3} s, {ratio:.0} times the median of the others per step: the time contains \
             more than training, for example compilation by the driver or other load",
            first.duration_s
        )
    })
}

/// Times and counts of a training so far.
struct TrainingClock {
    train_s: f64,
    /// Seconds of each epoch.
    epochs_s: Vec<f64>,
    evaluate_s: f64,
    steps_done: u32,
    last_checkpoint: Instant,
    host_timeline: HostTimeline,
}

/// Duration of a soak in seconds of training, if the run is one.
fn soak_s(result: &RunResult) -> Option<f64> {
    result.settings.stopping.soak_min.value.value().map(|minutes| 60.0 * minutes)
}

fn last_repeat(result: &mut RunResult) -> Result<&mut Repeat> {
    result.repeats.last_mut().ok_or_else(|| Error::Device("the result lost its repeat".into()))
}

/// Trains and evaluates epoch `epoch` of at most `steps` steps; returns whether the time limit was reached.
async fn train_epoch(
    engine: &mut impl TrainingEngine,
    training: &Training<'_>,
    (epoch, steps): (u32, u32),
    clock: &mut TrainingClock,
    result: &mut RunResult,
    observer: &mut dyn Observer,
) -> Result<bool> {
    training.probe.resume();
    let start = Instant::now();
    let first_step = clock.steps_done;
    clock.host_timeline.first_step = first_step;
    engine.begin_epoch(epoch, &mut clock.host_timeline).await?;
    let ended = train_steps(engine, training, (epoch, steps, start), clock, result, observer).await?;
    let interval = clock.host_timeline.begin();
    let sums = engine.step_metrics(ended.steps).await?;
    clock.host_timeline.end(interval, Activity::Readback, false, None);
    let train_s = start.elapsed().as_secs_f64() - ended.paused_s;
    training.probe.pause();
    clock.train_s += train_s;
    clock.steps_done += ended.steps;

    observer.phase("evaluate");
    let start = Instant::now();
    let mut stop = |_| if observer.stop_requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let tested = engine.evaluate(&mut stop).await?;
    clock.evaluate_s += start.elapsed().as_secs_f64();
    let soak_s = soak_s(result);
    let record = last_repeat(result)?;
    record.epochs.push(epoch_record(epoch, train_s, &sums, &tested));
    clock.epochs_s.push(train_s);
    if soak_s.is_some() {
        thinning::thin(record, thinning::MOST_EPOCHS);
    }
    if observer.wants_snapshot(true) {
        observer.snapshot(&Snapshot { first_step, metrics: &sums, parameters: &engine.parameters().await? });
    }
    if soak_s.is_none() || clock.last_checkpoint.elapsed().as_secs_f64() >= SOAK_CHECKPOINT_S {
        if soak_s.is_some() {
            result.soak = stopping::soak(&clock.epochs_s);
        }
        observer.checkpoint(result)?;
        clock.last_checkpoint = Instant::now();
    }
    engine.led(ended.out_of_time || soak_s.is_some_and(|limit_s| clock.train_s >= limit_s))
}

/// The steps of an epoch that were trained.
struct TrainedSteps {
    /// Their number.
    steps: u32,
    /// Whether the time limit of a quick run ended them.
    out_of_time: bool,
    /// Seconds in which the clock stood still.
    paused_s: f64,
}

/// Trains the steps of the epoch that began at `start`, and appends their samples to the result.
async fn train_steps(
    engine: &mut impl TrainingEngine,
    training: &Training<'_>,
    (epoch, steps, start): (u32, u32, Instant),
    clock: &mut TrainingClock,
    result: &mut RunResult,
    observer: &mut dyn Observer,
) -> Result<TrainedSteps> {
    let first_step = clock.steps_done;
    let mut quick = result.settings.quick.value.then(|| training.quick_limit(clock.train_s));
    let so_far = progress_before(training, (epoch, steps), first_step, result)?;
    let mut samples: Vec<Sample> = Vec::new();
    let mut ended = TrainedSteps { steps: 0, out_of_time: false, paused_s: 0.0 };
    let driven = loop {
        let mut pause = false;
        let mut report = |chunk: StepChunk| {
            let first_step = first_step + chunk.first;
            // To the microsecond: more digits would be noise, and there may be thousands of samples.
            let duration_s = (chunk.duration_s * 1e6).round() / 1e6;
            samples.push(Sample { epoch: epoch + 1, first_step, steps: chunk.steps, duration_s });
            let images = f64::from(chunk.steps * training.config.training.batch);
            let step = (first_step + chunk.steps, so_far.step.1);
            observer.progress(&Progress { step, images_per_s: images / chunk.duration_s, ..so_far });
            let elapsed_s = start.elapsed().as_secs_f64();
            ended.out_of_time = quick.as_mut().is_some_and(|quick| quick.reached(elapsed_s, images, chunk.duration_s));
            pause |= observer.wants_snapshot(false);
            let stop = ended.out_of_time || pause || observer.stop_requested();
            if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let driven = engine.steps(ended.steps..steps, &mut clock.host_timeline, &mut report).await;
        ended.steps = samples.iter().map(|sample| sample.steps).sum();
        if driven != Err(Error::Interrupted) || !pause || ended.out_of_time || observer.stop_requested() {
            break driven;
        }
        if ended.steps == steps {
            break Ok(());
        }
        ended.paused_s += take_snapshot(engine, training.probe, (first_step, ended.steps), observer).await?;
    };
    thinning::append(last_repeat(result)?, &mut samples);
    if matches!(driven, Ok(()) | Err(Error::Interrupted)) {
        ended.out_of_time = engine.any(ended.out_of_time)?;
    }
    if !(driven == Err(Error::Interrupted) && ended.out_of_time) {
        driven?;
    }
    Ok(ended)
}

/// Hands `observer` the state after `steps` steps of an epoch; returns the seconds that this took.
async fn take_snapshot(
    engine: &mut impl TrainingEngine,
    probe: &dyn Probe,
    (first_step, steps): (u32, u32),
    observer: &mut dyn Observer,
) -> Result<f64> {
    probe.pause();
    let start = Instant::now();
    let (metrics, parameters) = (engine.step_metrics(steps).await?, engine.parameters().await?);
    observer.snapshot(&Snapshot { first_step, metrics: &metrics, parameters: &parameters });
    probe.resume();
    Ok(start.elapsed().as_secs_f64())
}

/// The progress before the `steps` steps of epoch `epoch`, which follow `first_step` others.
fn progress_before(
    training: &Training<'_>,
    (epoch, steps): (u32, u32),
    first_step: u32,
    result: &mut RunResult,
) -> Result<Progress> {
    let soaks = soak_s(result).is_some();
    let epochs = training.config.training.epochs;
    let last_epoch = last_repeat(result)?.epochs.last().map(|epoch| {
        (
            epoch.train_loss.value().copied().unwrap_or(f64::NAN),
            epoch.test_error_pct.value().copied().unwrap_or(f64::NAN),
        )
    });
    Ok(Progress {
        repeat: (training.repeat + 1, result.settings.repeat.value.max(training.repeat + 1)),
        // A soak has no known number of epochs: its progress is that of the current epoch.
        epoch: (epoch + 1, if soaks { epoch + 1 } else { epochs }),
        step: (first_step, if soaks { first_step + steps } else { training.total_steps(result) }),
        images_per_s: 0.0,
        last_epoch,
    })
}

/// The mean losses of [`CURVE_PARTS`] parts of an epoch, or of each step if there are fewer; rounded to 1e-6.
fn loss_curve(sums: &[Metrics]) -> Vec<f64> {
    let parts = sums.len().min(CURVE_PARTS);
    let loss = |part: usize| {
        let steps = &sums[part * sums.len() / parts..(part + 1) * sums.len() / parts];
        (steps.iter().copied().sum::<Metrics>().loss() * 1e6).round() / 1e6
    };
    (0..parts).map(loss).take_while(|loss| loss.is_finite()).collect()
}

fn epoch_record(epoch: u32, train_s: f64, sums: &[Metrics], tested: &Metrics) -> Epoch {
    let trained: Metrics = sums.iter().copied().sum();
    Epoch {
        epoch: epoch + 1,
        train_s,
        train_loss: trained.loss().into(),
        train_error_pct: trained.error_pct().into(),
        test_loss: tested.loss().into(),
        test_errors: Measured::Value(tested.errors() as u32),
        test_error_pct: tested.error_pct().into(),
        loss_curve: loss_curve(sums),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_start_is_named_where_it_costs_something() {
        let training = |first_s: f64, step_s: f64| {
            let sample = |first_step, duration_s| Sample { epoch: 1, first_step, steps: 1, duration_s };
            let later = (1..30).map(|step| sample(step, step_s));
            let samples: Vec<Sample> = [sample(0, first_s)].into_iter().chain(later).collect();
            let train_s = samples.iter().map(|sample| sample.duration_s).sum::<f64>().into();
            slow_start(&Repeat { train_s, samples, ..Repeat::unfinished() })
        };
        let named = training(9.0, 0.04).unwrap();
        assert!(named.starts_with("the first step took 9.000 s, 225 times the median"), "{named}");
        assert_eq!(training(0.1, 0.04), None, "no outlier");
        assert_eq!(training(0.001, 0.000_04), None, "a round trip to a fast device costs a millisecond");
        assert_eq!(slow_start(&Repeat::unfinished()), None);
    }

    #[test]
    fn a_loss_curve_has_equal_parts_and_ends_where_the_loss_is_not_finite() {
        let step = |loss_sum: f64| Metrics { loss_sum, correct: 0, images: 10 };
        assert_eq!(loss_curve(&[step(20.0), step(10.0), step(f64::NAN), step(5.0)]), [2.0, 1.0]);
        let many: Vec<Metrics> = (0..469).map(|_| step(15.0)).collect();
        assert_eq!(loss_curve(&many), [1.5; CURVE_PARTS]);
        assert_eq!(loss_curve(&[]), [0.0; 0]);
    }
}

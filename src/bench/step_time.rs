//! The time of a training step by itself: what searches and shares of devices go by.

use super::host_timeline::HostTimeline;
use super::observer::Observer;
use super::pacing::{Chunk, Pace, drive};
use super::prepared_plan::PreparedPlan;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::trainer::{Stage, Trainer};
use std::ops::{ControlFlow, Range};
use web_time::Instant;

/// Samples of a visit at least; three visits give more than five.
const SAMPLES: usize = 2;
/// Steps of a visit that are not timed, at least, in which clocks, caches and the length of submissions settle.
const WARM_UP_STEPS: u32 = 3;
/// Part of a visit's time that is not timed either.
const WARM_UP_SHARE: f64 = 0.1;

/// Trains for `seconds` after some steps of warm-up and adds the mean step time of each submission to `samples_s`.
///
/// Only full batches are taken, around the epoch again and again.
pub(super) async fn time_steps(
    prepared: &PreparedPlan<'_>,
    dataset: &Dataset,
    seconds: f64,
    pace: &mut Pace,
    samples_s: &mut Vec<f64>,
    observer: &dyn Observer,
) -> Result<()> {
    let config = prepared.config;
    let initial = config.model.initial_parameters(config.seed);
    let mut trainer = Trainer::new(prepared.gpu, prepared.pipelines, prepared.plan, config, dataset, &initial).await?;
    trainer.begin_epoch(0);
    // An empty submission carries the copies to the device, so that they are not counted as part of a step.
    prepared.gpu.wait(prepared.gpu.submit(prepared.gpu.record())).await?;
    let full = (dataset.train.len() as u32 / config.training.batch).max(1);
    let encode = |steps: Range<u32>| trainer.encode(Stage::Training, steps.map(|step| step % full));
    let mut host_timeline = HostTimeline::new(Instant::now());
    let enough = samples_s.len() + SAMPLES;
    let (mut made, mut begun, mut done) = (0, None, false);
    let start = Instant::now();
    let report = |chunk: Chunk| {
        made += chunk.steps;
        match begun {
            None if made >= WARM_UP_STEPS && start.elapsed().as_secs_f64() >= WARM_UP_SHARE * seconds => {
                begun = Some(Instant::now());
            }
            None => {}
            Some(begun) => {
                // To the nanosecond: more digits would be noise.
                samples_s.push((chunk.duration_s / f64::from(chunk.steps) * 1e9).round() / 1e9);
                done = samples_s.len() >= enough && begun.elapsed().as_secs_f64() >= seconds;
            }
        }
        if done || observer.stop_requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    match drive(prepared.gpu, u32::MAX, pace, &mut host_timeline, encode, report).await {
        Err(Error::Interrupted) if done => {}
        ended => return ended,
    }
    let losses = trainer.step_metrics(made.min(full)).await?;
    if losses.iter().all(|metrics| metrics.loss().is_finite()) {
        Ok(())
    } else {
        Err(Error::Check("a loss is not a finite number, so its time is not believed: choose another --seed".into()))
    }
}

//! Step times without a full training, for searches and for the scaling of several devices.

use super::host_timeline::HostTimeline;
use super::observer::Observer;
use super::pacing::{StepChunk, SubmissionPacer, submit_paced};
use super::prepared_plan::PreparedPlan;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::trainer::{Stage, Trainer};
use std::ops::{ControlFlow, Range};
use web_time::Instant;

/// Minimum number of samples in a call; three calls give more than five.
const SAMPLES: usize = 2;
/// Minimum number of untimed steps, in which clocks, caches and the size of submissions settle.
const WARM_UP_STEPS: u32 = 3;
/// Share of `seconds` that is warm-up as well.
const WARM_UP_SHARE: f64 = 0.1;

/// Trains for `seconds` after some steps of warm-up and adds the mean step time of each submission to `samples_s`.
///
/// Only full batches are used; after the last one the epoch starts over.
///
/// # Errors
/// [`Error::Interrupted`] if the observer stopped it, [`Error::Check`] if a loss is not finite, or the device's error.
pub(super) async fn time_steps(
    prepared: &PreparedPlan<'_>,
    dataset: &Dataset,
    seconds: f64,
    pacer: &mut SubmissionPacer,
    samples_s: &mut Vec<f64>,
    observer: &dyn Observer,
) -> Result<()> {
    let config = prepared.config;
    let initial = config.model.initial_parameters(config.seed);
    let mut trainer = Trainer::new(prepared.gpu, prepared.pipelines, prepared.plan, config, dataset, &initial).await?;
    trainer.begin_epoch(0);
    // An empty submission flushes the copies to the device, so that they do not count as part of a step.
    prepared.gpu.wait(prepared.gpu.submit(prepared.gpu.record())).await?;
    let full = (dataset.train.len() as u32 / config.training.batch).max(1);
    let encode = |steps: Range<u32>| trainer.encode(Stage::Training, steps.map(|step| step % full));
    let mut host_timeline = HostTimeline::new(Instant::now());
    let wanted_samples = samples_s.len() + SAMPLES;
    let (mut steps_done, mut timing_since, mut done) = (0, None, false);
    let start = Instant::now();
    let report = |chunk: StepChunk| {
        steps_done += chunk.steps;
        match timing_since {
            None if steps_done >= WARM_UP_STEPS && start.elapsed().as_secs_f64() >= WARM_UP_SHARE * seconds => {
                timing_since = Some(Instant::now());
            }
            None => {}
            Some(timing_since) => {
                // To the nanosecond: more digits would be noise.
                samples_s.push((chunk.duration_s / f64::from(chunk.steps) * 1e9).round() / 1e9);
                done = samples_s.len() >= wanted_samples && timing_since.elapsed().as_secs_f64() >= seconds;
            }
        }
        if done || observer.stop_requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    match submit_paced(prepared.gpu, 0..u32::MAX, pacer, &mut host_timeline, encode, report).await {
        Err(Error::Interrupted) if done => {}
        ended => return ended,
    }
    let losses = trainer.step_metrics(steps_done.min(full)).await?;
    if losses.iter().all(|metrics| metrics.loss().is_finite()) {
        Ok(())
    } else {
        Err(Error::Check("a loss is not a finite number, so its time is rejected: choose another --seed".into()))
    }
}

//! The training engine of the CPU target.

use super::trainer::{CpuThreads, Trainer};
use crate::bench::host_timeline::{Activity, HostTimeline};
use crate::bench::training_target::{TrainingEngine, require_started};
use crate::bench::{StepChunk, SubmissionPacer};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::gpu::CommandCounts;
use crate::result::Measured;
use crate::trainer::{Metrics, TrainingConfig};
use std::ops::{ControlFlow, Range};
use std::pin::Pin;
use web_time::Instant;

/// Returns a future that is awaited after each chunk of steps, for a thread that has events to handle too.
pub type Pause = fn() -> Pin<Box<dyn Future<Output = ()>>>;

/// Trainings on the host's cores.
pub(super) struct CpuEngine<'a> {
    threads: &'a CpuThreads,
    config: &'a TrainingConfig,
    /// `None` before the first training.
    trainer: Option<Trainer<'a>>,
    order: Vec<u32>,
    steps_before: u32,
    metrics: Vec<Metrics>,
    pacer: SubmissionPacer,
    pause: Pause,
    /// Share of the time of steps that is waited after them, in percent.
    slowdown_pct: f64,
}

impl<'a> CpuEngine<'a> {
    pub(super) fn new(threads: &'a CpuThreads, config: &'a TrainingConfig, pause: Pause, slowdown_pct: f64) -> Self {
        Self {
            threads,
            config,
            trainer: None,
            order: Vec::new(),
            steps_before: 0,
            metrics: Vec::new(),
            pacer: SubmissionPacer::default(),
            pause,
            slowdown_pct,
        }
    }
}

impl TrainingEngine for CpuEngine<'_> {
    async fn begin(&mut self, dataset: &Dataset, parameters: &[f32], host_timeline: &mut HostTimeline) -> Result<()> {
        self.pacer = SubmissionPacer::default();
        let interval = host_timeline.begin();
        match &mut self.trainer {
            Some(trainer) => trainer.upload(dataset, parameters),
            none => *none = Some(Trainer::new(self.threads, self.config, dataset, parameters)?),
        }
        host_timeline.end(interval, Activity::Upload, false, None);
        Ok(())
    }

    async fn begin_epoch(&mut self, epoch: u32, host_timeline: &mut HostTimeline) -> Result<()> {
        let trainer = require_started(self.trainer.as_ref())?;
        self.order = host_timeline.time(Activity::Shuffle, || trainer.order(epoch));
        self.steps_before = epoch * trainer.steps_per_epoch();
        self.metrics.clear();
        Ok(())
    }

    async fn warm_up(&mut self) -> Result<()> {
        let trainer = require_started(self.trainer.as_mut())?;
        let batch = self.config.training.batch as usize;
        let last = (trainer.steps_per_epoch() - 1) as usize * batch;
        trainer.training_steps(&self.order[..batch], 0);
        trainer.training_steps(&self.order[last..], 1);
        if let Some(part) = trainer.evaluation_parts().next() {
            trainer.evaluate(part);
        }
        Ok(())
    }

    async fn steps(
        &mut self,
        steps: Range<u32>,
        host_timeline: &mut HostTimeline,
        report: &mut dyn FnMut(StepChunk) -> ControlFlow<()>,
    ) -> Result<()> {
        let trainer = require_started(self.trainer.as_mut())?;
        let batch = self.config.training.batch as usize;
        let mut first = steps.start;
        while first < steps.end {
            let steps = self.pacer.steps().min(steps.end - first);
            let end = ((first + steps) as usize * batch).min(self.order.len());
            let start = Instant::now();
            let interval = host_timeline.begin();
            let images = &self.order[first as usize * batch..end];
            self.metrics.extend(trainer.training_steps(images, self.steps_before + first));
            if self.slowdown_pct > 0.0 {
                std::thread::sleep(start.elapsed().mul_f64(self.slowdown_pct / 100.0));
            }
            host_timeline.end(interval, Activity::Wait, true, Some(first));
            let chunk = StepChunk { first, steps, duration_s: start.elapsed().as_secs_f64() };
            self.pacer.observe(steps, chunk.duration_s);
            first += steps;
            let interval = host_timeline.begin();
            let stop = report(chunk).is_break();
            host_timeline.end(interval, Activity::Report, false, Some(chunk.first));
            if stop {
                return Err(Error::Interrupted);
            }
            (self.pause)().await;
        }
        Ok(())
    }

    async fn step_metrics(&mut self, steps: u32) -> Result<Vec<Metrics>> {
        Ok(self.metrics[..steps as usize].to_vec())
    }

    async fn evaluate(&mut self, report: &mut dyn FnMut(StepChunk) -> ControlFlow<()>) -> Result<Metrics> {
        let trainer = require_started(self.trainer.as_ref())?;
        let mut sums = Vec::new();
        for part in trainer.evaluation_parts() {
            let (metrics, chunk) = trainer.evaluate_part(part);
            sums.push(metrics);
            if report(chunk).is_break() {
                return Err(Error::Interrupted);
            }
            (self.pause)().await;
        }
        Ok(sums.into_iter().sum())
    }

    async fn parameters(&mut self) -> Result<Vec<f32>> {
        Ok(require_started(self.trainer.as_ref())?.parameters())
    }

    fn commands(&self) -> Measured<CommandCounts> {
        Measured::missing("the host's cores take no commands")
    }
}

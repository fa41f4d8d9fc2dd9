//! The CPU target as a member of a data-parallel training.

use super::check;
use super::simd::SimdLevel;
use super::target::{CpuTarget, NAME};
use super::trainer::{CpuThreads, Trainer};
use crate::bench::{HostMember, HostTrainer, OpenedHostMember, StepChunk};
use crate::check::Report;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::trainer::{Metrics, Share, TrainingConfig};
use std::ops::{ControlFlow, Range};

impl HostMember for CpuTarget {
    fn name(&self) -> &str {
        &self.name
    }

    fn plan(&self) -> &str {
        NAME
    }

    fn open(&self) -> Result<Box<dyn OpenedHostMember>> {
        Ok(Box::new(CpuThreads::start(self.threads, SimdLevel::detect())?))
    }
}

impl OpenedHostMember for CpuThreads {
    fn tuning(&self) -> Vec<(&'static str, String)> {
        vec![("threads", self.threads().to_string()), ("simd", self.level().name().to_owned())]
    }

    fn check(&self, config: &TrainingConfig, name: &str) -> Result<Report> {
        check::check(self, config, name)
    }

    fn trainer<'a>(
        &'a self,
        config: &'a TrainingConfig,
        share: Option<Share>,
        dataset: &Dataset,
        parameters: &[f32],
    ) -> Result<Box<dyn HostTrainer + 'a>> {
        let trainer = Trainer::new(self, config, dataset, parameters)?;
        let trainer = match share {
            Some(share) => trainer.with_share(share),
            None => trainer,
        };
        let batch = config.training.batch as usize;
        Ok(Box::new(MemberTrainer { trainer, batch, order: Vec::new(), steps_before: 0, metrics: Vec::new() }))
    }
}

/// A training of a part of every batch on the host's cores.
struct MemberTrainer<'a> {
    trainer: Trainer<'a>,
    /// Images of its part of a whole batch.
    batch: usize,
    order: Vec<u32>,
    steps_before: u32,
    /// Of each step of the epoch, as far as it was trained.
    metrics: Vec<Metrics>,
}

impl HostTrainer for MemberTrainer<'_> {
    fn upload(&mut self, dataset: &Dataset, parameters: &[f32]) {
        self.trainer.upload(dataset, parameters);
    }

    fn begin_epoch(&mut self, epoch: u32, order: &[u32]) {
        self.order = order.to_vec();
        self.steps_before = epoch * self.trainer.steps_per_epoch();
        self.metrics = vec![Metrics::default(); self.trainer.steps_per_epoch() as usize];
    }

    fn steps(&mut self, steps: Range<u32>) {
        let (first, end) = (steps.start as usize, steps.end as usize);
        let images = &self.order[first * self.batch..(end * self.batch).min(self.order.len())];
        let metrics = self.trainer.training_steps(images, self.steps_before + steps.start);
        self.metrics[first..end].copy_from_slice(&metrics);
    }

    fn parameters(&self) -> Vec<f32> {
        self.trainer.parameters()
    }

    fn set_parameters(&mut self, parameters: &[f32]) {
        self.trainer.set_parameters(parameters);
    }

    fn velocities(&self) -> Vec<f32> {
        self.trainer.velocities()
    }

    fn set_velocities(&mut self, velocities: &[f32]) {
        self.trainer.set_velocities(velocities);
    }

    fn step_metrics(&self, steps: u32) -> Vec<Metrics> {
        self.metrics[..steps as usize].to_vec()
    }

    fn evaluate(&self, report: &mut dyn FnMut(StepChunk) -> ControlFlow<()>) -> Result<Metrics> {
        let mut sum = Metrics::default();
        for part in self.trainer.evaluation_parts() {
            let (metrics, chunk) = self.trainer.evaluate_part(part);
            sum = [sum, metrics].into_iter().sum();
            if report(chunk).is_break() {
                return Err(Error::Interrupted);
            }
        }
        Ok(sum)
    }
}

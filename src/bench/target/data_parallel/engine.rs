//! The engine of one data-parallel training.

use super::device::OpenedDevice;
use super::worker::{Held, Worker};
use crate::bench::host_timeline::{Activity, HostTimeline};
use crate::bench::pacing::{StepChunk, SubmissionPacer};
use crate::bench::training_target::{TrainingEngine, require_started};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::gpu::CommandCounts;
use crate::result::{Measured, Synchronisation};
use crate::trainer::{Metrics, TrainingConfig};
use std::ops::{ControlFlow, Range};
use web_time::Instant;

/// Data-parallel trainings; parameters and velocities live on the host.
pub(super) struct DataParallelEngine<'a> {
    devices: &'a [OpenedDevice],
    config: &'a TrainingConfig,
    sync: Synchronisation,
    /// One for each device; empty before the first training.
    workers: Vec<Worker<'a>>,
    parameters: Vec<f32>,
    velocities: Vec<f32>,
    /// The mean gradient of a step.
    gradient: Vec<f32>,
    epoch: u32,
    pacer: SubmissionPacer,
    commands_before: Vec<CommandCounts>,
}

impl<'a> DataParallelEngine<'a> {
    pub(super) fn new(devices: &'a [OpenedDevice], config: &'a TrainingConfig, sync: Synchronisation) -> Self {
        Self {
            devices,
            config,
            sync,
            workers: Vec::new(),
            parameters: Vec::new(),
            velocities: Vec::new(),
            gradient: Vec::new(),
            epoch: 0,
            pacer: SubmissionPacer::default(),
            commands_before: Vec::new(),
        }
    }

    fn batch_of(&self, step: u32) -> u32 {
        self.workers.iter().map(|worker| worker.share().part(step).images).sum()
    }

    /// Trains one step: gradients on the members, their mean and the update on the host.
    async fn step(&mut self, step: u32, host_timeline: &mut HostTimeline) -> Result<()> {
        let batch = self.batch_of(step);
        let learning_rate = self.config.training.learning_rate_at(self.epoch * self.workers[0].share().steps + step);
        let mut pending = Vec::new();
        for worker in &self.workers {
            let interval = host_timeline.begin();
            worker.write(Held::Parameters, &self.parameters);
            host_timeline.end(interval, Activity::Exchange, false, Some(step));
            pending.push(worker.start(step..step + 1, Some(Held::Velocities), !pending.is_empty(), host_timeline)?);
        }
        for worker in &self.workers {
            worker.compute(step..step + 1, host_timeline);
        }
        self.gradient.fill(0.0);
        for (worker, mut started) in self.workers.iter().zip(pending) {
            worker.wait(&mut started, step, host_timeline).await?;
            let interval = host_timeline.begin();
            let weight = worker.share().part(step).images as f32 / batch as f32;
            worker.add_started(started, Held::Velocities, weight, &mut self.gradient).await?;
            host_timeline.end(interval, Activity::Exchange, true, Some(step));
        }
        let interval = host_timeline.begin();
        let momentum = self.config.training.momentum;
        for ((parameter, velocity), gradient) in
            self.parameters.iter_mut().zip(&mut self.velocities).zip(&self.gradient)
        {
            *velocity = momentum * *velocity - learning_rate * gradient;
            *parameter += *velocity;
        }
        host_timeline.end(interval, Activity::Exchange, false, Some(step));
        Ok(())
    }

    /// Trains `steps` on every member independently.
    async fn local_steps(&mut self, steps: Range<u32>, host_timeline: &mut HostTimeline) -> Result<()> {
        let mut pending = Vec::new();
        for worker in &self.workers {
            pending.push(worker.start(steps.clone(), None, !pending.is_empty(), host_timeline)?);
        }
        for worker in &self.workers {
            worker.compute(steps.clone(), host_timeline);
        }
        for (worker, mut started) in self.workers.iter().zip(pending) {
            worker.wait(&mut started, steps.start, host_timeline).await?;
        }
        Ok(())
    }

    /// Averages the members' parameters and velocities, and passes the means to every member.
    async fn average_parameters(&mut self, host_timeline: &mut HostTimeline) -> Result<()> {
        let interval = host_timeline.begin();
        let images: f32 = self.workers.iter().map(|worker| worker.share().images() as f32).sum();
        for (held, mean) in [(Held::Parameters, &mut self.parameters), (Held::Velocities, &mut self.velocities)] {
            mean.fill(0.0);
            for worker in &self.workers {
                worker.add(held, worker.share().images() as f32 / images, mean).await?;
            }
        }
        for worker in &self.workers {
            worker.write(Held::Parameters, &self.parameters);
            worker.write(Held::Velocities, &self.velocities);
        }
        host_timeline.end(interval, Activity::Exchange, false, None);
        Ok(())
    }
}

impl TrainingEngine for DataParallelEngine<'_> {
    async fn begin(&mut self, dataset: &Dataset, parameters: &[f32], host_timeline: &mut HostTimeline) -> Result<()> {
        self.parameters = parameters.to_vec();
        self.velocities = vec![0.0; parameters.len()];
        self.gradient = vec![0.0; parameters.len()];
        self.pacer = SubmissionPacer::default();
        self.commands_before = self.devices.iter().map(OpenedDevice::commands).collect();
        let interval = host_timeline.begin();
        for device in &self.devices[self.workers.len()..] {
            self.workers.push(Worker::prepare(device, dataset, parameters).await?);
        }
        host_timeline.end(interval, Activity::Prepare, false, None);
        let interval = host_timeline.begin();
        for worker in &self.workers {
            worker.upload(dataset, parameters).await?;
        }
        host_timeline.end(interval, Activity::Upload, false, None);
        Ok(())
    }

    async fn begin_epoch(&mut self, epoch: u32, host_timeline: &mut HostTimeline) -> Result<()> {
        self.epoch = epoch;
        let images = self.workers.iter().map(|worker| worker.share().images()).sum();
        let order = host_timeline.time(Activity::Shuffle, || self.config.order(epoch, images));
        for worker in &mut self.workers {
            let own =
                host_timeline.time(Activity::Shuffle, || worker.share().order(&order, self.config.training.batch));
            host_timeline.time(Activity::Upload, || worker.begin_epoch(epoch, &own));
        }
        Ok(())
    }

    async fn warm_up(&mut self) -> Result<()> {
        let mut unused = HostTimeline::new(Instant::now());
        let last = require_started(self.workers.first())?.share().steps - 1;
        for step in [0, last] {
            match self.sync {
                Synchronisation::Step => self.step(step, &mut unused).await?,
                Synchronisation::Epoch => self.local_steps(step..step + 1, &mut unused).await?,
            }
        }
        if self.sync == Synchronisation::Epoch {
            self.average_parameters(&mut unused).await?;
        }
        self.workers[0].warm_evaluation_up().await?;
        self.step_metrics(1).await.map(drop)
    }

    async fn steps(
        &mut self,
        steps: Range<u32>,
        host_timeline: &mut HostTimeline,
        report: &mut dyn FnMut(StepChunk) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut next = steps.start;
        let mut stopped = false;
        while next < steps.end && !stopped {
            let part = next..steps.end.min(next + self.pacer.steps);
            next = part.end;
            let start = Instant::now();
            match self.sync {
                Synchronisation::Step => {
                    for step in part.clone() {
                        self.step(step, host_timeline).await?;
                    }
                }
                Synchronisation::Epoch => self.local_steps(part.clone(), host_timeline).await?,
            }
            let chunk = StepChunk {
                first: part.start,
                steps: part.end - part.start,
                duration_s: start.elapsed().as_secs_f64(),
            };
            self.pacer.observe(chunk.steps, chunk.duration_s);
            let interval = host_timeline.begin();
            stopped = report(chunk).is_break();
            host_timeline.end(interval, Activity::Report, false, Some(chunk.first));
        }
        if self.sync == Synchronisation::Epoch {
            self.average_parameters(host_timeline).await?;
        }
        if stopped { Err(Error::Interrupted) } else { Ok(()) }
    }

    async fn step_metrics(&mut self, steps: u32) -> Result<Vec<Metrics>> {
        let mut sums = vec![Metrics::default(); steps as usize];
        for worker in &self.workers {
            for (sum, own) in sums.iter_mut().zip(worker.step_metrics(steps).await?) {
                *sum = [*sum, own].into_iter().sum();
            }
        }
        Ok(sums)
    }

    async fn evaluate(&mut self, report: &mut dyn FnMut(StepChunk) -> ControlFlow<()>) -> Result<Metrics> {
        let worker = require_started(self.workers.first())?;
        worker.write(Held::Parameters, &self.parameters);
        worker.evaluate(report).await
    }

    async fn parameters(&mut self) -> Result<Vec<f32>> {
        Ok(self.parameters.clone())
    }

    fn buffer_bytes(&self) -> Measured<u64> {
        Measured::Value(self.workers.iter().map(Worker::buffer_bytes).sum())
    }

    fn commands(&self) -> Measured<CommandCounts> {
        let counts = self.devices.iter().zip(&self.commands_before);
        let counts = counts.map(|(device, before)| device.commands() - *before);
        Measured::Value(counts.sum())
    }
}

//! The engine of one data-parallel training.

use super::device::OpenedDevice;
use super::sharing;
use super::worker::{Held, Worker};
use crate::bench::collective::{Collective, gather};
use crate::bench::host_timeline::{Activity, HostTimeline};
use crate::bench::pacing::{StepChunk, SubmissionPacer};
use crate::bench::training_target::{TrainingEngine, require_started};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::gpu::CommandCounts;
use crate::result::{Measured, Parallel, Synchronisation};
use crate::trainer::{Metrics, TrainingConfig};
use std::ops::{ControlFlow, Range};
use web_time::Instant;

/// Data-parallel trainings; parameters and velocities live on the host, the same in every process.
pub(super) struct DataParallelEngine<'a> {
    /// The devices of this process.
    devices: &'a [OpenedDevice],
    config: &'a TrainingConfig,
    sync: Synchronisation,
    group: &'a dyn Collective,
    /// Training images, of all processes.
    images: usize,
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
    pub(super) fn new(
        devices: &'a [OpenedDevice],
        config: &'a TrainingConfig,
        sync: Synchronisation,
        group: &'a dyn Collective,
    ) -> Self {
        Self {
            devices,
            config,
            sync,
            group,
            images: 0,
            workers: Vec::new(),
            parameters: Vec::new(),
            velocities: Vec::new(),
            gradient: Vec::new(),
            epoch: 0,
            pacer: SubmissionPacer::default(),
            commands_before: Vec::new(),
        }
    }

    /// Trains one step: gradients on the members, their mean over all processes and the update on the host. Gives
    /// whether any process wants to stop, as this one does if `stop`.
    async fn step(&mut self, step: u32, stop: bool, host_timeline: &mut HostTimeline) -> Result<bool> {
        let batch = self.config.batch_of(step, self.images);
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
        let stop = self.sum(Summed::Gradient, stop, Some(step), host_timeline)?;
        let interval = host_timeline.begin();
        let momentum = self.config.training.momentum;
        for ((parameter, velocity), gradient) in
            self.parameters.iter_mut().zip(&mut self.velocities).zip(&self.gradient)
        {
            *velocity = momentum * *velocity - learning_rate * gradient;
            *parameter += *velocity;
        }
        host_timeline.end(interval, Activity::Exchange, false, Some(step));
        Ok(stop)
    }

    /// How many steps come next, and whether to stop before them. Where every step is one of all processes, they agree
    /// on stopping with its gradient.
    fn next_steps(&self, stopped: bool) -> Result<(u32, bool)> {
        let own = (self.pacer.steps, stopped);
        match self.sync {
            _ if self.group.ranks() == 1 => Ok(own),
            Synchronisation::Step => Ok((own.0, false)),
            Synchronisation::Epoch => {
                let all = gather(self.group, &own)?;
                let steps = all.iter().map(|(steps, _)| *steps).min();
                Ok((steps.unwrap_or(own.0), all.iter().any(|(_, stopped)| *stopped)))
            }
        }
    }

    /// Sums a vector over all processes; gives whether any of them wants to stop.
    fn sum(&mut self, what: Summed, stop: bool, step: Option<u32>, host_timeline: &mut HostTimeline) -> Result<bool> {
        if self.group.ranks() == 1 {
            return Ok(stop);
        }
        let values = match what {
            Summed::Gradient => &mut self.gradient,
            Summed::Parameters => &mut self.parameters,
            Summed::Velocities => &mut self.velocities,
        };
        let interval = host_timeline.begin();
        let stop = self.group.sum(values, stop)?;
        host_timeline.end(interval, Activity::AllReduce, false, step);
        Ok(stop)
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

    /// Averages the members' parameters and velocities over all processes, and passes the means to every member.
    async fn average_parameters(&mut self, host_timeline: &mut HostTimeline) -> Result<()> {
        let interval = host_timeline.begin();
        let images = self.images as f32;
        for (held, mean) in [(Held::Parameters, &mut self.parameters), (Held::Velocities, &mut self.velocities)] {
            mean.fill(0.0);
            for worker in &self.workers {
                worker.add(held, worker.share().images() as f32 / images, mean).await?;
            }
        }
        host_timeline.end(interval, Activity::Exchange, false, None);
        self.sum(Summed::Parameters, false, None, host_timeline)?;
        self.sum(Summed::Velocities, false, None, host_timeline)?;
        let interval = host_timeline.begin();
        for worker in &self.workers {
            worker.write(Held::Parameters, &self.parameters);
            worker.write(Held::Velocities, &self.velocities);
        }
        host_timeline.end(interval, Activity::Exchange, false, None);
        Ok(())
    }
}

/// A vector that is summed over all processes.
#[derive(Debug, Clone, Copy)]
enum Summed {
    /// The mean gradient of a step.
    Gradient,
    /// The mean parameters.
    Parameters,
    /// The mean velocities.
    Velocities,
}

impl TrainingEngine for DataParallelEngine<'_> {
    async fn begin(&mut self, dataset: &Dataset, parameters: &[f32], host_timeline: &mut HostTimeline) -> Result<()> {
        self.images = dataset.train.len();
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
        let order = host_timeline.time(Activity::Shuffle, || self.config.order(epoch, self.images));
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
                Synchronisation::Step => drop(self.step(step, false, &mut unused).await?),
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
        // What this process wants, and what all have agreed on, after a step that all have trained.
        let (mut stopped, mut agreed) = (false, false);
        while next < steps.end && !agreed {
            let (count, stop) = self.next_steps(stopped)?;
            if stop {
                break;
            }
            let mut part = next..steps.end.min(next + count);
            let start = Instant::now();
            match self.sync {
                Synchronisation::Step => {
                    for step in part.clone() {
                        agreed = self.step(step, stopped, host_timeline).await?;
                        if agreed {
                            part.end = step + 1;
                            break;
                        }
                    }
                }
                Synchronisation::Epoch => self.local_steps(part.clone(), host_timeline).await?,
            }
            next = part.end;
            let chunk = StepChunk {
                first: part.start,
                steps: part.end - part.start,
                duration_s: start.elapsed().as_secs_f64(),
            };
            self.pacer.observe(chunk.steps, chunk.duration_s);
            let interval = host_timeline.begin();
            stopped |= report(chunk).is_break();
            host_timeline.end(interval, Activity::Report, false, Some(chunk.first));
        }
        if self.sync == Synchronisation::Epoch {
            self.average_parameters(host_timeline).await?;
        }
        if self.any(stopped || agreed)? { Err(Error::Interrupted) } else { Ok(()) }
    }

    async fn step_metrics(&mut self, steps: u32) -> Result<Vec<Metrics>> {
        let mut sums = vec![Metrics::default(); steps as usize];
        for worker in &self.workers {
            for (sum, own) in sums.iter_mut().zip(worker.step_metrics(steps).await?) {
                *sum = [*sum, own].into_iter().sum();
            }
        }
        sharing::summed(self.group, sums)
    }

    /// Rank 0 evaluates, and tells the others what came of it.
    async fn evaluate(&mut self, report: &mut dyn FnMut(StepChunk) -> ControlFlow<()>) -> Result<Metrics> {
        let worker = require_started(self.workers.first())?;
        let own = if self.group.rank() == 0 {
            worker.write(Held::Parameters, &self.parameters);
            match worker.evaluate(report).await {
                Err(error) if error != Error::Interrupted => return Err(error),
                evaluated => evaluated.ok(),
            }
        } else {
            None
        };
        sharing::of_first(self.group, own)?.ok_or(Error::Interrupted)
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

    fn any(&mut self, own: bool) -> Result<bool> {
        self.group.any(own)
    }

    fn led(&mut self, own: bool) -> Result<bool> {
        self.group.led(own)
    }

    fn record_sharing(
        &mut self,
        parallel: &mut Parallel,
        host_timeline: &HostTimeline,
        train_s: f64,
        steps: u32,
    ) -> Result<()> {
        let own = sharing::Times::of(host_timeline, train_s);
        sharing::record(parallel, &gather(self.group, &own)?, self.group.rank(), steps);
        Ok(())
    }
}

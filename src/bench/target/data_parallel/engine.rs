//! The engine of one data-parallel training.

use super::device::OpenedDevice;
use crate::bench::host_timeline::{Activity, HostTimeline};
use crate::bench::pacing::{StepChunk, SubmissionPacer, submit_paced};
use crate::bench::training_target::{TrainingEngine, require_started};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::gpu::{CommandCounts, Staging, Submission};
use crate::kernels::plan::inputs;
use crate::result::{Measured, Synchronisation};
use crate::trainer::{Metrics, Stage, Trainer, TrainingConfig};
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

/// A device with its training state.
struct Worker<'a> {
    device: &'a OpenedDevice,
    trainer: Trainer<'a>,
    staging: Staging,
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
        self.workers.iter().map(|worker| worker.device.share.part(step).images).sum()
    }

    /// Trains one step: gradients on the devices, their mean and the update on the host.
    async fn step(&mut self, step: u32, host_timeline: &mut HostTimeline) -> Result<()> {
        let mut pending = Vec::new();
        for worker in &self.workers {
            let interval = host_timeline.begin();
            worker.write_parameters(&self.parameters);
            host_timeline.end(interval, Activity::Exchange, false, Some(step));
            let submission = worker.submit(step..step + 1, !pending.is_empty(), host_timeline)?;
            let readback = worker.staging.read(&worker.device.gpu, worker.trainer.buffers(), inputs::VELOCITIES);
            pending.push((submission, readback));
        }
        let batch = self.batch_of(step);
        let learning_rate =
            self.config.training.learning_rate_at(self.epoch * self.workers[0].device.share.steps + step);
        self.gradient.fill(0.0);
        for (worker, (submission, readback)) in self.workers.iter().zip(pending) {
            worker.wait(submission, step, host_timeline).await?;
            let interval = host_timeline.begin();
            let weight = worker.device.share.part(step).images as f32 / batch as f32;
            readback
                .finish(&worker.device.gpu, |bytes| {
                    add_weighted(&mut self.gradient, weight, bytemuck::cast_slice(bytes))
                })
                .await
                .map_err(|error| worker.device.with_device_name(error))?;
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

    /// Trains `steps` on every device independently.
    async fn local_steps(&mut self, steps: Range<u32>, host_timeline: &mut HostTimeline) -> Result<()> {
        let mut pending = Vec::new();
        for worker in &self.workers {
            pending.push(worker.submit(steps.clone(), !pending.is_empty(), host_timeline)?);
        }
        for (worker, submission) in self.workers.iter().zip(pending) {
            worker.wait(submission, steps.start, host_timeline).await?;
        }
        Ok(())
    }

    /// Averages the devices' parameters and velocities, and uploads the means to every device.
    async fn average_parameters(&mut self, host_timeline: &mut HostTimeline) -> Result<()> {
        let interval = host_timeline.begin();
        let images: f32 = self.workers.iter().map(|worker| worker.device.share.images() as f32).sum();
        for (name, mean) in [(inputs::PARAMETERS, &mut self.parameters), (inputs::VELOCITIES, &mut self.velocities)] {
            mean.fill(0.0);
            for worker in &self.workers {
                let weight = worker.device.share.images() as f32 / images;
                let readback = worker.staging.read(&worker.device.gpu, worker.trainer.buffers(), name);
                let add = |bytes: &[u8]| add_weighted(mean, weight, bytemuck::cast_slice(bytes));
                readback
                    .finish(&worker.device.gpu, add)
                    .await
                    .map_err(|error| worker.device.with_device_name(error))?;
            }
        }
        for worker in &self.workers {
            worker.write_parameters(&self.parameters);
            worker.trainer.buffers().write(&worker.device.gpu, inputs::VELOCITIES, &self.velocities);
        }
        host_timeline.end(interval, Activity::Exchange, false, None);
        Ok(())
    }
}

impl Worker<'_> {
    fn write_parameters(&self, parameters: &[f32]) {
        self.trainer.buffers().write(&self.device.gpu, inputs::PARAMETERS, parameters);
    }

    fn submit(&self, steps: Range<u32>, in_flight: bool, host_timeline: &mut HostTimeline) -> Result<Submission> {
        let first = Some(steps.start);
        let interval = host_timeline.begin();
        let encoded = self.trainer.encode(Stage::Training, steps)?;
        host_timeline.end(interval, Activity::Encode, in_flight, first);
        let interval = host_timeline.begin();
        let submission = self.device.gpu.submit_encoded(encoded);
        host_timeline.end(interval, Activity::Submit, true, first);
        Ok(submission)
    }

    async fn wait(&self, submission: Submission, first: u32, host_timeline: &mut HostTimeline) -> Result<()> {
        let interval = host_timeline.begin();
        self.device.gpu.wait(submission).await.map_err(|error| self.device.with_device_name(error))?;
        host_timeline.end(interval, Activity::Wait, true, Some(first));
        Ok(())
    }
}

/// Adds `weight` times `values` to `sum`.
fn add_weighted(sum: &mut [f32], weight: f32, values: &[f32]) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += weight * value;
    }
}

impl TrainingEngine for DataParallelEngine<'_> {
    async fn begin(&mut self, dataset: &Dataset, parameters: &[f32], host_timeline: &mut HostTimeline) -> Result<()> {
        self.parameters = parameters.to_vec();
        self.velocities = vec![0.0; parameters.len()];
        self.gradient = vec![0.0; parameters.len()];
        self.pacer = SubmissionPacer::default();
        self.commands_before = self.devices.iter().map(|device| device.gpu.commands()).collect();
        let interval = host_timeline.begin();
        for device in &self.devices[self.workers.len()..] {
            let OpenedDevice { gpu, pipelines, plan, config, share, .. } = device;
            let trainer = Trainer::prepare(gpu, pipelines, plan, config, dataset).await;
            let trainer = trainer.map_err(|error| device.with_device_name(error))?.with_share(*share);
            self.workers.push(Worker { device, trainer, staging: Staging::new(gpu, size_of_val(parameters) as u64) });
        }
        host_timeline.end(interval, Activity::Prepare, false, None);
        let interval = host_timeline.begin();
        for Worker { device, trainer, .. } in &self.workers {
            trainer.upload(dataset, parameters);
            let uploaded = device.gpu.wait(device.gpu.submit(device.gpu.record())).await;
            uploaded.map_err(|error| device.with_device_name(error))?;
        }
        host_timeline.end(interval, Activity::Upload, false, None);
        Ok(())
    }

    async fn begin_epoch(&mut self, epoch: u32, host_timeline: &mut HostTimeline) -> Result<()> {
        self.epoch = epoch;
        let images = self.workers.iter().map(|worker| worker.device.share.images()).sum();
        let order = host_timeline.time(Activity::Shuffle, || self.config.order(epoch, images));
        for worker in &mut self.workers {
            let own =
                host_timeline.time(Activity::Shuffle, || worker.device.share.order(&order, self.config.training.batch));
            host_timeline.time(Activity::Upload, || worker.trainer.begin_epoch_in_order(epoch, &own));
        }
        Ok(())
    }

    async fn warm_up(&mut self) -> Result<()> {
        let mut unused = HostTimeline::new(Instant::now());
        let last = require_started(self.workers.first())?.device.share.steps - 1;
        for step in [0, last] {
            match self.sync {
                Synchronisation::Step => self.step(step, &mut unused).await?,
                Synchronisation::Epoch => self.local_steps(step..step + 1, &mut unused).await?,
            }
        }
        if self.sync == Synchronisation::Epoch {
            self.average_parameters(&mut unused).await?;
        }
        let worker = &self.workers[0];
        let evaluated = async {
            worker.trainer.run_first_and_last(Stage::Evaluation).await?;
            worker.trainer.evaluation_metrics().await.map(drop)
        };
        evaluated.await.map_err(|error| worker.device.with_device_name(error))?;
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
            let own =
                worker.trainer.step_metrics(steps).await.map_err(|error| worker.device.with_device_name(error))?;
            for (sum, own) in sums.iter_mut().zip(own) {
                *sum = [*sum, own].into_iter().sum();
            }
        }
        Ok(sums)
    }

    async fn evaluate(&mut self, report: &mut dyn FnMut(StepChunk) -> ControlFlow<()>) -> Result<Metrics> {
        let worker = require_started(self.workers.first())?;
        worker.write_parameters(&self.parameters);
        let encode = |range| worker.trainer.encode(Stage::Evaluation, range);
        let mut unused = HostTimeline::new(Instant::now());
        let mut pacer = SubmissionPacer::default();
        let driven = submit_paced(
            &worker.device.gpu,
            0..worker.trainer.evaluation_batches(),
            &mut pacer,
            &mut unused,
            encode,
            report,
        )
        .await;
        driven.map_err(|error| worker.device.with_device_name(error))?;
        worker.trainer.evaluation_metrics().await.map_err(|error| worker.device.with_device_name(error))
    }

    async fn parameters(&mut self) -> Result<Vec<f32>> {
        Ok(self.parameters.clone())
    }

    fn buffer_bytes(&self) -> Measured<u64> {
        Measured::Value(self.workers.iter().map(|worker| worker.trainer.buffers().total_bytes()).sum())
    }

    fn commands(&self) -> Measured<CommandCounts> {
        let counts =
            self.devices.iter().zip(&self.commands_before).map(|(device, before)| device.gpu.commands() - *before);
        Measured::Value(counts.sum())
    }
}

//! One training on several devices.

use super::device::OpenedDevice;
use crate::bench::host_timeline::{Activity, HostTimeline};
use crate::bench::pacing::{Chunk, Pace, drive};
use crate::bench::training_target::{TrainingEngine, begun};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::gpu::{CommandCounts, Staging, Submission};
use crate::kernels::plan::inputs;
use crate::result::{Measured, Synchronisation};
use crate::trainer::{Metrics, Stage, Trainer, TrainingConfig};
use std::ops::{ControlFlow, Range};
use web_time::Instant;

/// One training on several devices, whose parameters and velocities the host keeps.
pub(super) struct DataParallelEngine<'a> {
    devices: &'a [OpenedDevice],
    config: &'a TrainingConfig,
    sync: Synchronisation,
    /// One for each device, once the training was begun.
    working: Vec<Working<'a>>,
    parameters: Vec<f32>,
    velocities: Vec<f32>,
    /// Room for the mean gradient of a step.
    gradient: Vec<f32>,
    epoch: u32,
    pace: Pace,
    commands_before: Vec<CommandCounts>,
}

/// What a device works with.
struct Working<'a> {
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
            working: Vec::new(),
            parameters: Vec::new(),
            velocities: Vec::new(),
            gradient: Vec::new(),
            epoch: 0,
            pace: Pace::default(),
            commands_before: devices.iter().map(|device| device.gpu.commands()).collect(),
        }
    }

    fn batch_of(&self, step: u32) -> u32 {
        self.working.iter().map(|one| one.device.share.part(step).images).sum()
    }

    /// Makes one step: gradients on the devices, their mean and the update on the host.
    async fn step(&mut self, step: u32, host_timeline: &mut HostTimeline) -> Result<()> {
        let mut under_way = Vec::new();
        for one in &self.working {
            let begun = host_timeline.begin();
            one.write_parameters(&self.parameters);
            host_timeline.end(begun, Activity::Exchange, false, Some(step));
            let submission = one.submit(step..step + 1, !under_way.is_empty(), host_timeline)?;
            let arriving = one.staging.read(&one.device.gpu, one.trainer.buffers(), inputs::VELOCITIES);
            under_way.push((submission, arriving));
        }
        let batch = self.batch_of(step);
        let learning_rate =
            self.config.training.learning_rate_at(self.epoch * self.working[0].device.share.steps + step);
        self.gradient.fill(0.0);
        for (one, (submission, arriving)) in self.working.iter().zip(under_way) {
            one.wait(submission, step, host_timeline).await?;
            let begun = host_timeline.begin();
            let weight = one.device.share.part(step).images as f32 / batch as f32;
            arriving
                .finish(&one.device.gpu, |bytes| add_weighted(&mut self.gradient, weight, bytemuck::cast_slice(bytes)))
                .await
                .map_err(|error| one.device.blame(error))?;
            host_timeline.end(begun, Activity::Exchange, true, Some(step));
        }
        let begun = host_timeline.begin();
        let momentum = self.config.training.momentum;
        for ((parameter, velocity), gradient) in
            self.parameters.iter_mut().zip(&mut self.velocities).zip(&self.gradient)
        {
            *velocity = momentum * *velocity - learning_rate * gradient;
            *parameter += *velocity;
        }
        host_timeline.end(begun, Activity::Exchange, false, Some(step));
        Ok(())
    }

    /// Makes the steps `steps` on every device by itself.
    async fn steps_alone(&mut self, steps: Range<u32>, host_timeline: &mut HostTimeline) -> Result<()> {
        let mut under_way = Vec::new();
        for one in &self.working {
            under_way.push(one.submit(steps.clone(), !under_way.is_empty(), host_timeline)?);
        }
        for (one, submission) in self.working.iter().zip(under_way) {
            one.wait(submission, steps.start, host_timeline).await?;
        }
        Ok(())
    }

    /// Averages what the devices have made of the parameters and velocities, and gives every device the same.
    async fn agree(&mut self, host_timeline: &mut HostTimeline) -> Result<()> {
        let begun = host_timeline.begin();
        let images: f32 = self.working.iter().map(|one| one.device.share.images() as f32).sum();
        for (name, mean) in [(inputs::PARAMETERS, &mut self.parameters), (inputs::VELOCITIES, &mut self.velocities)] {
            mean.fill(0.0);
            for one in &self.working {
                let weight = one.device.share.images() as f32 / images;
                let arriving = one.staging.read(&one.device.gpu, one.trainer.buffers(), name);
                let add = |bytes: &[u8]| add_weighted(mean, weight, bytemuck::cast_slice(bytes));
                arriving.finish(&one.device.gpu, add).await.map_err(|error| one.device.blame(error))?;
            }
        }
        for one in &self.working {
            one.write_parameters(&self.parameters);
            one.trainer.buffers().write(&one.device.gpu, inputs::VELOCITIES, &self.velocities);
        }
        host_timeline.end(begun, Activity::Exchange, false, None);
        Ok(())
    }
}

impl Working<'_> {
    fn write_parameters(&self, parameters: &[f32]) {
        self.trainer.buffers().write(&self.device.gpu, inputs::PARAMETERS, parameters);
    }

    fn submit(&self, steps: Range<u32>, in_flight: bool, host_timeline: &mut HostTimeline) -> Result<Submission> {
        let first = Some(steps.start);
        let begun = host_timeline.begin();
        let encoded = self.trainer.encode(Stage::Training, steps)?;
        host_timeline.end(begun, Activity::Encode, in_flight, first);
        let begun = host_timeline.begin();
        let submission = self.device.gpu.submit_encoded(encoded);
        host_timeline.end(begun, Activity::Submit, true, first);
        Ok(submission)
    }

    async fn wait(&self, submission: Submission, first: u32, host_timeline: &mut HostTimeline) -> Result<()> {
        let begun = host_timeline.begin();
        self.device.gpu.wait(submission).await.map_err(|error| self.device.blame(error))?;
        host_timeline.end(begun, Activity::Wait, true, Some(first));
        Ok(())
    }
}

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
        for device in self.devices {
            let OpenedDevice { gpu, pipelines, plan, config, share, .. } = device;
            let begun = host_timeline.begin();
            let trainer = Trainer::prepare(gpu, pipelines, plan, config, dataset).await;
            let trainer = trainer.map_err(|error| device.blame(error))?.with_share(*share);
            let staging = Staging::new(gpu, size_of_val(parameters) as u64);
            host_timeline.end(begun, Activity::Prepare, false, None);
            let begun = host_timeline.begin();
            trainer.upload(dataset, parameters);
            gpu.wait(gpu.submit(gpu.record())).await.map_err(|error| device.blame(error))?;
            host_timeline.end(begun, Activity::Upload, false, None);
            self.working.push(Working { device, trainer, staging });
        }
        Ok(())
    }

    async fn begin_epoch(&mut self, epoch: u32, host_timeline: &mut HostTimeline) -> Result<()> {
        self.epoch = epoch;
        let images = self.working.iter().map(|one| one.device.share.images()).sum();
        let order = host_timeline.time(Activity::Shuffle, || self.config.order(epoch, images));
        for one in &mut self.working {
            let own =
                host_timeline.time(Activity::Shuffle, || one.device.share.order(&order, self.config.training.batch));
            host_timeline.time(Activity::Upload, || one.trainer.begin_epoch_in_order(epoch, &own));
        }
        Ok(())
    }

    async fn steps(
        &mut self,
        count: u32,
        host_timeline: &mut HostTimeline,
        report: &mut dyn FnMut(Chunk) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut next = 0;
        let mut stopped = false;
        while next < count && !stopped {
            let steps = next..count.min(next + self.pace.steps);
            next = steps.end;
            let start = Instant::now();
            match self.sync {
                Synchronisation::Step => {
                    for step in steps.clone() {
                        self.step(step, host_timeline).await?;
                    }
                }
                Synchronisation::Epoch => self.steps_alone(steps.clone(), host_timeline).await?,
            }
            let made =
                Chunk { first: steps.start, steps: steps.end - steps.start, duration_s: start.elapsed().as_secs_f64() };
            self.pace.observe(made.steps, made.duration_s);
            let begun = host_timeline.begin();
            stopped = report(made).is_break();
            host_timeline.end(begun, Activity::Report, false, Some(made.first));
        }
        if self.sync == Synchronisation::Epoch {
            self.agree(host_timeline).await?;
        }
        if stopped { Err(Error::Interrupted) } else { Ok(()) }
    }

    async fn step_metrics(&mut self, steps: u32) -> Result<Vec<Metrics>> {
        let mut sums = vec![Metrics::default(); steps as usize];
        for one in &self.working {
            let own = one.trainer.step_metrics(steps).await.map_err(|error| one.device.blame(error))?;
            for (sum, own) in sums.iter_mut().zip(own) {
                *sum = [*sum, own].into_iter().sum();
            }
        }
        Ok(sums)
    }

    async fn evaluate(&mut self, report: &mut dyn FnMut(Chunk) -> ControlFlow<()>) -> Result<Metrics> {
        let one = begun(self.working.first())?;
        one.write_parameters(&self.parameters);
        let encode = |range| one.trainer.encode(Stage::Evaluation, range);
        let mut unused = HostTimeline::new(Instant::now());
        let mut pace = Pace::default();
        let driven =
            drive(&one.device.gpu, one.trainer.evaluation_batches(), &mut pace, &mut unused, encode, report).await;
        driven.map_err(|error| one.device.blame(error))?;
        one.trainer.evaluation_metrics().await.map_err(|error| one.device.blame(error))
    }

    async fn parameters(&mut self) -> Result<Vec<f32>> {
        Ok(self.parameters.clone())
    }

    fn buffer_bytes(&self) -> Measured<u64> {
        Measured::Value(self.working.iter().map(|one| one.trainer.buffers().total_bytes()).sum())
    }

    fn commands(&self) -> Measured<CommandCounts> {
        let counts =
            self.devices.iter().zip(&self.commands_before).map(|(device, before)| device.gpu.commands() - *before);
        Measured::Value(counts.sum())
    }
}

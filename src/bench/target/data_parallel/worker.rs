//! The training state of one member.

use super::device::{OpenedDevice, Trains};
use super::host_member::HostTrainer;
use crate::bench::host_timeline::{Activity, HostTimeline};
use crate::bench::pacing::{StepChunk, SubmissionPacer, submit_paced};
use crate::data::Dataset;
use crate::error::Result;
use crate::gpu::{Gpu, Readback, Staging, Submission};
use crate::kernels::plan::inputs;
use crate::trainer::{Metrics, Share, Stage, Trainer};
use std::cell::RefCell;
use std::ops::{ControlFlow, Range};
use web_time::Instant;

/// A member with its training state.
pub(super) struct Worker<'a> {
    pub(super) device: &'a OpenedDevice,
    training: Training<'a>,
}

/// Where a member trains.
enum Training<'a> {
    /// On an adapter.
    Adapter { gpu: &'a Gpu, trainer: Box<Trainer<'a>>, staging: Staging },
    /// On the host. In a cell, since it computes while readbacks of other members are in progress.
    Host(RefCell<Box<dyn HostTrainer + 'a>>),
}

/// Steps that an adapter has been given, and values that are read after them; nothing of a member on the host, which
/// computes in [`Worker::compute`].
pub(super) struct Started<'a> {
    submission: Option<Submission>,
    readback: Option<Readback<'a>>,
}

/// A vector of one value for each parameter that a member holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// The parameters.
    Parameters,
    /// The velocities.
    Velocities,
}

impl Held {
    const fn buffer(self) -> &'static str {
        match self {
            Held::Parameters => inputs::PARAMETERS,
            Held::Velocities => inputs::VELOCITIES,
        }
    }
}

impl<'a> Worker<'a> {
    /// Allocates the memory of a training on `device`.
    pub(super) async fn prepare(device: &'a OpenedDevice, dataset: &Dataset, parameters: &[f32]) -> Result<Self> {
        let share = device.share;
        let training = match &device.trains {
            Trains::Adapter { gpu, pipelines, plan } => {
                let trainer = Trainer::prepare(gpu, pipelines, plan, &device.config, dataset).await;
                Training::Adapter {
                    gpu,
                    trainer: Box::new(trainer.map_err(|error| device.with_device_name(error))?.with_share(share)),
                    staging: Staging::new(gpu, size_of_val(parameters) as u64),
                }
            }
            Trains::Host(host) => {
                let trainer = host.trainer(&device.config, Some(share), dataset, parameters);
                Training::Host(RefCell::new(trainer.map_err(|error| device.with_device_name(error))?))
            }
        };
        Ok(Self { device, training })
    }

    /// Its part of every batch.
    pub(super) fn share(&self) -> Share {
        self.device.share
    }

    /// Starts anew: copies the data and `parameters` to the member and waits until they are there.
    pub(super) async fn upload(&self, dataset: &Dataset, parameters: &[f32]) -> Result<()> {
        match &self.training {
            Training::Adapter { gpu, trainer, .. } => {
                trainer.upload(dataset, parameters);
                let uploaded = gpu.wait(gpu.submit(gpu.record())).await;
                uploaded.map_err(|error| self.device.with_device_name(error))
            }
            Training::Host(trainer) => {
                trainer.borrow_mut().upload(dataset, parameters);
                Ok(())
            }
        }
    }

    /// Begins epoch `epoch` in the share's part of an order.
    pub(super) fn begin_epoch(&mut self, epoch: u32, order: &[u32]) {
        match &mut self.training {
            Training::Adapter { trainer, .. } => trainer.begin_epoch_in_order(epoch, order),
            Training::Host(trainer) => trainer.get_mut().begin_epoch(epoch, order),
        }
    }

    /// Replaces a vector that the member holds.
    pub(super) fn write(&self, held: Held, values: &[f32]) {
        match (&self.training, held) {
            (Training::Adapter { gpu, trainer, .. }, held) => trainer.buffers().write(gpu, held.buffer(), values),
            (Training::Host(trainer), Held::Parameters) => trainer.borrow_mut().set_parameters(values),
            (Training::Host(trainer), Held::Velocities) => trainer.borrow_mut().set_velocities(values),
        }
    }

    /// Submits `steps` to an adapter, and the readback of `then` after them.
    pub(super) fn start(
        &self,
        steps: Range<u32>,
        then: Option<Held>,
        in_flight: bool,
        host_timeline: &mut HostTimeline,
    ) -> Result<Started<'_>> {
        let Training::Adapter { gpu, trainer, staging } = &self.training else {
            return Ok(Started { submission: None, readback: None });
        };
        let first = Some(steps.start);
        let interval = host_timeline.begin();
        let encoded = trainer.encode(Stage::Training, steps)?;
        host_timeline.end(interval, Activity::Encode, in_flight, first);
        let interval = host_timeline.begin();
        let submission = gpu.submit_encoded(encoded);
        host_timeline.end(interval, Activity::Submit, true, first);
        let readback = then.map(|held| staging.read(gpu, trainer.buffers(), held.buffer()));
        Ok(Started { submission: Some(submission), readback })
    }

    /// Trains `steps` if the member computes on the host.
    pub(super) fn compute(&self, steps: Range<u32>, host_timeline: &mut HostTimeline) {
        let Training::Host(trainer) = &self.training else { return };
        let interval = host_timeline.begin();
        trainer.borrow_mut().steps(steps.clone());
        host_timeline.end(interval, Activity::Wait, true, Some(steps.start));
    }

    /// Waits until the steps of `started` have finished, of which `first` is the first.
    pub(super) async fn wait(
        &self,
        started: &mut Started<'_>,
        first: u32,
        host_timeline: &mut HostTimeline,
    ) -> Result<()> {
        let (Training::Adapter { gpu, .. }, Some(submission)) = (&self.training, started.submission.take()) else {
            return Ok(());
        };
        let interval = host_timeline.begin();
        gpu.wait(submission).await.map_err(|error| self.device.with_device_name(error))?;
        host_timeline.end(interval, Activity::Wait, true, Some(first));
        Ok(())
    }

    /// Adds `weight` times the vector that [`Worker::start`] began to read to `sum`.
    pub(super) async fn add_started(
        &self,
        started: Started<'_>,
        held: Held,
        weight: f32,
        sum: &mut [f32],
    ) -> Result<()> {
        match (&self.training, started.readback) {
            (Training::Adapter { gpu, .. }, Some(readback)) => {
                let add = |bytes: &[u8]| add_weighted(sum, weight, bytemuck::cast_slice(bytes));
                readback.finish(gpu, add).await.map_err(|error| self.device.with_device_name(error))
            }
            _ => self.add(held, weight, sum).await,
        }
    }

    /// Adds `weight` times a vector that the member holds to `sum`.
    pub(super) async fn add(&self, held: Held, weight: f32, sum: &mut [f32]) -> Result<()> {
        match (&self.training, held) {
            (Training::Adapter { gpu, trainer, staging }, held) => {
                let readback = staging.read(gpu, trainer.buffers(), held.buffer());
                let add = |bytes: &[u8]| add_weighted(sum, weight, bytemuck::cast_slice(bytes));
                return readback.finish(gpu, add).await.map_err(|error| self.device.with_device_name(error));
            }
            (Training::Host(trainer), Held::Parameters) => add_weighted(sum, weight, &trainer.borrow().parameters()),
            (Training::Host(trainer), Held::Velocities) => add_weighted(sum, weight, &trainer.borrow().velocities()),
        }
        Ok(())
    }

    /// Loss and correct predictions of each of the first `steps` steps of the epoch, of the member's images.
    pub(super) async fn step_metrics(&self, steps: u32) -> Result<Vec<Metrics>> {
        match &self.training {
            Training::Adapter { trainer, .. } => {
                trainer.step_metrics(steps).await.map_err(|error| self.device.with_device_name(error))
            }
            Training::Host(trainer) => Ok(trainer.borrow().step_metrics(steps)),
        }
    }

    /// Compiles and allocates what an evaluation needs, by a part of one.
    pub(super) async fn warm_evaluation_up(&self) -> Result<()> {
        let Training::Adapter { trainer, .. } = &self.training else { return Ok(()) };
        let evaluated = async {
            trainer.run_first_and_last(Stage::Evaluation).await?;
            trainer.evaluation_metrics().await.map(drop)
        };
        evaluated.await.map_err(|error| self.device.with_device_name(error))
    }

    /// Loss and correct predictions on all test images; a break from `report` stops it.
    pub(super) async fn evaluate(&self, report: &mut dyn FnMut(StepChunk) -> ControlFlow<()>) -> Result<Metrics> {
        let (gpu, trainer) = match &self.training {
            Training::Adapter { gpu, trainer, .. } => (gpu, trainer),
            Training::Host(trainer) => return trainer.borrow().evaluate(report),
        };
        let encode = |range| trainer.encode(Stage::Evaluation, range);
        // The timeline of the training excludes evaluations.
        let mut unused = HostTimeline::new(Instant::now());
        let mut pacer = SubmissionPacer::default();
        let evaluated = async {
            submit_paced(gpu, 0..trainer.evaluation_batches(), &mut pacer, &mut unused, encode, report).await?;
            trainer.evaluation_metrics().await
        };
        evaluated.await.map_err(|error| self.device.with_device_name(error))
    }

    /// Bytes of the buffers on an adapter.
    pub(super) fn buffer_bytes(&self) -> u64 {
        match &self.training {
            Training::Adapter { trainer, .. } => trainer.buffers().total_bytes(),
            Training::Host(_) => 0,
        }
    }
}

/// Adds `weight` times `values` to `sum`.
fn add_weighted(sum: &mut [f32], weight: f32, values: &[f32]) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += weight * value;
    }
}

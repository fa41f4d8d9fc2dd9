//! The state of a training run on the device, and the recording of its steps and epochs.

use crate::data::{Dataset, Split};
use crate::error::Result;
use crate::gpu::{BoundDispatch, Buffers, EncodedCommands, Gpu, Pipelines, Submission, TimedRecording};
use crate::kernels::plan::inputs;
use crate::kernels::{Access, Dispatch, Plan, Step};
use crate::model::IMAGE_PIXELS;
use std::ops::Range;

mod config;
mod metrics;

pub use config::{Part, Share, TrainingConfig};
pub use metrics::Metrics;

/// What a batch is encoded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// A training step.
    Training,
    /// A test batch.
    Evaluation,
}

/// The parameters, the data and everything between, on the device.
pub struct Trainer<'a> {
    gpu: &'a Gpu,
    config: &'a TrainingConfig,
    plan: &'a Plan,
    buffers: Buffers,
    training: Vec<BoundDispatch>,
    evaluation: Vec<BoundDispatch>,
    train_images: usize,
    test_images: usize,
    steps_before: u32,
    share: Option<Share>,
}

impl<'a> Trainer<'a> {
    /// Makes the buffers and copies the data and `parameters` (laid out as the model says) to the device.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] if the batch does not fit the data or the adapter, [`crate::Error::Device`] if memory
    /// runs out.
    pub async fn new(
        gpu: &'a Gpu,
        pipelines: &Pipelines,
        plan: &'a Plan,
        config: &'a TrainingConfig,
        dataset: &Dataset,
        parameters: &[f32],
    ) -> Result<Self> {
        let trainer = Self::prepare(gpu, pipelines, plan, config, dataset).await?;
        trainer.upload(dataset, parameters);
        Ok(trainer)
    }

    /// Makes the buffers and binds them; [`Trainer::upload`] fills them.
    ///
    /// # Errors
    /// As [`Trainer::new`].
    pub async fn prepare(
        gpu: &'a Gpu,
        pipelines: &Pipelines,
        plan: &'a Plan,
        config: &'a TrainingConfig,
        dataset: &Dataset,
    ) -> Result<Self> {
        let batch = config.training.batch;
        config.fits(dataset)?;
        for dispatch in plan.training.iter().chain(&plan.evaluation) {
            dispatch.workgroups(batch, gpu.workgroup_limit())?;
        }
        let mut buffers = Buffers::default();
        for (name, bytes, uniform) in sizes(gpu, plan, config, dataset) {
            buffers.add(gpu, &name, bytes, uniform).await?;
        }
        let bind = |list: &[Dispatch], steps| -> Vec<BoundDispatch> {
            list.iter().map(|dispatch| pipelines.bind(gpu, dispatch, &buffers, steps)).collect()
        };
        let (training, evaluation) =
            (bind(&plan.training, inputs::TRAIN_STEPS), bind(&plan.evaluation, inputs::TEST_STEPS));
        Ok(Self {
            gpu,
            config,
            plan,
            buffers,
            training,
            evaluation,
            train_images: dataset.train.len(),
            test_images: dataset.test.len(),
            steps_before: 0,
            share: None,
        })
    }

    /// Trains `share` of every batch: the config's batch is that of the share, and the order of an epoch is
    /// [`Share::order`].
    pub fn with_share(self, share: Share) -> Self {
        Self { train_images: share.images(), share: Some(share), ..self }
    }

    /// Copies the data and `parameters` (laid out as the model says) to the device.
    pub fn upload(&self, dataset: &Dataset, parameters: &[f32]) {
        self.upload_split(&dataset.train, inputs::TRAIN_IMAGES, inputs::TRAIN_LABELS);
        self.upload_split(&dataset.test, inputs::TEST_IMAGES, inputs::TEST_LABELS);
        self.set_parameters(parameters);
        self.prepare_evaluation();
    }

    fn upload_split(&self, split: &Split, images: &str, labels: &str) {
        self.buffers.write(self.gpu, images, &split.images);
        let words: Vec<u32> = split.labels.iter().map(|&label| u32::from(label)).collect();
        self.buffers.write(self.gpu, labels, &words);
    }

    /// The buffers, for checks that look inside a step.
    pub fn buffers(&self) -> &Buffers {
        &self.buffers
    }

    /// Steps in an epoch.
    pub fn steps_per_epoch(&self) -> u32 {
        self.config.steps_per_epoch(self.train_images)
    }

    /// Replaces the parameters and sets the momentum to 0.
    pub fn set_parameters(&self, parameters: &[f32]) {
        self.buffers.write(self.gpu, inputs::PARAMETERS, parameters);
        self.buffers.write(self.gpu, inputs::VELOCITIES, &vec![0.0f32; parameters.len()]);
    }

    /// Copies the parameters to the host.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub async fn parameters(&self) -> Result<Vec<f32>> {
        self.buffers.read(self.gpu, inputs::PARAMETERS, self.config.model.parameter_count()).await
    }

    /// The order in which epoch `epoch` takes the training images.
    pub fn order(&self, epoch: u32) -> Vec<u32> {
        self.config.order(epoch, self.train_images)
    }

    /// Writes the order and the step records of epoch `epoch`, counting from 0: all that the host writes in an epoch.
    pub fn begin_epoch(&mut self, epoch: u32) {
        self.begin_epoch_in_order(epoch, &self.order(epoch));
    }

    /// As [`Trainer::begin_epoch`], with the order that [`Trainer::order`] has drawn for it.
    pub fn begin_epoch_in_order(&mut self, epoch: u32, order: &[u32]) {
        self.steps_before = epoch * self.steps_per_epoch();
        self.buffers.write(self.gpu, inputs::TRAIN_ORDER, order);
        self.write_steps(inputs::TRAIN_STEPS, (0..self.steps_per_epoch()).map(|index| self.step_record(index)));
    }

    /// What the device is told of step `index` of the epoch that was begun.
    pub fn step_record(&self, index: u32) -> Step {
        Step {
            batch: self.batch_of(index),
            first: index * self.config.training.batch,
            index: self.steps_before + index,
            slot: index,
            learning_rate: self.config.training.learning_rate_at(self.steps_before + index),
            first_value: self.share.map_or(0, |share| share.part(index).before * self.config.model.dropout_values()),
        }
    }

    fn write_steps(&self, name: &str, steps: impl Iterator<Item = Step>) {
        let stride = self.gpu.step_stride() as usize;
        let mut bytes = Vec::new();
        for step in steps {
            bytes.extend_from_slice(bytemuck::bytes_of(&step));
            bytes.resize(bytes.len().next_multiple_of(stride), 0);
        }
        self.buffers.write(self.gpu, name, &bytes);
    }

    /// Images in step `index` of an epoch.
    pub fn batch_of(&self, index: u32) -> u32 {
        self.config.batch_of(index, self.train_images)
    }

    /// Encodes the batches `batches` of `stage` in their order: steps of the epoch that was begun, or test batches.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] if a grid exceeds the adapter's limit, which [`Trainer::new`] has ruled out.
    pub fn encode(&self, stage: Stage, batches: impl IntoIterator<Item = u32>) -> Result<EncodedCommands> {
        let (dispatches, bound, images) = match stage {
            Stage::Training => (&self.plan.training, &self.training, self.train_images),
            Stage::Evaluation => (&self.plan.evaluation, &self.evaluation, self.test_images),
        };
        let grids = |batch: u32| -> Result<Vec<[u32; 3]>> {
            dispatches.iter().map(|dispatch| dispatch.workgroups(batch, self.gpu.workgroup_limit())).collect()
        };
        // All batches but the last are alike.
        let whole = grids(self.config.training.batch)?;
        let mut recording = self.gpu.record();
        for index in batches {
            let batch = self.config.batch_of(index, images);
            let smaller = if batch == self.config.training.batch { None } else { Some(grids(batch)?) };
            for (bound, workgroups) in bound.iter().zip(smaller.as_ref().unwrap_or(&whole)) {
                recording.dispatch(bound, *workgroups, self.step_offset(index));
            }
        }
        Ok(recording.finish())
    }

    /// As [`Trainer::encode`], and hands the batches to the device.
    ///
    /// # Errors
    /// As [`Trainer::encode`].
    pub fn submit(&self, stage: Stage, batches: impl IntoIterator<Item = u32>) -> Result<Submission> {
        Ok(self.gpu.submit_encoded(self.encode(stage, batches)?))
    }

    /// Runs the first and the last batch of `stage`, which may be smaller than the others.
    ///
    /// # Errors
    /// As [`Trainer::encode`], or [`crate::Error::Device`] if the device failed.
    pub async fn run_first_and_last(&self, stage: Stage) -> Result<()> {
        let batches = match stage {
            Stage::Training => self.steps_per_epoch(),
            Stage::Evaluation => self.evaluation_batches(),
        };
        self.gpu.wait(self.submit(stage, 0..1)?).await?;
        self.gpu.wait(self.submit(stage, batches - 1..batches)?).await
    }

    /// Hands one dispatch of step `index` of the epoch that was begun to the device, for checks that look inside a
    /// step.
    ///
    /// # Errors
    /// As [`Trainer::submit`].
    pub fn submit_dispatch(&self, place: usize, index: u32) -> Result<Submission> {
        let workgroups = self.plan.training[place].workgroups(self.batch_of(index), self.gpu.workgroup_limit())?;
        let mut recording = self.gpu.record();
        recording.dispatch(&self.training[place], workgroups, self.step_offset(index));
        Ok(self.gpu.submit(recording))
    }

    /// Adds a span for each dispatch of step `index` to `recording`, each dispatch as often as `repeats` says for its
    /// place.
    ///
    /// # Errors
    /// As [`Trainer::encode`].
    pub fn record_kernels(&self, recording: &mut TimedRecording<'_>, index: u32, repeats: &[u32]) -> Result<()> {
        for ((dispatch, bound), &repeats) in self.plan.training.iter().zip(&self.training).zip(repeats) {
            let workgroups = dispatch.workgroups(self.batch_of(index), self.gpu.workgroup_limit())?;
            recording.span(|span| {
                (0..repeats).for_each(|_| span.dispatch(bound, workgroups, self.step_offset(index)));
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Adds the steps `steps` to `recording` as one span.
    ///
    /// # Errors
    /// As [`Trainer::encode`].
    pub fn record_steps(&self, recording: &mut TimedRecording<'_>, steps: Range<u32>) -> Result<()> {
        recording.span(|span| {
            for index in steps {
                for (dispatch, bound) in self.plan.training.iter().zip(&self.training) {
                    let workgroups = dispatch.workgroups(self.batch_of(index), self.gpu.workgroup_limit())?;
                    span.dispatch(bound, workgroups, self.step_offset(index));
                }
            }
            Ok(())
        })
    }

    fn step_offset(&self, index: u32) -> u32 {
        (u64::from(index) * self.gpu.step_stride()) as u32
    }

    /// Reads the sums of loss and right answers of the first `steps` steps of the epoch: the one readback of an epoch.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub async fn step_metrics(&self, steps: u32) -> Result<Vec<Metrics>> {
        let sums: Vec<[f32; 2]> = self.buffers.read(self.gpu, inputs::TRAIN_METRICS, steps as usize).await?;
        let metrics = |(index, &sums): (usize, &[f32; 2])| metrics(sums, self.batch_of(index as u32));
        Ok(sums.iter().enumerate().map(metrics).collect())
    }

    fn prepare_evaluation(&self) {
        let order: Vec<u32> = (0..self.test_images as u32).collect();
        self.buffers.write(self.gpu, inputs::TEST_ORDER, &order);
        let record = |index: u32| Step {
            batch: self.config.batch_of(index, self.test_images),
            first: index * self.config.training.batch,
            slot: index,
            ..Default::default()
        };
        self.write_steps(inputs::TEST_STEPS, (0..self.evaluation_batches()).map(record));
    }

    /// Batches in an evaluation.
    pub fn evaluation_batches(&self) -> u32 {
        self.config.steps_per_epoch(self.test_images)
    }

    /// Reads the outcome of an evaluation of all test images.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub async fn evaluation_metrics(&self) -> Result<Metrics> {
        let count = self.evaluation_batches() as usize;
        let sums: Vec<[f32; 2]> = self.buffers.read(self.gpu, inputs::TEST_METRICS, count).await?;
        let of_batch = |(index, &sums)| metrics(sums, self.config.batch_of(index, self.test_images));
        Ok((0..).zip(&sums).map(of_batch).sum())
    }
}

fn metrics([loss, correct]: [f32; 2], images: u32) -> Metrics {
    Metrics { loss_sum: f64::from(loss), correct: correct as u64, images: u64::from(images) }
}

/// Every buffer of a run: name, bytes, whether it holds step records.
fn sizes(gpu: &Gpu, plan: &Plan, config: &TrainingConfig, dataset: &Dataset) -> Vec<(String, u64, bool)> {
    let batch = config.training.batch;
    let (train, test) = (dataset.train.len() as u64, dataset.test.len() as u64);
    let (steps, batches) = (train.div_ceil(u64::from(batch)), test.div_ceil(u64::from(batch)));
    let parameters = 4 * config.model.parameter_count() as u64;
    let mut sizes: Vec<(String, u64, bool)> =
        plan.buffers.iter().map(|buffer| (buffer.name.clone(), 4 * buffer.length.at(batch), false)).collect();
    let fixed = [
        (inputs::TRAIN_IMAGES, train * IMAGE_PIXELS as u64, false),
        (inputs::TRAIN_LABELS, 4 * train, false),
        (inputs::TRAIN_ORDER, 4 * train, false),
        (inputs::TRAIN_STEPS, steps * gpu.step_stride(), true),
        (inputs::TRAIN_METRICS, 8 * steps, false),
        (inputs::TEST_IMAGES, test * IMAGE_PIXELS as u64, false),
        (inputs::TEST_LABELS, 4 * test, false),
        (inputs::TEST_ORDER, 4 * test, false),
        (inputs::TEST_STEPS, batches * gpu.step_stride(), true),
        (inputs::TEST_METRICS, 8 * batches, false),
        (inputs::PARAMETERS, parameters, false),
        (inputs::VELOCITIES, parameters, false),
        (inputs::GRADIENTS, parameters, false),
    ];
    sizes.extend(fixed.map(|(name, bytes, uniform)| (name.to_owned(), bytes, uniform)));
    // A plan may leave buffers unused; what no dispatch names is not made.
    let named = |name: &str| {
        let mut dispatches = plan.training.iter().chain(&plan.evaluation);
        dispatches.any(|dispatch| dispatch.buffers.iter().any(|buffer| buffer == name))
    };
    sizes.retain(|(name, _, uniform)| *uniform || named(name));
    sizes
}

/// How a dispatch uses its buffers: name and access, in the order of the bindings.
pub fn uses(dispatch: &Dispatch) -> Vec<(&str, Access)> {
    let storage = dispatch.kernel.bindings.iter().filter(|binding| binding.access != Access::Step);
    storage.zip(&dispatch.buffers).map(|(binding, name)| (name.as_str(), binding.access)).collect()
}

//! The state of a training on the CPU, and its steps.

use super::chunk::{Chunk, Network, Scratch};
use super::layout::{CHUNK_IMAGES, ForwardWeights, Parameters, Sizes};
use super::simd::SimdLevel;
use super::update::{SgdStep, update};
use crate::bench::StepChunk;
use crate::data::{Dataset, Split};
use crate::error::{Error, Result};
use crate::rng::{Stream, stream_key};
use crate::trainer::{Metrics, Share, TrainingConfig};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use std::error::Error as _;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use web_time::Instant;

/// Test images that are classified between two reports of progress.
const EVALUATED_AT_ONCE: u32 = 2000;

/// The most threads of a training: a batch of 128 images has 16 parts, and no host has more cores.
pub const MOST_THREADS: usize = 1024;

/// Threads, and the instruction set that they use.
#[derive(Debug)]
pub struct CpuThreads {
    level: SimdLevel,
    /// `None` for the current thread, where the system has no others.
    pool: Option<ThreadPool>,
}

impl CpuThreads {
    /// Starts `threads` threads.
    ///
    /// # Errors
    /// As [`Self::expect`]; [`Error::Device`] if the system refuses them; one thread is always available.
    pub fn start(threads: usize, level: SimdLevel) -> Result<Self> {
        Self::expect(threads)?;
        let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(|index| format!("cpu-{index}")).build();
        let pool = match pool {
            Ok(pool) => Some(pool),
            // rayon then runs everything on the thread that calls it.
            Err(error) if threads == 1 && is_unsupported(&error) => None,
            Err(error) => return Err(Error::Device(format!("{threads} threads cannot be started: {error}"))),
        };
        Ok(Self { level, pool })
    }

    /// Whether a training can have so many threads, before any is started.
    ///
    /// # Errors
    /// [`Error::Usage`] for none or more than 1024.
    pub fn expect(threads: usize) -> Result<()> {
        if (1..=MOST_THREADS).contains(&threads) {
            return Ok(());
        }
        Err(Error::Usage(format!(
            "{threads} threads cannot train: choose --threads from 1 to {MOST_THREADS}, or leave it out for one on each core"
        )))
    }

    /// The number of threads.
    pub fn threads(&self) -> usize {
        self.pool.as_ref().map_or(1, ThreadPool::current_num_threads)
    }

    /// Runs `work` on the threads.
    fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    /// The instruction set that they use.
    pub fn level(&self) -> SimdLevel {
        self.level
    }
}

/// Whether the system has no threads, as in a browser's module.
fn is_unsupported(error: &ThreadPoolBuildError) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    source.is_some_and(|error| error.kind() == std::io::ErrorKind::Unsupported)
}

/// A training on the CPU.
pub struct Trainer<'a> {
    threads: &'a CpuThreads,
    config: &'a TrainingConfig,
    train: Split,
    test: Split,
    pub(super) sizes: Sizes,
    pub(super) parameters: Parameters,
    velocities: Parameters,
    forward: ForwardWeights,
    dropout_key: [u32; 2],
    chunks: Vec<Chunk>,
    scratch: Vec<Mutex<Scratch>>,
    share: Option<Share>,
}

impl<'a> Trainer<'a> {
    /// Copies the data and `parameters`, which are in the order of the model, into the layout of the kernels.
    ///
    /// # Errors
    /// [`Error::Usage`] if the batch does not fit the data or the model is not the pinned CNN at some width.
    pub fn new(
        threads: &'a CpuThreads,
        config: &'a TrainingConfig,
        dataset: &Dataset,
        parameters: &[f32],
    ) -> Result<Self> {
        config.fits(dataset)?;
        let sizes = Sizes::of(&config.model)?;
        let parameters = Parameters::from_flat(&sizes, parameters);
        Ok(Self {
            threads,
            config,
            train: dataset.train.clone(),
            test: dataset.test.clone(),
            forward: ForwardWeights::of(&sizes, &parameters),
            velocities: Parameters::zeros(&sizes),
            parameters,
            dropout_key: stream_key(config.seed, Stream::Dropout),
            chunks: vec![Chunk::new(&sizes); (config.training.batch as usize).div_ceil(CHUNK_IMAGES)],
            scratch: (0..threads.threads()).map(|_| Mutex::new(Scratch::new(&sizes))).collect(),
            sizes,
            share: None,
        })
    }

    /// Trains `share` of every batch: the config's batch is that of the share, and the order of an epoch is
    /// [`Share::order`].
    pub fn with_share(self, share: Share) -> Self {
        Self { share: Some(share), ..self }
    }

    /// Starts anew in the same memory: copies the data and `parameters`, as [`Trainer::new`] does.
    pub fn upload(&mut self, dataset: &Dataset, parameters: &[f32]) {
        for (own, given) in [(&mut self.train, &dataset.train), (&mut self.test, &dataset.test)] {
            own.images.clone_from(&given.images);
            own.labels.clone_from(&given.labels);
        }
        self.set_parameters(parameters);
        self.velocities = Parameters::zeros(&self.sizes);
    }

    /// Replaces the parameters, which are in the order of the model.
    pub fn set_parameters(&mut self, parameters: &[f32]) {
        self.parameters.copy_from_flat(&self.sizes, parameters);
        self.forward.copy_from(&self.sizes, &self.parameters);
    }

    /// Replaces the velocities, which are in the order of the model.
    pub fn set_velocities(&mut self, velocities: &[f32]) {
        self.velocities.copy_from_flat(&self.sizes, velocities);
    }

    /// The parameters in the order of the model.
    pub fn parameters(&self) -> Vec<f32> {
        self.parameters.to_flat(&self.sizes)
    }

    /// The velocities in the order of the model.
    pub fn velocities(&self) -> Vec<f32> {
        self.velocities.to_flat(&self.sizes)
    }

    /// The order in which epoch `epoch` takes the training images.
    pub fn order(&self, epoch: u32) -> Vec<u32> {
        self.config.order(epoch, self.train.len())
    }

    /// Steps in an epoch.
    pub fn steps_per_epoch(&self) -> u32 {
        self.share.map_or_else(|| self.config.steps_per_epoch(self.train.len()), |share| share.steps)
    }

    /// Trains on the training images at `indices`, one batch per step. `first_step` is the first step's number, from 0,
    /// which determines its learning rate and dropout mask. Returns the metrics of each step.
    pub fn training_steps(&mut self, indices: &[u32], first_step: u32) -> Vec<Metrics> {
        let Self { threads, config, train, sizes, parameters, velocities, forward, chunks, scratch, share, .. } = self;
        let (level, dropout_key) = (threads.level, self.dropout_key);
        threads.install(|| {
            let step = |(indices, step): (&[u32], u32)| {
                let network = Network { level, sizes, parameters, forward, dropout_key };
                let before = share.map_or(0, |share| share.part(step % share.steps).before as usize);
                let chunks = &mut chunks[..indices.len().div_ceil(CHUNK_IMAGES)];
                let work = chunks.par_iter_mut().zip(indices.par_chunks(CHUNK_IMAGES)).enumerate().with_max_len(1);
                work.for_each(|(index, (chunk, images))| {
                    let scratch = &mut thread_scratch(scratch);
                    chunk.forward(network, scratch, train, images, Some((step, before + index * CHUNK_IMAGES)));
                    chunk.backward(network, scratch, indices.len());
                });
                let training = &config.training;
                let sgd = SgdStep { rate: training.learning_rate_at(step), momentum: training.momentum };
                update(level, sizes, chunks, sgd, (parameters, velocities, forward));
                chunks.iter().map(Chunk::metrics).sum()
            };
            indices.chunks(config.training.batch as usize).zip(first_step..).map(step).collect()
        })
    }

    /// Classifies the test images `images`, without dropout.
    pub fn evaluate(&self, images: Range<u32>) -> Metrics {
        let network = self.network();
        let indices: Vec<u32> = images.collect();
        let evaluate = |chunk: &mut Chunk, images: &[u32]| {
            chunk.forward(network, &mut thread_scratch(&self.scratch), &self.test, images, None);
            chunk.metrics()
        };
        let metrics: Vec<Metrics> = self
            .threads
            .install(|| indices.par_chunks(CHUNK_IMAGES).map_init(|| Chunk::new(&self.sizes), evaluate).collect());
        metrics.into_iter().sum()
    }

    /// The parts of the test images that are classified between two reports of progress.
    pub(super) fn evaluation_parts(&self) -> impl Iterator<Item = Range<u32>> + use<> {
        let images = self.test.len() as u32;
        (0..images).step_by(EVALUATED_AT_ONCE as usize).map(move |first| first..images.min(first + EVALUATED_AT_ONCE))
    }

    /// Classifies one of [`Trainer::evaluation_parts`]; also returns its time, in steps of the size of a batch.
    pub(super) fn evaluate_part(&self, images: Range<u32>) -> (Metrics, StepChunk) {
        let (start, batch) = (Instant::now(), self.config.training.batch);
        let (first, steps) = (images.start / batch, EVALUATED_AT_ONCE.div_ceil(batch));
        let metrics = self.evaluate(images);
        (metrics, StepChunk { first, steps, duration_s: start.elapsed().as_secs_f64() })
    }

    /// Runs the training images at `indices`, the batch of step `step`, forward and backward on this thread, and calls
    /// `visit` after each chunk; returns the gradients of the mean loss in the order of the model. The training does
    /// not change.
    pub(super) fn gradients(&self, indices: &[u32], step: u32, mut visit: impl FnMut(&Chunk, &Scratch)) -> Vec<f32> {
        let network = self.network();
        let mut chunks = vec![Chunk::new(&self.sizes); indices.len().div_ceil(CHUNK_IMAGES)];
        let mut scratch = Scratch::new(&self.sizes);
        for (index, (chunk, images)) in chunks.iter_mut().zip(indices.chunks(CHUNK_IMAGES)).enumerate() {
            chunk.forward(network, &mut scratch, &self.train, images, Some((step, index * CHUNK_IMAGES)));
            chunk.backward(network, &mut scratch, indices.len());
            visit(chunk, &scratch);
        }
        // Without momentum and at a learning rate of -1, a velocity of 0 becomes the gradient.
        let (mut parameters, mut gradients) = (self.parameters.clone(), Parameters::zeros(&self.sizes));
        let sgd = SgdStep { rate: -1.0, momentum: 0.0 };
        let state = (&mut parameters, &mut gradients, &mut self.forward.clone());
        self.threads.install(|| update(self.threads.level, &self.sizes, &chunks, sgd, state));
        gradients.to_flat(&self.sizes)
    }

    fn network(&self) -> Network<'_> {
        let Self { threads, sizes, parameters, forward, dropout_key, .. } = self;
        Network { level: threads.level, sizes, parameters, forward, dropout_key: *dropout_key }
    }
}

/// The scratch memory of the current thread.
fn thread_scratch(scratch: &[Mutex<Scratch>]) -> MutexGuard<'_, Scratch> {
    let thread = rayon::current_thread_index().unwrap_or(0);
    scratch[thread].lock().unwrap_or_else(PoisonError::into_inner)
}

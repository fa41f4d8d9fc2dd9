//! The state of a training on the host, and its steps.

use super::chunk::{Chunk, IMAGES, Network, Scratch};
use super::layout::{All, Forward, Sizes};
use super::simd::Level;
use super::update::{Descent, update};
use crate::data::{Dataset, Split};
use crate::error::{Error, Result};
use crate::rng::{Stream, stream_key};
use crate::trainer::{Metrics, TrainingConfig};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The threads of the lane, and the instructions that they use.
#[derive(Debug)]
pub struct Cores {
    level: Level,
    pool: ThreadPool,
}

impl Cores {
    /// Starts `threads` threads.
    ///
    /// # Errors
    /// [`Error::Usage`] for none, [`Error::Device`] if the system refuses them.
    pub fn start(threads: usize, level: Level) -> Result<Self> {
        if threads == 0 {
            return Err(Error::Usage("0 threads train nothing: choose --threads 1 or more".into()));
        }
        let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(|index| format!("cpu-{index}")).build();
        let pool = pool.map_err(|error| Error::Device(format!("{threads} threads cannot be started: {error}")))?;
        Ok(Self { level, pool })
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// The instructions that they use.
    pub fn level(&self) -> Level {
        self.level
    }
}

/// A training on the cores of the host.
pub struct Trainer<'a> {
    cores: &'a Cores,
    config: &'a TrainingConfig,
    train: Split,
    test: Split,
    pub(super) sizes: Sizes,
    pub(super) parameters: All,
    velocities: All,
    forward: Forward,
    dropout_key: [u32; 2],
    chunks: Vec<Chunk>,
    scratch: Vec<Mutex<Scratch>>,
}

impl<'a> Trainer<'a> {
    /// Copies the data and `parameters` (laid out as the model says) to where the threads use them.
    ///
    /// # Errors
    /// [`Error::Usage`] if the batch does not fit the data or the model is not the pinned CNN at some width.
    pub fn new(cores: &'a Cores, config: &'a TrainingConfig, dataset: &Dataset, parameters: &[f32]) -> Result<Self> {
        config.fits(dataset)?;
        let sizes = Sizes::of(&config.model)?;
        let parameters = All::from_flat(&sizes, parameters);
        Ok(Self {
            cores,
            config,
            train: dataset.train.clone(),
            test: dataset.test.clone(),
            forward: Forward::of(&sizes, &parameters),
            velocities: All::zeros(&sizes),
            parameters,
            dropout_key: stream_key(config.seed, Stream::Dropout),
            chunks: vec![Chunk::new(&sizes); (config.training.batch as usize).div_ceil(IMAGES)],
            scratch: (0..cores.threads()).map(|_| Mutex::new(Scratch::new(&sizes))).collect(),
            sizes,
        })
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
        self.config.steps_per_epoch(self.train.len())
    }

    /// Trains on the training images at `indices`, a batch for each step; the first is step `first_step` of the training, from 0,
    /// which sets its learning rate and dropout mask. Returns the sums of each step.
    pub fn training_steps(&mut self, indices: &[u32], first_step: u32) -> Vec<Metrics> {
        let Self { cores, config, train, sizes, parameters, velocities, forward, chunks, scratch, .. } = self;
        let (level, dropout_key) = (cores.level, self.dropout_key);
        cores.pool.install(|| {
            let step = |(indices, step): (&[u32], u32)| {
                let network = Network { level, sizes, parameters, forward, dropout_key };
                let chunks = &mut chunks[..indices.len().div_ceil(IMAGES)];
                let work = chunks.par_iter_mut().zip(indices.par_chunks(IMAGES)).enumerate().with_max_len(1);
                work.for_each(|(place, (chunk, images))| {
                    let scratch = &mut own(scratch);
                    chunk.forward(network, scratch, train, images, Some((step, place * IMAGES)));
                    chunk.backward(network, scratch, indices.len());
                });
                let training = &config.training;
                let descent = Descent { rate: training.learning_rate_at(step), momentum: training.momentum };
                update(level, sizes, chunks, descent, (parameters, velocities, forward));
                chunks.iter().map(Chunk::metrics).sum()
            };
            indices.chunks(config.training.batch as usize).zip(first_step..).map(step).collect()
        })
    }

    /// Classifies the test images `images`, without dropout.
    pub fn evaluate(&self, images: std::ops::Range<u32>) -> Metrics {
        let network = self.network();
        let indices: Vec<u32> = images.collect();
        let judge = |chunk: &mut Chunk, images: &[u32]| {
            chunk.forward(network, &mut own(&self.scratch), &self.test, images, None);
            chunk.metrics()
        };
        let metrics: Vec<Metrics> = self
            .cores
            .pool
            .install(|| indices.par_chunks(IMAGES).map_init(|| Chunk::new(&self.sizes), judge).collect());
        metrics.into_iter().sum()
    }

    /// How many test images there are.
    pub fn test_images(&self) -> u32 {
        self.test.len() as u32
    }

    /// Takes the training images at `indices`, a batch of step `step`, forward and backward on this thread, and calls `visit` after
    /// each chunk; returns the gradients of the mean loss in the order of the model. Changes nothing.
    pub(super) fn gradients(&self, indices: &[u32], step: u32, mut visit: impl FnMut(&Chunk, &Scratch)) -> Vec<f32> {
        let network = self.network();
        let mut chunks = vec![Chunk::new(&self.sizes); indices.len().div_ceil(IMAGES)];
        let mut scratch = Scratch::new(&self.sizes);
        for (place, (chunk, images)) in chunks.iter_mut().zip(indices.chunks(IMAGES)).enumerate() {
            chunk.forward(network, &mut scratch, &self.train, images, Some((step, place * IMAGES)));
            chunk.backward(network, &mut scratch, indices.len());
            visit(chunk, &scratch);
        }
        // Without momentum and at a learning rate of -1, a velocity of 0 becomes the gradient.
        let (mut parameters, mut gradients) = (self.parameters.clone(), All::zeros(&self.sizes));
        let descent = Descent { rate: -1.0, momentum: 0.0 };
        let state = (&mut parameters, &mut gradients, &mut self.forward.clone());
        self.cores.pool.install(|| update(self.cores.level, &self.sizes, &chunks, descent, state));
        gradients.to_flat(&self.sizes)
    }

    fn network(&self) -> Network<'_> {
        let Self { cores, sizes, parameters, forward, dropout_key, .. } = self;
        Network { level: cores.level, sizes, parameters, forward, dropout_key: *dropout_key }
    }
}

/// The scratch of the thread that asks.
fn own(scratch: &[Mutex<Scratch>]) -> MutexGuard<'_, Scratch> {
    let thread = rayon::current_thread_index().unwrap_or(0);
    scratch[thread].lock().unwrap_or_else(PoisonError::into_inner)
}

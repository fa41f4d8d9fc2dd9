//! The state of a training on the host, and its steps.

use super::chunk::{Chunk, IMAGES, Network, Scratch};
use super::layout::{All, Forward, Sizes};
use super::simd::Level;
use super::update::{Descent, update};
use crate::data::{Dataset, Split};
use crate::error::{Error, Result};
use crate::rng::{Sequence, Stream, stream_key};
use crate::trainer::{Metrics, Recipe};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A training on the cores of the host.
pub struct Trainer<'a> {
    recipe: &'a Recipe,
    dataset: &'a Dataset,
    level: Level,
    pool: ThreadPool,
    sizes: Sizes,
    parameters: All,
    velocities: All,
    forward: Forward,
    dropout_key: [u32; 2],
    chunks: Vec<Chunk>,
    scratch: Vec<Mutex<Scratch>>,
}

impl<'a> Trainer<'a> {
    /// Starts `threads` threads and lays out `parameters` (in the order of the model) for the kernels.
    ///
    /// # Errors
    /// [`Error::Usage`] if the batch does not fit the data, [`Error::Device`] if the system refuses the threads.
    pub fn new(
        recipe: &'a Recipe,
        dataset: &'a Dataset,
        parameters: &[f32],
        threads: usize,
        level: Level,
    ) -> Result<Self> {
        recipe.fits(dataset)?;
        let sizes = Sizes::of(&recipe.model)?;
        let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(|index| format!("cpu-{index}")).build();
        let pool = pool.map_err(|error| Error::Device(format!("{threads} threads cannot be started: {error}")))?;
        let parameters = All::from_flat(&sizes, parameters);
        Ok(Self {
            recipe,
            dataset,
            level,
            forward: Forward::of(&sizes, &parameters),
            velocities: All::zeros(&sizes),
            parameters,
            dropout_key: stream_key(recipe.seed, Stream::Dropout),
            chunks: vec![Chunk::new(&sizes); (recipe.training.batch as usize).div_ceil(IMAGES)],
            scratch: (0..pool.current_num_threads()).map(|_| Mutex::new(Scratch::new(&sizes))).collect(),
            sizes,
            pool,
        })
    }

    /// Replaces the parameters and sets the momentum to 0.
    pub fn set_parameters(&mut self, parameters: &[f32]) {
        self.parameters = All::from_flat(&self.sizes, parameters);
        self.velocities = All::zeros(&self.sizes);
        self.forward = Forward::of(&self.sizes, &self.parameters);
    }

    /// The parameters in the order of the model.
    pub fn parameters(&self) -> Vec<f32> {
        self.parameters.to_flat(&self.sizes)
    }

    /// The order in which epoch `epoch` takes the training images.
    pub fn order(&self, epoch: u32) -> Vec<u32> {
        let images = self.dataset.train.len() as u32;
        if self.recipe.shuffle {
            Sequence::new(self.recipe.seed, Stream::Shuffle, epoch).permutation(images)
        } else {
            (0..images).collect()
        }
    }

    /// Trains on the images in `order`, a batch for each step; the first step is number `first_step` of the training.
    pub fn training_steps(&mut self, order: &[u32], first_step: u32) -> Vec<Metrics> {
        let Self { recipe, dataset, level, pool, sizes, parameters, velocities, forward, chunks, scratch, .. } = self;
        let dropout_key = self.dropout_key;
        pool.install(|| {
            let step = |(indices, step): (&[u32], u32)| {
                let network = Network { level: *level, sizes, parameters, forward, dropout_key };
                let chunks = &mut chunks[..indices.len().div_ceil(IMAGES)];
                let work = chunks.par_iter_mut().zip(indices.par_chunks(IMAGES)).enumerate().with_max_len(1);
                work.for_each(|(place, (chunk, images))| {
                    let scratch = &mut own(scratch);
                    chunk.forward(network, scratch, &dataset.train, images, Some((step, place * IMAGES)));
                    chunk.backward(network, scratch, indices.len());
                });
                let training = &recipe.training;
                let descent = Descent { rate: training.learning_rate_at(step), momentum: training.momentum };
                update(*level, sizes, chunks, descent, (parameters, velocities, forward));
                chunks.iter().map(Chunk::metrics).sum()
            };
            order.chunks(recipe.training.batch as usize).zip(first_step..).map(step).collect()
        })
    }

    /// Classifies all test images.
    pub fn evaluate(&self) -> Metrics {
        self.evaluate_split(&self.dataset.test)
    }

    fn evaluate_split(&self, split: &Split) -> Metrics {
        let Self { level, sizes, parameters, forward, dropout_key, .. } = self;
        let network = Network { level: *level, sizes, parameters, forward, dropout_key: *dropout_key };
        let indices: Vec<u32> = (0..split.len() as u32).collect();
        let metrics: Vec<Metrics> = self.pool.install(|| {
            let work = indices.par_chunks(IMAGES);
            work.map_init(
                || Chunk::new(sizes),
                |chunk, images| {
                    chunk.forward(network, &mut own(&self.scratch), split, images, None);
                    chunk.metrics()
                },
            )
            .collect()
        });
        metrics.into_iter().sum()
    }
}

/// The scratch of the thread that asks.
fn own(scratch: &[Mutex<Scratch>]) -> MutexGuard<'_, Scratch> {
    let thread = rayon::current_thread_index().unwrap_or(0);
    scratch[thread].lock().unwrap_or_else(PoisonError::into_inner)
}

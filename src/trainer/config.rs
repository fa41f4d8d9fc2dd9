//! What is trained, and which part of it a device takes.

use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::gpu::Needs;
use crate::kernels::Plan;
use crate::model::{Model, Training};
use crate::rng::{Sequence, Stream};

/// What a training run is made of, apart from the data.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingConfig {
    /// The network.
    pub model: Model,
    /// The schedule and the optimizer.
    pub training: Training,
    /// Seed of the order of the images and, through the plan, of the dropout masks.
    pub seed: u64,
    /// Whether each epoch has an order of its own; without, the images are taken as they lie.
    pub shuffle: bool,
}

impl TrainingConfig {
    /// Steps in an epoch over `images` images; the last batch may be smaller than the others.
    pub fn steps_per_epoch(&self, images: usize) -> u32 {
        (images as u32).div_ceil(self.training.batch.max(1))
    }

    /// Images in batch `index` of `images` images: the last may be smaller than the others.
    pub fn batch_of(&self, index: u32, images: usize) -> u32 {
        let batch = self.training.batch;
        batch.min(images as u32 - index * batch)
    }

    /// The order in which epoch `epoch`, from 0, takes `images` training images.
    pub fn order(&self, epoch: u32, images: usize) -> Vec<u32> {
        if self.shuffle {
            Sequence::new(self.seed, Stream::Shuffle, epoch).permutation(images as u32)
        } else {
            (0..images as u32).collect()
        }
    }

    /// Whether the batch can be taken from the data.
    ///
    /// # Errors
    /// [`Error::Usage`] if it cannot.
    pub fn fits(&self, dataset: &Dataset) -> Result<()> {
        let (batch, images) = (self.training.batch, dataset.train.len());
        if batch == 0 || batch as usize > images {
            return Err(Error::Usage(format!(
                "a batch of {batch} does not fit {images} training images: choose --batch from 1 to {images}"
            )));
        }
        Ok(())
    }

    /// What the device has to offer for this config, `plan` and the data.
    pub fn needs(&self, plan: &Plan, dataset: &Dataset) -> Needs {
        let activations = plan.buffers.iter().map(|buffer| 4 * buffer.length.at(self.training.batch));
        let images = dataset.train.images.len().max(dataset.test.images.len()) as u64;
        let largest_binding_bytes = activations.chain([images]).max().unwrap_or(0);
        let (subgroups, f16) = (plan.needs_subgroups(), plan.needs_f16());
        Needs { largest_binding_bytes, subgroups, f16, ..Needs::default() }
    }
}

/// A run of images in a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Part {
    /// Images of the batch before it.
    pub before: u32,
    /// Its images.
    pub images: u32,
}

/// What one of several devices trains of every batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Its part of a whole batch.
    pub whole: Part,
    /// Its part of the last batch of an epoch, which may be smaller.
    pub last: Part,
    /// Steps in an epoch.
    pub steps: u32,
}

impl Share {
    /// Images of this share in an epoch.
    pub fn images(&self) -> usize {
        ((self.steps - 1) * self.whole.images + self.last.images) as usize
    }

    /// Its part of batch `index` of an epoch.
    pub fn part(&self, index: u32) -> Part {
        if index + 1 == self.steps { self.last } else { self.whole }
    }

    /// What `order`, of a whole epoch in batches of `batch`, has for this share.
    pub fn order(&self, order: &[u32], batch: u32) -> Vec<u32> {
        let own = |(index, images): (u32, &[u32])| {
            let Part { before, images: count } = self.part(index);
            images[before as usize..(before + count) as usize].to_vec()
        };
        (0..).zip(order.chunks(batch as usize)).flat_map(own).collect()
    }
}

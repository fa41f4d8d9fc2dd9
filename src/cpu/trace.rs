//! The intermediate values of a training step in the layout of the reference, for checks and tests.

use super::chunk::{Chunk, Scratch};
use super::layout::{CHUNK_IMAGES, DENSE, PLANE1, PLANE2, Sizes};
use super::simd::{Block, LANES};
use super::trainer::Trainer;

/// The activations and gradients of one batch, in the order [N, C, H, W].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trace {
    /// The output of pool1, which follows conv1 and its ReLU.
    pub pooled1: Vec<f32>,
    /// The positions of its maxima: 2 x row + column inside the window.
    pub argmax1: Vec<u32>,
    /// The output of pool2, which follows conv2 and its ReLU.
    pub pooled2: Vec<f32>,
    /// The positions of its maxima.
    pub argmax2: Vec<u32>,
    /// The inputs of fc1 (after dropout), fc2 and fc3, and the logits, each [N, units].
    pub dense: [Vec<f32>; DENSE + 1],
    /// The gradients of the mean loss by [`Trace::dense`].
    pub ddense: [Vec<f32>; DENSE + 1],
    /// The gradient by the output of pool1.
    pub dpooled1: Vec<f32>,
    /// The losses in nats, `[N]`.
    pub losses: Vec<f32>,
    /// 1 for every image that is classified correctly, else 0.
    pub correct: Vec<u32>,
    /// The gradients by the parameters, in the order of the model.
    pub gradients: Vec<f32>,
}

impl Trainer<'_> {
    /// The trace of the training images at `indices` as the batch of step `step`; the training does not change.
    pub fn trace(&self, indices: &[u32], step: u32) -> Trace {
        let mut trace = Trace::default();
        let gradients = self.gradients(indices, step, |chunk, scratch| trace.add(&self.sizes, chunk, scratch));
        Trace { gradients, ..trace }
    }
}

impl Trace {
    fn add(&mut self, sizes: &Sizes, chunk: &Chunk, scratch: &Scratch) {
        let (channels1, channels2) = (sizes.channels1, sizes.channels2);
        for image in 0..chunk.images {
            let (first, second) = (image * sizes.blocks1(), image * sizes.blocks2());
            planes::<f32, PLANE1>(&scratch.pooled1[first..], channels1, |value| self.pooled1.push(value));
            planes::<u8, PLANE1>(&scratch.argmax1[first..], channels1, |index| self.argmax1.push(index.into()));
            planes::<f32, PLANE2>(&scratch.pooled2[second..], channels2, |value| self.pooled2.push(value));
            planes::<u8, PLANE2>(&scratch.argmax2[second..], channels2, |index| self.argmax2.push(index.into()));
            planes::<f32, PLANE1>(&scratch.dpooled1[first..], channels1, |value| self.dpooled1.push(value));
            self.losses.push(chunk.losses[image] as f32);
            self.correct.push(chunk.correct[image].into());
        }
        for layer in 0..=DENSE {
            let rows = |rows: &[Block], to: &mut Vec<f32>| {
                let blocks = rows.len() / CHUNK_IMAGES;
                for row in rows.chunks(blocks).take(chunk.images) {
                    to.extend(&row.as_flattened()[..sizes.units[layer]]);
                }
            };
            rows(&chunk.rows[layer], &mut self.dense[layer]);
            rows(&chunk.gradients[layer], &mut self.ddense[layer]);
        }
    }
}

/// Calls `visit` with the values of an image, channel by channel.
fn planes<T: Copy, const PLANE: usize>(blocks: &[[[T; LANES]; PLANE]], channels: usize, mut visit: impl FnMut(T)) {
    for channel in 0..channels {
        for position in &blocks[channel / LANES] {
            visit(position[channel % LANES]);
        }
    }
}

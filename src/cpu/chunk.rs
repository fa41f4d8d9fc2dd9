//! A chunk: the images that one thread takes through the network at a time.

use super::dense::{Column, Epilogue, MatrixProduct};
use super::dropout::Dropout;
use super::features_backward::{Conv1Backward, Conv2Backward};
use super::features_forward::{Argmax, Conv1Forward, Conv2Forward, Pixels};
use super::layout::{CHUNK_IMAGES, ConvParameters, DENSE, ForwardWeights, PLANE1, PLANE2, Parameters, Sizes};
use super::simd::{Block, LANES, SimdLevel, ZERO, blocks};
use crate::data::Split;
use crate::model::{CLASSES, IMAGE_SIDE};
use crate::trainer::Metrics;

/// The activations and gradients of a chunk that the parameter update needs.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// The number of images, at most [`CHUNK_IMAGES`].
    pub images: usize,
    /// The inputs of the dense layers and the logits, each `[image][block]`.
    pub rows: [Vec<Block>; DENSE + 1],
    /// The gradients of [`Chunk::rows`].
    pub gradients: [Vec<Block>; DENSE + 1],
    /// The gradients of the convolutions' parameters.
    pub conv: ConvParameters,
    /// The loss of every image in nats.
    pub losses: [f64; CHUNK_IMAGES],
    /// Whether every image's largest logit is its label's.
    pub correct: [bool; CHUNK_IMAGES],
}

/// The working memory of a thread, reused for every chunk.
#[derive(Debug, Clone)]
pub struct Scratch {
    /// `[image]`.
    pub pixels: Vec<Pixels>,
    /// The output of pool1, `[image][block][position]`.
    pub pooled1: Vec<[Block; PLANE1]>,
    /// The positions of its maxima.
    pub argmax1: Vec<Argmax<PLANE1>>,
    /// The output of pool2, `[image][block][position]`.
    pub pooled2: Vec<[Block; PLANE2]>,
    /// The positions of its maxima.
    pub argmax2: Vec<Argmax<PLANE2>>,
    /// The gradient of pool1's output, `[image][block][position]`.
    pub dpooled1: Vec<[Block; PLANE1]>,
    /// [`Chunk::rows`] transposed to columns.
    columns: [Vec<Column>; DENSE + 1],
    /// [`Chunk::gradients`] transposed to columns.
    dcolumns: [Vec<Column>; DENSE + 1],
}

/// The network in its current state.
#[derive(Debug, Clone, Copy)]
pub struct Network<'a> {
    /// The instruction set to use.
    pub level: SimdLevel,
    /// The layer sizes.
    pub sizes: &'a Sizes,
    /// The parameters.
    pub parameters: &'a Parameters,
    /// The weights in the layout of the forward pass.
    pub forward: &'a ForwardWeights,
    /// The key of the dropout masks.
    pub dropout_key: [u32; 2],
}

impl Scratch {
    /// Memory for a network of these sizes.
    pub fn new(sizes: &Sizes) -> Self {
        let (blocks1, blocks2) = (sizes.blocks1(), sizes.blocks2());
        let columns = sizes.units.map(|units| vec![[0.0; CHUNK_IMAGES]; LANES * blocks(units)]);
        Self {
            pixels: vec![[[0.0; IMAGE_SIDE]; IMAGE_SIDE]; CHUNK_IMAGES],
            pooled1: vec![[ZERO; PLANE1]; CHUNK_IMAGES * blocks1],
            argmax1: vec![[[0; LANES]; PLANE1]; CHUNK_IMAGES * blocks1],
            pooled2: vec![[ZERO; PLANE2]; CHUNK_IMAGES * blocks2],
            argmax2: vec![[[0; LANES]; PLANE2]; CHUNK_IMAGES * blocks2],
            dpooled1: vec![[ZERO; PLANE1]; CHUNK_IMAGES * blocks1],
            columns: columns.clone(),
            dcolumns: columns,
        }
    }
}

impl Chunk {
    /// Memory for a network of these sizes.
    pub fn new(sizes: &Sizes) -> Self {
        let rows = sizes.units.map(|units| vec![ZERO; CHUNK_IMAGES * blocks(units)]);
        Self {
            images: 0,
            rows: rows.clone(),
            gradients: rows,
            conv: ConvParameters::zeros(sizes),
            losses: [0.0; CHUNK_IMAGES],
            correct: [false; CHUNK_IMAGES],
        }
    }

    /// The forward pass over the images of `split` at `indices`, at most [`CHUNK_IMAGES`].
    ///
    /// `dropout` is the training step and the index of the first image in its batch, or `None` without dropout.
    pub fn forward(
        &mut self,
        network: Network<'_>,
        scratch: &mut Scratch,
        split: &Split,
        indices: &[u32],
        dropout: Option<(u32, usize)>,
    ) {
        self.images = indices.len();
        for (image, index) in indices.iter().enumerate() {
            gather(split.image(*index as usize), &mut scratch.pixels[image]);
            self.features(network, scratch, image);
            if let Some((step, first)) = dropout {
                self.drop_features(network, image, step, first);
            }
            for (column, value) in scratch.columns[0].iter_mut().zip(self.row(0, image).as_flattened()) {
                column[image] = *value;
            }
        }
        for layer in 0..DENSE {
            self.dense_forward(network, scratch, layer);
        }
        for (image, index) in indices.iter().enumerate() {
            self.softmax_cross_entropy(image, split.labels[*index as usize]);
        }
    }

    /// The features of image `image` from its pixels, by channel and position.
    fn features(&mut self, network: Network<'_>, scratch: &mut Scratch, image: usize) {
        let Network { level, sizes, parameters, forward, .. } = network;
        let (first, second) = (range_of(image, sizes.blocks1()), range_of(image, sizes.blocks2()));
        level.run(Conv1Forward {
            pixels: &scratch.pixels[image],
            weight: &forward.conv1,
            bias: &parameters.conv.conv1_bias,
            pooled: &mut scratch.pooled1[first.clone()],
            argmax: &mut scratch.argmax1[first.clone()],
        });
        level.run(Conv2Forward {
            x: &scratch.pooled1[first],
            weight: &forward.conv2,
            bias: &parameters.conv.conv2_bias,
            pooled: &mut scratch.pooled2[second.clone()],
            argmax: &mut scratch.argmax2[second.clone()],
        });
        let features = self.rows[0][range_of(image, blocks(sizes.units[0]))].as_flattened_mut();
        let channels = features[..sizes.units[0]].as_chunks_mut::<PLANE2>().0;
        for (block, channels) in scratch.pooled2[second].iter().zip(channels.chunks_mut(LANES)) {
            for (lane, channel) in channels.iter_mut().enumerate() {
                for (value, position) in channel.iter_mut().zip(block) {
                    *value = position[lane];
                }
            }
        }
    }

    fn drop_features(&mut self, network: Network<'_>, image: usize, step: u32, first: usize) {
        let features = network.sizes.units[0];
        network.level.run(Dropout {
            features: &mut self.rows[0][range_of(image, blocks(features))],
            key: network.dropout_key,
            first: ((first + image) * features) as u32,
            step,
            rate: network.sizes.dropout,
        });
    }

    fn dense_forward(&mut self, network: Network<'_>, scratch: &mut Scratch, layer: usize) {
        let dense = &network.parameters.dense[layer];
        let (before, after) = scratch.columns.split_at_mut(layer + 1);
        network.level.run(MatrixProduct {
            columns: &before[layer],
            weight: &network.forward.dense[layer],
            input_stride: 1,
            block_stride: LANES * blocks(dense.inputs),
            bias: &dense.bias,
            epilogue: if layer + 1 == DENSE { Epilogue::None } else { Epilogue::Relu },
            rows: &mut self.rows[layer + 1],
            out_columns: &mut after[0],
        });
    }

    /// The loss of an image, whether it is classified correctly, and the gradient of its loss by the logits.
    fn softmax_cross_entropy(&mut self, image: usize, label: u8) {
        let label = usize::from(label);
        let logits = self.rows[DENSE][image];
        let best = (1..CLASSES).fold(0, |best, class| if logits[class] > logits[best] { class } else { best });
        let largest = f64::from(logits[best]);
        let exponentials: [f64; CLASSES] = std::array::from_fn(|class| (f64::from(logits[class]) - largest).exp());
        let sum: f64 = exponentials.iter().sum();
        self.losses[image] = sum.ln() - (f64::from(logits[label]) - largest);
        self.correct[image] = best == label;
        let gradients = &mut self.gradients[DENSE][image];
        for (class, exponential) in exponentials.into_iter().enumerate() {
            let target = if class == label { 1.0 } else { 0.0 };
            gradients[class] = (exponential / sum - target) as f32;
        }
    }

    /// The backward pass after [`Chunk::forward`], for the mean loss of a batch of `batch` images.
    pub fn backward(&mut self, network: Network<'_>, scratch: &mut Scratch, batch: usize) {
        for (image, gradients) in self.gradients[DENSE].iter_mut().enumerate() {
            // Positions without an image add nothing.
            let scale = if image < self.images { 1.0 / batch as f32 } else { 0.0 };
            gradients.iter_mut().for_each(|gradient| *gradient *= scale);
            for (column, gradient) in scratch.dcolumns[DENSE].iter_mut().zip(&*gradients) {
                column[image] = *gradient;
            }
        }
        for layer in (0..DENSE).rev() {
            self.dense_backward(network, scratch, layer);
        }
        self.conv.clear();
        for image in 0..self.images {
            self.features_backward(network, scratch, image);
        }
    }

    fn dense_backward(&mut self, network: Network<'_>, scratch: &mut Scratch, layer: usize) {
        let dense = &network.parameters.dense[layer];
        let (before, after) = scratch.dcolumns.split_at_mut(layer + 1);
        network.level.run(MatrixProduct {
            columns: &after[0][..dense.outputs],
            weight: &dense.weight,
            input_stride: blocks(dense.inputs),
            block_stride: 1,
            bias: &[],
            epilogue: if layer == 0 { Epilogue::None } else { Epilogue::ReluGradient(&self.rows[layer]) },
            rows: &mut self.gradients[layer],
            out_columns: if layer == 0 { &mut [] } else { &mut before[layer] },
        });
    }

    fn features_backward(&mut self, network: Network<'_>, scratch: &mut Scratch, image: usize) {
        let Network { level, sizes, parameters, .. } = network;
        let (first, second) = (range_of(image, sizes.blocks1()), range_of(image, sizes.blocks2()));
        let features = range_of(image, blocks(sizes.units[0]));
        level.run(Conv2Backward {
            x: &scratch.pooled1[first.clone()],
            argmax: &scratch.argmax2[second],
            features: &self.rows[0][features.clone()].as_flattened()[..sizes.units[0]],
            dfeatures: &self.gradients[0][features].as_flattened()[..sizes.units[0]],
            scale: 1.0 / (1.0 - sizes.dropout),
            weight: &parameters.conv.conv2_weight,
            dx: &mut scratch.dpooled1[first.clone()],
            gradients: &mut self.conv,
        });
        level.run(Conv1Backward {
            pixels: &scratch.pixels[image],
            pooled: &scratch.pooled1[first.clone()],
            argmax: &scratch.argmax1[first.clone()],
            dpooled: &scratch.dpooled1[first],
            gradients: &mut self.conv,
        });
    }

    /// The sums of losses and correct predictions.
    pub fn metrics(&self) -> Metrics {
        Metrics {
            loss_sum: self.losses[..self.images].iter().sum(),
            correct: self.correct[..self.images].iter().filter(|correct| **correct).count() as u64,
            images: self.images as u64,
        }
    }

    /// The row of image `image` in [`Chunk::rows`] `layer`.
    pub fn row(&self, layer: usize, image: usize) -> &[Block] {
        let blocks = self.rows[layer].len() / CHUNK_IMAGES;
        &self.rows[layer][range_of(image, blocks)]
    }
}

/// The range of image `image` in a vector with `blocks` elements per image.
fn range_of(image: usize, blocks: usize) -> std::ops::Range<usize> {
    image * blocks..(image + 1) * blocks
}

/// The pixels as numbers from 0 to 1.
fn gather(image: &[u8], pixels: &mut Pixels) {
    for (pixel, value) in pixels.as_flattened_mut().iter_mut().zip(image) {
        *pixel = f32::from(*value) / 255.0;
    }
}

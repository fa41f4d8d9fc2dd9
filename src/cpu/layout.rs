//! Parameters in the layout of the kernels: blocks of sixteen channels or units, padded with zeros.
//!
//! Padding is 0 and has gradients of 0, so that it stays 0.

use super::simd::{Block, LANES, ZERO, blocks};
use crate::error::{Error, Result};
use crate::model::{CLASSES, IMAGE_SIDE, Model, Operation, Shape};

/// Taps of the first convolution's kernel, 4 x 4: as many as a block has lanes.
pub const TAPS1: usize = 16;
/// Side of the first pool's output.
pub const SIDE1: usize = 12;
/// Positions of the first pool's output.
pub const PLANE1: usize = SIDE1 * SIDE1;
/// Taps of the second convolution's kernel, 3 x 3.
pub const TAPS2: usize = 9;
/// Side of the second pool's output.
pub const SIDE2: usize = 5;
/// Positions of the second pool's output.
pub const PLANE2: usize = SIDE2 * SIDE2;
/// Images of a chunk. Fixed, so that sums are split at the same positions for any number of threads.
pub const CHUNK_IMAGES: usize = 8;
/// The number of dense layers.
pub const DENSE: usize = 3;

/// The weights of the second convolution for sixteen inputs and outputs: `[row][input][column][output]`.
pub type Conv2Block = [[[Block; 3]; LANES]; 3];

/// One value for each parameter of the convolutions: the parameters, their velocities, or their gradients.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvParameters {
    /// `[channel][row, column]`: a block is the kernel of one channel.
    pub conv1_weight: Vec<Block>,
    /// `[channel block]`.
    pub conv1_bias: Vec<Block>,
    /// `[input block][output][row, column]`: a block holds sixteen inputs.
    pub conv2_weight: Vec<[Block; TAPS2]>,
    /// `[output block]`.
    pub conv2_bias: Vec<Block>,
}

/// A dense layer: weight `[output][input block]`, bias `[output block]`.
#[derive(Debug, Clone, PartialEq)]
pub struct DenseParameters {
    /// Inputs without padding.
    pub inputs: usize,
    /// Outputs without padding.
    pub outputs: usize,
    /// `[output][input block]`.
    pub weight: Vec<Block>,
    /// `[output block]`.
    pub bias: Vec<Block>,
}

/// The sizes that depend on the model's width.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sizes {
    /// Channels of the first convolution.
    pub channels1: usize,
    /// Channels of the second convolution.
    pub channels2: usize,
    /// Inputs of the dense layers, then the classes.
    pub units: [usize; DENSE + 1],
    /// The dropout rate.
    pub dropout: f32,
}

impl Sizes {
    /// The sizes of `model`.
    ///
    /// # Errors
    /// [`Error::Usage`] if the model is not the pinned CNN at some width.
    pub fn of(model: &Model) -> Result<Self> {
        let channels = |name: &str| model.layer(name).output.channels;
        let dropout = match model.layer("dropout").operation {
            Operation::Dropout { rate } => rate,
            _ => 0.0,
        };
        let sizes = Self {
            channels1: channels("conv1"),
            channels2: channels("conv2"),
            units: [model.layer("fc1").input.elements(), channels("fc1"), channels("fc2"), channels("fc3")],
            dropout,
        };
        let pinned = model.layer("conv1").input == Shape::new(1, IMAGE_SIDE, IMAGE_SIDE)
            && model.layer("pool1").output == Shape::new(sizes.channels1, SIDE1, SIDE1)
            && model.layer("pool2").output == Shape::new(sizes.channels2, SIDE2, SIDE2)
            && sizes.units[DENSE] == CLASSES;
        if pinned {
            Ok(sizes)
        } else {
            Err(Error::Usage(
                "the CPU target trains the pinned network alone, at any --width: choose a GPU adapter".into(),
            ))
        }
    }

    /// Blocks of the first convolution's channels.
    pub fn blocks1(&self) -> usize {
        blocks(self.channels1)
    }

    /// Blocks of the second convolution's channels.
    pub fn blocks2(&self) -> usize {
        blocks(self.channels2)
    }
}

impl ConvParameters {
    /// Zeros for convolutions of these sizes.
    pub fn zeros(sizes: &Sizes) -> Self {
        Self {
            conv1_weight: vec![ZERO; LANES * sizes.blocks1()],
            conv1_bias: vec![ZERO; sizes.blocks1()],
            conv2_weight: vec![[ZERO; TAPS2]; sizes.blocks1() * LANES * sizes.blocks2()],
            conv2_bias: vec![ZERO; sizes.blocks2()],
        }
    }

    /// All values, tensor by tensor.
    pub fn slices(&self) -> [&[Block]; 4] {
        [&self.conv1_weight, &self.conv1_bias, self.conv2_weight.as_flattened(), &self.conv2_bias]
    }

    /// All values, tensor by tensor.
    pub fn slices_mut(&mut self) -> [&mut [Block]; 4] {
        [&mut self.conv1_weight, &mut self.conv1_bias, self.conv2_weight.as_flattened_mut(), &mut self.conv2_bias]
    }

    /// Sets every value to 0.
    pub fn clear(&mut self) {
        self.conv1_weight.fill(ZERO);
        self.conv1_bias.fill(ZERO);
        self.conv2_weight.fill([ZERO; TAPS2]);
        self.conv2_bias.fill(ZERO);
    }
}

impl DenseParameters {
    /// Zeros for a layer of these sizes.
    pub fn zeros(inputs: usize, outputs: usize) -> Self {
        let weight = vec![ZERO; LANES * blocks(outputs) * blocks(inputs)];
        Self { inputs, outputs, weight, bias: vec![ZERO; blocks(outputs)] }
    }
}

/// One value for each parameter of the network: the parameters, their velocities, or their gradients.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    /// The convolutions.
    pub conv: ConvParameters,
    /// The dense layers.
    pub dense: [DenseParameters; DENSE],
}

impl Parameters {
    /// Zeros for a network of these sizes.
    pub fn zeros(sizes: &Sizes) -> Self {
        let dense = std::array::from_fn(|layer| DenseParameters::zeros(sizes.units[layer], sizes.units[layer + 1]));
        Self { conv: ConvParameters::zeros(sizes), dense }
    }

    /// The values of `flat`, which is in the order of the model.
    pub fn from_flat(sizes: &Sizes, flat: &[f32]) -> Self {
        let mut parameters = Self::zeros(sizes);
        parameters.copy_from_flat(sizes, flat);
        parameters
    }

    /// Takes the values of `flat`, which is in the order of the model; padding stays as it is.
    pub fn copy_from_flat(&mut self, sizes: &Sizes, flat: &[f32]) {
        let mut values = flat.iter().copied();
        self.visit(sizes, |value| *value = values.next().unwrap_or(f32::NAN));
    }

    /// The values in the order of the model.
    pub fn to_flat(&self, sizes: &Sizes) -> Vec<f32> {
        let mut flat = Vec::new();
        self.clone().visit(sizes, |value| flat.push(*value));
        flat
    }

    /// Calls `visit` with every value, in the order of the model.
    fn visit(&mut self, sizes: &Sizes, mut visit: impl FnMut(&mut f32)) {
        let Sizes { channels1, channels2, .. } = *sizes;
        self.conv.conv1_weight[..channels1].iter_mut().flatten().for_each(&mut visit);
        self.conv.conv1_bias.iter_mut().flatten().take(channels1).for_each(&mut visit);
        let outputs = LANES * sizes.blocks2();
        for output in 0..channels2 {
            for input in 0..channels1 {
                let kernel = &mut self.conv.conv2_weight[input / LANES * outputs + output];
                kernel.iter_mut().for_each(|tap| visit(&mut tap[input % LANES]));
            }
        }
        self.conv.conv2_bias.iter_mut().flatten().take(channels2).for_each(&mut visit);
        for dense in &mut self.dense {
            for row in dense.weight.chunks_exact_mut(blocks(dense.inputs)).take(dense.outputs) {
                row.iter_mut().flatten().take(dense.inputs).for_each(&mut visit);
            }
            dense.bias.iter_mut().flatten().take(dense.outputs).for_each(&mut visit);
        }
    }
}

/// Copies of the weights in the layout of the forward pass.
#[derive(Debug, Clone)]
pub struct ForwardWeights {
    /// `[channel block][row, column]`: a block holds sixteen channels.
    pub conv1: Vec<[Block; TAPS1]>,
    /// `[output block][input block]`.
    pub conv2: Vec<Conv2Block>,
    /// Of each dense layer `[output block][input]`, the inputs padded: a block holds sixteen outputs.
    pub dense: [Vec<Block>; DENSE],
}

impl ForwardWeights {
    /// The weights of `parameters`.
    pub fn of(sizes: &Sizes, parameters: &Parameters) -> Self {
        let dense = |dense: &DenseParameters| vec![ZERO; blocks(dense.outputs) * blocks(dense.inputs) * LANES];
        let mut forward = Self {
            conv1: vec![[ZERO; TAPS1]; sizes.blocks1()],
            conv2: vec![[[[ZERO; 3]; LANES]; 3]; sizes.blocks2() * sizes.blocks1()],
            dense: parameters.dense.each_ref().map(dense),
        };
        forward.copy_from(sizes, parameters);
        forward
    }

    /// Takes the weights of `parameters`.
    pub fn copy_from(&mut self, sizes: &Sizes, parameters: &Parameters) {
        for (dense, copy) in parameters.dense.iter().zip(&mut self.dense) {
            let block = LANES * blocks(dense.inputs);
            for (rows, copy) in dense.weight.chunks_exact(block).zip(copy.chunks_exact_mut(block)) {
                transpose_rows(rows, copy);
            }
        }
        copy_convolutions(&mut self.conv1, &mut self.conv2, sizes, &parameters.conv);
    }
}

/// Copies the weights of `conv` into the layout of [`ForwardWeights`].
pub fn copy_convolutions(conv1: &mut [[Block; TAPS1]], conv2: &mut [Conv2Block], sizes: &Sizes, conv: &ConvParameters) {
    for (channels, copy) in conv.conv1_weight.as_chunks::<LANES>().0.iter().zip(conv1) {
        transpose(channels, copy);
    }
    let (inputs, outputs) = (sizes.blocks1(), LANES * sizes.blocks2());
    for (index, copy) in conv2.iter_mut().enumerate() {
        let (output_block, input_block) = (index / inputs, index % inputs);
        let kernels = &conv.conv2_weight[input_block * outputs + output_block * LANES..][..LANES];
        for (output, kernel) in kernels.iter().enumerate() {
            for (tap, weights) in kernel.iter().enumerate() {
                for (input, weight) in weights.iter().enumerate() {
                    copy[tap / 3][input][tap % 3][output] = *weight;
                }
            }
        }
    }
}

/// `to[column][row]` = `from[row][column]`.
fn transpose(from: &[Block; LANES], to: &mut [Block; LANES]) {
    for row in 0..LANES {
        for column in 0..LANES {
            to[column][row] = from[row][column];
        }
    }
}

/// Transposes sixteen rows of a dense layer's weight from `[16][input block]` to `[input]`, one block for the sixteen.
pub fn transpose_rows(rows: &[Block], to: &mut [Block]) {
    let row = rows.len() / LANES;
    for (column, to) in to.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        let from: [Block; LANES] = std::array::from_fn(|output| rows[output * row + column]);
        transpose(&from, to);
    }
}

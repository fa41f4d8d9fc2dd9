//! The dense layers, forward and backward for the images of a chunk.
//!
//! The lanes are sixteen outputs of a product; each image of a chunk is a row, whose sum stays in registers. The other
//! factor is one value of each image, so activations are stored twice: by image, and transposed to columns over the
//! images.

use super::layout::CHUNK_IMAGES;
use super::simd::{Block, Kernel, LANES, SimdBlock};
use pulp::Simd;

/// One value of each image of a chunk.
pub type Column = [f32; CHUNK_IMAGES];

/// What is applied to the sums of a matrix product.
#[derive(Debug, Clone, Copy)]
pub enum Epilogue<'a> {
    /// Nothing.
    None,
    /// A ReLU.
    Relu,
    /// The derivative of a ReLU with these outputs, `[image][block]`: sums are set to 0 where the output is not above
    /// 0.
    ReluGradient(&'a [Block]),
}

/// y = bias + W x for the images of a chunk.
pub struct MatrixProduct<'a> {
    /// x, `[input][image]`.
    pub columns: &'a [Column],
    /// W, a block for sixteen outputs of one input: that of input i and block b is at i `input_stride` + b
    /// `block_stride`.
    pub weight: &'a [Block],
    /// Blocks from one input to the next.
    pub input_stride: usize,
    /// Blocks from one block of outputs to the next.
    pub block_stride: usize,
    /// `[output block]`, or empty for 0.
    pub bias: &'a [Block],
    /// What is applied to the sums.
    pub epilogue: Epilogue<'a>,
    /// y, `[image][output block]`.
    pub rows: &'a mut [Block],
    /// y transposed, `[output][image]`; empty if it is not needed.
    pub out_columns: &'a mut [Column],
}

impl Kernel for MatrixProduct<'_> {
    #[inline(always)]
    fn run<S: Simd, const V: usize>(mut self, simd: S) {
        let blocks = self.rows.len() / CHUNK_IMAGES;
        for block in 0..blocks {
            if V == 1 {
                self.images::<S, V, CHUNK_IMAGES, 0>(simd, blocks, block);
            } else {
                self.images::<S, V, 4, 0>(simd, blocks, block);
                self.images::<S, V, 4, 4>(simd, blocks, block);
            }
            if let Some(columns) = self.out_columns.as_chunks_mut().0.get_mut(block) {
                transpose(&self.rows[block..], blocks, columns);
            }
        }
    }
}

impl MatrixProduct<'_> {
    /// Computes output block `block` for `R` images from `FIRST` on.
    #[inline(always)]
    fn images<S: Simd, const V: usize, const R: usize, const FIRST: usize>(
        &mut self,
        simd: S,
        blocks: usize,
        block: usize,
    ) {
        let bias = self.bias.get(block).map_or(SimdBlock::<S, V>::splat(simd, 0.0), |bias| SimdBlock::load(simd, bias));
        let mut sums = [bias; R];
        let weights = self.weight[block * self.block_stride..].chunks(self.input_stride);
        for (column, weights) in self.columns.iter().zip(weights) {
            let weight = SimdBlock::load(simd, &weights[0]);
            for image in 0..R {
                sums[image] = sums[image].plus_scaled(simd, column[FIRST + image], weight);
            }
        }
        for (image, sum) in sums.into_iter().enumerate() {
            let index = (FIRST + image) * blocks + block;
            let sum = match self.epilogue {
                Epilogue::None => sum,
                Epilogue::Relu => sum.relu(simd),
                Epilogue::ReluGradient(output) => sum.where_positive(simd, SimdBlock::load(simd, &output[index])),
            };
            sum.store(&mut self.rows[index]);
        }
    }
}

/// Writes the first block of each image's row of `blocks` as columns.
#[inline(always)]
fn transpose(rows: &[Block], blocks: usize, columns: &mut [Column; LANES]) {
    for (image, row) in rows.chunks(blocks).enumerate().take(CHUNK_IMAGES) {
        for (column, value) in columns.iter_mut().zip(&row[0]) {
            column[image] = *value;
        }
    }
}

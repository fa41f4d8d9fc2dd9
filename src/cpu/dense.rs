//! The dense layers, forward and backward for the images of a chunk.
//!
//! Lanes are sixteen outputs of the product; the images of a chunk are its rows, one sum in registers each. The other factor
//! of every product is one value of each image, so activations are kept twice: by image, and as columns over the images.

use super::chunk::IMAGES;
use super::simd::{Block, Kernel, LANES, Wide};
use pulp::Simd;

/// A value of each image of a chunk.
pub type Column = [f32; IMAGES];

/// What becomes of the sums of a product.
#[derive(Debug, Clone, Copy)]
pub enum Finish<'a> {
    /// They stay.
    Keep,
    /// A ReLU follows.
    Rectify,
    /// They are 0 wherever these are not above 0: the derivative of the ReLU that made them, `[image][block]`.
    Gate(&'a [Block]),
}

/// y = bias + W x for the images of a chunk.
pub struct Product<'a> {
    /// x, `[input][image]`.
    pub columns: &'a [Column],
    /// W, a block for sixteen outputs of one input: that of input i and block b is at i `input_stride` + b `block_stride`.
    pub weight: &'a [Block],
    /// Blocks from one input to the next.
    pub input_stride: usize,
    /// Blocks from one block of outputs to the next.
    pub block_stride: usize,
    /// `[output block]`, or empty for 0.
    pub bias: &'a [Block],
    /// What follows.
    pub finish: Finish<'a>,
    /// y, `[image][output block]`.
    pub rows: &'a mut [Block],
    /// y once more, `[output][image]`; empty where nobody needs it.
    pub out_columns: &'a mut [Column],
}

impl Kernel for Product<'_> {
    #[inline(always)]
    fn run<S: Simd, const V: usize>(mut self, simd: S) {
        let blocks = self.rows.len() / IMAGES;
        for block in 0..blocks {
            if V == 1 {
                self.images::<S, V, IMAGES, 0>(simd, blocks, block);
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

impl Product<'_> {
    /// Computes output block `block` for `R` images from `FIRST` on.
    #[inline(always)]
    fn images<S: Simd, const V: usize, const R: usize, const FIRST: usize>(
        &mut self,
        simd: S,
        blocks: usize,
        block: usize,
    ) {
        let bias = self.bias.get(block).map_or(Wide::<S, V>::splat(simd, 0.0), |bias| Wide::load(simd, bias));
        let mut sums = [bias; R];
        let weights = self.weight[block * self.block_stride..].chunks(self.input_stride);
        for (column, weights) in self.columns.iter().zip(weights) {
            let weight = Wide::load(simd, &weights[0]);
            for image in 0..R {
                sums[image] = sums[image].plus_scaled(simd, column[FIRST + image], weight);
            }
        }
        for (image, sum) in sums.into_iter().enumerate() {
            let place = (FIRST + image) * blocks + block;
            let sum = match self.finish {
                Finish::Keep => sum,
                Finish::Rectify => sum.rectified(simd),
                Finish::Gate(gate) => sum.where_positive(simd, Wide::load(simd, &gate[place])),
            };
            sum.store(&mut self.rows[place]);
        }
    }
}

/// Writes the first block of each image's row of `blocks` as columns.
#[inline(always)]
fn transpose(rows: &[Block], blocks: usize, columns: &mut [Column; LANES]) {
    for (image, row) in rows.chunks(blocks).enumerate().take(IMAGES) {
        for (column, value) in columns.iter_mut().zip(&row[0]) {
            column[image] = *value;
        }
    }
}

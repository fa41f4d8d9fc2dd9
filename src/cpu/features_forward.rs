//! The convolutions fused with their ReLUs and pools, forward.
//!
//! The lanes are output channels. The values of a pooling window stay in registers until the largest is known, so that
//! the convolution's output is never stored.

use super::layout::{Conv2Block, PLANE1, PLANE2, SIDE1, SIDE2, TAPS1};
use super::simd::{Block, Kernel, LANES, SimdBlock, largest};
use crate::model::IMAGE_SIDE;
use pulp::Simd;

/// The pixels of one image, divided by 255.
pub type Pixels = [[f32; IMAGE_SIDE]; IMAGE_SIDE];

/// The index of each maximum in its window, 0 to 3, row by row.
pub type Argmax<const PLANE: usize> = [[u8; LANES]; PLANE];

/// conv1, ReLU and pool1 of one image.
pub struct Conv1Forward<'a> {
    /// The image.
    pub pixels: &'a Pixels,
    /// `[channel block][tap]`.
    pub weight: &'a [[Block; TAPS1]],
    /// `[channel block]`.
    pub bias: &'a [Block],
    /// The output, `[channel block][position]`.
    pub pooled: &'a mut [[Block; PLANE1]],
    /// Of the output's shape.
    pub argmax: &'a mut [Argmax<PLANE1>],
}

impl Kernel for Conv1Forward<'_> {
    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) {
        if V == 1 { self.windows::<S, V, 4, 11>(simd) } else { self.windows::<S, V, 1, 5>(simd) }
    }
}

impl Conv1Forward<'_> {
    /// Computes `W` windows at a time, which cover `N` = 2 `W` + 3 columns.
    #[inline(always)]
    fn windows<S: Simd, const V: usize, const W: usize, const N: usize>(self, simd: S) {
        let outputs = self.pooled.iter_mut().zip(self.argmax);
        for ((weight, bias), (pooled, argmax)) in self.weight.iter().zip(self.bias).zip(outputs) {
            for row in 0..SIDE1 {
                for first in (0..SIDE1).step_by(W) {
                    let mut sums = [[SimdBlock::<S, V>::load(simd, bias); 4]; W];
                    for down in 0..4 {
                        let upper = columns::<f32, N>(&self.pixels[2 * row + down], 2 * first);
                        let lower = columns::<f32, N>(&self.pixels[2 * row + down + 1], 2 * first);
                        for right in 0..4 {
                            let weight = SimdBlock::load(simd, &weight[4 * down + right]);
                            for (window, sums) in sums.iter_mut().enumerate() {
                                let left = 2 * window + right;
                                sums[0] = sums[0].plus_scaled(simd, upper[left], weight);
                                sums[1] = sums[1].plus_scaled(simd, upper[left + 1], weight);
                                sums[2] = sums[2].plus_scaled(simd, lower[left], weight);
                                sums[3] = sums[3].plus_scaled(simd, lower[left + 1], weight);
                            }
                        }
                    }
                    for (window, sums) in sums.into_iter().enumerate() {
                        let position = row * SIDE1 + first + window;
                        largest(simd, sums, &mut argmax[position]).relu(simd).store(&mut pooled[position]);
                    }
                }
            }
        }
    }
}

/// conv2, ReLU and pool2 of one image.
pub struct Conv2Forward<'a> {
    /// The input, `[input block][position]`.
    pub x: &'a [[Block; PLANE1]],
    /// `[output block][input block]`.
    pub weight: &'a [Conv2Block],
    /// `[output block]`.
    pub bias: &'a [Block],
    /// The output, `[output block][position]`.
    pub pooled: &'a mut [[Block; PLANE2]],
    /// Of the output's shape.
    pub argmax: &'a mut [Argmax<PLANE2>],
}

impl Kernel for Conv2Forward<'_> {
    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) {
        if V == 1 { self.windows::<S, V, 5, 12>(simd) } else { self.windows::<S, V, 1, 4>(simd) }
    }
}

impl Conv2Forward<'_> {
    /// Computes `W` windows at a time, which cover `N` = 2 `W` + 2 columns.
    #[inline(always)]
    fn windows<S: Simd, const V: usize, const W: usize, const N: usize>(self, simd: S) {
        let weights = self.weight.chunks_exact(self.x.len());
        let outputs = self.pooled.iter_mut().zip(self.argmax);
        for ((weight, bias), (pooled, argmax)) in weights.zip(self.bias).zip(outputs) {
            for row in 0..SIDE2 {
                for first in (0..SIDE2).step_by(W) {
                    let mut sums = [[SimdBlock::<S, V>::load(simd, bias); 4]; W];
                    for (plane, weight) in self.x.iter().zip(weight) {
                        for (down, weight) in weight.iter().enumerate() {
                            let upper = columns::<Block, N>(plane, (2 * row + down) * SIDE1 + 2 * first);
                            let lower = columns::<Block, N>(plane, (2 * row + down + 1) * SIDE1 + 2 * first);
                            for (input, weight) in weight.iter().enumerate() {
                                add_input(simd, [upper, lower], input, weight, &mut sums);
                            }
                        }
                    }
                    for (window, sums) in sums.into_iter().enumerate() {
                        let position = row * SIDE2 + first + window;
                        largest(simd, sums, &mut argmax[position]).relu(simd).store(&mut pooled[position]);
                    }
                }
            }
        }
    }
}

/// Adds the products of one input channel and one row of the kernel to the sums of `W` windows, each an upper and a
/// lower pair.
///
/// Each value is read once for the three taps that cover it.
#[inline(always)]
fn add_input<S: Simd, const V: usize, const W: usize, const N: usize>(
    simd: S,
    rows: [&[Block; N]; 2],
    input: usize,
    weight: &[Block; 3],
    sums: &mut [[SimdBlock<S, V>; 4]; W],
) {
    let mut weights = [SimdBlock::<S, V>::splat(simd, 0.0); 3];
    for (wide, weight) in weights.iter_mut().zip(weight) {
        *wide = SimdBlock::load(simd, weight);
    }
    for column in 0..N {
        for (side, row) in rows.iter().enumerate() {
            let value = SimdBlock::splat(simd, row[column][input]);
            for (right, weight) in weights.iter().enumerate() {
                if column >= right && column - right < 2 * W {
                    let position = column - right;
                    let sum = &mut sums[position / 2][2 * side + position % 2];
                    *sum = sum.plus_product(simd, value, *weight);
                }
            }
        }
    }
}

/// `N` neighbours from `first` on.
#[inline(always)]
fn columns<T, const N: usize>(from: &[T], first: usize) -> &[T; N] {
    from[first..].first_chunk().expect("the windows lie inside the plane")
}

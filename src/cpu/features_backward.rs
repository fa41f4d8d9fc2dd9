//! The convolutions with their ReLUs and pools, backward.
//!
//! A pool passes its gradient to one position of four, and a ReLU to none where its output is 0: the products of all
//! other positions are skipped. The lanes are input channels in conv2, and taps in conv1.

use super::features_forward::{Argmax, Pixels};
use super::layout::{ConvParameters, PLANE1, PLANE2, SIDE1, SIDE2, TAPS2};
use super::simd::{Block, Kernel, LANES, SimdBlock, ZERO};
use pulp::Simd;

/// The offsets of the kernel's taps from its first tap, in a plane of pool1's output.
const TAP_OFFSETS: [usize; TAPS2] = [0, 1, 2, SIDE1, SIDE1 + 1, SIDE1 + 2, 2 * SIDE1, 2 * SIDE1 + 1, 2 * SIDE1 + 2];
/// Positions from a kernel's first tap to its last, inclusive.
const TAP_SPAN: usize = TAP_OFFSETS[TAPS2 - 1] + 1;

/// A nonzero gradient: the position of the kernel's first tap, and the value.
type SparseGradient = (usize, f32);

/// The backward pass of one image from the features to conv2's parameters and pool1's output.
pub struct Conv2Backward<'a> {
    /// The output of pool1, `[block][position]`.
    pub x: &'a [[Block; PLANE1]],
    /// The positions of pool2's maxima.
    pub argmax: &'a [Argmax<PLANE2>],
    /// The features after dropout, `[channel][position]`; those that are 0 pass no gradient.
    pub features: &'a [f32],
    /// Their gradient.
    pub dfeatures: &'a [f32],
    /// The factor of dropout on the features that it kept.
    pub scale: f32,
    /// The weights of conv2, `[input block][output]`.
    pub weight: &'a [[Block; TAPS2]],
    /// The gradient of pool1's output, `[block][position]`, which is overwritten.
    pub dx: &'a mut [[Block; PLANE1]],
    /// Accumulates the gradients of conv2's weight and bias.
    pub gradients: &'a mut ConvParameters,
}

impl Kernel for Conv2Backward<'_> {
    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) {
        let Self { x, argmax, features, dfeatures, scale, weight, dx, gradients } = self;
        dx.fill([ZERO; PLANE1]);
        let outputs = LANES * gradients.conv2_bias.len();
        let channels = features.as_chunks::<PLANE2>().0.iter().zip(dfeatures.as_chunks::<PLANE2>().0);
        for (output, (features, dfeatures)) in channels.enumerate() {
            let (block, lane) = (output / LANES, output % LANES);
            let mut buffer = [(0, 0.0); PLANE2];
            let entries = entries(features, dfeatures, scale, &argmax[block], lane, &mut buffer);
            gradients.conv2_bias[block][lane] += entries.iter().map(|entry| entry.1).sum::<f32>();
            for (input_block, (x, dx)) in x.iter().zip(&mut *dx).enumerate() {
                let kernel = input_block * outputs + output;
                add_weight_gradient::<S, V>(simd, entries, x, &mut gradients.conv2_weight[kernel]);
                add_input_gradient::<S, V>(simd, entries, &weight[kernel], dx);
            }
        }
    }
}

/// The nonzero gradients of channel `lane` of conv2's output.
#[inline(always)]
fn entries<'a>(
    features: &[f32; PLANE2],
    dfeatures: &[f32; PLANE2],
    scale: f32,
    argmax: &Argmax<PLANE2>,
    lane: usize,
    buffer: &'a mut [SparseGradient; PLANE2],
) -> &'a [SparseGradient] {
    let mut count = 0;
    for row in 0..SIDE2 {
        for column in 0..SIDE2 {
            let position = row * SIDE2 + column;
            let index = usize::from(argmax[position][lane]);
            let corner = (2 * row + index / 2) * SIDE1 + 2 * column + index % 2;
            buffer[count] = (corner, dfeatures[position] * scale);
            count += usize::from(features[position] > 0.0);
        }
    }
    &buffer[..count]
}

/// Adds the products of the gradients `entries` and the inputs `x` under the kernel.
#[inline(always)]
fn add_weight_gradient<S: Simd, const V: usize>(
    simd: S,
    entries: &[SparseGradient],
    x: &[Block; PLANE1],
    dweight: &mut [Block; TAPS2],
) {
    // One register per tap at a time: AVX2 has enough registers for nine sums only.
    for v in 0..V {
        let mut sums = [simd.splat_f32s(0.0); TAPS2];
        for &(corner, gradient) in entries {
            let gradient = simd.splat_f32s(gradient);
            let under: &[Block; TAP_SPAN] = x[corner..].first_chunk().expect("a kernel lies inside the plane");
            for tap in 0..TAPS2 {
                sums[tap] = simd.mul_add_e_f32s(gradient, S::as_simd_f32s(&under[TAP_OFFSETS[tap]]).0[v], sums[tap]);
            }
        }
        for tap in 0..TAPS2 {
            let total = &mut S::as_mut_simd_f32s(&mut dweight[tap]).0[v];
            *total = simd.add_f32s(*total, sums[tap]);
        }
    }
}

/// Adds the products of the gradients `entries` and the weights to the gradient of the inputs under the kernel.
#[inline(always)]
fn add_input_gradient<S: Simd, const V: usize>(
    simd: S,
    entries: &[SparseGradient],
    weight: &[Block; TAPS2],
    dx: &mut [Block; PLANE1],
) {
    for v in 0..V {
        let mut weights = [simd.splat_f32s(0.0); TAPS2];
        for tap in 0..TAPS2 {
            weights[tap] = S::as_simd_f32s(&weight[tap]).0[v];
        }
        for &(corner, gradient) in entries {
            let gradient = simd.splat_f32s(gradient);
            let under: &mut [Block; TAP_SPAN] = dx[corner..].first_chunk_mut().expect("a kernel lies inside the plane");
            for tap in 0..TAPS2 {
                let sum = &mut S::as_mut_simd_f32s(&mut under[TAP_OFFSETS[tap]]).0[v];
                *sum = simd.mul_add_e_f32s(gradient, weights[tap], *sum);
            }
        }
    }
}

/// The backward pass of one image from pool1's output to conv1's parameters.
pub struct Conv1Backward<'a> {
    /// The image.
    pub pixels: &'a Pixels,
    /// The output of pool1, `[block][position]`.
    pub pooled: &'a [[Block; PLANE1]],
    /// The positions of its maxima.
    pub argmax: &'a [Argmax<PLANE1>],
    /// Its gradient.
    pub dpooled: &'a [[Block; PLANE1]],
    /// Accumulates the gradients of conv1's weight and bias.
    pub gradients: &'a mut ConvParameters,
}

impl Kernel for Conv1Backward<'_> {
    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) {
        let mut patches = [[ZERO; 4]; SIDE1];
        for row in 0..SIDE1 {
            gather_patches(self.pixels, row, &mut patches);
            let range = row * SIDE1..(row + 1) * SIDE1;
            let blocks = self.pooled.iter().zip(self.argmax).zip(self.dpooled).zip(&mut self.gradients.conv1_bias);
            let kernels = self.gradients.conv1_weight.as_chunks_mut::<LANES>().0;
            for ((((pooled, argmax), dpooled), dbias), dweight) in blocks.zip(kernels) {
                let mut passed = [ZERO; SIDE1];
                let mut sum = SimdBlock::<S, V>::load(simd, dbias);
                let values = dpooled[range.clone()].iter().zip(&pooled[range.clone()]);
                for ((dpooled, pooled), passed) in values.zip(&mut passed) {
                    let gradient = SimdBlock::load(simd, dpooled).where_positive(simd, SimdBlock::load(simd, pooled));
                    sum = sum.plus(simd, gradient);
                    gradient.store(passed);
                }
                sum.store(dbias);
                let argmax = argmax[range.clone()].first_chunk().expect("a row has positions");
                if V == 1 {
                    channels::<S, V, LANES>(simd, &patches, argmax, &passed, dweight);
                } else {
                    channels::<S, V, 4>(simd, &patches, argmax, &passed, dweight);
                }
            }
        }
    }
}

/// The sixteen pixels under conv1's kernel, for the four positions of each window in a row of windows.
#[inline(always)]
fn gather_patches(pixels: &Pixels, row: usize, patches: &mut [[Block; 4]; SIDE1]) {
    for (column, window) in patches.iter_mut().enumerate() {
        for (index, patch) in window.iter_mut().enumerate() {
            for down in 0..4 {
                let line = &pixels[2 * row + index / 2 + down];
                let left = 2 * column + index % 2;
                patch[4 * down..4 * down + 4].copy_from_slice(&line[left..left + 4]);
            }
        }
    }
}

/// Adds a row of windows to the gradients of sixteen kernels, `C` of them at a time.
#[inline(always)]
fn channels<S: Simd, const V: usize, const C: usize>(
    simd: S,
    patches: &[[Block; 4]; SIDE1],
    argmax: &[[u8; LANES]; SIDE1],
    gradients: &[Block; SIDE1],
    dweight: &mut [Block; LANES],
) {
    for (group, dweight) in dweight.as_chunks_mut::<C>().0.iter_mut().enumerate() {
        let mut sums = [SimdBlock::<S, V>::splat(simd, 0.0); C];
        for channel in 0..C {
            sums[channel] = SimdBlock::load(simd, &dweight[channel]);
        }
        for column in 0..SIDE1 {
            let argmax = &argmax[column].as_chunks::<C>().0[group];
            let gradients = &gradients[column].as_chunks::<C>().0[group];
            for channel in 0..C {
                // An index is below 4. A mask would be computed for all channels at once, and extracting its lanes is
                // slow.
                if let Some(patch) = patches[column].get(usize::from(argmax[channel])) {
                    sums[channel] = sums[channel].plus_scaled(simd, gradients[channel], SimdBlock::load(simd, patch));
                }
            }
        }
        for channel in 0..C {
            sums[channel].store(&mut dweight[channel]);
        }
    }
}

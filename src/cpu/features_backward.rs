//! The convolutions with their ReLUs and pools, backward.
//!
//! A pool hands its gradient to one position of four, and a ReLU to none where its output is 0: the products with the other
//! positions are left out. Lanes are input channels of conv2, and taps of conv1.

use super::features_forward::{Argmax, Pixels};
use super::layout::{PLANE1, PLANE2, SIDE1, SIDE2, TAPS2, Tensors};
use super::simd::{Block, Kernel, LANES, Wide, ZERO};
use pulp::Simd;

/// Where the kernel's taps lie from the position of its first, in a plane of pool1's output.
const SHIFTS: [usize; TAPS2] = [0, 1, 2, SIDE1, SIDE1 + 1, SIDE1 + 2, 2 * SIDE1, 2 * SIDE1 + 1, 2 * SIDE1 + 2];
/// Positions from a kernel's first tap to its last, both included.
const REACH: usize = SHIFTS[TAPS2 - 1] + 1;

/// A gradient that is not 0: the position of the kernel's first tap, and the value.
type Entry = (usize, f32);

/// The backward pass of one image from the features to conv2's parameters and pool1's output.
pub struct SecondBackward<'a> {
    /// The output of pool1, `[block][position]`.
    pub x: &'a [[Block; PLANE1]],
    /// Where the maxima of pool2 stood.
    pub argmax: &'a [Argmax<PLANE2>],
    /// The features after dropout, `[channel][position]`; those that are 0 pass no gradient.
    pub features: &'a [f32],
    /// Their gradient.
    pub dfeatures: &'a [f32],
    /// What dropout multiplied the features with that it kept.
    pub scale: f32,
    /// The weights of conv2, `[input block][output]`.
    pub weight: &'a [[Block; TAPS2]],
    /// The gradient of pool1's output, `[block][position]`: written.
    pub dx: &'a mut [[Block; PLANE1]],
    /// Where the gradients of conv2's weight and bias are added.
    pub gradients: &'a mut Tensors,
}

impl Kernel for SecondBackward<'_> {
    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) {
        let Self { x, argmax, features, dfeatures, scale, weight, dx, gradients } = self;
        dx.fill([ZERO; PLANE1]);
        let outputs = LANES * gradients.conv2_bias.len();
        let channels = features.as_chunks::<PLANE2>().0.iter().zip(dfeatures.as_chunks::<PLANE2>().0);
        for (output, (features, dfeatures)) in channels.enumerate() {
            let (block, lane) = (output / LANES, output % LANES);
            let mut room = [(0, 0.0); PLANE2];
            let entries = entries(features, dfeatures, scale, &argmax[block], lane, &mut room);
            gradients.conv2_bias[block][lane] += entries.iter().map(|entry| entry.1).sum::<f32>();
            for (input_block, (x, dx)) in x.iter().zip(&mut *dx).enumerate() {
                let place = input_block * outputs + output;
                add_weight_gradient::<S, V>(simd, entries, x, &mut gradients.conv2_weight[place]);
                add_input_gradient::<S, V>(simd, entries, &weight[place], dx);
            }
        }
    }
}

/// The gradients of channel `lane` of conv2's output that are not 0.
#[inline(always)]
fn entries<'a>(
    features: &[f32; PLANE2],
    dfeatures: &[f32; PLANE2],
    scale: f32,
    argmax: &Argmax<PLANE2>,
    lane: usize,
    room: &'a mut [Entry; PLANE2],
) -> &'a [Entry] {
    let mut count = 0;
    for row in 0..SIDE2 {
        for column in 0..SIDE2 {
            let position = row * SIDE2 + column;
            let place = usize::from(argmax[position][lane]);
            let corner = (2 * row + place / 2) * SIDE1 + 2 * column + place % 2;
            room[count] = (corner, dfeatures[position] * scale);
            count += usize::from(features[position] > 0.0);
        }
    }
    &room[..count]
}

/// Adds the products of the gradients `entries` and the inputs `x` under the kernel.
#[inline(always)]
fn add_weight_gradient<S: Simd, const V: usize>(
    simd: S,
    entries: &[Entry],
    x: &[Block; PLANE1],
    dweight: &mut [Block; TAPS2],
) {
    // One register of each tap at a time: nine sums are as many as AVX2 has room for.
    for v in 0..V {
        let mut sums = [simd.splat_f32s(0.0); TAPS2];
        for &(corner, gradient) in entries {
            let gradient = simd.splat_f32s(gradient);
            let under: &[Block; REACH] = x[corner..].first_chunk().expect("a kernel lies inside the plane");
            for tap in 0..TAPS2 {
                sums[tap] = simd.mul_add_e_f32s(gradient, S::as_simd_f32s(&under[SHIFTS[tap]]).0[v], sums[tap]);
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
    entries: &[Entry],
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
            let under: &mut [Block; REACH] = dx[corner..].first_chunk_mut().expect("a kernel lies inside the plane");
            for tap in 0..TAPS2 {
                let sum = &mut S::as_mut_simd_f32s(&mut under[SHIFTS[tap]]).0[v];
                *sum = simd.mul_add_e_f32s(gradient, weights[tap], *sum);
            }
        }
    }
}

/// The backward pass of one image from pool1's output to conv1's parameters.
pub struct FirstBackward<'a> {
    /// The image.
    pub pixels: &'a Pixels,
    /// The output of pool1, `[block][position]`.
    pub pooled: &'a [[Block; PLANE1]],
    /// Where its maxima stood.
    pub argmax: &'a [Argmax<PLANE1>],
    /// Its gradient.
    pub dpooled: &'a [[Block; PLANE1]],
    /// Where the gradients of conv1's weight and bias are added.
    pub gradients: &'a mut Tensors,
}

impl Kernel for FirstBackward<'_> {
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
                let mut sum = Wide::<S, V>::load(simd, dbias);
                let values = dpooled[range.clone()].iter().zip(&pooled[range.clone()]);
                for ((dpooled, pooled), passed) in values.zip(&mut passed) {
                    let gradient = Wide::load(simd, dpooled).where_positive(simd, Wide::load(simd, pooled));
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
        for (place, patch) in window.iter_mut().enumerate() {
            for down in 0..4 {
                let line = &pixels[2 * row + place / 2 + down];
                let left = 2 * column + place % 2;
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
        let mut sums = [Wide::<S, V>::splat(simd, 0.0); C];
        for channel in 0..C {
            sums[channel] = Wide::load(simd, &dweight[channel]);
        }
        for column in 0..SIDE1 {
            let argmax = &argmax[column].as_chunks::<C>().0[group];
            let gradients = &gradients[column].as_chunks::<C>().0[group];
            for channel in 0..C {
                // A place is below 4. To mask it would be done for all channels at once, and taking them apart again is slow.
                if let Some(patch) = patches[column].get(usize::from(argmax[channel])) {
                    sums[channel] = sums[channel].plus_scaled(simd, gradients[channel], Wide::load(simd, patch));
                }
            }
        }
        for channel in 0..C {
            sums[channel].store(&mut dweight[channel]);
        }
    }
}

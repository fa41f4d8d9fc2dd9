//! Dropout masks from the random numbers of [`crate::rng`], one register at a time.

use super::simd::{Block, Kernel, LANES};
use crate::rng::{PARITY, ROTATIONS, dropout_threshold};
use pulp::Simd;

/// Dropout of one image's features, in place.
pub struct Dropout<'a> {
    /// The features, padded.
    pub features: &'a mut [Block],
    /// The key of the masks.
    pub key: [u32; 2],
    /// The index of the first feature in the whole batch.
    pub first: u32,
    /// The training step.
    pub step: u32,
    /// The probability of dropping a feature.
    pub rate: f32,
}

impl Kernel for Dropout<'_> {
    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) {
        let threshold = simd.splat_u32s(dropout_threshold(self.rate));
        let scale = simd.splat_f32s(1.0 / (1.0 - self.rate));
        let zero = simd.splat_f32s(0.0);
        let mut counters = [0; LANES];
        for (block, features) in self.features.iter_mut().enumerate() {
            for (lane, counter) in counters.iter_mut().enumerate() {
                *counter = self.first.wrapping_add((block * LANES + lane) as u32);
            }
            let counters = S::as_simd_u32s(&counters).0;
            for (features, counters) in S::as_mut_simd_f32s(features).0.iter_mut().zip(counters) {
                let keep = simd.greater_than_or_equal_u32s(first_word(simd, self.key, *counters, self.step), threshold);
                *features = simd.select_f32s(keep, simd.mul_f32s(*features, scale), zero);
            }
        }
    }
}

/// The first word of [`crate::rng::threefry2x32`] for each of the first counter words.
#[inline(always)]
fn first_word<S: Simd>(simd: S, key: [u32; 2], counters: S::u32s, second: u32) -> S::u32s {
    let schedule = [key[0], key[1], PARITY ^ key[0] ^ key[1]];
    let mut x0 = simd.add_u32s(counters, simd.splat_u32s(schedule[0]));
    let mut x1 = simd.splat_u32s(second.wrapping_add(schedule[1]));
    for round in 0..20 {
        let distance = ROTATIONS[round % ROTATIONS.len()];
        x0 = simd.add_u32s(x0, x1);
        let left = simd.wrapping_dyn_shl_u32s(x1, simd.splat_u32s(distance));
        let right = simd.wrapping_dyn_shr_u32s(x1, simd.splat_u32s(32 - distance));
        x1 = simd.xor_u32s(simd.or_u32s(left, right), x0);
        if round % 4 == 3 {
            let injection = round / 4 + 1;
            x0 = simd.add_u32s(x0, simd.splat_u32s(schedule[injection % 3]));
            let second = schedule[(injection + 1) % 3].wrapping_add(injection as u32);
            x1 = simd.add_u32s(x1, simd.splat_u32s(second));
        }
    }
    x0
}

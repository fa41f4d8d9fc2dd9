//! The reference's results for the kernel that computes in 16 bits.

use super::fused::near_ties;
use super::{Expected, F16_ROUNDING, KernelInputs, f16_pair};
use crate::kernels::plan::Element;
use crate::model::Layer;
use crate::reference;

/// The error of an output of conv2 as a multiple of [`F16_ROUNDING`] times S, the sum of its products' magnitudes.
///
/// 288 products go into 16 sums of 18 each. A rounding of such a sum is at most `F16_ROUNDING` S / 16 where the sums
/// are alike. 288 roundings, each as likely up as down, have a standard deviation of 17 F16_ROUNDING S / 16 / sqrt(3) =
/// 0.61 F16_ROUNDING S; those of weights and products are a twentieth of it. This allows six of them; the worst case,
/// all roundings in one direction, is 20.
const ROUNDINGS: f64 = 4.0;

impl KernelInputs<'_> {
    /// As `features_forward`, but conv2 is that of pool1 as the kernel rounded it: a rounding up where the reference
    /// rounds down is a matter of pool1, which is compared by itself.
    pub(in crate::kernels) fn features_forward_f16_arithmetic(&self) -> Vec<Expected> {
        let [pool1, pool2] = ["pool1", "pool2"].map(|name| self.model.layer(name));
        let (pixels, targets) = self.pixels();
        let conv1 = self.convolution("conv1", &pixels);
        let (y1, argmax1) = reference::max_pool_forward(pool1, &conv1);
        let words = &self.after[self.buffer("pool1")][..y1.len() / 2];
        let rounded: Vec<f64> = words.iter().flat_map(|&word| f16_pair(word)).map(f64::from).collect();
        let conv2 = self.convolution("conv2", &rounded);
        let bound = ROUNDINGS * F16_ROUNDING * self.largest_magnitude(&rounded);
        let rows = [pool1, pool2].map(|pool| pool.output.channels * pool.output.height).iter().sum::<usize>();
        let (_, chosen) = self.unpacked_argmax(&self.after[self.buffer("argmax")][..self.images() * rows]);
        let (y2, argmax2) = pooled_as_chosen(pool2, &conv2, &chosen, 2.0 * bound);
        let ignored_bits = self.packed_argmax(&near_ties(pool1, &conv1), &vec![0; argmax2.len()]);
        let argmax = self.packed_argmax(&argmax1, &argmax2);
        let argmax = argmax.iter().zip(&ignored_bits).map(|(place, ignored)| f64::from(place & !ignored)).collect();
        let targets = targets.into_iter().map(f64::from).collect();
        let rounding = self.dispatch.constant("SCALE") * bound;
        vec![
            Expected { element: Element::F16Pair, ..self.written("pool1", 0, y1) },
            Expected { element: Element::U32, ignored_bits, ..self.written("argmax", 0, argmax) },
            Expected { rounding, ..self.written("features", 0, self.dropped(y2)) },
            Expected { element: Element::U32, ..self.written("targets", 0, targets) },
        ]
    }

    /// The largest sum of the magnitudes of an output's products in conv2, whose inputs are not negative.
    fn largest_magnitude(&self, x: &[f64]) -> f64 {
        let [weight, bias] = ["weight", "bias"].map(|kind| self.parameter("conv2", kind));
        let weight: Vec<f64> = weight.iter().map(|weight| weight.abs()).collect();
        let sums = reference::conv_forward(self.model.layer("conv2"), x, &weight, &vec![0.0; bias.len()]);
        sums.into_iter().fold(0.0, f64::max)
    }
}

/// The maximum of each window of `x` and its place: `chosen`, where the value there is at most `slack` smaller.
fn pooled_as_chosen(pool: &Layer, x: &[f64], chosen: &[u32], slack: f64) -> (Vec<f64>, Vec<u32>) {
    let (y, mut argmax) = reference::max_pool_forward(pool, x);
    for (window, place) in argmax.iter_mut().enumerate() {
        let (plane, of_plane) = (window / pool.output.positions(), window % pool.output.positions());
        let (row, column) = (2 * (of_plane / pool.output.width), 2 * (of_plane % pool.output.width));
        let choice = chosen[window] as usize;
        let at = plane * pool.input.positions() + (row + choice / 2) * pool.input.width + column + choice % 2;
        if x[at] >= y[window] - slack {
            *place = chosen[window];
        }
    }
    (y, argmax)
}

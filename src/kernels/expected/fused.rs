//! The reference's results for the kernels of the fused plans, composed of its functions for single layers.

use super::{Expected, KernelInputs};
use crate::kernels::plan::Element;
use crate::model::{CLASSES, IMAGE_PIXELS, Layer, Operation};
use crate::reference;

/// Two values of a window closer than this may be ordered differently in 32 bits.
const NEAR_TIE: f64 = 1e-5;

/// What the convolutions' part of the forward pass leaves.
pub(super) struct Features {
    /// The values of pool1, and where its maxima stand.
    pub y1: Vec<f64>,
    pub argmax1: Vec<u32>,
    /// Where those of pool2 stand.
    pub argmax2: Vec<u32>,
    /// The values after dropout.
    pub features: Vec<f64>,
    /// For the words of both argmaxes, the bits that rounding may decide either way.
    pub near_ties: Vec<u32>,
}

/// What the dense layers and the loss leave, forward and backward.
pub(super) struct Classified {
    pub hidden: Vec<f64>,
    pub dz: [Vec<f64>; 3],
    pub dfeatures: Vec<f64>,
    pub loss: Vec<f64>,
    pub correct: Vec<f64>,
}

impl KernelInputs<'_> {
    pub(in crate::kernels) fn features_forward(&self) -> Vec<Expected> {
        let (pixels, targets) = self.pixels();
        let found = self.features(&pixels);
        let argmax = self.packed_argmax(&found.argmax1, &found.argmax2);
        let values = argmax.iter().zip(&found.near_ties).map(|(place, ignored)| f64::from(place & !ignored)).collect();
        let targets = targets.into_iter().map(f64::from).collect();
        let ignored_bits = found.near_ties;
        let pool1 = match self.dispatch.kernel.stores_16_bits("pool1") {
            true => Element::F16Pair,
            false => Element::F32,
        };
        vec![
            Expected { element: pool1, ..self.written("pool1", 0, found.y1) },
            Expected { element: Element::U32, ignored_bits, ..self.written("argmax", 0, values) },
            self.written("features", 0, found.features),
            Expected { element: Element::U32, ..self.written("targets", 0, targets) },
        ]
    }

    /// Both convolutions of the pixels, with their pools and dropout.
    pub(super) fn features(&self, pixels: &[f64]) -> Features {
        let [pool1, pool2] = ["pool1", "pool2"].map(|name| self.model.layer(name));
        let conv1 = self.convolution("conv1", pixels);
        let (y1, argmax1) = reference::max_pool_forward(pool1, &conv1);
        let conv2 = self.convolution("conv2", &y1);
        let (y2, argmax2) = reference::max_pool_forward(pool2, &conv2);
        let features = self.dropped(y2);
        let near_ties = self.packed_argmax(&near_ties(pool1, &conv1), &near_ties(pool2, &conv2));
        Features { y1, argmax1, argmax2, features, near_ties }
    }

    /// The outputs of pool2 after dropout.
    pub(super) fn dropped(&self, y2: Vec<f64>) -> Vec<f64> {
        let key = ["KEY_LOW", "KEY_HIGH"].map(|name| self.dispatch.constant(name) as u32);
        match self.model.layer("dropout").operation {
            Operation::Dropout { rate } => reference::dropout_forward(&y2, key, self.step.index, rate),
            _ => y2,
        }
    }

    /// Two bits of each window of pool1 and of pool2, a word for each row of windows.
    pub(super) fn packed_argmax(&self, of_pool1: &[u32], of_pool2: &[u32]) -> Vec<u32> {
        let [pool1, pool2] = ["pool1", "pool2"].map(|name| self.model.layer(name));
        interleaved([packed_words(pool1, of_pool1), packed_words(pool2, of_pool2)], self.images())
    }

    pub(in crate::kernels) fn classifier_forward_backward(&self) -> Vec<Expected> {
        let features = self.batch("features", self.model.layer("fc1").input.elements());
        let width = ["fc1", "fc2"].map(|name| self.model.layer(name).output.elements()).iter().sum();
        let found = self.classified(&features, &features, &self.targets(), &self.left("hidden", width));
        let padding = vec![0.0; (CLASSES.next_multiple_of(4) - CLASSES) * self.images()];
        let [dz1, dz2, dz3] = found.dz;
        vec![
            self.written("hidden", 0, found.hidden),
            self.written("deltas", 0, interleaved([dz1, dz2, dz3, padding], self.images())),
            self.written("dfeatures", 0, found.dfeatures),
            self.written("outcome", 0, interleaved([found.loss, found.correct], self.images())),
        ]
    }

    /// The dense layers and the loss for `features`, forward and backward. Where a ReLU's input is near 0, `seen`, the
    /// features, and `hidden`, the outputs of both hidden layers, as the kernel has them say whether it passed.
    pub(super) fn classified(&self, features: &[f64], seen: &[f64], targets: &[u8], hidden: &[f64]) -> Classified {
        let [fc1, fc2, fc3] = ["fc1", "fc2", "fc3"].map(|name| self.model.layer(name));
        let [weight1, weight2, weight3] = ["fc1", "fc2", "fc3"].map(|name| self.parameter(name, "weight"));
        let a1 = reference::dense_forward(fc1, features, &weight1, &self.parameter("fc1", "bias"));
        let a2 = reference::dense_forward(fc2, &a1, &weight2, &self.parameter("fc2", "bias"));
        let logits = reference::dense_forward(fc3, &a2, &weight3, &self.parameter("fc3", "bias"));
        let (loss, correct) = reference::softmax_cross_entropy_forward(&logits, targets);
        let (units1, units2) = (fc1.output.elements(), fc2.output.elements());
        let passed1 = passed(&a1, &self.part(hidden, 0, units1));
        let passed2 = passed(&a2, &self.part(hidden, units1, units2));
        let dz3 = reference::softmax_cross_entropy_backward(&logits, targets);
        let dz2 = reference::dense_backward_input(fc3, &dz3, &weight3, Some(&passed2));
        let dz1 = reference::dense_backward_input(fc2, &dz2, &weight2, Some(&passed1));
        // A positive feature was kept by dropout and passed the ReLU before it.
        let scale = f64::from(self.dispatch.constant("SCALE") as f32);
        let mut dfeatures = reference::dense_backward_input(fc1, &dz1, &weight1, Some(&passed(features, seen)));
        dfeatures.iter_mut().for_each(|value| *value *= scale);
        let correct = correct.into_iter().map(f64::from).collect();
        let hidden = interleaved([a1, a2], self.images());
        Classified { hidden, dz: [dz1, dz2, dz3], dfeatures, loss, correct }
    }

    /// The gradient of each image.
    pub(in crate::kernels) fn features_backward(&self) -> Vec<Expected> {
        let [pool1, pool2] = ["pool1", "pool2"].map(|name| self.model.layer(name).output.elements());
        let (pixels, _) = self.pixels();
        let (y1, dfeatures) = (self.pool1(pool1), self.batch("dfeatures", pool2));
        let [pool1, pool2] = ["pool1", "pool2"].map(|name| self.model.layer(name).output);
        let rows = pool1.channels * pool1.height + pool2.channels * pool2.height;
        let argmax = self.unpacked_argmax(self.words("argmax", 0..self.images() * rows));
        vec![self.written("partial", 0, self.partial(&pixels, &y1, &argmax, &dfeatures))]
    }

    /// The gradients of the convolutions' parameters for each image; a value of pool1 above 0 passed its ReLU.
    pub(super) fn partial(
        &self,
        pixels: &[f64],
        y1: &[f64],
        (argmax1, argmax2): &(Vec<u32>, Vec<u32>),
        dfeatures: &[f64],
    ) -> Vec<f64> {
        let [conv1, pool1, conv2, pool2] = ["conv1", "pool1", "conv2", "pool2"].map(|name| self.model.layer(name));
        let all = vec![1.0; dfeatures.len()];
        let dconv2 = reference::max_pool_backward(pool2, dfeatures, argmax2, &all);
        let dpool1 = reference::conv_backward_input(conv2, &dconv2, &self.parameter("conv2", "weight"));
        let mut partial = Vec::new();
        for n in 0..self.images() {
            let (y1, argmax1) =
                (image_slice(y1, pool1.output.elements(), n), image_slice(argmax1, y1.len() / self.images(), n));
            let dpool1 = image_slice(&dpool1, pool1.output.elements(), n);
            let dconv1 = reference::max_pool_backward(pool1, dpool1, argmax1, y1);
            partial.extend(reference::conv_backward_weight(conv1, image_slice(pixels, IMAGE_PIXELS, n), &dconv1));
            partial.extend(reference::conv_backward_bias(conv1, &dconv1));
            let dconv2 = image_slice(&dconv2, conv2.output.elements(), n);
            partial.extend(reference::conv_backward_weight(conv2, y1, dconv2));
            partial.extend(reference::conv_backward_bias(conv2, dconv2));
        }
        partial
    }

    pub(in crate::kernels) fn gradient_update(&self) -> Vec<Expected> {
        let [fc1, fc2, fc3] = ["fc1", "fc2", "fc3"].map(|name| self.model.layer(name));
        let (units1, units2) = (fc1.output.elements(), fc2.output.elements());
        let deltas = self.batch("deltas", units1 + units2 + CLASSES.next_multiple_of(4));
        let (features, hidden) = match self.bound("activations") {
            Some(_) => {
                let all = self.batch("activations", fc1.input.elements() + units1 + units2);
                let features = self.part(&all, 0, fc1.input.elements());
                (features, self.part(&all, fc1.input.elements(), units1 + units2))
            }
            None => (self.batch("features", fc1.input.elements()), self.batch("hidden", units1 + units2)),
        };
        let mut gradients = self.convolution_gradients();
        for (layer, x, dy) in [
            (fc1, features, self.part(&deltas, 0, units1)),
            (fc2, self.part(&hidden, 0, units1), self.part(&deltas, units1, units2)),
            (fc3, self.part(&hidden, units1, units2), self.part(&deltas, units1 + units2, CLASSES)),
        ] {
            gradients.extend(reference::dense_backward_weight(layer, &x, &dy));
            gradients.extend(reference::dense_backward_bias(layer, &dy));
        }
        // Where the outcomes have no buffer of their own, they end the rows of deltas.
        let outcome = match self.bound("outcome") {
            Some(_) => self.batch("outcome", 2),
            None => self.part(&deltas, units1 + units2 + CLASSES, 2),
        };
        let loss: Vec<f64> = outcome.iter().step_by(2).copied().collect();
        let correct: Vec<u32> = outcome.iter().skip(1).step_by(2).map(|&value| value as u32).collect();
        let (loss, correct) = reference::metrics_reduce(&loss, &correct);
        let mut expected = self.updated(&gradients);
        expected.push(self.written("metrics", 2 * self.step.slot as usize, vec![loss, f64::from(correct)]));
        expected
    }

    /// The gradients of the convolutions' parameters, summed over the images.
    fn convolution_gradients(&self) -> Vec<f64> {
        let [conv1, conv2] = ["CONV1", "CONV2"].map(|name| self.dispatch.constant(name) as usize);
        let mut sums = vec![0.0; conv1 + conv2];
        for image in self.batch("partial", conv1 + conv2).chunks(conv1 + conv2) {
            sums.iter_mut().zip(image).for_each(|(sum, value)| *sum += value);
        }
        sums
    }

    pub(super) fn images(&self) -> usize {
        self.step.batch as usize
    }

    pub(super) fn convolution(&self, name: &str, x: &[f64]) -> Vec<f64> {
        let layer = self.model.layer(name);
        reference::conv_forward(layer, x, &self.parameter(name, "weight"), &self.parameter(name, "bias"))
    }

    pub(super) fn parameter(&self, layer: &str, kind: &str) -> Vec<f64> {
        let binding = if self.bound("convolutions").is_some() { "convolutions" } else { "parameters" };
        self.floats(binding, self.model.parameter(&format!("{layer}.{kind}")).range())
    }

    /// The argmax of each window of pool1 and of pool2 from the words of all images.
    pub(super) fn unpacked_argmax(&self, words: &[u32]) -> (Vec<u32>, Vec<u32>) {
        let [pool1, pool2] = ["pool1", "pool2"].map(|name| self.model.layer(name).output);
        let (rows1, rows2) = (pool1.channels * pool1.height, pool2.channels * pool2.height);
        let (mut argmax1, mut argmax2) = (Vec::new(), Vec::new());
        for image in words.chunks(rows1 + rows2) {
            let unpacked =
                |word: &u32, width: usize| (0..width).map(|column| word >> (2 * column) & 3).collect::<Vec<_>>();
            argmax1.extend(image[..rows1].iter().flat_map(|word| unpacked(word, pool1.width)));
            argmax2.extend(image[rows1..].iter().flat_map(|word| unpacked(word, pool2.width)));
        }
        (argmax1, argmax2)
    }

    /// `count` values from `first` on of each image's row in `values`.
    pub(super) fn part(&self, values: &[f64], first: usize, count: usize) -> Vec<f64> {
        let rows = values.chunks(values.len() / self.images());
        rows.flat_map(|row| &row[first..first + count]).copied().collect()
    }
}

/// Where a ReLU passed: values above 0, or near 0 those of the kernel, which rounding decides.
pub(super) fn passed(values: &[f64], of_kernel: &[f64]) -> Vec<f64> {
    let decided = |(&value, &of_kernel): (&f64, &f64)| {
        if value < NEAR_TIE && of_kernel < NEAR_TIE { of_kernel } else { value }
    };
    values.iter().zip(of_kernel).map(decided).collect()
}

fn image_slice<T>(values: &[T], per_image: usize, n: usize) -> &[T] {
    &values[n * per_image..][..per_image]
}

/// Interleaves the parts by image: the first image of each part, the second of each, and so on.
pub(super) fn interleaved<T: Copy, const PARTS: usize>(parts: [Vec<T>; PARTS], images: usize) -> Vec<T> {
    let of_parts = |n| parts.iter().flat_map(move |part| image_slice(part, part.len() / images, n).iter().copied());
    (0..images).flat_map(of_parts).collect()
}

/// Packs two bits for each window into one word for each row of windows.
fn packed_words(pool: &Layer, bits: &[u32]) -> Vec<u32> {
    let word = |row: &[u32]| row.iter().rev().fold(0, |word, bits| word << 2 | bits);
    bits.chunks(pool.output.width).map(word).collect()
}

/// A mask with both bits set for every window of `x` whose two largest values are closer than [`NEAR_TIE`]. Windows
/// that are all 0 are included: their argmax has no effect, since nothing passes the ReLU.
pub(super) fn near_ties(pool: &Layer, x: &[f64]) -> Vec<u32> {
    let (y, argmax) = reference::max_pool_forward(pool, x);
    let mut rest = x.to_vec();
    // The second largest value is the maximum once the largest is removed.
    let planes = argmax.chunks(pool.output.positions()).zip(rest.chunks_mut(pool.input.positions()));
    for (argmax, plane) in planes {
        for (window, &place) in argmax.iter().enumerate() {
            let (row, column) = (2 * (window / pool.output.width), 2 * (window % pool.output.width));
            plane[(row + place as usize / 2) * pool.input.width + column + place as usize % 2] = f64::NEG_INFINITY;
        }
    }
    let (second, _) = reference::max_pool_forward(pool, &rest);
    y.iter().zip(&second).map(|(first, second)| if first - second < NEAR_TIE { 3 } else { 0 }).collect()
}

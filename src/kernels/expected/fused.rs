//! The reference's results for the kernels of the fused plans, composed of its functions for single layers.

use super::{Expected, KernelInputs};
use crate::kernels::plan::Element;
use crate::model::{CLASSES, IMAGE_PIXELS, Layer, Operation};
use crate::reference;

/// Two values of a window closer than this may be ordered differently in 32 bits.
const NEAR_TIE: f64 = 1e-5;

impl KernelInputs<'_> {
    pub(in crate::kernels) fn features_forward(&self) -> Vec<Expected> {
        let (pixels, targets) = self.pixels();
        let [pool1, pool2] = ["pool1", "pool2"].map(|name| self.model.layer(name));
        let conv1 = self.convolution("conv1", &pixels);
        let (y1, places1) = reference::max_pool_forward(pool1, &conv1);
        let conv2 = self.convolution("conv2", &y1);
        let (y2, places2) = reference::max_pool_forward(pool2, &conv2);
        let key = ["KEY_LOW", "KEY_HIGH"].map(|name| self.dispatch.constant(name) as u32);
        let features = match self.model.layer("dropout").operation {
            Operation::Dropout { rate } => reference::dropout_forward(&y2, key, self.step.index, rate),
            _ => y2,
        };
        let ignored_bits = interleaved(
            [packed_words(pool1, &near_ties(pool1, &conv1)), packed_words(pool2, &near_ties(pool2, &conv2))],
            self.images(),
        );
        let places = interleaved([packed_words(pool1, &places1), packed_words(pool2, &places2)], self.images());
        let values =
            places.iter().zip(&ignored_bits).map(|(place, ignored_bits)| f64::from(place & !ignored_bits)).collect();
        let targets = targets.into_iter().map(f64::from).collect();
        vec![
            self.written("pool1", 0, y1),
            Expected { element: Element::U32, ignored_bits, ..self.written("places", 0, values) },
            self.written("features", 0, features),
            Expected { element: Element::U32, ..self.written("targets", 0, targets) },
        ]
    }

    pub(in crate::kernels) fn classifier_forward_backward(&self) -> Vec<Expected> {
        let [fc1, fc2, fc3] = ["fc1", "fc2", "fc3"].map(|name| self.model.layer(name));
        let [weight1, weight2, weight3] = ["fc1", "fc2", "fc3"].map(|name| self.parameter(name, "weight"));
        let features = self.batch("features", fc1.input.elements());
        let targets = self.targets();
        let a1 = reference::dense_forward(fc1, &features, &weight1, &self.parameter("fc1", "bias"));
        let a2 = reference::dense_forward(fc2, &a1, &weight2, &self.parameter("fc2", "bias"));
        let logits = reference::dense_forward(fc3, &a2, &weight3, &self.parameter("fc3", "bias"));
        let (loss, correct) = reference::softmax_cross_entropy_forward(&logits, &targets);
        let dz3 = reference::softmax_cross_entropy_backward(&logits, &targets);
        let dz2 = reference::dense_backward_input(fc3, &dz3, &weight3, Some(&a2));
        let dz1 = reference::dense_backward_input(fc2, &dz2, &weight2, Some(&a1));
        // A positive feature was kept by dropout and passed the ReLU before it.
        let scale = f64::from(self.dispatch.constant("SCALE") as f32);
        let mut dfeatures = reference::dense_backward_input(fc1, &dz1, &weight1, Some(&features));
        dfeatures.iter_mut().for_each(|value| *value *= scale);
        let correct = correct.into_iter().map(f64::from).collect();
        let padding = vec![0.0; (CLASSES.next_multiple_of(4) - CLASSES) * self.images()];
        vec![
            self.written("hidden", 0, interleaved([a1, a2], self.images())),
            self.written("deltas", 0, interleaved([dz1, dz2, dz3, padding], self.images())),
            self.written("dfeatures", 0, dfeatures),
            self.written("outcome", 0, interleaved([loss, correct], self.images())),
        ]
    }

    /// The gradient of each image.
    pub(in crate::kernels) fn features_backward(&self) -> Vec<Expected> {
        let [conv1, pool1, conv2, pool2] = ["conv1", "pool1", "conv2", "pool2"].map(|name| self.model.layer(name));
        let (pixels, _) = self.pixels();
        let y1 = self.batch("pool1", pool1.output.elements());
        let (places1, places2) = self.places();
        let dfeatures = self.batch("dfeatures", pool2.output.elements());
        let all = vec![1.0; dfeatures.len()];
        let dconv2 = reference::max_pool_backward(pool2, &dfeatures, &places2, &all);
        let dpool1 = reference::conv_backward_input(conv2, &dconv2, &self.parameter("conv2", "weight"));
        let mut partial = Vec::new();
        for n in 0..self.images() {
            let (y1, places1) =
                (image_slice(&y1, pool1.output.elements(), n), image_slice(&places1, y1.len() / self.images(), n));
            let dpool1 = image_slice(&dpool1, pool1.output.elements(), n);
            let dconv1 = reference::max_pool_backward(pool1, dpool1, places1, y1);
            partial.extend(reference::conv_backward_weight(conv1, image_slice(&pixels, IMAGE_PIXELS, n), &dconv1));
            partial.extend(reference::conv_backward_bias(conv1, &dconv1));
            let dconv2 = image_slice(&dconv2, conv2.output.elements(), n);
            partial.extend(reference::conv_backward_weight(conv2, y1, dconv2));
            partial.extend(reference::conv_backward_bias(conv2, dconv2));
        }
        vec![self.written("partial", 0, partial)]
    }

    pub(in crate::kernels) fn gradient_update(&self) -> Vec<Expected> {
        let [fc1, fc2, fc3] = ["fc1", "fc2", "fc3"].map(|name| self.model.layer(name));
        let (units1, units2) = (fc1.output.elements(), fc2.output.elements());
        let features = self.batch("features", fc1.input.elements());
        let hidden = self.batch("hidden", units1 + units2);
        let deltas = self.batch("deltas", units1 + units2 + CLASSES.next_multiple_of(4));
        let part = |values: &[f64], first: usize, count: usize| -> Vec<f64> {
            let per_image = values.len() / self.images();
            values.chunks(per_image).flat_map(|values| values[first..first + count].to_vec()).collect()
        };
        let mut gradients = self.convolution_gradients();
        for (layer, x, dy) in [
            (fc1, features, part(&deltas, 0, units1)),
            (fc2, part(&hidden, 0, units1), part(&deltas, units1, units2)),
            (fc3, part(&hidden, units1, units2), part(&deltas, units1 + units2, CLASSES)),
        ] {
            gradients.extend(reference::dense_backward_weight(layer, &x, &dy));
            gradients.extend(reference::dense_backward_bias(layer, &dy));
        }
        let outcome = self.batch("outcome", 2);
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

    fn images(&self) -> usize {
        self.step.batch as usize
    }

    fn convolution(&self, name: &str, x: &[f64]) -> Vec<f64> {
        let layer = self.model.layer(name);
        reference::conv_forward(layer, x, &self.parameter(name, "weight"), &self.parameter(name, "bias"))
    }

    fn parameter(&self, layer: &str, kind: &str) -> Vec<f64> {
        let binding = if self.bound("convolutions").is_some() { "convolutions" } else { "parameters" };
        self.floats(binding, self.model.parameter(&format!("{layer}.{kind}")).range())
    }

    /// The argmax of each window of pool1 and of pool2, unpacked.
    fn places(&self) -> (Vec<u32>, Vec<u32>) {
        let [pool1, pool2] = ["pool1", "pool2"].map(|name| self.model.layer(name).output);
        let (rows1, rows2) = (pool1.channels * pool1.height, pool2.channels * pool2.height);
        let words = self.words("places", 0..self.images() * (rows1 + rows2));
        let (mut places1, mut places2) = (Vec::new(), Vec::new());
        for image in words.chunks(rows1 + rows2) {
            let unpacked =
                |word: &u32, width: usize| (0..width).map(|column| word >> (2 * column) & 3).collect::<Vec<_>>();
            places1.extend(image[..rows1].iter().flat_map(|word| unpacked(word, pool1.width)));
            places2.extend(image[rows1..].iter().flat_map(|word| unpacked(word, pool2.width)));
        }
        (places1, places2)
    }
}

fn image_slice<T>(values: &[T], per_image: usize, n: usize) -> &[T] {
    &values[n * per_image..][..per_image]
}

/// Interleaves the parts by image: the first image of each part, the second of each, and so on.
fn interleaved<T: Copy, const PARTS: usize>(parts: [Vec<T>; PARTS], images: usize) -> Vec<T> {
    let of_parts = |n| parts.iter().flat_map(move |part| image_slice(part, part.len() / images, n).iter().copied());
    (0..images).flat_map(of_parts).collect()
}

/// Packs two bits for each window into one word for each row of windows.
fn packed_words(pool: &Layer, bits: &[u32]) -> Vec<u32> {
    let word = |row: &[u32]| row.iter().rev().fold(0, |word, bits| word << 2 | bits);
    bits.chunks(pool.output.width).map(word).collect()
}

/// A mask with both bits set for every window of `x` whose two largest values are closer than [`NEAR_TIE`]. Windows that are all 0
/// are included: their argmax has no effect, since nothing passes the ReLU.
fn near_ties(pool: &Layer, x: &[f64]) -> Vec<u32> {
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

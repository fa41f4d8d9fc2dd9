//! Expected values: the reference's results for a dispatch, given the buffers before it.

use super::kernel::{Access, Step};
use super::plan::{Dispatch, Element, inputs};
use crate::model::{CLASSES, IMAGE_PIXELS, Layer, Model, Operation};
use crate::reference;
use std::collections::BTreeMap;
use std::ops::Range;

mod f16;
mod fused;
mod image;

/// The contents of a dispatch's buffers by name, as 32-bit words.
pub type Contents = BTreeMap<String, Vec<u32>>;

/// Values expected in part of a buffer after a dispatch; the rest of the buffer stays unchanged.
pub struct Expected {
    /// Name of the buffer.
    pub buffer: String,
    /// Index of the first value.
    pub first: usize,
    /// Type of the values.
    pub element: Element,
    /// The values.
    pub values: Vec<f64>,
    /// For packed bits, a mask of the bits that rounding may decide either way, one word for each value; else empty.
    pub ignored_bits: Vec<u32>,
    /// What sums in 16 bits add to the absolute part of the tolerance; 0 where there are none.
    pub rounding: f64,
}

/// The largest error of rounding to 16 bits, relative to the value: half a unit in the last of 11 binary digits. Below
/// 2^-14 it is at most 2^-25, which the absolute part of a tolerance covers.
pub const F16_ROUNDING: f64 = 1.0 / 2048.0;

/// The two 16-bit numbers of a word, as shaders unpack them.
pub fn f16_pair(word: u32) -> [f32; 2] {
    [word as u16, (word >> 16) as u16].map(|bits| half::f16::from_bits(bits).to_f32())
}

/// A dispatch with the contents of its buffers before it runs.
pub struct KernelInputs<'a> {
    /// The dispatch.
    pub dispatch: &'a Dispatch,
    /// The model.
    pub model: &'a Model,
    /// The step record.
    pub step: &'a Step,
    /// The contents of its buffers.
    pub contents: &'a Contents,
    /// The contents of those that it writes, afterwards: where rounding decides between two values, the reference
    /// follows the kernel's choice in what depends on it.
    pub after: &'a Contents,
}

/// The reference's results, one method for each kernel, of the same name.
impl KernelInputs<'_> {
    pub(super) fn conv_forward(&self) -> Vec<Expected> {
        let (layer, weight, bias) = self.layer_and_parameters();
        self.one("y", reference::conv_forward(layer, &self.batch("x", layer.input.elements()), &weight, &bias))
    }

    pub(super) fn conv_backward_input(&self) -> Vec<Expected> {
        let (layer, weight, _) = self.layer_and_parameters();
        self.one("dx", reference::conv_backward_input(layer, &self.batch("dy", layer.output.elements()), &weight))
    }

    pub(super) fn conv_backward_bias(&self) -> Vec<Expected> {
        let layer = self.layer();
        let dbias = reference::conv_backward_bias(layer, &self.batch("dy", layer.output.elements()));
        vec![self.gradient("bias", dbias)]
    }

    pub(super) fn max_pool_backward(&self) -> Vec<Expected> {
        let layer = self.layer();
        let [dy, y] = ["dy", "y"].map(|binding| self.batch(binding, layer.output.elements()));
        let argmax = self.words("argmax", 0..self.step.batch as usize * layer.output.elements());
        self.one("dx", reference::max_pool_backward(layer, &dy, argmax, &y))
    }

    pub(super) fn dropout_forward(&self) -> Vec<Expected> {
        let (x, key, rate) = self.dropout_inputs("x");
        self.one("y", reference::dropout_forward(&x, key, self.step.index, rate))
    }

    pub(super) fn dropout_backward(&self) -> Vec<Expected> {
        let (dy, key, rate) = self.dropout_inputs("dy");
        self.one("dx", reference::dropout_backward(&dy, key, self.step.index, rate))
    }

    pub(super) fn dense_forward(&self) -> Vec<Expected> {
        let (layer, weight, bias) = self.layer_and_parameters();
        self.one("y", reference::dense_forward(layer, &self.batch("x", layer.input.elements()), &weight, &bias))
    }

    pub(super) fn dense_backward_input(&self) -> Vec<Expected> {
        let (layer, weight, _) = self.layer_and_parameters();
        let x = self.batch("x", layer.input.elements());
        let relu_before = (self.dispatch.constant("RELU_BEFORE") != 0.0).then_some(x.as_slice());
        let dy = self.batch("dy", layer.output.elements());
        self.one("dx", reference::dense_backward_input(layer, &dy, &weight, relu_before))
    }

    pub(super) fn dense_backward_weight(&self) -> Vec<Expected> {
        let layer = self.layer();
        let x = self.batch("x", layer.input.elements());
        let dweight = reference::dense_backward_weight(layer, &x, &self.batch("dy", layer.output.elements()));
        vec![self.gradient("weight", dweight)]
    }

    pub(super) fn dense_backward_bias(&self) -> Vec<Expected> {
        let layer = self.layer();
        let dbias = reference::dense_backward_bias(layer, &self.batch("dy", layer.output.elements()));
        vec![self.gradient("bias", dbias)]
    }

    pub(super) fn softmax_cross_entropy_forward(&self) -> Vec<Expected> {
        let logits = self.batch("z", CLASSES);
        let (loss, correct) = reference::softmax_cross_entropy_forward(&logits, &self.targets());
        let correct = correct.into_iter().map(f64::from).collect();
        vec![self.written("loss", 0, loss), self.written("correct", 0, correct)]
    }

    pub(super) fn softmax_cross_entropy_backward(&self) -> Vec<Expected> {
        self.one("dz", reference::softmax_cross_entropy_backward(&self.batch("z", CLASSES), &self.targets()))
    }

    pub(super) fn metrics_reduce(&self) -> Vec<Expected> {
        let correct: Vec<u32> = self.batch("correct", 1).into_iter().map(|value| value as u32).collect();
        let (loss, correct) = reference::metrics_reduce(&self.batch("loss", 1), &correct);
        vec![self.written("metrics", 2 * self.step.slot as usize, vec![loss, f64::from(correct)])]
    }

    fn layer(&self) -> &Layer {
        self.model.layer(self.dispatch.layer)
    }

    /// The name of the buffer bound to `binding`, if any.
    fn bound(&self, binding: &str) -> Option<&str> {
        let storage = self.dispatch.kernel.bindings.iter().filter(|bound| bound.access != Access::Step);
        storage.zip(&self.dispatch.buffers).find(|(bound, _)| bound.name == binding).map(|(_, name)| name.as_str())
    }

    /// The name of the buffer bound to `binding`.
    fn buffer(&self, binding: &str) -> &str {
        self.bound(binding).unwrap_or_else(|| panic!("{} binds {binding}", self.dispatch.label()))
    }

    fn words(&self, binding: &str, range: Range<usize>) -> &[u32] {
        &self.contents[self.buffer(binding)][range]
    }

    fn floats(&self, binding: &str, range: Range<usize>) -> Vec<f64> {
        self.words(binding, range).iter().map(|&word| f64::from(f32::from_bits(word))).collect()
    }

    /// The values of the batch's images, `per_image` each.
    fn batch(&self, binding: &str, per_image: usize) -> Vec<f64> {
        self.floats(binding, 0..self.step.batch as usize * per_image)
    }

    /// What the dispatch left of the batch's images in the buffer bound to `binding`, `per_image` values each.
    fn left(&self, binding: &str, per_image: usize) -> Vec<f64> {
        let words = &self.after[self.buffer(binding)][..self.step.batch as usize * per_image];
        words.iter().map(|&word| f64::from(f32::from_bits(word))).collect()
    }

    /// The values of pool1, `per_image` for each of the batch's images, in 32 or 16 bits.
    fn pool1(&self, per_image: usize) -> Vec<f64> {
        if self.dispatch.kernel.stores_16_bits("pool1") {
            let words = self.words("pool1", 0..self.step.batch as usize * per_image / 2);
            return words.iter().flat_map(|&word| f16_pair(word)).map(f64::from).collect();
        }
        self.batch("pool1", per_image)
    }

    fn targets(&self) -> Vec<u8> {
        self.words("targets", 0..self.step.batch as usize).iter().map(|&label| label as u8).collect()
    }

    fn range(&self, kind: &str) -> Range<usize> {
        self.model.parameter(&format!("{}.{kind}", self.dispatch.layer)).range()
    }

    fn layer_and_parameters(&self) -> (&Layer, Vec<f64>, Vec<f64>) {
        let [weight, bias] = ["weight", "bias"].map(|kind| self.floats("parameters", self.range(kind)));
        (self.layer(), weight, bias)
    }

    fn written(&self, binding: &str, first: usize, values: Vec<f64>) -> Expected {
        Expected {
            buffer: self.buffer(binding).to_owned(),
            first,
            element: Element::F32,
            values,
            ignored_bits: Vec::new(),
            rounding: 0.0,
        }
    }

    fn one(&self, binding: &str, values: Vec<f64>) -> Vec<Expected> {
        vec![self.written(binding, 0, values)]
    }

    fn gradient(&self, kind: &str, values: Vec<f64>) -> Expected {
        Expected {
            buffer: inputs::GRADIENTS.to_owned(),
            first: self.range(kind).start,
            element: Element::F32,
            values,
            ignored_bits: Vec::new(),
            rounding: 0.0,
        }
    }

    /// The pixels of the batch, as fractions of 255, and its labels.
    fn pixels(&self) -> (Vec<f64>, Vec<u8>) {
        let [images, order] = ["images", "order"].map(|binding| &self.contents[self.buffer(binding)]);
        // Kernels without labels have no such binding.
        let labels = self.bound("labels").map(|name| self.contents[name].iter().map(|&label| label as u8).collect());
        let labels: Vec<u8> = labels.unwrap_or_else(|| vec![0; 4 * images.len() / IMAGE_PIXELS]);
        let first = self.step.first as usize;
        let indices = &order[first..first + self.step.batch as usize];
        reference::batch_gather(bytemuck::cast_slice(images), &labels, indices)
    }

    pub(super) fn batch_gather(&self) -> Vec<Expected> {
        let (pixels, targets) = self.pixels();
        let targets = targets.into_iter().map(f64::from).collect();
        let targets = Expected { element: Element::U32, ..self.written("targets", 0, targets) };
        vec![self.written("x", 0, pixels), targets]
    }

    pub(super) fn max_pool_forward(&self) -> Vec<Expected> {
        let layer = self.layer();
        let (y, argmax) = reference::max_pool_forward(layer, &self.batch("x", layer.input.elements()));
        let argmax = argmax.into_iter().map(f64::from).collect();
        vec![self.written("y", 0, y), Expected { element: Element::U32, ..self.written("argmax", 0, argmax) }]
    }

    /// The values of `binding`, the key of the random bits, and the rate of a dropout kernel.
    fn dropout_inputs(&self, binding: &str) -> (Vec<f64>, [u32; 2], f32) {
        let layer = self.layer();
        let Operation::Dropout { rate } = layer.operation else { panic!("{} drops nothing", layer.name) };
        let key = ["KEY_LOW", "KEY_HIGH"].map(|name| self.dispatch.constant(name) as u32);
        (self.batch(binding, layer.input.elements()), key, rate)
    }

    /// The gradient of each chunk of images.
    pub(super) fn conv_backward_weight(&self) -> Vec<Expected> {
        let layer = self.layer();
        let (inputs, outputs) = (layer.input.elements(), layer.output.elements());
        let chunk = self.dispatch.constant("CHUNK") as usize;
        let (x, dy) = (self.batch("x", inputs), self.batch("dy", outputs));
        let chunks = x.chunks(chunk * inputs).zip(dy.chunks(chunk * outputs));
        let partial = chunks.flat_map(|(x, dy)| reference::conv_backward_weight(layer, x, dy)).collect();
        vec![self.written("partial", 0, partial)]
    }

    pub(super) fn conv_backward_weight_reduce(&self) -> Vec<Expected> {
        let weights = self.range("weight").len();
        let chunks = self.step.batch.div_ceil(self.dispatch.constant("CHUNK") as u32) as usize;
        let mut total = vec![0.0; weights];
        for partial in self.floats("partial", 0..chunks * weights).chunks(weights) {
            total.iter_mut().zip(partial).for_each(|(total, value)| *total += value);
        }
        vec![self.gradient("weight", total)]
    }

    pub(super) fn sgd_update(&self) -> Vec<Expected> {
        self.updated(&self.floats("gradients", 0..self.model.parameter_count()))
    }

    /// The velocities and parameters after an SGD step with `gradients`.
    fn updated(&self, gradients: &[f64]) -> Vec<Expected> {
        let [mut velocities, mut parameters] =
            ["velocities", "parameters"].map(|binding| self.floats(binding, 0..self.model.parameter_count()));
        let momentum = f64::from(self.dispatch.constant("MOMENTUM") as f32);
        let learning_rate = f64::from(self.step.learning_rate);
        reference::sgd_update(&mut parameters, &mut velocities, gradients, learning_rate, momentum);
        vec![self.written("velocities", 0, velocities), self.written("parameters", 0, parameters)]
    }
}

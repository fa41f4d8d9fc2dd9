//! What the reference says a dispatch must leave in its buffers, given what it found there.

use crate::error::{Error, Result};
use crate::kernels::plan::inputs;
use crate::kernels::{Access, Dispatch, Element, Step};
use crate::model::{CLASSES, IMAGE_PIXELS, Layer, Model, Operation};
use crate::reference;
use std::collections::BTreeMap;
use std::ops::Range;

mod fused;

/// The contents of the buffers that a dispatch names, by name: 32-bit words.
pub type Contents = BTreeMap<String, Vec<u32>>;

/// Values that a dispatch must leave in part of a buffer; the rest of the buffer must stay as it was.
pub struct Expected {
    /// Name of the buffer.
    pub buffer: String,
    /// Index of the first value.
    pub first: usize,
    /// What the values are.
    pub element: Element,
    /// The values.
    pub values: Vec<f64>,
    /// For words of flags, the bits that rounding may decide either way, one word for each value; else empty.
    pub undecided: Vec<u32>,
}

/// What a dispatch has before it: its buffers, the model, the step.
struct Scene<'a> {
    dispatch: &'a Dispatch,
    model: &'a Model,
    step: &'a Step,
    before: &'a Contents,
}

/// The reference's answer to `dispatch` in `step` on the contents `before`.
///
/// # Errors
/// [`Error::Check`] if the kernel has no reference.
pub fn expected(dispatch: &Dispatch, model: &Model, step: &Step, before: &Contents) -> Result<Vec<Expected>> {
    let scene = Scene { dispatch, model, step, before };
    let one = |binding: &str, values: Vec<f64>| Ok(vec![scene.written(binding, 0, values)]);
    match dispatch.kernel.name {
        "batch_gather" => Ok(scene.batch_gather()),
        "conv_forward" => {
            let (layer, weight, bias) = scene.layer_and_parameters();
            one("y", reference::conv_forward(layer, &scene.batch("x", layer.input.elements()), &weight, &bias))
        }
        "conv_backward_input" => {
            let (layer, weight, _) = scene.layer_and_parameters();
            one("dx", reference::conv_backward_input(layer, &scene.batch("dy", layer.output.elements()), &weight))
        }
        "conv_backward_weight" => Ok(scene.conv_backward_weight()),
        "conv_backward_weight_reduce" => Ok(scene.conv_backward_weight_reduce()),
        "conv_backward_bias" => {
            let layer = scene.layer();
            let dbias = reference::conv_backward_bias(layer, &scene.batch("dy", layer.output.elements()));
            Ok(vec![scene.gradient("bias", dbias)])
        }
        "max_pool_forward" => Ok(scene.max_pool_forward()),
        "max_pool_backward" => {
            let layer = scene.layer();
            let [dy, y] = ["dy", "y"].map(|binding| scene.batch(binding, layer.output.elements()));
            let argmax = scene.words("argmax", 0..step.batch as usize * layer.output.elements());
            one("dx", reference::max_pool_backward(layer, &dy, argmax, &y))
        }
        "dropout_forward" | "dropout_backward" => Ok(scene.dropout()),
        "dense_forward" => {
            let (layer, weight, bias) = scene.layer_and_parameters();
            one("y", reference::dense_forward(layer, &scene.batch("x", layer.input.elements()), &weight, &bias))
        }
        "dense_backward_input" => {
            let (layer, weight, _) = scene.layer_and_parameters();
            let x = scene.batch("x", layer.input.elements());
            let relu_before = (dispatch.constant("RELU_BEFORE") != 0.0).then_some(x.as_slice());
            let dy = scene.batch("dy", layer.output.elements());
            one("dx", reference::dense_backward_input(layer, &dy, &weight, relu_before))
        }
        "dense_backward_weight" => {
            let layer = scene.layer();
            let x = scene.batch("x", layer.input.elements());
            let dweight = reference::dense_backward_weight(layer, &x, &scene.batch("dy", layer.output.elements()));
            Ok(vec![scene.gradient("weight", dweight)])
        }
        "dense_backward_bias" => {
            let layer = scene.layer();
            let dbias = reference::dense_backward_bias(layer, &scene.batch("dy", layer.output.elements()));
            Ok(vec![scene.gradient("bias", dbias)])
        }
        "softmax_cross_entropy_forward" => {
            let (loss, correct) =
                reference::softmax_cross_entropy_forward(&scene.batch("z", CLASSES), &scene.targets());
            let correct = correct.into_iter().map(f64::from).collect();
            Ok(vec![scene.written("loss", 0, loss), scene.written("correct", 0, correct)])
        }
        "softmax_cross_entropy_backward" => {
            one("dz", reference::softmax_cross_entropy_backward(&scene.batch("z", CLASSES), &scene.targets()))
        }
        "metrics_reduce" => {
            let correct: Vec<u32> = scene.batch("correct", 1).into_iter().map(|value| value as u32).collect();
            let (loss, correct) = reference::metrics_reduce(&scene.batch("loss", 1), &correct);
            Ok(vec![scene.written("metrics", 2 * step.slot as usize, vec![loss, f64::from(correct)])])
        }
        "sgd_update" => Ok(scene.sgd_update()),
        "features_forward" | "features_forward_lanes" => Ok(scene.features_forward()),
        "classifier_forward_backward"
        | "classifier_forward_backward_subgroups"
        | "classifier_forward_backward_lanes" => Ok(scene.classifier_forward_backward()),
        "features_backward" | "features_backward_lanes" => Ok(scene.features_backward()),
        "gradient_update" | "gradient_update_lanes" => Ok(scene.gradient_update()),
        other => Err(Error::Check(format!("no reference is known for the kernel {other}: add one"))),
    }
}

impl Scene<'_> {
    fn layer(&self) -> &Layer {
        self.model.layer(self.dispatch.layer)
    }

    /// The name of the buffer bound as `binding`, if one is.
    fn bound(&self, binding: &str) -> Option<&str> {
        let storage = self.dispatch.kernel.bindings.iter().filter(|bound| bound.access != Access::Step);
        storage.zip(&self.dispatch.buffers).find(|(bound, _)| bound.name == binding).map(|(_, name)| name.as_str())
    }

    /// The name of the buffer bound as `binding`.
    fn buffer(&self, binding: &str) -> &str {
        self.bound(binding).unwrap_or_else(|| panic!("{} binds {binding}", self.dispatch.label()))
    }

    fn words(&self, binding: &str, range: Range<usize>) -> &[u32] {
        &self.before[self.buffer(binding)][range]
    }

    fn floats(&self, binding: &str, range: Range<usize>) -> Vec<f64> {
        self.words(binding, range).iter().map(|&word| f64::from(f32::from_bits(word))).collect()
    }

    /// The values of the batch's images, `per_image` each.
    fn batch(&self, binding: &str, per_image: usize) -> Vec<f64> {
        self.floats(binding, 0..self.step.batch as usize * per_image)
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
            undecided: Vec::new(),
        }
    }

    fn gradient(&self, kind: &str, values: Vec<f64>) -> Expected {
        Expected {
            buffer: inputs::GRADIENTS.to_owned(),
            first: self.range(kind).start,
            element: Element::F32,
            values,
            undecided: Vec::new(),
        }
    }

    /// The pixels of the batch, as fractions of 255, and its labels.
    fn pixels(&self) -> (Vec<f64>, Vec<u8>) {
        let [images, order] = ["images", "order"].map(|binding| &self.before[self.buffer(binding)]);
        // A kernel that needs no labels binds none.
        let labels = self.bound("labels").map(|name| self.before[name].iter().map(|&label| label as u8).collect());
        let labels: Vec<u8> = labels.unwrap_or_else(|| vec![0; 4 * images.len() / IMAGE_PIXELS]);
        let first = self.step.first as usize;
        let indices = &order[first..first + self.step.batch as usize];
        reference::batch_gather(bytemuck::cast_slice(images), &labels, indices)
    }

    fn batch_gather(&self) -> Vec<Expected> {
        let (pixels, targets) = self.pixels();
        let targets = targets.into_iter().map(f64::from).collect();
        let targets = Expected { element: Element::U32, ..self.written("targets", 0, targets) };
        vec![self.written("x", 0, pixels), targets]
    }

    fn max_pool_forward(&self) -> Vec<Expected> {
        let layer = self.layer();
        let (y, argmax) = reference::max_pool_forward(layer, &self.batch("x", layer.input.elements()));
        let argmax = argmax.into_iter().map(f64::from).collect();
        vec![self.written("y", 0, y), Expected { element: Element::U32, ..self.written("argmax", 0, argmax) }]
    }

    fn dropout(&self) -> Vec<Expected> {
        let layer = self.layer();
        let Operation::Dropout { rate } = layer.operation else { return Vec::new() };
        let key = ["KEY_LOW", "KEY_HIGH"].map(|name| self.dispatch.constant(name) as u32);
        let elements = layer.input.elements();
        if self.dispatch.kernel.name == "dropout_forward" {
            let y = reference::dropout_forward(&self.batch("x", elements), key, self.step.index, rate);
            vec![self.written("y", 0, y)]
        } else {
            let dx = reference::dropout_backward(&self.batch("dy", elements), key, self.step.index, rate);
            vec![self.written("dx", 0, dx)]
        }
    }

    /// The gradient of each chunk of images by itself.
    fn conv_backward_weight(&self) -> Vec<Expected> {
        let layer = self.layer();
        let (inputs, outputs) = (layer.input.elements(), layer.output.elements());
        let chunk = self.dispatch.constant("CHUNK") as usize;
        let (x, dy) = (self.batch("x", inputs), self.batch("dy", outputs));
        let chunks = x.chunks(chunk * inputs).zip(dy.chunks(chunk * outputs));
        let partial = chunks.flat_map(|(x, dy)| reference::conv_backward_weight(layer, x, dy)).collect();
        vec![self.written("partial", 0, partial)]
    }

    fn conv_backward_weight_reduce(&self) -> Vec<Expected> {
        let weights = self.range("weight").len();
        let chunks = self.step.batch.div_ceil(self.dispatch.constant("CHUNK") as u32) as usize;
        let mut total = vec![0.0; weights];
        for partial in self.floats("partial", 0..chunks * weights).chunks(weights) {
            total.iter_mut().zip(partial).for_each(|(total, value)| *total += value);
        }
        vec![self.gradient("weight", total)]
    }

    fn sgd_update(&self) -> Vec<Expected> {
        self.updated(&self.floats("gradients", 0..self.model.parameter_count()))
    }

    /// The velocities and parameters after a step down `gradients`.
    fn updated(&self, gradients: &[f64]) -> Vec<Expected> {
        let [mut velocities, mut parameters] =
            ["velocities", "parameters"].map(|binding| self.floats(binding, 0..self.model.parameter_count()));
        let momentum = f64::from(self.dispatch.constant("MOMENTUM") as f32);
        let learning_rate = f64::from(self.step.learning_rate);
        reference::sgd_update(&mut parameters, &mut velocities, gradients, learning_rate, momentum);
        vec![self.written("velocities", 0, velocities), self.written("parameters", 0, parameters)]
    }
}

//! The whole network, composed of the reference functions in the order the model gives.

use super::convolution::{conv_backward_bias, conv_backward_input, conv_backward_weight, conv_forward};
use super::dense::{dense_backward_bias, dense_backward_input, dense_backward_weight, dense_forward};
use super::elementwise::{dropout_backward, dropout_forward, sgd_update};
use super::loss::{metrics_reduce, softmax_cross_entropy_backward, softmax_cross_entropy_forward};
use super::pooling::{max_pool_backward, max_pool_forward};
use crate::model::{IMAGE_PIXELS, Layer, Model, Operation, Training};

/// The network in training: its parameters, their velocities, and its hyperparameters.
#[derive(Debug, Clone)]
pub struct Network {
    /// The layers and the layout of their parameters.
    pub model: Model,
    /// Learning rate, decay and momentum.
    pub training: Training,
    /// All parameters, in the model's order.
    pub parameters: Vec<f64>,
    /// The velocity of every parameter, 0 at the start.
    pub velocities: Vec<f64>,
    /// The key of the dropout masks, `rng::stream_key(seed, Stream::Dropout)`.
    pub dropout_key: [u32; 2],
}

/// The intermediate values of a forward pass, for the backward pass.
#[derive(Debug, Clone)]
pub struct Trace {
    /// The pixels, then the output of every layer: `activations[i]` is the input of layer i. The last are the losses
    /// `[N]`.
    pub activations: Vec<Vec<f64>>,
    /// For every pooling layer the position of each maximum in its window; empty for other layers.
    pub argmaxes: Vec<Vec<u32>>,
    /// 1 for every image whose largest logit is its label's, else 0; `[N]`.
    pub correct: Vec<u32>,
}

impl Trace {
    /// The loss of every image in nats, `[N]`: the output of the last layer.
    pub fn losses(&self) -> &[f64] {
        self.activations.last().map_or(&[], Vec::as_slice)
    }
}

/// The result of one training step.
#[derive(Debug, Clone)]
pub struct StepResult {
    /// The sum of the losses of the batch, in nats.
    pub loss_sum: f64,
    /// The number of correctly classified images, before the update.
    pub correct: u32,
    /// The gradient of the mean loss by every parameter, in the model's order.
    pub gradients: Vec<f64>,
}

impl Network {
    /// Images that are evaluated at a time, which limits the memory of the activations.
    const EVALUATION_BATCH: usize = 64;

    /// The network with the given parameters and all velocities 0.
    pub fn new(model: Model, training: Training, parameters: &[f32], dropout_key: [u32; 2]) -> Self {
        assert_eq!(parameters.len(), model.parameter_count(), "the model has this many parameters");
        let velocities = vec![0.0; parameters.len()];
        let parameters = parameters.iter().copied().map(f64::from).collect();
        Self { model, training, parameters, velocities, dropout_key }
    }

    /// The forward pass over `pixels` [N, 1, 28, 28] and `labels` `[N]`, with the dropout mask of a training step, or
    /// without dropout where `dropout_step` is `None`.
    pub fn forward(&self, pixels: &[f64], labels: &[u8], dropout_step: Option<u32>) -> Trace {
        let mut trace = Trace { activations: vec![pixels.to_vec()], argmaxes: Vec::new(), correct: Vec::new() };
        for (index, layer) in self.model.layers.iter().enumerate() {
            let x = &trace.activations[index];
            let mut argmax = Vec::new();
            let y = match layer.operation {
                Operation::Convolution { .. } => conv_forward(layer, x, self.weight(layer), self.bias(layer)),
                Operation::MaxPool { .. } => {
                    let (y, positions) = max_pool_forward(layer, x);
                    argmax = positions;
                    y
                }
                Operation::Dropout { rate } => match dropout_step {
                    Some(step) => dropout_forward(x, self.dropout_key, step, rate),
                    None => x.clone(),
                },
                Operation::Dense { .. } => dense_forward(layer, x, self.weight(layer), self.bias(layer)),
                Operation::SoftmaxCrossEntropy => {
                    let (loss, correct) = softmax_cross_entropy_forward(x, labels);
                    trace.correct = correct;
                    loss
                }
            };
            trace.activations.push(y);
            trace.argmaxes.push(argmax);
        }
        trace
    }

    /// The loss, the correct answers and all gradients of training step `step` on a batch, without an update.
    pub fn gradients(&self, pixels: &[f64], labels: &[u8], step: u32) -> StepResult {
        let trace = self.forward(pixels, labels, Some(step));
        let mut gradients = vec![0.0; self.parameters.len()];
        let mut store = |layer: &Layer, part: &str, values: Vec<f64>| {
            gradients[self.range(layer, part)].copy_from_slice(&values);
        };
        // The gradient by the output of the current layer; the loss layer starts it.
        let mut dy = Vec::new();
        for (index, layer) in self.model.layers.iter().enumerate().rev() {
            let (x, y) = (&trace.activations[index], &trace.activations[index + 1]);
            let before = index.checked_sub(1).map(|before| self.model.layers[before].operation);
            dy = match layer.operation {
                Operation::SoftmaxCrossEntropy => softmax_cross_entropy_backward(x, labels),
                Operation::Dense { .. } => {
                    store(layer, "weight", dense_backward_weight(layer, x, &dy));
                    store(layer, "bias", dense_backward_bias(layer, &dy));
                    let x_relu = matches!(before, Some(Operation::Dense { relu: true })).then_some(x.as_slice());
                    dense_backward_input(layer, &dy, self.weight(layer), x_relu)
                }
                Operation::Dropout { rate } => dropout_backward(&dy, self.dropout_key, step, rate),
                Operation::MaxPool { .. } => max_pool_backward(layer, &dy, &trace.argmaxes[index], y),
                Operation::Convolution { .. } => {
                    store(layer, "weight", conv_backward_weight(layer, x, &dy));
                    store(layer, "bias", conv_backward_bias(layer, &dy));
                    // The gradient of the pixels is not needed.
                    if before.is_some() { conv_backward_input(layer, &dy, self.weight(layer)) } else { Vec::new() }
                }
            };
        }
        let (loss_sum, correct) = metrics_reduce(trace.losses(), &trace.correct);
        StepResult { loss_sum, correct, gradients }
    }

    /// One training step: the gradients of the batch, then the update of velocities and parameters.
    ///
    /// `pixels` is [N, 1, 28, 28], `labels` `[N]`; `step` counts from 0 and sets the learning rate and the dropout
    /// mask.
    pub fn training_step(&mut self, pixels: &[f64], labels: &[u8], step: u32) -> StepResult {
        let result = self.gradients(pixels, labels, step);
        let learning_rate = f64::from(self.training.learning_rate_at(step));
        let momentum = f64::from(self.training.momentum);
        sgd_update(&mut self.parameters, &mut self.velocities, &result.gradients, learning_rate, momentum);
        result
    }

    /// The sums of the losses and of the correct predictions over any number of images, without dropout.
    pub fn evaluate(&self, pixels: &[f64], labels: &[u8]) -> (f64, u32) {
        let per_image = self.model.layers.first().map_or(IMAGE_PIXELS, |layer| layer.input.elements());
        let batches = pixels.chunks(Self::EVALUATION_BATCH * per_image).zip(labels.chunks(Self::EVALUATION_BATCH));
        batches.fold((0.0, 0), |(loss_sum, correct_sum), (pixels, labels)| {
            let trace = self.forward(pixels, labels, None);
            let (loss, correct) = metrics_reduce(trace.losses(), &trace.correct);
            (loss_sum + loss, correct_sum + correct)
        })
    }

    fn weight(&self, layer: &Layer) -> &[f64] {
        &self.parameters[self.range(layer, "weight")]
    }

    fn bias(&self, layer: &Layer) -> &[f64] {
        &self.parameters[self.range(layer, "bias")]
    }

    fn range(&self, layer: &Layer, part: &str) -> std::ops::Range<usize> {
        self.model.parameter(&format!("{}.{part}", layer.name)).range()
    }
}

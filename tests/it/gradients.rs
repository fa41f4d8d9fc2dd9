//! Every backward function of the reference, and the whole network, against central finite differences.
//!
//! Nothing is left out: every element of every small gradient is compared. A value within [`STEP`] of the kink of a
//! ReLU or of a tie in a pool would show as a deviation; the fixed seeds are such that there is none.

use gpubench::model::{CLASSES, DROPOUT_RATE, IMAGE_PIXELS, Layer, Model, Operation, Shape, Training};
use gpubench::reference::{
    Network, conv_backward_bias, conv_backward_input, conv_backward_weight, conv_forward, dense_backward_bias,
    dense_backward_input, dense_backward_weight, dense_forward, dropout_backward, dropout_forward, max_pool_backward,
    max_pool_forward, softmax_cross_entropy_backward, softmax_cross_entropy_forward,
};
use gpubench::rng::{Sequence, Stream, stream_key};

/// Half the distance of the two points of a difference. Its square, and 2^-53 over it, bound what the difference
/// misses.
const STEP: f64 = 1e-6;
/// Largest deviation of a gradient from its difference, for values of size 1.
const TOLERANCE: f64 = 1e-7;
/// Every function is tested on one image and on a batch of three.
const BATCHES: [usize; 2] = [1, 3];

fn layer(operation: Operation, input: [usize; 3], output: [usize; 3]) -> Layer {
    let shape = |[channels, height, width]: [usize; 3]| Shape::new(channels, height, width);
    Layer { name: "layer", operation, input: shape(input), output: shape(output) }
}

/// `count` random values in [-1, 1).
fn random(case: u32, count: usize) -> Vec<f64> {
    let mut draws = Sequence::new(2, Stream::Check, case);
    (0..count).map(|_| 2.0 * f64::from(draws.uniform()) - 1.0).collect()
}

fn relu(values: &[f64]) -> Vec<f64> {
    values.iter().map(|value| value.max(0.0)).collect()
}

/// `dy` where `y` came out of the rising part of a ReLU, else 0.
fn through_relu(dy: &[f64], y: &[f64]) -> Vec<f64> {
    dy.iter().zip(y).map(|(dy, y)| if *y > 0.0 { *dy } else { 0.0 }).collect()
}

fn weighted_sum(values: &[f64], weights: &[f64]) -> f64 {
    assert_eq!(values.len(), weights.len());
    values.iter().zip(weights).map(|(value, weight)| value * weight).sum()
}

/// The derivative of `objective` by element `index` of `x`.
fn difference(objective: impl Fn(&[f64]) -> f64, x: &[f64], index: usize) -> f64 {
    let moved = |by: f64| {
        let mut x = x.to_vec();
        x[index] += by;
        objective(&x)
    };
    (moved(STEP) - moved(-STEP)) / (2.0 * STEP)
}

/// Asserts that `gradient` is the derivative of `objective` by every element of `x`, and that not all of it is 0.
fn assert_gradient(what: &str, objective: impl Fn(&[f64]) -> f64, x: &[f64], gradient: &[f64]) {
    assert_eq!(gradient.len(), x.len(), "{what}");
    assert!(gradient.iter().any(|value| value.abs() > 1e-3), "{what}: nothing to compare");
    for (index, value) in gradient.iter().enumerate() {
        let expected = difference(&objective, x, index);
        let deviation = (value - expected).abs();
        assert!(
            deviation <= TOLERANCE * expected.abs().max(1.0),
            "{what}, index {index}: {value}, expected {expected}"
        );
    }
}

#[test]
fn gradients_of_the_convolution() {
    let layer = layer(Operation::Convolution { kernel: 3 }, [2, 6, 5], [4, 4, 3]);
    for images in BATCHES {
        let x = random(0, images * layer.input.elements());
        let (weight, bias) = (random(1, 4 * 2 * 9), random(2, 4));
        let factors = random(3, images * layer.output.elements());
        let y = conv_forward(&layer, &x, &weight, &bias);
        let rising = y.iter().filter(|value| **value > 0.0).count();
        assert!(rising > 0 && rising < y.len(), "both sides of the ReLU occur");
        let dy = through_relu(&factors, &y);
        let objective =
            |x: &[f64], weight: &[f64], bias: &[f64]| weighted_sum(&conv_forward(&layer, x, weight, bias), &factors);
        let dx = conv_backward_input(&layer, &dy, &weight);
        assert_gradient("input", |x| objective(x, &weight, &bias), &x, &dx);
        let dweight = conv_backward_weight(&layer, &x, &dy);
        assert_gradient("weight", |weight| objective(&x, weight, &bias), &weight, &dweight);
        assert_gradient("bias", |bias| objective(&x, &weight, bias), &bias, &conv_backward_bias(&layer, &dy));
    }
}

#[test]
fn gradient_of_the_max_pool_and_the_relu_before_it() {
    let layer = layer(Operation::MaxPool { window: 2 }, [3, 7, 5], [3, 3, 2]);
    for images in BATCHES {
        // Moved down, so that some windows hold nothing above 0.
        let x: Vec<f64> = random(4, images * layer.input.elements()).iter().map(|value| value - 0.5).collect();
        let factors = random(5, images * layer.output.elements());
        let (y, argmax) = max_pool_forward(&layer, &relu(&x));
        assert!(y.contains(&0.0), "windows without a value above 0 occur");
        let dx = max_pool_backward(&layer, &factors, &argmax, &y);
        let objective = |x: &[f64]| weighted_sum(&max_pool_forward(&layer, &relu(x)).0, &factors);
        assert_gradient("input", objective, &x, &dx);
    }
}

#[test]
fn gradient_of_dropout() {
    for images in BATCHES {
        let (x, factors) = (random(6, 40 * images), random(7, 40 * images));
        let dx = dropout_backward(&factors, [1, 2], 3, 0.4);
        assert!(dx.contains(&0.0));
        assert_gradient("input", |x| weighted_sum(&dropout_forward(x, [1, 2], 3, 0.4), &factors), &x, &dx);
    }
}

#[test]
fn gradients_of_the_dense_layer_with_and_without_relu() {
    for (images, with_relu) in BATCHES.into_iter().flat_map(|images| [(images, false), (images, true)]) {
        let layer = layer(Operation::Dense { relu: with_relu }, [2, 3, 1], [5, 1, 1]);
        // The layer's input is the ReLU of this, or this itself.
        let before = random(8, images * 6);
        let (weight, bias, factors) = (random(9, 5 * 6), random(10, 5), random(11, images * 5));
        let dy = |y: &[f64]| if with_relu { through_relu(&factors, y) } else { factors.clone() };
        let objective =
            |x: &[f64], weight: &[f64], bias: &[f64]| weighted_sum(&dense_forward(&layer, x, weight, bias), &factors);

        let plain = dy(&dense_forward(&layer, &before, &weight, &bias));
        let dx = dense_backward_input(&layer, &plain, &weight, None);
        assert_gradient("input", |x| objective(x, &weight, &bias), &before, &dx);

        let x = relu(&before);
        assert!(x.contains(&0.0), "the flat part of the ReLU before occurs");
        let rectified = dy(&dense_forward(&layer, &x, &weight, &bias));
        let dx = dense_backward_input(&layer, &rectified, &weight, Some(&x));
        assert_gradient("input of the ReLU", |before| objective(&relu(before), &weight, &bias), &before, &dx);
        let dweight = dense_backward_weight(&layer, &x, &rectified);
        assert_gradient("weight", |weight| objective(&x, weight, &bias), &weight, &dweight);
        assert_gradient("bias", |bias| objective(&x, &weight, bias), &bias, &dense_backward_bias(&layer, &rectified));
    }
}

#[test]
fn gradient_of_the_mean_cross_entropy() {
    for images in BATCHES {
        let logits: Vec<f64> = random(12, images * CLASSES).iter().map(|value| 4.0 * value).collect();
        let labels = &[3, 0, 9][..images];
        let objective =
            |logits: &[f64]| softmax_cross_entropy_forward(logits, labels).0.iter().sum::<f64>() / images as f64;
        assert_gradient("logits", objective, &logits, &softmax_cross_entropy_backward(&logits, labels));
    }
}

/// The mean loss of a training step, with the dropout mask of that step.
fn mean_loss(network: &Network, pixels: &[f64], labels: &[u8], step: u32) -> f64 {
    network.forward(pixels, labels, Some(step)).losses().iter().sum::<f64>() / labels.len() as f64
}

#[test]
fn gradients_of_the_whole_network_with_dropout() {
    const SAMPLES: usize = 12;
    let step = 5;
    for images in BATCHES {
        let model = Model::new(DROPOUT_RATE);
        let mut parameters = model.initial_parameters(3);
        for parameter in model.parameters.iter().filter(|parameter| parameter.is_bias()) {
            // Biases of 0 would leave the order of bias and sum untested.
            let values = random(20, parameter.elements());
            parameters[parameter.range()].iter_mut().zip(values).for_each(|(bias, value)| *bias = 0.1 * value as f32);
        }
        let mut network = Network::new(model, Training::STANDARD, &parameters, stream_key(3, Stream::Dropout));
        let pixels: Vec<f64> = random(21, images * IMAGE_PIXELS).iter().map(|value| value.abs()).collect();
        let labels = &[3, 0, 9][..images];
        let gradients = network.gradients(&pixels, labels, step).gradients;
        let mut compared = 0;
        for (index, parameter) in network.model.parameters.clone().iter().enumerate() {
            // The largest gradients tell most about the tensor; random ones cover the rest of it.
            let mut order: Vec<usize> = parameter.range().collect();
            order.sort_by(|a, b| gradients[*b].abs().total_cmp(&gradients[*a].abs()));
            let mut draws = Sequence::new(4, Stream::Check, index as u32);
            let random = (0..SAMPLES / 2).map(|_| parameter.offset + draws.below(parameter.elements() as u32) as usize);
            for place in order.into_iter().take(SAMPLES / 2).chain(random) {
                let value = network.parameters[place];
                let mut loss_at = |value: f64| {
                    network.parameters[place] = value;
                    mean_loss(&network, &pixels, labels, step)
                };
                let expected = (loss_at(value + STEP) - loss_at(value - STEP)) / (2.0 * STEP);
                network.parameters[place] = value;
                let (name, found) = (&parameter.name, gradients[place]);
                assert!(
                    (found - expected).abs() <= 1e-8 + 1e-6 * expected.abs(),
                    "{name}, index {}: {found}, expected {expected}",
                    place - parameter.offset
                );
                compared += usize::from(found.abs() > 1e-4);
            }
        }
        // Behind a ReLU or dropout that lets nothing through, a random sample may well be 0.
        let all = network.model.parameters.len() * SAMPLES;
        assert!(compared >= all * 3 / 4, "only {compared} of {all} gradients were above 1e-4");
    }
}

//! The reference: one plain function per kernel, in f64 throughout, and the whole network composed of them.
//!
//! A function bears the name of the kernel it judges. It takes f64 slices in the kernels' layouts (images, channels,
//! rows, columns: [N, C, H, W]; weights as in PyTorch) and finds the number of images N from the length of its input.
//! Clarity comes first; the loops are only arranged so that the innermost one runs over adjacent values.
//!
//! A ReLU is part of the layer it follows when going forward. Going backward its derivative is applied by whichever
//! kernel hands the gradient to that layer: [`max_pool_backward`] for a convolution, [`dense_backward_input`] for a dense
//! layer. All functions panic on slices that do not fit the layer.
//!
//! Source of the formulas: I. Goodfellow, Y. Bengio, A. Courville, "Deep Learning", 2016, chapters 6 to 9.

mod convolution;
mod network;

pub use convolution::{conv_backward_bias, conv_backward_input, conv_backward_weight, conv_forward};
pub use network::{Network, StepResult, Trace};

use crate::model::{CLASSES, IMAGE_PIXELS, Layer, Operation};
use crate::rng;

/// The pixels of the images at `indices`, scaled to pixel / 255, and their labels.
///
/// `images` is [N_total, 28, 28], `labels` `[N_total]`; the result is [N, 1, 28, 28] and `[N]`.
pub fn batch_gather(images: &[u8], labels: &[u8], indices: &[u32]) -> (Vec<f64>, Vec<u8>) {
    let image = |index: &u32| &images[*index as usize * IMAGE_PIXELS..][..IMAGE_PIXELS];
    let pixels = indices.iter().flat_map(image).map(|&pixel| f64::from(pixel) / 255.0).collect();
    (pixels, indices.iter().map(|&index| labels[index as usize]).collect())
}

/// The maximum of every window, and where in its window it stood.
///
/// `x` is [N, C, H, W]; the result is y [N, C, H', W'] and argmax of the same shape, `window` x row + column inside the
/// window. Of equal values the first one, row by row, counts. Rows and columns that fill no window are left out.
pub fn max_pool_forward(layer: &Layer, x: &[f64]) -> (Vec<f64>, Vec<u32>) {
    let window = pool_window(layer);
    let planes = images_in(x, layer.input.elements()) * layer.input.channels;
    let (mut y, mut argmax) = (Vec::new(), Vec::new());
    for plane in 0..planes {
        for (row, column) in positions(layer.output.height, layer.output.width) {
            let value = |place: usize| x[pool_source(layer, plane, row, column, place)];
            let mut best = 0;
            for place in 1..window * window {
                if value(place) > value(best) {
                    best = place;
                }
            }
            y.push(value(best));
            argmax.push(best as u32);
        }
    }
    (y, argmax)
}

/// The gradient of a max pool's input, times the derivative of the ReLU before it.
///
/// `dy`, `argmax` and `y` are [N, C, H', W']; the result is [N, C, H, W]. Each gradient goes to the position of its
/// maximum, unless that maximum is not above 0, where the ReLU lets nothing through; all other positions get 0.
pub fn max_pool_backward(layer: &Layer, dy: &[f64], argmax: &[u32], y: &[f64]) -> Vec<f64> {
    let images = images_in(dy, layer.output.elements());
    assert!(argmax.len() == dy.len() && y.len() == dy.len(), "dy, argmax and y have one shape");
    let mut dx = vec![0.0; images * layer.input.elements()];
    let mut index = 0;
    for plane in 0..images * layer.input.channels {
        for (row, column) in positions(layer.output.height, layer.output.width) {
            if y[index] > 0.0 {
                dx[pool_source(layer, plane, row, column, argmax[index] as usize)] = dy[index];
            }
            index += 1;
        }
    }
    dx
}

/// Inverted dropout: a value is kept and divided by 1 - `rate`, or replaced by 0.
///
/// Element e of `x`, counted through the whole batch, is kept when the first word of Threefry under `key` at the counter
/// [e, `step`] is not below [`rng::dropout_threshold`]. The factor 1 / (1 - `rate`) is rounded to f32, as on the device.
///
/// Source: N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 2014.
pub fn dropout_forward(x: &[f64], key: [u32; 2], step: u32, rate: f32) -> Vec<f64> {
    let threshold = rng::dropout_threshold(rate);
    let scale = f64::from(1.0 / (1.0 - rate));
    let kept = |element: usize| rng::threefry2x32(key, [element as u32, step])[0] >= threshold;
    x.iter().enumerate().map(|(element, value)| if kept(element) { value * scale } else { 0.0 }).collect()
}

/// The gradient of dropout's input: the mask and factor of [`dropout_forward`] applied to `dy`.
pub fn dropout_backward(dy: &[f64], key: [u32; 2], step: u32, rate: f32) -> Vec<f64> {
    dropout_forward(dy, key, step, rate)
}

/// y = W x + b for every image, with a ReLU where the layer has one.
///
/// `x` is [N, I], `weight` [O, I], `bias` `[O]`; the result is [N, O].
pub fn dense_forward(layer: &Layer, x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    let inputs = layer.input.elements();
    images_in(x, inputs);
    check_parameters(layer, weight, bias);
    let relu = matches!(layer.operation, Operation::Dense { relu: true });
    let mut y = Vec::new();
    for image in x.chunks_exact(inputs) {
        for (row, bias) in weight.chunks_exact(inputs).zip(bias) {
            let sum = bias + dot(row, image);
            y.push(if relu { rectified(sum) } else { sum });
        }
    }
    y
}

/// The gradient of a dense layer's input, dx = W^T dy, times the derivative of the ReLU that made this input, if one did.
///
/// `dy` is [N, O] and `weight` [O, I]. `x_relu` is the layer's input [N, I] where it came out of a ReLU: the gradient is 0
/// wherever that input is not above 0. The result is [N, I].
pub fn dense_backward_input(layer: &Layer, dy: &[f64], weight: &[f64], x_relu: Option<&[f64]>) -> Vec<f64> {
    let (inputs, outputs) = (layer.input.elements(), layer.output.elements());
    let mut dx = vec![0.0; images_in(dy, outputs) * inputs];
    assert_eq!(weight.len(), outputs * inputs, "{}: the weight has one value per input and output", layer.name);
    for (dx, dy) in dx.chunks_exact_mut(inputs).zip(dy.chunks_exact(outputs)) {
        for (row, &factor) in weight.chunks_exact(inputs).zip(dy) {
            add_scaled(dx, factor, row);
        }
    }
    if let Some(x) = x_relu {
        assert_eq!(x.len(), dx.len(), "{}: the input has the shape of its gradient", layer.name);
        dx.iter_mut().zip(x).filter(|(_, x)| **x <= 0.0).for_each(|(dx, _)| *dx = 0.0);
    }
    dx
}

/// The gradient of a dense layer's weight, the sum over the images of dy x^T.
///
/// `x` is [N, I] and `dy` [N, O]; the result is [O, I].
pub fn dense_backward_weight(layer: &Layer, x: &[f64], dy: &[f64]) -> Vec<f64> {
    let (inputs, outputs) = (layer.input.elements(), layer.output.elements());
    assert_eq!(images_in(x, inputs), images_in(dy, outputs), "{}: x and dy hold the same images", layer.name);
    let mut dweight = vec![0.0; outputs * inputs];
    for (x, dy) in x.chunks_exact(inputs).zip(dy.chunks_exact(outputs)) {
        for (row, &factor) in dweight.chunks_exact_mut(inputs).zip(dy) {
            add_scaled(row, factor, x);
        }
    }
    dweight
}

/// The gradient of a dense layer's bias, the sum of `dy` [N, O] over the images; the result is `[O]`.
pub fn dense_backward_bias(layer: &Layer, dy: &[f64]) -> Vec<f64> {
    let mut dbias = vec![0.0; layer.output.elements()];
    images_in(dy, dbias.len());
    dy.chunks_exact(layer.output.elements()).for_each(|dy| add_scaled(&mut dbias, 1.0, dy));
    dbias
}

/// The cross-entropy of every image in nats, and whether its largest logit (the first of equals) is the label's: 1 or 0.
///
/// `logits` is [N, 10] and `labels` `[N]`; both results are `[N]`.
pub fn softmax_cross_entropy_forward(logits: &[f64], labels: &[u8]) -> (Vec<f64>, Vec<u32>) {
    assert_eq!(images_in(logits, CLASSES), labels.len(), "there is one label per image");
    let judge = |(logits, &label): (&[f64], &u8)| {
        let label = usize::from(label);
        let best = (1..CLASSES).fold(0, |best, class| if logits[class] > logits[best] { class } else { best });
        (-log_softmax(logits)[label], u32::from(best == label))
    };
    logits.chunks_exact(CLASSES).zip(labels).map(judge).unzip()
}

/// The gradient of the mean cross-entropy by the logits, (softmax - onehot) / N.
///
/// `logits` is [N, 10] and `labels` `[N]`; the result is [N, 10].
pub fn softmax_cross_entropy_backward(logits: &[f64], labels: &[u8]) -> Vec<f64> {
    assert_eq!(images_in(logits, CLASSES), labels.len(), "there is one label per image");
    let images = labels.len() as f64;
    let mut dlogits = Vec::new();
    for (logits, &label) in logits.chunks_exact(CLASSES).zip(labels) {
        for (class, logarithm) in log_softmax(logits).into_iter().enumerate() {
            let target = if class == usize::from(label) { 1.0 } else { 0.0 };
            dlogits.push((logarithm.exp() - target) / images);
        }
    }
    dlogits
}

/// The sum of the losses `[N]` and of the correct answers `[N]`.
pub fn metrics_reduce(loss: &[f64], correct: &[u32]) -> (f64, u32) {
    (loss.iter().sum(), correct.iter().sum())
}

/// One step of stochastic gradient descent with momentum, in place: v <- m v - lr g; w <- w + v.
///
/// All three slices have one length. Source: the form of Keras, where the learning rate enters the velocity.
pub fn sgd_update(
    parameters: &mut [f64],
    velocities: &mut [f64],
    gradients: &[f64],
    learning_rate: f64,
    momentum: f64,
) {
    assert!(parameters.len() == gradients.len() && velocities.len() == gradients.len(), "one gradient per parameter");
    for ((parameter, velocity), gradient) in parameters.iter_mut().zip(velocities).zip(gradients) {
        *velocity = momentum * *velocity - learning_rate * gradient;
        *parameter += *velocity;
    }
}

/// The logarithm of the softmax of one image's logits, shifted by the largest so that nothing overflows.
fn log_softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let logarithm = logits.iter().map(|logit| (logit - largest).exp()).sum::<f64>().ln();
    logits.iter().map(|logit| logit - largest - logarithm).collect()
}

/// The side of a pooling layer's window.
fn pool_window(layer: &Layer) -> usize {
    match layer.operation {
        Operation::MaxPool { window } => window,
        _ => panic!("{} is no max pool", layer.name),
    }
}

/// The index in a pooling layer's input of position `place` of the window whose maximum goes to `row`, `column`.
fn pool_source(layer: &Layer, plane: usize, row: usize, column: usize, place: usize) -> usize {
    let window = pool_window(layer);
    let (row, column) = (row * window + place / window, column * window + place % window);
    (plane * layer.input.height + row) * layer.input.width + column
}

/// All positions of a plane, row by row.
fn positions(height: usize, width: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..height).flat_map(move |row| (0..width).map(move |column| (row, column)))
}

/// The number of images in `values`, `per_image` values each.
fn images_in(values: &[f64], per_image: usize) -> usize {
    assert!(
        values.len().is_multiple_of(per_image),
        "{} values are no whole number of images of {per_image}",
        values.len()
    );
    values.len() / per_image
}

/// Panics unless the weight and bias have the sizes of the layer's.
fn check_parameters(layer: &Layer, weight: &[f64], bias: &[f64]) {
    let taps = match layer.operation {
        Operation::Convolution { kernel } => layer.input.channels * kernel * kernel,
        _ => layer.input.elements(),
    };
    let outputs = layer.output.channels;
    assert_eq!((weight.len(), bias.len()), (outputs * taps, outputs), "{}: weight and bias fit the layer", layer.name);
}

/// max(value, 0), but NaN stays NaN, so that it cannot hide.
fn rectified(value: f64) -> f64 {
    if value < 0.0 { 0.0 } else { value }
}

/// y <- y + factor x.
fn add_scaled(y: &mut [f64], factor: f64, x: &[f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += factor * x;
    }
}

/// The inner product, in four running sums so that it can be vectorised.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a_chunks, a_rest) = a.as_chunks::<4>();
    let (b_chunks, b_rest) = b.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..4 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums[0] + sums[1] + (sums[2] + sums[3]) + rest
}

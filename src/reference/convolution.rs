//! The convolution and its gradients.
//!
//! All three products visit the same pairs of rows, [`for_each_row`]; they differ in which of the three is the sum.

use super::vector::{add_scaled, check_parameters, dot, images_in, relu};
use crate::model::{Layer, Operation};
use std::ops::Range;

/// Cross-correlation with stride 1 and no padding, plus the bias, through a ReLU.
///
/// `x` is [N, C, H, W], `weight` [O, C, K, K], `bias` `[O]`; the result is [N, O, H', W'] with H' = H - K + 1.
pub fn conv_forward(layer: &Layer, x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    let images = images_in(x, layer.input.elements());
    check_parameters(layer, weight, bias);
    let plane = |bias: &f64| std::iter::repeat_n(*bias, layer.output.positions());
    let mut y: Vec<f64> = (0..images).flat_map(|_| bias.iter().flat_map(plane)).collect();
    for_each_row(layer, images, |x_row, tap, y_row| add_scaled(&mut y[y_row], weight[tap], &x[x_row]));
    y.iter_mut().for_each(|value| *value = relu(*value));
    y
}

/// The gradient of a convolution's input.
///
/// `dy` is [N, O, H', W'], already times the derivative of this layer's ReLU, and `weight` [O, C, K, K]; the result is
/// [N, C, H, W]. No ReLU derivative is applied here: a pool is in between, and [`super::max_pool_backward`] applies it.
pub fn conv_backward_input(layer: &Layer, dy: &[f64], weight: &[f64]) -> Vec<f64> {
    let images = images_in(dy, layer.output.elements());
    let mut dx = vec![0.0; images * layer.input.elements()];
    for_each_row(layer, images, |x_row, tap, y_row| add_scaled(&mut dx[x_row], weight[tap], &dy[y_row]));
    dx
}

/// The gradient of a convolution's weight, summed over the images and positions.
///
/// `x` is [N, C, H, W] and `dy` [N, O, H', W'], already times the derivative of this layer's ReLU; the result is
/// [O, C, K, K].
pub fn conv_backward_weight(layer: &Layer, x: &[f64], dy: &[f64]) -> Vec<f64> {
    let images = images_in(x, layer.input.elements());
    assert_eq!(images, images_in(dy, layer.output.elements()), "{}: x and dy hold the same images", layer.name);
    let kernel = kernel_side(layer);
    let mut dweight = vec![0.0; layer.output.channels * layer.input.channels * kernel * kernel];
    for_each_row(layer, images, |x_row, tap, y_row| dweight[tap] += dot(&x[x_row], &dy[y_row]));
    dweight
}

/// The gradient of a convolution's bias, the sum of `dy` [N, O, H', W'] over images and positions; the result is `[O]`.
pub fn conv_backward_bias(layer: &Layer, dy: &[f64]) -> Vec<f64> {
    images_in(dy, layer.output.elements());
    let mut dbias = vec![0.0; layer.output.channels];
    for (plane, dy) in dy.chunks_exact(layer.output.positions()).enumerate() {
        dbias[plane % layer.output.channels] += dy.iter().sum::<f64>();
    }
    dbias
}

/// Calls `visit` with every triple (range of an input row, index of a weight, range of an output row) such that
/// `output[i] += weight * input[i]` over all triples is the convolution.
fn for_each_row(layer: &Layer, images: usize, mut visit: impl FnMut(Range<usize>, usize, Range<usize>)) {
    let kernel = kernel_side(layer);
    let (input, output) = (layer.input, layer.output);
    for image in 0..images {
        for out_channel in 0..output.channels {
            for tap in 0..input.channels * kernel * kernel {
                let (in_channel, shift_down, shift_right) =
                    (tap / (kernel * kernel), tap / kernel % kernel, tap % kernel);
                for row in 0..output.height {
                    let x_row = (image * input.channels + in_channel) * input.height + row + shift_down;
                    let x_start = x_row * input.width + shift_right;
                    let y_start = ((image * output.channels + out_channel) * output.height + row) * output.width;
                    let weight = out_channel * input.channels * kernel * kernel + tap;
                    visit(x_start..x_start + output.width, weight, y_start..y_start + output.width);
                }
            }
        }
    }
}

/// The side of a convolution's kernel.
fn kernel_side(layer: &Layer) -> usize {
    match layer.operation {
        Operation::Convolution { kernel } => kernel,
        _ => panic!("{} is no convolution", layer.name),
    }
}

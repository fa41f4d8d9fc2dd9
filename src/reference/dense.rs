//! Dense layers and their gradients.

use super::vector::{add_scaled, check_parameters, dot, images_in, relu};
use crate::model::{Layer, Operation};

/// y = W x + b for every image, with a ReLU where the layer has one.
///
/// `x` is [N, I], `weight` [O, I], `bias` `[O]`; the result is [N, O].
pub fn dense_forward(layer: &Layer, x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    let inputs = layer.input.elements();
    images_in(x, inputs);
    check_parameters(layer, weight, bias);
    let has_relu = matches!(layer.operation, Operation::Dense { relu: true });
    let mut y = Vec::new();
    for image in x.chunks_exact(inputs) {
        for (row, bias) in weight.chunks_exact(inputs).zip(bias) {
            let sum = bias + dot(row, image);
            y.push(if has_relu { relu(sum) } else { sum });
        }
    }
    y
}

/// The gradient of a dense layer's input, dx = W^T dy, times the derivative of the ReLU that made this input, if one
/// did.
///
/// `dy` is [N, O] and `weight` [O, I]. `x_relu` is the layer's input [N, I] where it came out of a ReLU: the gradient
/// is 0 wherever that input is not above 0. The result is [N, I].
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

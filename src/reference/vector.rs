//! Vector arithmetic that several layers share, and the checks of their sizes.

use crate::model::{Layer, Operation};

/// The number of images in `values`, `per_image` values each.
pub(super) fn images_in(values: &[f64], per_image: usize) -> usize {
    assert!(
        values.len().is_multiple_of(per_image),
        "{} values are no whole number of images of {per_image}",
        values.len()
    );
    values.len() / per_image
}

/// Panics unless the weight and the bias have the sizes that the layer needs.
pub(super) fn check_parameters(layer: &Layer, weight: &[f64], bias: &[f64]) {
    let taps = match layer.operation {
        Operation::Convolution { kernel } => layer.input.channels * kernel * kernel,
        _ => layer.input.elements(),
    };
    let outputs = layer.output.channels;
    assert_eq!((weight.len(), bias.len()), (outputs * taps, outputs), "{}: weight and bias fit the layer", layer.name);
}

/// max(value, 0), but NaN stays NaN, so that it is not hidden.
pub(super) fn relu(value: f64) -> f64 {
    if value < 0.0 { 0.0 } else { value }
}

/// y <- y + factor x.
pub(super) fn add_scaled(y: &mut [f64], factor: f64, x: &[f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += factor * x;
    }
}

/// The inner product, in four running sums so that it can be vectorised.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
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

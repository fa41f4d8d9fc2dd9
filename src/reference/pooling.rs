//! Max pooling and its gradient.

use super::vector::images_in;
use crate::model::{Layer, Operation};

/// The maximum of every window, and its position in the window.
///
/// `x` is [N, C, H, W]; the result is y [N, C, H', W'] and argmax of the same shape, `window` x row + column inside the
/// window. Of equal values the first one, row by row, counts. Rows and columns that fill no window are ignored.
pub fn max_pool_forward(layer: &Layer, x: &[f64]) -> (Vec<f64>, Vec<u32>) {
    let window = pool_window(layer);
    let planes = images_in(x, layer.input.elements()) * layer.input.channels;
    let (mut y, mut argmax) = (Vec::new(), Vec::new());
    for plane in 0..planes {
        for (row, column) in positions(layer.output.height, layer.output.width) {
            let value = |position: usize| x[pool_source(layer, plane, row, column, position)];
            let mut best = 0;
            for position in 1..window * window {
                if value(position) > value(best) {
                    best = position;
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
/// maximum, unless that maximum is not above 0, where the ReLU passes nothing; all other positions get 0.
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

/// The side of a pooling layer's window.
fn pool_window(layer: &Layer) -> usize {
    match layer.operation {
        Operation::MaxPool { window } => window,
        _ => panic!("{} is no max pool", layer.name),
    }
}

/// The index in a pooling layer's input of `position` of the window whose maximum is output `row`, `column`.
fn pool_source(layer: &Layer, plane: usize, row: usize, column: usize, position: usize) -> usize {
    let window = pool_window(layer);
    let (row, column) = (row * window + position / window, column * window + position % window);
    (plane * layer.input.height + row) * layer.input.width + column
}

/// All positions of a plane, row by row.
fn positions(height: usize, width: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..height).flat_map(move |row| (0..width).map(move |column| (row, column)))
}

//! Gathering a batch, dropout, and the parameter update.

use crate::model::IMAGE_PIXELS;
use crate::rng;

/// The pixels of the images at `indices`, scaled to pixel / 255, and their labels.
///
/// `images` is [N_total, 28, 28], `labels` `[N_total]`; the result is [N, 1, 28, 28] and `[N]`.
pub fn batch_gather(images: &[u8], labels: &[u8], indices: &[u32]) -> (Vec<f64>, Vec<u8>) {
    let image = |index: &u32| &images[*index as usize * IMAGE_PIXELS..][..IMAGE_PIXELS];
    let pixels = indices.iter().flat_map(image).map(|&pixel| f64::from(pixel) / 255.0).collect();
    (pixels, indices.iter().map(|&index| labels[index as usize]).collect())
}

/// Inverted dropout: a value is kept and divided by 1 - `rate`, or replaced by 0.
///
/// Element e of `x`, counted through the whole batch, is kept when the first word of Threefry under `key` at the
/// counter [e, `step`] is not below [`rng::dropout_threshold`]. The factor 1 / (1 - `rate`) is rounded to f32, as on
/// the device.
///
/// Source: N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 2014.
pub fn dropout_forward(x: &[f64], key: [u32; 2], step: u32, rate: f32) -> Vec<f64> {
    let threshold = rng::dropout_threshold(rate);
    let scale = f64::from(1.0 / (1.0 - rate));
    let keep = |element: usize| rng::threefry2x32(key, [element as u32, step])[0] >= threshold;
    x.iter().enumerate().map(|(element, value)| if keep(element) { value * scale } else { 0.0 }).collect()
}

/// The gradient of dropout's input: the mask and factor of [`dropout_forward`] applied to `dy`.
pub fn dropout_backward(dy: &[f64], key: [u32; 2], step: u32, rate: f32) -> Vec<f64> {
    dropout_forward(dy, key, step, rate)
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

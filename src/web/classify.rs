//! Classifies a visitor's drawing with the trained network. The reference does it: one image is too little work for a GPU.

use crate::error::{Error, Result};
use crate::model::{IMAGE_PIXELS, Model, Training};
use crate::reference::Network;
use crate::result::RunResult;
use std::cell::RefCell;

thread_local! {
    static NETWORK: RefCell<Option<Network>> = const { RefCell::new(None) };
}

/// Stores the network that a run has trained.
pub fn store_network(result: &RunResult, parameters: Vec<f32>) {
    let model = Model::new(result.settings.dropout.value);
    let network = Network::new(model, Training::STANDARD, &parameters, [0, 0]);
    NETWORK.with_borrow_mut(|kept| *kept = Some(network));
}

/// The ten probabilities of an image [28, 28], then the outputs of conv1 [32, 25, 25].
///
/// # Errors
/// [`Error::Usage`] if there is no network yet or the image has another size.
pub fn classify(pixels: &[u8]) -> Result<Vec<f32>> {
    if pixels.len() != IMAGE_PIXELS {
        return Err(Error::Usage(format!("an image has {IMAGE_PIXELS} grey values, not {}", pixels.len())));
    }
    NETWORK.with_borrow(|network| {
        let network =
            network.as_ref().ok_or_else(|| Error::Usage("no network was trained yet: start a run first".into()))?;
        let image: Vec<f64> = pixels.iter().map(|&pixel| f64::from(pixel) / 255.0).collect();
        // The label affects only the loss, which is not used.
        let trace = network.forward(&image, &[0], None);
        let logits = &trace.activations[trace.activations.len() - 2];
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = logits.iter().map(|logit| (logit - largest).exp()).collect();
        let sum: f64 = powers.iter().sum();
        let conv1 = &trace.activations[1];
        Ok(powers.iter().map(|power| (power / sum) as f32).chain(conv1.iter().map(|&value| value as f32)).collect())
    })
}

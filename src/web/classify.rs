//! Classifies images with a network in training or trained: a visitor's drawing, and some digits of the test set. The
//! reference does it: a few images are too little work for a GPU.

use crate::data::Split;
use crate::error::{Error, Result};
use crate::model::{CLASSES, IMAGE_PIXELS, Model, Training};
use crate::reference::Network;
use crate::result::RunResult;
use serde::Serialize;
use std::cell::RefCell;

/// Number of digits in a gallery: as many as fit two lines of a phone.
const SHOWN_DIGITS: usize = 20;

thread_local! {
    static NETWORK: RefCell<Option<Network>> = const { RefCell::new(None) };
}

fn network(dropout: f32, parameters: &[f32]) -> Network {
    Network::new(Model::new(dropout), Training::STANDARD, parameters, [0, 0])
}

/// Stores the network that a run has trained.
pub fn store_network(result: &RunResult, parameters: &[f32]) {
    let network = network(result.settings.dropout.value, parameters);
    NETWORK.with_borrow_mut(|stored| *stored = Some(network));
}

/// The ten probabilities that belong to ten logits.
fn softmax(logits: &[f64]) -> impl Iterator<Item = f32> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(move |power| (power / sum) as f32)
}

fn values(pixels: &[u8]) -> Vec<f64> {
    pixels.iter().map(|&pixel| f64::from(pixel) / 255.0).collect()
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
        // The label affects only the loss, which is not used.
        let trace = network.forward(&values(pixels), &[0], None);
        let logits = &trace.activations[trace.activations.len() - 2];
        let conv1 = &trace.activations[1];
        Ok(softmax(logits).chain(conv1.iter().map(|&value| value as f32)).collect())
    })
}

/// Digits of the test set that a page shows while a network learns them.
#[derive(Debug, Clone, Serialize)]
pub struct Gallery {
    /// Grey values, `[N, 28, 28]`.
    pixels: Vec<u8>,
    /// Classes, `[N]`.
    labels: Vec<u8>,
    #[serde(skip)]
    dropout: f32,
}

/// The class of the largest logit of each digit, and its probability.
#[derive(Debug, Clone, Serialize)]
pub struct Guesses {
    classes: Vec<usize>,
    probabilities: Vec<f32>,
}

impl Gallery {
    /// The first digits of `test`, for a network with this dropout rate.
    pub fn of(test: &Split, dropout: f32) -> Self {
        let count = test.len().min(SHOWN_DIGITS);
        let (pixels, labels) = (test.images[..count * IMAGE_PIXELS].to_vec(), test.labels[..count].to_vec());
        Self { pixels, labels, dropout }
    }

    /// What a network with these parameters takes the digits for.
    pub fn guesses(&self, parameters: &[f32]) -> Guesses {
        let trace = network(self.dropout, parameters).forward(&values(&self.pixels), &self.labels, None);
        let logits = &trace.activations[trace.activations.len() - 2];
        let best = |logits: &[f64]| {
            let best = softmax(logits).enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
            best.unwrap_or_default()
        };
        let (classes, probabilities) = logits.chunks(CLASSES).map(best).unzip();
        Guesses { classes, probabilities }
    }
}

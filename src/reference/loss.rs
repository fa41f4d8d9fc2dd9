//! Softmax cross-entropy, its gradient, and the sums of its outputs.

use super::vector::images_in;
use crate::model::CLASSES;

/// The cross-entropy of every image in nats, and whether its largest logit (the first of equals) is the label's: 1 or
/// 0.
///
/// `logits` is [N, 10] and `labels` `[N]`; both results are `[N]`.
pub fn softmax_cross_entropy_forward(logits: &[f64], labels: &[u8]) -> (Vec<f64>, Vec<u32>) {
    assert_eq!(images_in(logits, CLASSES), labels.len(), "there is one label per image");
    let evaluate = |(logits, &label): (&[f64], &u8)| {
        let label = usize::from(label);
        let best = (1..CLASSES).fold(0, |best, class| if logits[class] > logits[best] { class } else { best });
        (-log_softmax(logits)[label], u32::from(best == label))
    };
    logits.chunks_exact(CLASSES).zip(labels).map(evaluate).unzip()
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

/// The logarithm of the softmax of one image's logits, shifted by the largest so that nothing overflows.
fn log_softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let logarithm = logits.iter().map(|logit| (logit - largest).exp()).sum::<f64>().ln();
    logits.iter().map(|logit| logit - largest - logarithm).collect()
}

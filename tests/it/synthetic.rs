//! Synthetic digits: the same bits everywhere, balanced, and neither too easy nor too hard.

use gpubench::data::idx::sha256_hex;
use gpubench::data::synthetic::{digits, digits_with_workers};
use gpubench::data::{Identity, Split};
use gpubench::model::{CLASSES, IMAGE_PIXELS};
use gpubench::rng::{Sequence, Stream};

/// SHA-256 of images and labels of the first 1000 digits of seed 1. It may change only with a stated reason: results on
/// synthetic digits before and after cannot be compared.
const FIRST_THOUSAND: &str = "959829fb83f93a70c650385285bd74b50b88a8a5fe1c8b10f4a26e1c7a8ebfc5";

#[test]
fn the_bits_are_the_same_on_every_platform() {
    let dataset = digits(1, 1000, 0);
    assert_eq!(dataset.identity, Identity::Synthetic);
    assert_eq!(sha256_hex(&[dataset.train.images, dataset.train.labels].concat()), FIRST_THOUSAND);
}

#[test]
fn neither_threads_nor_the_split_change_a_digit() {
    let alone = digits_with_workers(9, 1700, 300, 1);
    assert!(digits_with_workers(9, 1700, 300, 7) == alone);
    let together = digits_with_workers(9, 2000, 0, 3).train;
    assert!(together.images == [alone.train.images, alone.test.images].concat());
    assert!(together.labels == [alone.train.labels, alone.test.labels].concat());
    assert!(digits_with_workers(10, 2000, 0, 3).train.images != together.images);
}

#[test]
fn digits_are_balanced_centred_and_all_different() {
    let split = digits(1, 20_000, 0).train;
    let mut counts = [0; CLASSES];
    split.labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
    assert!(counts.iter().all(|&count| (1850..2150).contains(&count)), "{counts:?}");
    let sum: u64 = split.images.iter().map(|&pixel| u64::from(pixel)).sum();
    let mean = sum as f64 / split.images.len() as f64 / 255.0;
    assert!((0.08..0.16).contains(&mean), "MNIST has 0.13, not {mean}");
    let images: std::collections::HashSet<&[u8]> = split.images.chunks(IMAGE_PIXELS).collect();
    assert_eq!(images.len(), split.len());
    let rim = |index: usize| matches!(index / 28, 0 | 27) || matches!(index % 28, 0 | 27);
    let bright = |image: &[u8]| image.iter().enumerate().any(|(index, &pixel)| rim(index) && pixel > 128);
    let cut = split.images.chunks(IMAGE_PIXELS).filter(|image| bright(image)).count();
    assert!(cut < split.len() / 50, "{cut} digits reach the border");
}

/// Trains softmax regression on pixels with plain stochastic gradient descent, one image a step, and gives the share of
/// test images it gets wrong.
fn linear_error(train: &Split, test: &Split, epochs: u32) -> f64 {
    let mut weights = vec![[0.0f32; CLASSES]; IMAGE_PIXELS + 1];
    let logits = |weights: &[[f32; CLASSES]], image: &[u8]| {
        let mut sums = weights[IMAGE_PIXELS];
        for (row, &pixel) in weights.iter().zip(image).filter(|&(_, &pixel)| pixel > 0) {
            let value = f32::from(pixel) / 255.0;
            sums.iter_mut().zip(row).for_each(|(sum, weight)| *sum += value * weight);
        }
        sums
    };
    for epoch in 0..epochs {
        let rate = 0.02 / (1 + epoch) as f32;
        for index in Sequence::new(1, Stream::Check, epoch).permutation(train.len() as u32) {
            let image = train.image(index as usize);
            let sums = logits(&weights, image);
            let greatest = sums.iter().copied().fold(f32::MIN, f32::max);
            let mut errors = sums.map(|sum| (sum - greatest).exp());
            let total: f32 = errors.iter().sum();
            errors.iter_mut().for_each(|error| *error /= total);
            errors[usize::from(train.labels[index as usize])] -= 1.0;
            for (row, &pixel) in weights.iter_mut().zip(image.iter().chain(&[255])).filter(|&(_, &pixel)| pixel > 0) {
                let step = rate * f32::from(pixel) / 255.0;
                row.iter_mut().zip(&errors).for_each(|(weight, error)| *weight -= step * error);
            }
        }
    }
    let wrong = (0..test.len()).filter(|&index| {
        let sums = logits(&weights, test.image(index));
        let right = sums[usize::from(test.labels[index])];
        sums.iter().any(|&sum| sum > right)
    });
    wrong.count() as f64 / test.len() as f64
}

#[test]
fn a_linear_classifier_learns_them_but_stays_above_five_percent() {
    let dataset = digits(1, 30_000, 5_000);
    let error = linear_error(&dataset.train, &dataset.test, 5);
    println!("linear classifier: {:.2} % of test images wrong", 100.0 * error);
    assert!(error > 0.05, "too easy: a linear classifier gets {error} wrong");
    assert!(error < 0.25, "too hard: a linear classifier gets {error} wrong");
}

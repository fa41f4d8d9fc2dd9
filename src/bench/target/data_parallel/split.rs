//! The split of a batch between devices.

use crate::error::{Error, Result};
use crate::trainer::{Part, Share, TrainingConfig};

/// Weights by which a batch is split, such as `3:1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split(pub Vec<u32>);

impl std::str::FromStr for Split {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let weight = |word: &str| match word.trim().parse() {
            Ok(0) | Err(_) => Err(format!(
                "'{word}' is not a valid part: give one whole number above 0 for each adapter, such as 3:1"
            )),
            Ok(weight) => Ok(weight),
        };
        text.split(':').map(weight).collect::<std::result::Result<_, _>>().map(Split)
    }
}

impl std::fmt::Display for Split {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let weights: Vec<String> = self.0.iter().map(u32::to_string).collect();
        formatter.write_str(&weights.join(":"))
    }
}

/// Each device's share of the batches of `config` over `images` images, in proportion to `weights`.
///
/// # Errors
/// [`Error::Usage`] if a device would get no image of some batch.
pub fn shares(config: &TrainingConfig, images: usize, weights: &[u32]) -> Result<Vec<Share>> {
    let steps = config.steps_per_epoch(images);
    let batch = config.training.batch;
    let last = config.batch_of(steps - 1, images);
    if (batch as usize) < weights.len() {
        return Err(Error::Usage(format!(
            "a batch of {batch} cannot be shared between {} devices: choose a larger --batch or fewer devices",
            weights.len()
        )));
    }
    let (whole, last) = (parts(batch, weights), parts(last, weights));
    let empty = |parts: &[Part]| parts.iter().position(|part| part.images == 0);
    if let Some(device) = empty(&whole) {
        return Err(Error::Usage(format!(
            "device {} gets no image of a batch of {batch}: choose a --split that is less uneven, or a larger --batch",
            device + 1
        )));
    }
    if let Some(device) = empty(&last) {
        let images: u32 = last.iter().map(|part| part.images).sum();
        return Err(Error::Usage(format!(
            "device {} gets no image of an epoch's last batch of {images}: choose a --split that is less uneven, or another --batch",
            device + 1
        )));
    }
    Ok(whole.into_iter().zip(last).map(|(whole, last)| Share { whole, last, steps }).collect())
}

/// Splits `images` in proportion to `weights`: each boundary is rounded to the nearest image, so that the parts add up.
fn parts(images: u32, weights: &[u32]) -> Vec<Part> {
    let total: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
    let border = |sum: u64| ((2 * u64::from(images) * sum + total) / (2 * total)) as u32;
    let mut sum = 0;
    let mut part = |&weight: &u32| {
        let before = border(sum);
        sum += u64::from(weight);
        Part { before, images: border(sum) - before }
    };
    weights.iter().map(&mut part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DROPOUT_RATE, Model, Training};

    fn training_config(batch: u32) -> TrainingConfig {
        let training = Training { batch, ..Training::STANDARD };
        TrainingConfig { model: Model::new(DROPOUT_RATE), training, seed: 1, shuffle: true }
    }

    #[test]
    fn parts_add_up_whatever_the_weights() {
        for images in [1, 2, 3, 17, 96, 128, 1000] {
            for weights in [&[1, 1][..], &[3, 1], &[1, 1, 1], &[7, 2, 5, 1], &[u32::MAX, 1]] {
                let parts = parts(images, weights);
                assert_eq!(parts.iter().map(|part| part.images).sum::<u32>(), images);
                let mut before = 0;
                for part in parts {
                    assert_eq!(part.before, before);
                    before += part.images;
                }
            }
        }
        assert_eq!(parts(128, &[3, 1]).map_images(), [96, 32]);
        assert_eq!(parts(96, &[3, 1]).map_images(), [72, 24]);
    }

    trait Images {
        fn map_images(&self) -> Vec<u32>;
    }

    impl Images for Vec<Part> {
        fn map_images(&self) -> Vec<u32> {
            self.iter().map(|part| part.images).collect()
        }
    }

    #[test]
    fn shares_cover_every_image_of_an_epoch_once() {
        let order: Vec<u32> = (0..1000).rev().collect();
        let shares = shares(&training_config(128), order.len(), &[5, 2, 1]).unwrap();
        let mut seen: Vec<u32> = shares.iter().flat_map(|share| share.order(&order, 128)).collect();
        assert_eq!(shares.iter().map(Share::images).sum::<usize>(), 1000);
        assert_eq!(seen[..3], [999, 998, 997]);
        seen.sort_unstable();
        assert!(seen.iter().copied().eq(0..1000));
    }

    #[test]
    fn a_device_without_an_image_is_refused() {
        let message =
            |batch, images, weights: &[u32]| shares(&training_config(batch), images, weights).unwrap_err().to_string();
        assert!(message(2, 10, &[1, 1, 1]).contains("cannot be shared between 3 devices"));
        assert!(message(128, 1280, &[1000, 1]).contains("device 2 gets no image of a batch of 128"));
        assert!(message(128, 1281, &[1, 1]).contains("last batch of 1:"));
    }

    #[test]
    fn a_split_is_whole_numbers_above_0() {
        assert_eq!("3:1".parse(), Ok(Split(vec![3, 1])));
        assert_eq!(Split(vec![3, 1]).to_string(), "3:1");
        for text in ["", "3:", "0:1", "-1:2", "a:b", "1.5:1"] {
            assert!(text.parse::<Split>().unwrap_err().contains("such as 3:1"), "{text}");
        }
    }
}

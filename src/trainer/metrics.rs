//! Loss and right answers.

/// Sums over the images that were seen.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Metrics {
    /// Sum of the images' losses, in nats.
    pub loss_sum: f64,
    /// Images whose largest logit was the right one.
    pub correct: u64,
    /// Images seen.
    pub images: u64,
}

impl Metrics {
    /// Mean loss of an image, in nats.
    pub fn loss(&self) -> f64 {
        self.loss_sum / self.images as f64
    }

    /// Share of images classified wrongly, in per cent.
    pub fn error_pct(&self) -> f64 {
        100.0 * (self.images - self.correct) as f64 / self.images as f64
    }

    /// Images classified wrongly.
    pub fn errors(&self) -> u64 {
        self.images - self.correct
    }
}

impl std::iter::Sum for Metrics {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |total, part| Self {
            loss_sum: total.loss_sum + part.loss_sum,
            correct: total.correct + part.correct,
            images: total.images + part.images,
        })
    }
}

//! The hyperparameters of a training.

/// The hyperparameters that are equal in all steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Training {
    /// Learning rate of the first step.
    pub learning_rate: f64,
    /// lr_t = `learning_rate` / (1 + `decay` t), t counting steps from 0.
    pub decay: f64,
    /// v <- `momentum` v - lr_t g.
    pub momentum: f32,
    /// Images per step.
    pub batch: u32,
    /// Passes over the training images.
    pub epochs: u32,
}

impl Training {
    /// The pinned schedule: 10 epochs in batches of 128.
    pub const STANDARD: Training = Training { learning_rate: 0.05, decay: 1e-5, momentum: 0.9, batch: 128, epochs: 10 };

    /// The learning rate of step `step`, counting from 0.
    pub fn learning_rate_at(&self, step: u32) -> f32 {
        (self.learning_rate / (1.0 + self.decay * f64::from(step))) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_learning_rate_decays_by_the_step() {
        assert_eq!(Training::STANDARD.learning_rate_at(0), 0.05);
        let last = Training::STANDARD.learning_rate_at(4_689);
        assert!((f64::from(last) - 0.05 / 1.04689).abs() < 1e-9, "{last}");
    }
}

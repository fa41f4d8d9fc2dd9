//! Another tool that trained in place of this program.

use super::measured::Measured;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A framework that trained the same network, timed by this program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OtherTool {
    /// Its name in tables: "Keras (tensorflow)".
    pub name: String,
    /// Its version; empty if it did not start.
    pub version: String,
    /// What it computes with, and that version: "tensorflow 2.21.0".
    pub backend: String,
    /// How its first losses compare with this program's.
    pub agreement: Measured<Agreement>,
}

/// Losses of the first steps from the same weights, in the same order, without dropout, beside those of this program's
/// CPU target.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Agreement {
    /// Number of steps that were compared.
    pub steps: u32,
    /// The largest difference of a loss.
    pub largest_difference: f64,
    /// The step with that difference, from 0.
    pub worst_step: u32,
    /// The largest difference that float32 arithmetic in another order may make.
    pub tolerance: f64,
}

impl Agreement {
    /// Compares `losses` with those of this program; missing, with what differs, if they cannot be compared or a loss
    /// is not a finite number.
    pub fn of(own: &[f64], losses: &[f64], tolerance: f64) -> Measured<Self> {
        if own.is_empty() || own.len() != losses.len() {
            return Measured::missing(format!("it gave {} losses for {} steps", losses.len(), own.len()));
        }
        if let Some(step) = losses.iter().position(|loss| !loss.is_finite()) {
            return Measured::missing(format!("its loss of step {step} is not a finite number"));
        }
        let differences = own.iter().zip(losses).map(|(own, other)| (own - other).abs());
        let worst = (0..).zip(differences).max_by(|(_, a), (_, b)| a.total_cmp(b)).unwrap_or_default();
        Measured::Value(Self { steps: own.len() as u32, largest_difference: worst.1, worst_step: worst.0, tolerance })
    }

    /// What differs, if the largest difference is beyond the tolerance.
    pub fn difference(&self) -> Option<String> {
        (self.largest_difference > self.tolerance).then(|| {
            format!(
                "it trains something else: its loss of step {} differs by {:.1e} from gpubench's, with the same \
                 weights in the same order",
                self.worst_step, self.largest_difference
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_agrees_and_another_training_is_told_with_its_step() {
        let own = [2.3, 2.2, 2.1];
        let near = Agreement::of(&own, &[2.3, 2.200_001, 2.1], 1e-4).value().copied().unwrap();
        assert_eq!((near.worst_step, near.difference()), (1, None));
        let far = Agreement::of(&own, &[2.3, 2.2, 2.15], 1e-4).value().copied().unwrap();
        assert!(far.difference().is_some_and(|words| words.contains("step 2 differs by 5.0e-2")));
    }

    #[test]
    fn losses_that_cannot_be_compared_do_not_agree() {
        let reason = |losses: &[f64]| Agreement::of(&[2.3, 2.2], losses, 1e-4).reason().unwrap_or_default().to_owned();
        assert_eq!(reason(&[2.3]), "it gave 1 losses for 2 steps");
        assert_eq!(reason(&[2.3, f64::NAN]), "its loss of step 1 is not a finite number");
    }
}

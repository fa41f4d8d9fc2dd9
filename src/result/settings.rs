//! The settings of a run and their origins.

use super::measured::Measured;
use super::setting::Setting;
use super::stopping::StoppingRule;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

fn lenient() -> Setting<bool> {
    Setting::default(false)
}

/// The settings of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// The adapter requested: an index, a part of a name or a PCI bus id; missing if any is accepted.
    pub adapter: Setting<Measured<String>>,
    /// The backend requested; missing if any is accepted.
    pub backend: Setting<Measured<String>>,
    /// The data requested: `auto`, `synthetic` or a folder.
    pub data: Setting<String>,
    /// Passes over the training images.
    pub epochs: Setting<u32>,
    /// Images per step.
    pub batch: Setting<u32>,
    /// Largest number of steps; missing if only `epochs` limits the training.
    pub steps: Setting<Measured<u32>>,
    /// Seed of initial weights, shuffling and dropout.
    pub seed: Setting<u64>,
    /// Number of timed trainings.
    pub repeat: Setting<u32>,
    /// Whether the training images are shuffled every epoch.
    pub shuffle: Setting<bool>,
    /// Probability of dropping a value in the dropout layer.
    pub dropout: Setting<f32>,
    /// File of initial weights; missing if they are drawn from the seed.
    pub init: Setting<Measured<String>>,
    /// Name of the plan.
    pub plan: Setting<String>,
    /// Whether a short run was requested.
    pub quick: Setting<bool>,
    /// Whether a run that was disturbed is INVALID.
    #[serde(default = "lenient")]
    pub strict: Setting<bool>,
    /// Pauses between trainings, and the rule for when to stop.
    #[serde(default, rename = "steady")]
    pub stopping: StoppingRule,
}

//! What was asked for, and where each wish came from.

use super::{Measured, StoppingRule};
use serde::{Deserialize, Serialize};

/// Where the value of a setting came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Nobody asked for anything else.
    Default,
    /// An option on the command line, or a field of the web page.
    Option,
    /// An environment variable.
    Environment,
    /// A file.
    File,
}

/// A setting and where its value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

impl<T> Setting<T> {
    /// A setting of `value` that came from `origin`.
    pub const fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }

    /// A setting nobody changed.
    pub const fn default(value: T) -> Self {
        Self::new(value, Origin::Default)
    }

    /// `given` as an option of the command line, else `default`.
    pub fn option_or(given: Option<T>, default: T) -> Self {
        given.map_or_else(|| Self::default(default), |value| Self::new(value, Origin::Option))
    }
}

/// The settings of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The adapter asked for: an index, a part of a name or a PCI bus id; missing if any will do.
    pub adapter: Setting<Measured<String>>,
    /// The backend asked for; missing if any will do.
    pub backend: Setting<Measured<String>>,
    /// The data asked for: `auto`, `synthetic` or a folder.
    pub data: Setting<String>,
    /// Passes over the training images.
    pub epochs: Setting<u32>,
    /// Images per step.
    pub batch: Setting<u32>,
    /// Largest number of steps; missing if only `epochs` ends the training.
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
    /// Whether a short run was asked for.
    pub quick: Setting<bool>,
    /// Pauses between trainings, and when to make no more.
    #[serde(default, rename = "steady")]
    pub stopping: StoppingRule,
}

//! How often a training was repeated and why it stopped, and the result of a soak.

use super::measured::Measured;
use super::setting::Setting;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When to stop repeating the training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StoppingRule {
    /// Seconds of pause between two trainings.
    pub cooldown_s: Setting<f64>,
    /// Half width of the 95 % interval of the median, in percent of the median, at which the repetition stops.
    pub target_ci_pct: Setting<Measured<f64>>,
    /// Seconds from the beginning of the first training after which no further training begins.
    pub max_time_s: Setting<Measured<f64>>,
    /// Minutes of training in a soak.
    pub soak_min: Setting<Measured<f64>>,
}

impl Default for StoppingRule {
    fn default() -> Self {
        let none = || Setting::default(Measured::missing("not asked for"));
        Self { cooldown_s: Setting::default(0.0), target_ci_pct: none(), max_time_s: none(), soak_min: none() }
    }
}

/// How the repetition ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Repeating {
    /// Number of finished trainings.
    pub trainings: u32,
    /// Half width of the 95 % interval of the median, in percent of the median: the larger of both sides.
    pub half_width_pct: Measured<f64>,
    /// Seconds from the beginning of the first training to the end of the last one, pauses included.
    pub elapsed_s: f64,
    /// Why the repetition stopped.
    pub ended: RepeatingEnd,
}

/// Why the repetition stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RepeatingEnd {
    /// The requested number of trainings was made.
    Count,
    /// The interval was narrow enough.
    Target,
    /// The time was up before the interval was narrow enough, or before the requested number of trainings was made.
    MaxTime,
    /// The limit on the number of trainings was reached.
    MostTrainings,
    /// The run was stopped or is still going on.
    Unfinished,
}

/// The result of a soak: the epochs of one long training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Soak {
    /// Number of finished whole epochs.
    pub epochs: u32,
    /// Seconds of the fastest epoch.
    pub best_s: f64,
    /// Its number, from 1.
    pub best_epoch: u32,
    /// Seconds of the slowest epoch except for the first one.
    pub worst_s: f64,
    /// Its number, from 1.
    pub worst_epoch: u32,
    /// Seconds of the median epoch.
    pub median_s: f64,
    /// Growth of the epoch time in percent per hour: the slope of the least-squares line through all epochs except for
    /// the first one, over the training time before each, relative to the line's first value. Above 0 the device became
    /// slower.
    pub drift_pct_per_hour: Measured<f64>,
    /// Standard error of that slope, in the same unit.
    pub drift_error_pct_per_hour: Measured<f64>,
}

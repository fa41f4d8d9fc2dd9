//! How often a training was repeated and why no more, and what a soak brought.

use super::{Measured, Setting};
use serde::{Deserialize, Serialize};

/// What was asked for about repeating.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoppingRule {
    /// Seconds of pause between two trainings.
    pub cooldown_s: Setting<f64>,
    /// Half width of the 95 % interval of the median, in percent of the median, at which no more trainings are made.
    pub target_ci_pct: Setting<Measured<f64>>,
    /// Seconds since the beginning of the first training after which no further one begins.
    pub max_time_s: Setting<Measured<f64>>,
    /// Minutes of training that a soak lasts.
    pub soak_min: Setting<Measured<f64>>,
}

impl Default for StoppingRule {
    fn default() -> Self {
        let none = || Setting::default(Measured::missing("not asked for"));
        Self { cooldown_s: Setting::default(0.0), target_ci_pct: none(), max_time_s: none(), soak_min: none() }
    }
}

/// How the repeating ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Repeating {
    /// Finished trainings.
    pub trainings: u32,
    /// Half width of the 95 % interval of the median, in percent of the median: the larger of both sides.
    pub half_width_pct: Measured<f64>,
    /// Seconds from the beginning of the first training to the end of the last one, pauses included.
    pub elapsed_s: f64,
    /// Why no further training was made.
    pub ended: RepeatingEnd,
}

/// Why no further training was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepeatingEnd {
    /// As many were made as were asked for.
    Count,
    /// The interval is narrow enough.
    Target,
    /// The time is up before the interval is narrow enough, or before as many were made as were asked for.
    MaxTime,
    /// More than so many are never made.
    MostTrainings,
    /// The run was stopped or is still going on.
    Unfinished,
}

/// What a soak brought: epoch after epoch of one training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Soak {
    /// Finished whole epochs.
    pub epochs: u32,
    /// Seconds of the fastest epoch.
    pub best_s: f64,
    /// Its number, from 1.
    pub best_epoch: u32,
    /// Seconds of the slowest epoch but the first one.
    pub worst_s: f64,
    /// Its number, from 1.
    pub worst_epoch: u32,
    /// Seconds of the median epoch.
    pub median_s: f64,
    /// Growth of an epoch's time, in percent of the line's beginning for each hour: the slope of the line of least squares through the
    /// epochs but the first one, against the training time that went before. Above 0 the device became slower.
    pub drift_pct_per_hour: Measured<f64>,
    /// Standard error of that slope, in the same unit.
    pub drift_error_pct_per_hour: Measured<f64>,
}

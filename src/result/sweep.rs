//! Step time against batch size or width, as part of a result.

use super::measured::Measured;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The same training step at several sizes, and the line through their times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sweep {
    /// What was varied.
    pub variable: SweepVariable,
    /// One row for each size, in the requested order.
    pub points: Vec<SweepPoint>,
    /// The line through the times; missing if there is none.
    pub fit: Measured<SweepFit>,
}

/// What a sweep varies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SweepVariable {
    /// Images in a step.
    Batch,
    /// The factor on the numbers of channels and hidden units.
    Width,
}

/// One size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SweepPoint {
    /// Images in a step.
    pub batch: u32,
    /// The factor on the numbers of channels and hidden units.
    pub width: f64,
    /// Number of parameters; missing if there is no network of this width.
    pub parameters: Measured<u64>,
    /// Floating-point operations of one step, by the dense count.
    pub flop_per_step: Measured<u64>,
    /// Median time of a step, seconds; missing if the size does not fit.
    pub step_s: Measured<f64>,
    /// Median absolute deviation of that time, seconds.
    pub deviation_s: Measured<f64>,
    /// Mean step time of each timed submission or group of them, seconds.
    pub samples_s: Vec<f64>,
}

impl SweepPoint {
    /// Seconds for one image.
    pub fn image_s(&self) -> Measured<f64> {
        self.step_s.clone().map(|step_s| step_s / f64::from(self.batch))
    }

    /// 10^9 floating-point operations per second, by the dense count.
    pub fn gflop_per_s(&self) -> Measured<f64> {
        self.step_s.and_then(|step_s| self.flop_per_step.and_then(|flop| (*flop as f64 / step_s / 1e9).into()))
    }
}

/// The line step time = overhead + operations / rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SweepFit {
    /// Time of a step without any work, seconds: launches and everything else that does not grow with the size.
    pub overhead_s: f64,
    /// The rate that large steps approach, 10^9 floating-point operations per second.
    pub asymptotic_gflop_per_s: f64,
    /// The batch (or width) at which half of that rate is reached; missing if there is none.
    pub half_rate_at: Measured<f64>,
    /// The largest relative distance between a point and the line, in percent.
    pub largest_residual_pct: f64,
    /// Number of points of the fit.
    pub points: u32,
}

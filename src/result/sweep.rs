//! Step time against batch size or width, as results tell it.

use super::Measured;
use serde::{Deserialize, Serialize};

/// The same training step at several sizes, and the line through their times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// What was varied.
    pub variable: SweepVariable,
    /// One row for each size, in the order asked for.
    pub points: Vec<SweepPoint>,
    /// The line through the times; missing with the reason where there is none to draw.
    pub fit: Measured<SweepFit>,
}

/// What a sweep varies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SweepVariable {
    /// Images in a step.
    Batch,
    /// The factor on the numbers of channels and hidden units.
    Width,
}

/// One size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepPoint {
    /// Images in a step.
    pub batch: u32,
    /// The factor on the numbers of channels and hidden units.
    pub width: f64,
    /// Trainable values; missing where there is no network of this width.
    pub parameters: Measured<u64>,
    /// Operations of one step, counted densely.
    pub flop_per_step: Measured<u64>,
    /// Median time of a step, seconds; missing with the reason where the size does not fit.
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

    /// 10^9 operations per second, counted densely.
    pub fn gflop_per_s(&self) -> Measured<f64> {
        match (&self.step_s, &self.flop_per_step) {
            (Measured::Value(step_s), Measured::Value(flop)) => (*flop as f64 / step_s / 1e9).into(),
            (Measured::Missing { reason }, _) | (_, Measured::Missing { reason }) => Measured::missing(reason.clone()),
        }
    }
}

/// The line step time = overhead + operations / rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepFit {
    /// Time of a step without any work, seconds: launches and whatever else does not grow with the work.
    pub overhead_s: f64,
    /// The rate that ever larger steps approach, 10^9 operations per second.
    pub asymptotic_gflop_per_s: f64,
    /// The batch (or width) at which half of that rate is reached; missing where the fit has none.
    pub half_rate_at: Measured<f64>,
    /// The largest relative distance between a point and the line, in per cent.
    pub largest_residual_pct: f64,
    /// Points it rests on.
    pub points: u32,
}

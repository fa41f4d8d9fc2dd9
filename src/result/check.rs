//! The comparison of an adapter with the reference, as part of a result.

use super::measured::Measured;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The comparison of every kernel, and of a few training steps, with the reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// Whether all comparisons passed.
    pub outcome: Outcome,
    /// One entry for each kernel and layer.
    pub kernels: Vec<KernelCheck>,
    /// Losses of the first training steps on the adapter and in the reference.
    pub steps: Vec<StepCheck>,
    /// Seconds the check took.
    pub duration_s: f64,
}

/// Whether a check passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every value lies within its tolerance.
    Passed,
    /// Some value lies outside its tolerance.
    Failed,
}

/// One kernel's output against the reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KernelCheck {
    /// Name of the kernel.
    pub kernel: String,
    /// Name of the layer.
    pub layer: String,
    /// Whether every value lies within the tolerance.
    pub outcome: Outcome,
    /// Largest absolute difference; missing if it is not finite.
    pub max_abs_error: Measured<f64>,
    /// Index of the value with the largest difference relative to its tolerance.
    pub worst_index: u64,
    /// Absolute part of the tolerance: |gpu - reference| <= `tolerance_abs` + `tolerance_rel` |reference|.
    pub tolerance_abs: f64,
    /// Relative part of the tolerance.
    pub tolerance_rel: f64,
}

/// The loss of one training step on the adapter and in the reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepCheck {
    /// Training step, from 0.
    pub step: u32,
    /// Mean loss of the batch on the adapter.
    pub gpu_loss: Measured<f64>,
    /// Mean loss of the batch in the reference.
    pub reference_loss: Measured<f64>,
}

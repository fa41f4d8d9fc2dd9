//! Where the time of a training step goes, as results tell it.

use super::Measured;
use serde::{Deserialize, Serialize};

/// Device time for each kernel, from a run of its own with a timestamp before and after every dispatch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// How the times were taken.
    pub method: Method,
    /// Steps that were profiled.
    pub steps: u32,
    /// The smallest difference between two timestamps that was seen, in nanoseconds; missing without timestamps.
    pub clock_step_ns: Measured<f64>,
    /// Samples that were dropped because they were 0 or negative.
    pub dropped: u32,
    /// Median time of a profiled step on the host, seconds.
    pub profiled_step_s: Measured<f64>,
    /// Mean time of a step in the timed training, which takes no timestamps, seconds.
    pub timed_step_s: Measured<f64>,
    /// Median time from the first timestamp of a step to its last, in nanoseconds; missing without timestamps.
    pub span_ns: Measured<f64>,
    /// One row for each kernel and layer, the longest first.
    pub kernels: Vec<KernelTime>,
}

/// How kernel times were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Timestamps around each dispatch inside its pass.
    TimestampsInsidePasses,
    /// Timestamps at the borders of passes that hold one dispatch each.
    TimestampsAtPassBoundaries,
    /// The host's clock around submissions of one dispatch each: submission and waiting are included.
    HostClock,
}

impl Method {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Method::TimestampsInsidePasses => "device timestamps around each dispatch",
            Method::TimestampsAtPassBoundaries => "device timestamps at the borders of passes of one dispatch each",
            Method::HostClock => {
                "the host's clock around submissions of one dispatch each, submission and waiting included"
            }
        }
    }
}

/// The time of one kernel at work on one layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KernelTime {
    /// Name of the kernel.
    pub kernel: String,
    /// Name of the layer.
    pub layer: String,
    /// How often it is dispatched in a step.
    pub calls_per_step: u32,
    /// Median time of one call, in nanoseconds; missing if every sample was dropped.
    pub median_ns: Measured<f64>,
    /// 95th percentile of the time of one call, in nanoseconds.
    pub p95_ns: Measured<f64>,
    /// Share of the sum of all kernels' medians, in per cent.
    pub share_pct: Measured<f64>,
    /// 10^9 floating-point operations per second at the median, by the model's count.
    pub gflop_per_s: Measured<f64>,
    /// 10^9 bytes per second at the median, by the model's count.
    pub gbyte_per_s: Measured<f64>,
    /// Samples that were dropped because they were 0 or negative.
    pub dropped: u32,
}

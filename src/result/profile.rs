//! The time of each kernel in a training step, as part of a result.

use super::compiled::Compiled;
use super::measured::Measured;
use super::missing::not_recorded;
use crate::gpu::CommandCounts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Device time for each kernel, from a separate run with a timestamp before and after every dispatch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Profile {
    /// How the times were measured.
    pub method: Method,
    /// Why a finer method could not be used; missing if the finest requested method was used.
    #[serde(default = "finest")]
    pub method_note: Measured<String>,
    /// Number of profiled steps.
    pub steps: u32,
    /// The smallest observed difference between two timestamps, in nanoseconds; missing without timestamps.
    pub clock_step_ns: Measured<f64>,
    /// Number of samples that were dropped because they were 0 or negative.
    pub dropped: u32,
    /// Median time of a profiled step on the host, seconds.
    pub profiled_step_s: Measured<f64>,
    /// Mean time of a step in the timed training, which takes no timestamps, seconds.
    pub timed_step_s: Measured<f64>,
    /// Median time from the first timestamp of a step to its last, in nanoseconds; missing without timestamps.
    pub span_ns: Measured<f64>,
    /// Median device time of a step with timestamps only before and after the whole step, in nanoseconds.
    #[serde(default = "not_recorded::<f64>")]
    pub undisturbed_step_ns: Measured<f64>,
    /// The commands of all profiled steps.
    #[serde(default = "not_recorded::<CommandCounts>")]
    pub commands: Measured<CommandCounts>,
    /// Contradictions in these figures, one sentence each: a rate above the measured peak, kernels above the wall time.
    #[serde(default)]
    pub errors: Vec<String>,
    /// One row for each kernel and layer, the longest first.
    pub kernels: Vec<KernelTime>,
}

impl Profile {
    /// The sum of the kernels' medians in a step, in nanoseconds, except for kernels without a median.
    pub fn kernels_ns(&self) -> f64 {
        let times =
            self.kernels.iter().filter_map(|time| Some(f64::from(time.calls_per_step) * time.median_ns.value()?));
        times.fold(0.0, |sum, time_ns| sum + time_ns)
    }
}

/// The mean of a share over `kernels`, weighted by their times, in percent; `None` if no kernel has it.
pub fn mean_share_pct(kernels: &[KernelTime], share: fn(&KernelTime) -> &Measured<f64>) -> Option<f64> {
    let parts = kernels.iter().filter_map(|time| Some((*time.share_pct.value()?, *share(time).value()?)));
    let (all, sum) = parts.fold((0.0, 0.0), |(all, sum), (part, pct)| (all + part, sum + part * pct));
    Some(sum / all).filter(|pct| pct.is_finite())
}

fn finest() -> Measured<String> {
    Measured::missing("the finest method was used")
}

/// How kernel times were measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Timestamps around each dispatch inside its pass.
    TimestampsInsidePasses,
    /// Timestamps in the encoder around passes of one dispatch each.
    TimestampsInsideEncoders,
    /// Timestamps at the boundaries of passes of one dispatch each.
    TimestampsAtPassBoundaries,
    /// The host's clock around submissions of one dispatch each: submission and waiting are included.
    HostClock,
}

impl Method {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Method::TimestampsInsidePasses => "device timestamps around each dispatch",
            Method::TimestampsInsideEncoders => "device timestamps around passes of one dispatch each",
            Method::TimestampsAtPassBoundaries => "device timestamps at the borders of passes of one dispatch each",
            Method::HostClock => {
                "the host's clock around submissions of one dispatch each, submission and waiting included"
            }
        }
    }
}

/// Which of the three lower bounds of a kernel's time is the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Its arithmetic at the measured peak rate.
    Compute,
    /// Its bytes at the measured peak bandwidth.
    Memory,
    /// The measured time of an empty dispatch that depends on the one before.
    Launch,
}

impl Bound {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Bound::Compute => "compute",
            Bound::Memory => "memory",
            Bound::Launch => "launch",
        }
    }
}

/// The time of one kernel on one layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KernelTime {
    /// Name of the kernel.
    pub kernel: String,
    /// Name of the layer.
    pub layer: String,
    /// Dispatches per step.
    pub calls_per_step: u32,
    /// Dispatches between a pair of timestamps: more than 1 if one is too short for the clock.
    #[serde(default = "one")]
    pub repeats: u32,
    /// Median time of one call, in nanoseconds; missing if every sample was dropped.
    pub median_ns: Measured<f64>,
    /// 95th percentile of the time of one call, in nanoseconds.
    pub p95_ns: Measured<f64>,
    /// Share of the sum of all kernels' medians, in percent.
    pub share_pct: Measured<f64>,
    /// 10^9 floating-point operations per second at the median, by the model's count.
    pub gflop_per_s: Measured<f64>,
    /// 10^9 bytes per second at the median, by the model's count.
    pub gbyte_per_s: Measured<f64>,
    /// Share of the measured multiply-add rate, in percent.
    #[serde(default = "not_recorded::<f64>")]
    pub peak_flop_pct: Measured<f64>,
    /// Share of the measured bandwidth for a working set of one call's bytes, in percent.
    #[serde(default = "not_recorded::<f64>")]
    pub peak_bandwidth_pct: Measured<f64>,
    /// Its highest lower bound.
    #[serde(default = "not_recorded::<Bound>")]
    pub bound: Measured<Bound>,
    /// What the driver's compiler says of it: static figures, not measured.
    #[serde(default = "not_recorded::<Compiled>")]
    pub compiled: Measured<Compiled>,
    /// Number of samples that were dropped because they were 0 or negative.
    pub dropped: u32,
    /// Time of one call in every sample that was not dropped, in nanoseconds, in the order of the steps.
    #[serde(default)]
    pub samples_ns: Vec<f64>,
}

const fn one() -> u32 {
    1
}

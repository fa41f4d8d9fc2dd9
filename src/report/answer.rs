//! What a reader asks first of a result: how fast, how sure, how near the peaks, bounded by what, and where that stands
//! among the published rows.

use super::numbers::percent_of;
use super::published::{Group, is_cpu_target, other_data, published_rows};
use super::{summary, work};
use crate::result::{KernelTime, Measured, Outcome, RunResult, TrainingBound, Verdict, mean_share_pct, not_profiled};

/// Number of kernels that are named.
const HEAVIEST: usize = 3;

/// The first figures of a result, for the card on a terminal and the top of a page.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer<'a> {
    /// The status unless complete, and `non-standard`.
    pub stamps: Vec<&'static str>,
    /// What was done: "10 epochs of MNIST".
    pub work: String,
    /// Name of the device: "llvmpipe (LLVM 15.0.6, 256 bits) (software)".
    pub device: String,
    /// Backend and driver: "vulkan, llvmpipe Mesa 22.3.6".
    pub driver: String,
    /// Median time of the trainings, seconds.
    pub train_s: &'a Measured<f64>,
    /// Training images per second at the median time.
    pub images_per_s: &'a Measured<f64>,
    /// Number of timed trainings.
    pub trainings: usize,
    /// Median absolute deviation of the time, in percent of the median.
    pub spread_pct: Measured<f64>,
    /// Error rate on the test images, in percent.
    pub test_error_pct: &'a Measured<f64>,
    /// What the error rate was measured on, if not on MNIST.
    pub other_data: Option<&'static str>,
    /// Whether everything agreed with the reference.
    pub check: Measured<bool>,
    /// Share of the measured peak rate of arithmetic that the kernels reach, in percent.
    pub peak_flop_pct: Measured<f64>,
    /// Share of the measured peak bandwidth that the kernels reach, in percent.
    pub peak_bandwidth_pct: Measured<f64>,
    /// What limits the training.
    pub verdict: Measured<Verdict>,
    /// The kernels that take the most time, the longest first.
    pub heaviest: Measured<Vec<&'a KernelTime>>,
    /// The published row nearest in time.
    pub place: Measured<Place>,
}

/// A time among the published ones.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    /// Tool and device of the published row: "Keras (tensorflow) on a Tesla V100".
    pub published: String,
    /// Its time, seconds.
    pub published_s: f64,
    /// Its time divided by that of this run: above 1 where this run is faster.
    pub speedup: f64,
}

impl<'a> Answer<'a> {
    /// The answer that `result` gives.
    pub fn of(result: &'a RunResult) -> Self {
        let summary = &result.summary;
        let profile = result.profile.value();
        let kernels = profile.map_or(&[][..], |profile| &profile.kernels);
        let share = |share: fn(&KernelTime) -> &Measured<f64>| match mean_share_pct(kernels, share) {
            Some(pct) => pct.into(),
            None if profile.is_none() => not_profiled_here(result),
            None => Measured::missing(match result.peaks.reason() {
                Some(reason) => format!("no measured peaks: {reason}"),
                None => "no measured peaks: `gpubench peaks` measures them".to_owned(),
            }),
        };
        Self {
            stamps: result.stamps(),
            work: work::on_data(result),
            device: result.environment.adapter.label(),
            driver: driver(result),
            train_s: &summary.train_s,
            images_per_s: &summary.images_per_s,
            trainings: result.repeats.iter().filter(|repeat| repeat.train_s.value().is_some()).count(),
            spread_pct: percent_of(&summary.train_mad_s, &summary.train_s),
            test_error_pct: &summary.test_error_pct,
            other_data: other_data(result),
            check: result.check.and_then(|check| Measured::Value(check.outcome == Outcome::Passed)),
            peak_flop_pct: share(|time| &time.peak_flop_pct),
            peak_bandwidth_pct: share(|time| &time.peak_bandwidth_pct),
            verdict: match profile {
                Some(_) => result.account.and_then(|account| account.judge(profile, result.peaks.value())),
                None => not_profiled_here(result),
            },
            heaviest: match profile {
                Some(_) => Measured::Value(heaviest(kernels)),
                None => not_profiled_here(result),
            },
            place: place(result),
        }
    }
}

impl TrainingBound {
    /// The limit in a phrase: "the device, below both roofs".
    pub(super) const fn phrase(self) -> &'static str {
        match self {
            Self::Compute => "arithmetic",
            Self::Bandwidth => "memory bandwidth",
            Self::Device => "the device, below both roofs",
            Self::Launch => "launching kernels",
            Self::Host => "the host",
        }
    }
}

/// Why there is no profile.
fn not_profiled_here<T>(result: &RunResult) -> Measured<T> {
    match result.profile.reason() {
        Some(reason) => Measured::missing(reason),
        None => not_profiled(),
    }
}

/// Backend and driver, without the version of the compiler that some drivers append.
fn driver(result: &RunResult) -> String {
    let adapter = &result.environment.adapter;
    if is_cpu_target(adapter) {
        let simd = result.plan.tuning.get("simd").cloned();
        return summary::threads(result).into_iter().chain(simd).collect::<Vec<_>>().join(", ");
    }
    let short = summary::driver_parts(adapter).map(|text| text.split(" (").next().unwrap_or_default());
    let driver = short.collect::<Vec<_>>().join(" ");
    if driver.is_empty() { adapter.backend.clone() } else { format!("{}, {driver}", adapter.backend) }
}

/// The kernels of the largest shares.
fn heaviest(kernels: &[KernelTime]) -> Vec<&KernelTime> {
    let share = |time: &KernelTime| time.share_pct.value().copied().unwrap_or(0.0);
    let mut sorted: Vec<&KernelTime> = kernels.iter().filter(|time| time.share_pct.value().is_some()).collect();
    sorted.sort_by(|a, b| share(b).total_cmp(&share(a)));
    sorted.truncate(HEAVIEST);
    sorted
}

/// The published rows, each tool on each device once, the fastest first, as places beside a time of `train_s` seconds.
pub(super) fn places(train_s: f64) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for row in published_rows() {
        let device = match row.device_count {
            0 => format!("a {}", cores(&row.device)),
            1 => format!("a {}", row.device),
            count => format!("{count} x {}", row.device),
        };
        let published = format!("{} on {device}", row.tool);
        if places.iter().all(|place| place.published != published) {
            places.push(Place { published, published_s: row.train_s, speedup: row.train_s / train_s });
        }
    }
    places.sort_by(|a, b| a.published_s.total_cmp(&b.published_s));
    places
}

/// "32-core CPU" for "CPU 32 cores".
fn cores(device: &str) -> String {
    let count = device.strip_prefix("CPU ").and_then(|rest| rest.strip_suffix(" cores"));
    count.map_or_else(|| device.to_owned(), |count| format!("{count}-core CPU"))
}

/// The published row nearest in time, if the run did the same work.
fn place(result: &RunResult) -> Measured<Place> {
    let distance = |place: &Place| place.speedup.ln().abs();
    match Group::of_run(result).comparable_s() {
        Measured::Value(train_s) => {
            let nearest = places(train_s).into_iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
            Measured::or_missing(nearest, "there are no published rows")
        }
        Measured::Missing { reason } => Measured::Missing { reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_published_tool_on_a_device_has_one_place_and_the_fastest_is_first() {
        let places = places(10.0);
        assert_eq!(places.len(), 15, "{places:?}");
        assert_eq!(places[0].published, "Keras (tensorflow) on a Tesla V100");
        assert!((places[0].speedup - 2.0).abs() < 1e-12);
        assert_eq!(places.last().unwrap().published, "Keras (tensorflow) on a 4-core CPU");
        assert!(places.iter().any(|place| place.published.ends_with("on 8 x Tesla K80")));
    }
}

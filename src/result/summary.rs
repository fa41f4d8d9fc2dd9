//! The figures of the table, computed from the timed trainings.

use super::load::Load;
use super::measured::Measured;
use super::missing::{no_gpu_busy, not_reached, not_recorded};
use super::training::Repeat;
use crate::stats;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The figures of the table; missing until they are measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Median time of the repeats' training.
    pub train_s: Measured<f64>,
    /// Median absolute deviation of that time.
    pub train_mad_s: Measured<f64>,
    /// Confidence interval of the median.
    pub train_interval: Measured<Interval>,
    /// Training images per second at the median time.
    pub images_per_s: Measured<f64>,
    /// 10^9 floating-point operations per second at the median time, against the dense count of the model.
    pub dense_gflop_per_s: Measured<f64>,
    /// Error rate on the test images, in percent: the median of the repeats.
    pub test_error_pct: Measured<f64>,
    /// Lowest and highest error rate a run like this may have, in percent, both included.
    pub accepted_test_error_pct: Measured<[f64; 2]>,
    /// Share of the training time in which the GPU's kernels were running, in percent, by this program's own time
    /// account.
    pub gpu_busy_pct: Measured<f64>,
    /// Share of the training time in which the GPU was busy as its driver reports it, in percent: the median of the
    /// repeats.
    #[serde(default = "not_recorded::<f64>")]
    pub driver_gpu_busy_pct: Measured<f64>,
    /// Mean number of CPU cores in use by this process: the median of the repeats.
    pub cpus_used: Measured<f64>,
    /// Load of the machine's busiest CPU core, in percent: the median of the repeats.
    pub busiest_cpu_pct: Measured<f64>,
    /// Energy of 1,000 training images beyond the idle power, J: the median of the repeats.
    #[serde(default = "not_recorded::<f64>")]
    pub net_j_per_1000_images: Measured<f64>,
    /// Size of all buffers that a training created on the device, in bytes.
    #[serde(default = "not_recorded::<u64>")]
    pub device_buffer_bytes: Measured<u64>,
    /// Largest resident memory of the process, in bytes.
    pub peak_host_memory_bytes: Measured<u64>,
}

/// A confidence interval of the median.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// Lower end, seconds.
    pub low_s: f64,
    /// Upper end, seconds.
    pub high_s: f64,
    /// The confidence that it attains, in percent; of older versions 95, which is the least.
    pub confidence_pct: f64,
    /// Number of samples it rests on.
    pub samples: u32,
}

impl Interval {
    /// The interval of the median of `times`, in seconds; missing where there are too few.
    pub fn of(times: &[f64]) -> Measured<Self> {
        let interval = stats::median_interval(times).map(|(low_s, high_s)| Interval {
            low_s,
            high_s,
            confidence_pct: 100.0 * stats::median_confidence(times.len()).unwrap_or(stats::CONFIDENCE),
            samples: times.len() as u32,
        });
        Measured::or_missing(interval, &Self::too_few())
    }

    /// Why so few trainings have no interval.
    pub fn too_few() -> String {
        format!("fewer than {} trainings: no interval", stats::MIN_SAMPLES_FOR_INTERVAL)
    }
}

/// The median of a figure over the repeats that have it; missing for the first repeat's reason if none has.
fn median_of(repeats: &[Repeat], figure: impl Fn(&Repeat) -> Measured<f64>) -> Measured<f64> {
    let figures: Vec<Measured<f64>> = repeats.iter().map(figure).collect();
    let values: Vec<f64> = figures.iter().filter_map(|figure| figure.value().copied()).collect();
    match (stats::median(&values), figures.into_iter().next()) {
        (Some(median), _) => median.into(),
        (None, Some(missing)) => missing,
        (None, None) => not_reached(),
    }
}

impl Summary {
    /// The summary of finished trainings at `training_macs` multiply-adds an image, the first of `images` images.
    ///
    /// Repeats without a time are left out. The GPU's load by the time account and the accepted range are missing until
    /// the caller fills them.
    pub fn of(repeats: &[Repeat], images: u64, training_macs: u64) -> Self {
        let timed: Vec<(&Repeat, f64)> =
            repeats.iter().filter_map(|repeat| Some((repeat, *repeat.train_s.value()?))).collect();
        let times: Vec<f64> = timed.iter().map(|(_, train_s)| *train_s).collect();
        let errors: Vec<f64> =
            repeats.iter().filter_map(|repeat| repeat.final_test_error_pct.value().copied()).collect();
        let Some(train_s) = stats::median(&times) else {
            let test_error_pct = stats::median(&errors).map_or_else(not_reached, Measured::Value);
            return Self { test_error_pct, ..Self::of_loads(repeats) };
        };
        let first_steps = repeats[0].steps();
        let images_per_s = match timed.iter().all(|(repeat, _)| repeat.steps() == first_steps) {
            true => images as f64 / train_s,
            // A time limit ends each training at another step.
            false => {
                let rate = |(repeat, train_s): &(&Repeat, f64)| f64::from(repeat.steps()) / train_s;
                let rates: Vec<f64> = timed.iter().map(rate).collect();
                images as f64 / f64::from(first_steps) * stats::median(&rates).unwrap_or(f64::NAN)
            }
        };
        let spread = "one timed training has no spread; ask for more with --repeat";
        let deviation = stats::median_absolute_deviation(&times).filter(|_| times.len() > 1);
        Self {
            train_s: train_s.into(),
            train_mad_s: Measured::or_missing(deviation, spread),
            train_interval: Interval::of(&times),
            images_per_s: images_per_s.into(),
            dense_gflop_per_s: (images_per_s * 2.0 * training_macs as f64 / 1e9).into(),
            test_error_pct: stats::median(&errors).map_or_else(not_reached, Measured::Value),
            ..Self::of_loads(repeats)
        }
    }

    /// The GPU's load by this program's time account, else by its driver, in percent; missing for the account's reason
    /// if neither has it.
    pub fn gpu_busy(&self) -> &Measured<f64> {
        match (&self.gpu_busy_pct, &self.driver_gpu_busy_pct) {
            (Measured::Missing { .. }, driver @ Measured::Value(_)) => driver,
            (own, _) => own,
        }
    }

    /// The figures that come from the loads of `repeats`; all others are missing.
    fn of_loads(repeats: &[Repeat]) -> Self {
        let figure =
            |figure: &dyn Fn(&Load) -> Measured<f64>| median_of(repeats, |repeat| repeat.load.and_then(figure));
        let peaks = repeats.iter().filter_map(|repeat| repeat.load.value()?.peak_host_memory_bytes.value().copied());
        let first = repeats.first();
        Self {
            driver_gpu_busy_pct: figure(&|load| load.gpu.busy_pct.clone().map(|busy| busy.mean)),
            cpus_used: figure(&|load| load.cpus_used.clone()),
            busiest_cpu_pct: figure(&|load| load.busiest_cpu_pct.clone()),
            net_j_per_1000_images: figure(&|load| load.energy.and_then(|energy| energy.net_j_per_1000_images.clone())),
            device_buffer_bytes: first.map_or_else(not_reached, |repeat| repeat.device_buffer_bytes.clone()),
            peak_host_memory_bytes: peaks.max().map_or_else(
                || first.map_or_else(not_reached, |one| one.load.and_then(|load| load.peak_host_memory_bytes.clone())),
                Measured::Value,
            ),
            ..Self::default()
        }
    }
}

impl Default for Summary {
    fn default() -> Self {
        Self {
            train_s: not_reached(),
            train_mad_s: not_reached(),
            train_interval: not_reached(),
            images_per_s: not_reached(),
            dense_gflop_per_s: not_reached(),
            test_error_pct: not_reached(),
            accepted_test_error_pct: Measured::missing("no range is known for a run like this"),
            gpu_busy_pct: no_gpu_busy(),
            driver_gpu_busy_pct: not_reached(),
            cpus_used: not_reached(),
            busiest_cpu_pct: not_reached(),
            net_j_per_1000_images: not_reached(),
            device_buffer_bytes: not_reached(),
            peak_host_memory_bytes: not_reached(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeat(train_s: Measured<f64>, error_pct: f64) -> Repeat {
        Repeat {
            train_s,
            final_test_error_pct: error_pct.into(),
            device_buffer_bytes: Measured::Value(1000),
            ..Repeat::unfinished()
        }
    }

    #[test]
    fn rates_follow_from_the_median_time() {
        let repeats = [repeat(2.0.into(), 0.9), repeat(4.0.into(), 1.0), repeat(3.0.into(), 0.8)];
        let summary = Summary::of(&repeats, 600_000, 2_202_496);
        assert_eq!(summary.train_s, Measured::Value(3.0));
        assert_eq!(summary.train_mad_s, Measured::Value(1.0));
        assert_eq!(summary.images_per_s, Measured::Value(200_000.0));
        let gflop_per_s = summary.dense_gflop_per_s.value().copied().unwrap();
        assert!((gflop_per_s - 880.9984).abs() < 1e-9, "{gflop_per_s}");
        assert_eq!(summary.test_error_pct, Measured::Value(0.9));
        assert_eq!(summary.train_interval.reason(), Some("fewer than 6 trainings: no interval"));
        let six = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0].map(|train_s| repeat(train_s.into(), 0.9));
        let interval = Interval { low_s: 1.0, high_s: 6.0, confidence_pct: 96.875, samples: 6 };
        assert_eq!(Summary::of(&six, 1, 1).train_interval, Measured::Value(interval));
    }

    #[test]
    fn the_rate_of_trainings_that_a_time_limit_ended_is_that_of_each_ones_own_steps() {
        let of_steps = |steps| {
            let sample = crate::result::Sample { epoch: 1, first_step: 0, steps, duration_s: 1.0 };
            Repeat { samples: vec![sample], ..repeat(10.0.into(), 9.0) }
        };
        // 100 images a step, in 10 s each.
        let summary = Summary::of(&[of_steps(20), of_steps(30), of_steps(40)], 2_000, 1);
        assert_eq!(summary.images_per_s, Measured::Value(300.0));
    }

    #[test]
    fn the_gpus_load_is_this_programs_own_figure_where_there_is_one_else_the_drivers() {
        let with = |own, driver| Summary { gpu_busy_pct: own, driver_gpu_busy_pct: driver, ..Summary::default() };
        let missing = |reason: &str| Measured::missing(reason);
        assert_eq!(with(40.0.into(), 60.0.into()).gpu_busy(), &Measured::Value(40.0));
        assert_eq!(with(missing("own"), 60.0.into()).gpu_busy(), &Measured::Value(60.0));
        assert_eq!(with(missing("own"), missing("driver")).gpu_busy().reason(), Some("own"));
    }

    #[test]
    fn one_repeat_has_no_spread_and_an_unfinished_one_no_time() {
        let summary = Summary::of(&[repeat(2.0.into(), 0.9)], 1, 1);
        assert!(summary.train_mad_s.reason().is_some_and(|reason| reason.contains("--repeat")));
        assert!(summary.train_interval.value().is_none());
        let stopped = Summary::of(&[repeat(Measured::missing("interrupted"), 9.0)], 1, 1);
        assert!(stopped.train_s.value().is_none() && stopped.images_per_s.value().is_none());
        assert_eq!(stopped.test_error_pct, Measured::Value(9.0));
    }
}

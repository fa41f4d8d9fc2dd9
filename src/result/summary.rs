//! The figures of the table, computed from the timed trainings.

use super::{Interval, Load, Measured, Repeat, Summary, no_gpu_busy};
use crate::stats;

const NOT_YET: &str = "the run has not come this far";

/// The median of a figure over the repeats that have it, or why the first one has none.
fn median_of(repeats: &[Repeat], figure: impl Fn(&Repeat) -> Measured<f64>) -> Measured<f64> {
    let figures: Vec<Measured<f64>> = repeats.iter().map(figure).collect();
    let values: Vec<f64> = figures.iter().filter_map(|figure| figure.value().copied()).collect();
    match (stats::median(&values), figures.into_iter().next()) {
        (Some(median), _) => median.into(),
        (None, Some(missing)) => missing,
        (None, None) => Measured::missing(NOT_YET),
    }
}

/// A figure of a repeat's load, or why there is none.
fn of_load(repeat: &Repeat, figure: impl Fn(&Load) -> Measured<f64>) -> Measured<f64> {
    match &repeat.load {
        Measured::Value(load) => figure(load),
        Measured::Missing { reason } => Measured::missing(reason.clone()),
    }
}

impl Summary {
    /// The summary of finished trainings of `images` images each, at `training_macs` multiply-adds an image.
    ///
    /// Repeats without a time are left out. The GPU's load by the time account and the accepted range are missing until the caller
    /// fills them. `seed` makes the bootstrap interval reproducible.
    pub fn of(repeats: &[Repeat], images: u64, training_macs: u64, seed: u64) -> Self {
        let times: Vec<f64> = repeats.iter().filter_map(|repeat| repeat.train_s.value().copied()).collect();
        let errors: Vec<f64> =
            repeats.iter().filter_map(|repeat| repeat.final_test_error_pct.value().copied()).collect();
        let Some(train_s) = stats::median(&times) else {
            let test_error_pct = Measured::or_missing(stats::median(&errors), NOT_YET);
            return Self { test_error_pct, ..Self::of_loads(repeats) };
        };
        let images_per_s = images as f64 / train_s;
        let spread = "one timed training has no spread; ask for more with --repeat";
        Self {
            train_s: train_s.into(),
            train_mad_s: Measured::or_missing(
                stats::median_absolute_deviation(&times).filter(|_| times.len() > 1),
                spread,
            ),
            train_interval: Measured::or_missing(
                stats::bootstrap_interval(&times, seed).map(|(low_s, high_s)| Interval {
                    low_s,
                    high_s,
                    confidence_pct: 95.0,
                    samples: times.len() as u32,
                }),
                spread,
            ),
            images_per_s: images_per_s.into(),
            dense_gflop_per_s: (images_per_s * 2.0 * training_macs as f64 / 1e9).into(),
            test_error_pct: Measured::or_missing(stats::median(&errors), NOT_YET),
            ..Self::of_loads(repeats)
        }
    }

    /// The GPU's load by this program's time account, else by its driver, in percent; the account's reason where neither tells.
    pub fn gpu_busy(&self) -> &Measured<f64> {
        match (&self.gpu_busy_pct, &self.driver_gpu_busy_pct) {
            (Measured::Missing { .. }, driver @ Measured::Value(_)) => driver,
            (own, _) => own,
        }
    }

    /// The figures of `repeats` that come from their loads; the others are missing.
    fn of_loads(repeats: &[Repeat]) -> Self {
        let figure = |figure: &dyn Fn(&Load) -> Measured<f64>| median_of(repeats, |repeat| of_load(repeat, figure));
        let energy = |load: &Load| match &load.energy {
            Measured::Value(energy) => energy.net_j_per_1000_images.clone(),
            Measured::Missing { reason } => Measured::missing(reason.clone()),
        };
        let peaks = repeats.iter().filter_map(|repeat| repeat.load.value()?.peak_host_memory_bytes.value().copied());
        let first = repeats.first();
        Self {
            driver_gpu_busy_pct: figure(&|load| load.gpu.busy_pct.clone().map(|busy| busy.mean)),
            cpus_used: figure(&|load| load.cpus_used.clone()),
            busiest_cpu_pct: figure(&|load| load.busiest_cpu_pct.clone()),
            net_j_per_1000_images: figure(&energy),
            device_buffer_bytes: first.map_or(Measured::missing(NOT_YET), |repeat| repeat.device_buffer_bytes.clone()),
            peak_host_memory_bytes: match (peaks.max(), first.map(|repeat| &repeat.load)) {
                (Some(peak), _) => Measured::Value(peak),
                (None, Some(Measured::Value(load))) => load.peak_host_memory_bytes.clone(),
                (None, Some(Measured::Missing { reason })) => Measured::missing(reason.clone()),
                (None, None) => Measured::missing(NOT_YET),
            },
            ..Self::default()
        }
    }
}

impl Default for Summary {
    fn default() -> Self {
        Self {
            train_s: Measured::missing(NOT_YET),
            train_mad_s: Measured::missing(NOT_YET),
            train_interval: Measured::missing(NOT_YET),
            images_per_s: Measured::missing(NOT_YET),
            dense_gflop_per_s: Measured::missing(NOT_YET),
            test_error_pct: Measured::missing(NOT_YET),
            accepted_test_error_pct: Measured::missing("no range is known for a run like this"),
            gpu_busy_pct: no_gpu_busy(),
            driver_gpu_busy_pct: Measured::missing(NOT_YET),
            cpus_used: Measured::missing(NOT_YET),
            busiest_cpu_pct: Measured::missing(NOT_YET),
            net_j_per_1000_images: Measured::missing(NOT_YET),
            device_buffer_bytes: Measured::missing(NOT_YET),
            peak_host_memory_bytes: Measured::missing(NOT_YET),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeat(train_s: Measured<f64>, error_pct: f64) -> Repeat {
        Repeat {
            train_s,
            evaluate_s: Measured::missing("not evaluated"),
            epochs: Vec::new(),
            samples: Vec::new(),
            parameters_sha256: Measured::missing("not read back"),
            final_test_error_pct: error_pct.into(),
            commands: crate::result::not_recorded(),
            device_buffer_bytes: Measured::Value(1000),
            load: crate::result::not_recorded(),
        }
    }

    #[test]
    fn rates_follow_from_the_median_time() {
        let repeats = [repeat(2.0.into(), 0.9), repeat(4.0.into(), 1.0), repeat(3.0.into(), 0.8)];
        let summary = Summary::of(&repeats, 600_000, 2_202_496, 1);
        assert_eq!(summary.train_s, Measured::Value(3.0));
        assert_eq!(summary.train_mad_s, Measured::Value(1.0));
        assert_eq!(summary.images_per_s, Measured::Value(200_000.0));
        let gflop_per_s = summary.dense_gflop_per_s.value().copied().unwrap();
        assert!((gflop_per_s - 880.9984).abs() < 1e-9, "{gflop_per_s}");
        assert_eq!(summary.test_error_pct, Measured::Value(0.9));
        assert_eq!(summary.train_interval.value().map(|interval| interval.samples), Some(3));
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
        let summary = Summary::of(&[repeat(2.0.into(), 0.9)], 1, 1, 1);
        assert!(summary.train_interval.reason().is_some_and(|reason| reason.contains("--repeat")));
        assert!(summary.train_mad_s.value().is_none());
        let stopped = Summary::of(&[repeat(Measured::missing("interrupted"), 9.0)], 1, 1, 1);
        assert!(stopped.train_s.value().is_none() && stopped.images_per_s.value().is_none());
        assert_eq!(stopped.test_error_pct, Measured::Value(9.0));
    }
}

//! The stopping rule of repeated trainings, and the figures of a soak.

use crate::result::{Measured, Repeat, Repeating, RepeatingEnd, Settings, Soak, Summary};
use crate::stats::{self, Slope};
use web_time::{Duration, Instant};

/// Seconds of training after which a quick run stops.
pub const QUICK_TRAIN_S: f64 = 30.0;
/// Seconds after the start of the program within which a quick run ends.
pub const QUICK_RUN_S: u64 = 60;
/// Seconds of them for steps in flight, and for what comes after the evaluation.
const QUICK_RESERVE_S: u64 = 6;

/// When a quick run that started at `started` should have tested its first training.
pub fn quick_deadline(started: Instant) -> Instant {
    started + Duration::from_secs(QUICK_RUN_S - QUICK_RESERVE_S)
}

/// Minimum number of trainings for an interval of their median.
const MIN_TRAININGS_FOR_INTERVAL: u32 = stats::MIN_SAMPLES_FOR_INTERVAL as u32;
/// Maximum number of trainings, however wide their interval is.
pub const MAX_TRAININGS: u32 = 1000;
/// Upper bound of a soak's epochs; it stops by time.
pub const SOAK_EPOCHS: u32 = 1_000_000;
/// Minimum number of epochs for a drift to be fitted.
const MIN_EPOCHS_FOR_DRIFT: usize = 4;

/// Why to stop after `trainings` trainings with this `summary`, `elapsed_s` seconds after the first one started; `None`
/// to train again.
pub fn stop_reason(settings: &Settings, summary: &Summary, trainings: u32, elapsed_s: f64) -> Option<RepeatingEnd> {
    let rule = &settings.stopping;
    if rule.max_time_s.value.value().is_some_and(|&limit_s| elapsed_s >= limit_s) && !count_reached(settings, trainings)
    {
        return Some(RepeatingEnd::MaxTime);
    }
    let Some(&target_pct) = rule.target_ci_pct.value.value() else {
        return count_reached(settings, trainings).then_some(RepeatingEnd::Count);
    };
    let narrow = half_width_pct(summary).value().is_some_and(|&half_pct| half_pct <= target_pct);
    if narrow && trainings >= settings.repeat.value.max(MIN_TRAININGS_FOR_INTERVAL) {
        return Some(RepeatingEnd::Target);
    }
    (trainings >= MAX_TRAININGS).then_some(RepeatingEnd::MostTrainings)
}

/// Decides when a quick run stops a training.
pub struct QuickLimit {
    train_s: f64,
    run_s: f64,
    evaluation_images: f64,
    fastest_image_s: f64,
    parts: u32,
}

impl QuickLimit {
    /// The limit of a training that took `train_s` seconds so far. If `left_s` is given, it is evaluated within as many
    /// seconds; the evaluation takes as long as training on `evaluation_images` images.
    pub fn new(train_s: f64, left_s: Option<f64>, evaluation_images: f64) -> Self {
        Self {
            train_s: QUICK_TRAIN_S - train_s,
            run_s: left_s.unwrap_or(f64::INFINITY),
            evaluation_images,
            fastest_image_s: f64::INFINITY,
            parts: 0,
        }
    }

    /// Whether to stop `elapsed_s` seconds later, after another `images` images in `duration_s` seconds.
    pub fn reached(&mut self, elapsed_s: f64, images: f64, duration_s: f64) -> bool {
        self.parts += 1;
        self.fastest_image_s = self.fastest_image_s.min(duration_s / images);
        // The fastest of at least two parts, so that a slow first one does not end the training.
        let evaluation_s = if self.parts > 1 { self.evaluation_images * self.fastest_image_s } else { 0.0 };
        elapsed_s > self.train_s || elapsed_s + evaluation_s > self.run_s
    }
}

/// Whether `--repeat` is reached, where there is no target interval.
fn count_reached(settings: &Settings, trainings: u32) -> bool {
    settings.stopping.target_ci_pct.value.value().is_none() && trainings >= settings.repeat.value
}

/// Half the width of the median's interval, as a percentage of the median: the larger of both sides.
pub fn half_width_pct(summary: &Summary) -> Measured<f64> {
    let Some(&median_s) = summary.train_s.value() else { return summary.train_s.clone() };
    let half = |low_s: f64, high_s: f64| 100.0 * (median_s - low_s).max(high_s - median_s) / median_s;
    summary.train_interval.clone().map(|interval| half(interval.low_s, interval.high_s))
}

/// The state of repeating, `ended` or not, for the result.
pub fn repeating(repeats: &[Repeat], summary: &Summary, elapsed_s: f64, ended: RepeatingEnd) -> Repeating {
    let trainings = repeats.iter().filter(|repeat| repeat.train_s.value().is_some()).count() as u32;
    Repeating { trainings, half_width_pct: half_width_pct(summary), elapsed_s, ended }
}

/// The figures of a soak with the times of all its epochs; missing if there are fewer than two epochs.
///
/// In the first epoch submissions still grow to their final size, so it is excluded from the slowest epoch and the
/// drift.
pub fn soak(epochs_s: &[f64]) -> Measured<Soak> {
    let numbered = || (1..).zip(epochs_s.iter().copied());
    let best = numbered().min_by(|a, b| a.1.total_cmp(&b.1));
    let worst = numbered().skip(1).max_by(|a, b| a.1.total_cmp(&b.1));
    let (Some(best), Some(worst), Some(median_s)) = (best, worst, stats::median(epochs_s)) else {
        return Measured::missing("the soak was too short: it needs two epochs; give --soak more minutes");
    };
    let mut begin_s = 0.0;
    let points: Vec<(f64, f64)> = epochs_s
        .iter()
        .map(|&train_s| {
            begin_s += train_s;
            ((begin_s - train_s) / 3600.0, train_s)
        })
        .skip(1)
        .collect();
    let slope = Slope::through(&points).filter(|_| epochs_s.len() >= MIN_EPOCHS_FOR_DRIFT);
    let relative = |of: fn(&Slope) -> f64| {
        let value = slope.as_ref().map(|slope| 100.0 * of(slope) / slope.at_start);
        Measured::or_missing(value, "too few epochs for a line: give --soak more minutes")
    };
    let uncertain = slope.as_ref().is_some_and(|slope| slope.error > slope.slope.abs());
    let drift = match uncertain {
        true => Measured::missing("its standard error exceeds it: give --soak more minutes"),
        false => relative(|slope| slope.slope),
    };
    Measured::Value(Soak {
        epochs: epochs_s.len() as u32,
        best_s: best.1,
        best_epoch: best.0,
        worst_s: worst.1,
        worst_epoch: worst.0,
        median_s,
        drift_pct_per_hour: drift,
        drift_error_pct_per_hour: relative(|slope| slope.error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{Interval, Origin, Setting};

    fn settings(repeat: u32, target_ci_pct: Option<f64>, max_time_s: Option<f64>) -> Settings {
        let given = |value: Option<f64>| Setting::new(Measured::or_missing(value, "not asked for"), Origin::Option);
        let none = || Setting::default(Measured::missing("any"));
        Settings {
            adapter: none(),
            backend: none(),
            data: Setting::default("auto".into()),
            epochs: Setting::default(10),
            batch: Setting::default(128),
            steps: Setting::default(Measured::missing("no limit")),
            seed: Setting::default(1),
            repeat: Setting::default(repeat),
            shuffle: Setting::default(true),
            dropout: Setting::default(0.2),
            init: none(),
            plan: Setting::default("layered".into()),
            quick: Setting::default(false),
            strict: Setting::default(false),
            stopping: crate::result::StoppingRule {
                target_ci_pct: given(target_ci_pct),
                max_time_s: given(max_time_s),
                ..Default::default()
            },
        }
    }

    /// A summary whose median is 10 s and whose interval is `low_s` to `high_s`.
    fn summary(low_s: f64, high_s: f64) -> Summary {
        let interval = Interval { low_s, high_s, confidence_pct: 95.0, samples: 9 };
        Summary { train_s: 10.0.into(), train_interval: Measured::Value(interval), ..Summary::default() }
    }

    #[test]
    fn without_a_target_the_count_decides_unless_the_time_limit_comes_first() {
        let wide = summary(1.0, 100.0);
        assert_eq!(stop_reason(&settings(3, None, None), &wide, 2, 1e9), None);
        assert_eq!(stop_reason(&settings(3, None, None), &wide, 3, 0.0), Some(RepeatingEnd::Count));
        assert_eq!(stop_reason(&settings(3, None, Some(60.0)), &wide, 2, 59.0), None);
        assert_eq!(stop_reason(&settings(3, None, Some(60.0)), &wide, 2, 60.0), Some(RepeatingEnd::MaxTime));
        assert_eq!(stop_reason(&settings(3, None, Some(60.0)), &wide, 3, 61.0), Some(RepeatingEnd::Count));
    }

    #[test]
    fn a_target_needs_enough_trainings_and_a_narrow_interval_on_both_sides() {
        let target = settings(8, Some(5.0), Some(60.0));
        let (narrow, lopsided) = (summary(9.6, 10.5), summary(9.9, 10.6));
        assert!(half_width_pct(&narrow).value().is_some_and(|half| (half - 5.0).abs() < 1e-9));
        assert!(half_width_pct(&lopsided).value().is_some_and(|half| (half - 6.0).abs() < 1e-9));
        let target_of_5 = settings(1, Some(5.000_001), None);
        assert_eq!(stop_reason(&target_of_5, &narrow, MIN_TRAININGS_FOR_INTERVAL - 1, 1.0), None);
        assert_eq!(stop_reason(&target_of_5, &narrow, MIN_TRAININGS_FOR_INTERVAL, 1.0), Some(RepeatingEnd::Target));
        assert_eq!(stop_reason(&target, &summary(9.9, 10.1), 7, 1.0), None, "--repeat is the minimum");
        assert_eq!(stop_reason(&target, &summary(9.9, 10.1), 8, 1.0), Some(RepeatingEnd::Target));
        assert_eq!(stop_reason(&target, &lopsided, 500, 1.0), None);
        assert_eq!(stop_reason(&target, &lopsided, 9, 60.0), Some(RepeatingEnd::MaxTime));
        assert_eq!(stop_reason(&target, &lopsided, MAX_TRAININGS, 1.0), Some(RepeatingEnd::MostTrainings));
    }

    #[test]
    fn a_quick_training_ends_after_its_seconds_or_in_time_for_the_evaluation() {
        // The evaluation takes as long as training on 3000 images of 1 ms.
        let limit = |train_s, left_s| QuickLimit::new(train_s, left_s, 3000.0);
        let mut early = limit(5.0, Some(48.0));
        assert!(!early.reached(1.0, 100.0, 9.0), "a slow first part is no measure");
        assert!(!early.reached(24.9, 100.0, 0.1) && early.reached(25.1, 100.0, 0.1));
        let mut late = limit(0.0, Some(14.0));
        assert!(!late.reached(10.9, 100.0, 0.1) && late.reached(11.1, 100.0, 0.1));
        let mut second = limit(0.0, None);
        assert!(!second.reached(29.0, 100.0, 90.0) && second.reached(31.0, 100.0, 0.1));
    }

    #[test]
    fn a_soak_reports_the_fastest_the_slowest_and_the_drift() {
        // An epoch of 36 s that grows by 0.36 s every 36 s, about 1 % in 0.01 hours: 100 % in an hour. The first one is
        // slower.
        let mut times = vec![80.0];
        let mut begin_s = 80.0;
        for _ in 0..6 {
            let train_s = 36.0 * (1.0 + (begin_s - 80.0) / 3600.0);
            times.push(train_s);
            begin_s += train_s;
        }
        let soak = soak(&times);
        let soak = soak.value().unwrap();
        assert_eq!((soak.epochs, soak.best_epoch, soak.worst_epoch), (7, 2, 7), "the first epoch is not the slowest");
        let drift = *soak.drift_pct_per_hour.value().unwrap();
        assert!((drift - 100.0).abs() < 1e-6, "{drift}");
        assert!(soak.drift_error_pct_per_hour.value().is_some_and(|error| error.abs() < 1e-3));
    }

    #[test]
    fn a_drift_that_its_error_exceeds_is_withheld() {
        let noise = [9.0, 36.0, 36.9, 36.1, 36.8, 36.2, 36.7, 36.0, 36.5];
        let soak = soak(&noise);
        let soak = soak.value().unwrap();
        assert!(soak.drift_pct_per_hour.reason().is_some_and(|reason| reason.contains("standard error exceeds it")));
        assert!(soak.drift_error_pct_per_hour.value().is_some_and(|error| *error > 0.0));
    }

    #[test]
    fn a_short_soak_has_no_drift_and_one_epoch_is_no_soak() {
        let short = soak(&[9.0, 8.0, 8.5]);
        let short = short.value().unwrap();
        assert_eq!((short.best_s, short.worst_s, short.median_s), (8.0, 8.5, 8.5));
        assert!(short.drift_pct_per_hour.reason().is_some_and(|reason| reason.contains("--soak")));
        assert!(soak(&[9.0]).reason().is_some_and(|reason| reason.contains("two epochs")));
    }
}

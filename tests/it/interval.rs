//! The confidence interval of a median covers it as often as it says, whatever the distribution.

use crate::common::sample;
use gpubench::report::text;
use gpubench::result::{Interval, Measured};
use gpubench::rng::{Sequence, Stream};
use gpubench::stats::{CONFIDENCE, MIN_SAMPLES_FOR_INTERVAL, median_interval};

const CASES: u64 = 2000;

/// A distribution, made of a uniform number from 0 to 1, and its median.
type Distribution = (&'static str, fn(f64) -> f64, f64);

const DISTRIBUTIONS: [Distribution; 3] = [
    ("uniform", |share| share, 0.5),
    // Times have a floor and a long tail.
    ("exponential", |share| -(1.0 - share).ln(), std::f64::consts::LN_2),
    // Two speeds of a processor.
    ("two clusters", |share| if share < 0.3 { share } else { 5.0 + share }, 5.5),
];

#[test]
fn the_interval_covers_the_median_from_six_samples_on() {
    // Three standard deviations of the share of so many cases.
    let tolerance = 3.0 * (CONFIDENCE * (1.0 - CONFIDENCE) / CASES as f64).sqrt();
    for count in (MIN_SAMPLES_FOR_INTERVAL..=20).chain([31, 50, 101]) {
        for (name, of, median) in DISTRIBUTIONS {
            let covered = (0..CASES).filter(|case| {
                let mut sequence = Sequence::new(*case, Stream::Check, count as u32);
                let samples: Vec<f64> = (0..count).map(|_| of(f64::from(sequence.uniform()))).collect();
                median_interval(&samples).is_some_and(|(low, high)| low <= median && median <= high)
            });
            let share = covered.count() as f64 / CASES as f64;
            assert!(share >= CONFIDENCE - tolerance, "{name}, {count} samples: {share}");
        }
    }
}

#[test]
fn fewer_than_six_trainings_have_no_interval_also_in_files_that_hold_one() {
    let mut result = sample::gpu_run(5);
    assert_eq!(result.summary.train_interval.reason(), Some("fewer than 6 trainings: no interval"));
    let old = Interval { low_s: 12.3, high_s: 12.7, confidence_pct: 95.0, samples: 5 };
    result.summary.train_interval = Measured::Value(old);
    let report = text(&result, 160);
    assert!(report.contains("median of 5 trainings, n/a (fewer than 6 trainings: no interval)"), "{report}");
    assert!(!report.contains("95 %"), "{report}");
    assert!(text(&sample::gpu_run(6), 160).contains("95 % interval 12.3 to 12.8 s"));
}

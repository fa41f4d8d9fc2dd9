//! The confidence interval of a median covers it as often as it says, whatever the distribution; and where the samples
//! drift, so that it says nothing of the next one, that is told.

use crate::common::sample;
use gpubench::report::text;
use gpubench::result::{Interval, Measured};
use gpubench::rng::{Sequence, Stream};
use gpubench::stats::{MIN_SAMPLES_FOR_INTERVAL, median_confidence, median_interval, trend};
use std::f64::consts::TAU;

const CASES: u64 = 2000;
/// Share by which a coverage may be off what is said.
const POINTS: f64 = 0.02;

/// Two independent numbers of the standard normal distribution have this radius and angle.
fn normal(random: &mut Sequence) -> f64 {
    let (radius, angle) = (f64::from(random.uniform()), f64::from(random.uniform()));
    (-2.0 * (1.0 - radius).ln()).sqrt() * (TAU * angle).cos()
}

/// A distribution, and its median.
type Distribution = (&'static str, fn(&mut Sequence) -> f64, f64);

const DISTRIBUTIONS: [Distribution; 5] = [
    ("uniform", |random| f64::from(random.uniform()), 0.5),
    ("normal", normal, 0.0),
    // Times have a floor and a long tail.
    ("exponential", |random| -(1.0 - f64::from(random.uniform())).ln(), std::f64::consts::LN_2),
    ("log-normal", |random| normal(random).exp(), 1.0),
    // Two speeds of a processor: the slower one in 70 of 100, of which the median is the 2/7 quantile.
    (
        "bimodal",
        |random| 0.1 * f64::from(random.uniform()) + if random.uniform() < 0.3 { 1.0 } else { 5.0 },
        5.0 + 0.2 / 7.0,
    ),
];

fn samples(of: fn(&mut Sequence) -> f64, case: u64, count: usize) -> Vec<f64> {
    let mut random = Sequence::new(case, Stream::Check, count as u32);
    (0..count).map(|_| of(&mut random)).collect()
}

fn covers(samples: &[f64], median: f64) -> bool {
    median_interval(samples).is_some_and(|(low, high)| low <= median && median <= high)
}

#[test]
fn the_interval_covers_the_median_as_often_as_it_says_from_six_samples_to_fifty() {
    for count in MIN_SAMPLES_FOR_INTERVAL..=50 {
        let said = median_confidence(count).unwrap();
        for (name, of, median) in DISTRIBUTIONS {
            let covered = (0..CASES).filter(|case| covers(&samples(of, *case, count), median)).count();
            let share = covered as f64 / CASES as f64;
            assert!((share - said).abs() <= POINTS, "{name}, {count} samples: {share} of {said}");
        }
    }
}

/// What is added to a sample of a run that drifts, by its place in the run from 0 to 1, and what it is around on the
/// whole: the median of all that is added.
type Drift = (&'static str, fn(f64) -> f64, f64);

/// In standard deviations of the samples around it.
const DRIFTS: [Drift; 6] = [
    ("a slow warming", |place| place - 0.5, 0.0),
    ("warming", |place| 4.0 * (place - 0.5), 0.0),
    ("strong warming", |place| 8.0 * (place - 0.5), 0.0),
    ("cooling", |place| -6.0 * (place - 0.5), 0.0),
    ("a step in the middle", |place| if place < 0.5 { -2.0 } else { 2.0 }, 0.0),
    ("swinging", |place| 2.0 * (TAU * place).sin(), 0.0),
];

/// Samples around a drift.
fn drifting(drift: fn(f64) -> f64, case: u64, count: usize) -> Vec<f64> {
    let mut random = Sequence::new(case, Stream::Check, 100 + count as u32);
    // Far from 0, as times are.
    (0..count).map(|index| 100.0 + drift((index as f64 + 0.5) / count as f64) + normal(&mut random)).collect()
}

#[test]
fn the_interval_of_drifting_samples_covers_the_middle_of_the_run_at_least_as_often() {
    for count in MIN_SAMPLES_FOR_INTERVAL..=50 {
        let said = median_confidence(count).unwrap();
        for (name, drift, middle) in DRIFTS {
            let covered = (0..CASES / 2).filter(|case| covers(&drifting(drift, *case, count), 100.0 + middle)).count();
            let share = covered as f64 / (CASES / 2) as f64;
            // A drift makes it wider than it has to be.
            assert!(share >= said - POINTS, "{name}, {count} samples: {share} of {said}");
        }
    }
}

#[test]
fn drifts_that_matter_are_told_and_chance_is_not() {
    let told = |samples: &mut dyn FnMut(u64) -> Vec<f64>| {
        (0..CASES).filter(|case| trend(&samples(*case)).is_some()).count() as f64 / CASES as f64
    };
    for count in [6, 7, 10, 16, 25, 50] {
        for (name, of, _) in DISTRIBUTIONS {
            let share = told(&mut |case| samples(of, case, count));
            assert!(share <= POINTS, "{name}, {count} samples: a drift is told in {share}");
        }
    }
    // An interval says nothing of the next training where it is over by then: told nine times of ten, or more.
    for (name, drift, least) in
        [("strong warming", DRIFTS[2].1, 9), ("warming", DRIFTS[1].1, 20), ("cooling", DRIFTS[3].1, 12)]
    {
        for count in (least..=50).step_by(5) {
            let share = told(&mut |case| drifting(drift, case, count));
            assert!(share >= 0.9, "{name}, {count} samples: told in {share}");
        }
    }
}

#[test]
fn a_run_whose_trainings_drift_says_that_its_interval_does_not_hold() {
    let mut result = sample::full_run();
    for (index, repeat) in (0..).zip(&mut result.repeats) {
        repeat.train_s = (12.0 + 0.2 * f64::from(index)).into();
    }
    gpubench::bench::validate(&mut result);
    let words = "trainings became 9.5 % slower from the first to the last, so that their interval does not hold";
    assert!(result.warnings.iter().any(|warning| warning.contains(words)), "{:?}", result.warnings);
    assert!(text(&result, 1000).contains(words));
    let mut steady = sample::full_run();
    gpubench::bench::validate(&mut steady);
    assert!(!steady.warnings.iter().any(|warning| warning.contains("trainings became")), "{:?}", steady.warnings);
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
    assert!(text(&sample::gpu_run(6), 160).contains("97 % interval 12.3 to 12.8 s"));
}

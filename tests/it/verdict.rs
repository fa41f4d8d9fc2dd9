//! The verdict on two samples of times: worked by hand, against published tables, and by simulation.

use gpubench::rng::{Sequence, Stream};
use gpubench::verdict::{Estimate, Sampled, Verdict, blocks, estimate, holm, judge};

/// Draws times around 1 from one of three distributions.
struct Draw(Sequence);

impl Draw {
    fn of(case: usize) -> Self {
        Self(Sequence::new(7, Stream::Check, case as u32))
    }

    fn uniform(&mut self) -> f64 {
        (f64::from(self.0.next_u32()) + 0.5) / 4_294_967_296.0
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// The logarithm of a time: normal, skewed (its time is lognormal with a heavy tail), or with two peaks.
    fn log(&mut self, form: usize) -> f64 {
        match form {
            0 => (1.0 + 0.01 * self.normal()).ln(),
            1 => (1.0 + 0.02 * (0.8 * self.normal()).exp()).ln(),
            _ => 0.005 * self.normal() + if self.uniform() < 0.3 { 0.05 } else { 0.0 },
        }
    }

    fn times(&mut self, form: usize, count: usize, ratio: f64) -> Vec<f64> {
        (0..count).map(|_| ratio * self.log(form).exp()).collect()
    }
}

fn judged(first: &[f64], second: &[f64]) -> Verdict {
    let estimate = estimate(first, second).unwrap();
    judge(&estimate, estimate.test.map_or(1.0, |test| test.p), 0.02, Sampled::Trainings).0
}

#[test]
fn the_interval_holds_the_ratio_as_often_as_stated_whatever_the_distribution() {
    for (form, name) in ["normal", "skewed", "two peaks"].into_iter().enumerate() {
        for (case, (few, many)) in [(6, 6), (7, 7), (6, 10), (10, 10), (20, 20), (12, 40), (50, 50)].iter().enumerate()
        {
            let trials = if few * many > 100 { 800 } else { 2000 };
            let mut draw = Draw::of(100 * form + case);
            let (mut held, mut confidence) = (0, 0.0);
            for _ in 0..trials {
                let (first, second) = (draw.times(form, *few, 1.0), draw.times(form, *many, 1.07));
                let test = estimate(&first, &second).unwrap().test.unwrap();
                held += u32::from((test.low..=test.high).contains(&1.07));
                confidence = test.confidence;
            }
            let coverage = f64::from(held) / f64::from(trials);
            assert!((0.95..0.999).contains(&confidence), "{few} and {many}: {confidence}");
            assert!(coverage > confidence - 0.02, "{name}, {few} and {many}: {coverage} of {confidence}");
        }
    }
}

#[test]
fn equal_distributions_seldom_differ_and_five_percent_are_found() {
    const TRIALS: u32 = 1000;
    let (mut all, mut wrong) = (0, 0);
    for form in 0..3 {
        for count in [6, 7, 8, 10, 20] {
            let mut draw = Draw::of(1000 + 100 * form + count);
            for _ in 0..TRIALS {
                let verdict = judged(&draw.times(form, count, 1.0), &draw.times(form, count, 1.0));
                all += 1;
                wrong += u32::from(matches!(verdict, Verdict::Faster | Verdict::Slower));
            }
        }
    }
    assert!(f64::from(wrong) <= 0.05 * f64::from(all), "{wrong} of {all} pairs of equal samples differ");
    for count in 7..=10 {
        let mut draw = Draw::of(2000 + count);
        let slower = |draw: &mut Draw| judged(&draw.times(0, count, 1.0), &draw.times(0, count, 1.05));
        let found = (0..TRIALS).filter(|_| slower(&mut draw) == Verdict::Slower).count() as u32;
        assert!(f64::from(found) >= 0.95 * f64::from(TRIALS), "{count}: {found} of {TRIALS} slowdowns are found");
    }
}

#[test]
fn p_values_and_confidences_are_those_of_the_tables() {
    let of = |first: &[f64], second: &[f64]| estimate(first, second).unwrap().test.unwrap();
    let rising = |from: u32, count: u32| (from..from + count).map(f64::from).collect::<Vec<_>>();
    // All of one before all of the other: 2 of C(12, 6) = 924 orders.
    let apart = of(&rising(1, 6), &rising(7, 6));
    assert!((apart.p - 2.0 / 924.0).abs() < 1e-15, "{apart:?}");
    // The critical values of the two-sided test at 5 %: 5 for 6 and 6, 8 for 7 and 7, 23 for 10 and 10.
    assert!((apart.confidence - (1.0 - 2.0 * 19.0 / 924.0)).abs() < 1e-12, "{apart:?}");
    let seven = of(&rising(1, 7), &rising(8, 7));
    assert!((seven.p - 2.0 / 3432.0).abs() < 1e-15 && (0.961..0.963).contains(&seven.confidence), "{seven:?}");
    let ten = of(&rising(1, 10), &rising(11, 10));
    assert!((0.956..0.957).contains(&ten.confidence), "{ten:?}");
    // Counted out and approximated agree where one ends and the other begins.
    let interleaved = |count: u32| {
        let (first, second): (Vec<f64>, Vec<f64>) =
            (1..=count).map(|n| (f64::from(3 * n), f64::from(3 * n + 16))).unzip();
        of(&first, &second)
    };
    let (counted, approximated) = (interleaved(25), interleaved(26));
    assert!((counted.p - approximated.p).abs() < 0.02 && (counted.confidence - approximated.confidence).abs() < 0.004);
}

#[test]
fn holms_correction_is_that_of_the_textbook() {
    let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
    for (found, expected) in corrected.iter().zip([0.03, 0.06, 0.06, 0.02]) {
        assert!((found - expected).abs() < 1e-12, "{corrected:?}");
    }
    assert!(holm(&[]).is_empty() && holm(&[0.9, 0.8]).iter().all(|p| *p <= 1.0));
}

#[test]
fn each_verdict_has_its_reason() {
    let around =
        |center: f64, spread: f64| (0..7).map(|n| center * (1.0 + spread * f64::from(n - 3))).collect::<Vec<_>>();
    let of = |second: &[f64], p: f64, margin: f64| {
        judge(&estimate(&around(1.0, 0.001), second).unwrap(), p, margin, Sampled::Trainings)
    };
    for (second, p, margin, verdict, says) in [
        (around(1.05, 0.001), 0.001, 0.02, Verdict::Slower, "above 1"),
        (around(0.95, 0.001), 0.001, 0.02, Verdict::Faster, "below 1"),
        (around(1.05, 0.001), 0.06, 0.02, Verdict::Unclear, "by chance"),
        (around(1.002, 0.001), 1.0, 0.02, Verdict::Same, "within the margin of 2 %"),
        // A margin that is finer than the samples is no sign of equality.
        (around(1.0, 0.001), 1.0, 0.0001, Verdict::Unclear, "beyond the margin of 0.01 %"),
        (around(1.0, 0.02), 1.0, 0.02, Verdict::Unclear, "--repeat 15"),
        (vec![1.0; 5], 1.0, 0.02, Verdict::Unclear, "there are 7 and 5: measure both with --repeat 7"),
    ] {
        let (found, reason) = of(&second, p, margin);
        assert!(found == verdict && reason.contains(says), "{found:?}: {reason}");
    }
    let equal = estimate(&[2.0; 8], &[2.0; 8]).unwrap();
    assert_eq!(
        (equal.ratio, equal.test.unwrap().p, judge(&equal, 1.0, 0.02, Sampled::Runs).0),
        (1.0, 1.0, Verdict::Same)
    );
}

#[test]
fn times_that_are_none_are_not_estimated() {
    for second in [&[][..], &[0.0], &[-1.0], &[f64::NAN], &[f64::INFINITY]] {
        assert_eq!(estimate(&[1.0], second), None);
    }
    assert_eq!(estimate(&[2.0], &[3.0]), Some(Estimate { ratio: 1.5, test: None, samples: [1, 1] }));
}

#[test]
fn blocks_stand_for_successive_samples() {
    let samples: Vec<f64> = (0..50).map(f64::from).collect();
    assert_eq!(blocks(&samples, 10), [2.0, 7.0, 12.0, 17.0, 22.0, 27.0, 32.0, 37.0, 42.0, 47.0]);
    assert_eq!(blocks(&samples[..3], 10), [0.0, 1.0, 2.0]);
    assert!(blocks(&[], 10).is_empty());
}

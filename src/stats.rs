//! Plain statistics of a few samples: median, spread, and an interval that makes no assumption about their distribution.

use crate::rng::{Sequence, Stream};

/// Resamples behind a bootstrap interval.
pub const RESAMPLES: u32 = 10_000;

/// The median of `samples`, the mean of the two middle ones for an even number; `None` for no samples.
pub fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    median_of_sorted(&sorted)
}

/// The median absolute deviation from the median; `None` for no samples.
///
/// It is not scaled: for a normal distribution it is 0.6745 standard deviations.
pub fn median_absolute_deviation(samples: &[f64]) -> Option<f64> {
    let center = median(samples)?;
    let deviations: Vec<f64> = samples.iter().map(|sample| (sample - center).abs()).collect();
    median(&deviations)
}

/// The ends of the 95 % percentile bootstrap interval of the median; `None` for fewer than two samples.
///
/// The same samples and seed give the same interval. Source: B. Efron, "Bootstrap methods: another look at the jackknife",
/// The Annals of Statistics 7(1), 1979.
pub fn bootstrap_interval(samples: &[f64], seed: u64) -> Option<(f64, f64)> {
    let count = u32::try_from(samples.len()).ok().filter(|&count| count >= 2)?;
    let mut sequence = Sequence::new(seed, Stream::Check, u32::MAX);
    let mut medians: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            let resample: Vec<f64> = (0..count).map(|_| samples[sequence.below(count) as usize]).collect();
            median(&resample)
        })
        .collect();
    medians.sort_unstable_by(f64::total_cmp);
    let tail = medians.len() / 40;
    Some((medians[tail], medians[medians.len() - 1 - tail]))
}

/// The value below which a share `share` (0 to 1) of the samples lies, by linear interpolation; `None` for no samples.
///
/// Source: R. J. Hyndman, Y. Fan, "Sample quantiles in statistical packages", The American Statistician 1996, type 7.
pub fn quantile(samples: &[f64], share: f64) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let place = share.clamp(0.0, 1.0) * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(below + (above - below) * place.fract())
}

/// The median of samples in rising order.
fn median_of_sorted(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate_between_samples() {
        let samples = [4.0, 1.0, 3.0, 2.0, 5.0];
        assert_eq!(quantile(&samples, 0.0), Some(1.0));
        assert_eq!(quantile(&samples, 0.5), Some(3.0));
        assert_eq!(quantile(&samples, 0.95), Some(4.8));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_the_two_middle_samples() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(&[4.0, 1.0, 9.0, 2.0]), Some(3.0));
    }

    #[test]
    fn the_deviation_ignores_one_outlier() {
        assert_eq!(median_absolute_deviation(&[]), None);
        assert_eq!(median_absolute_deviation(&[7.0]), Some(0.0));
        assert_eq!(median_absolute_deviation(&[1.0, 1.0, 2.0, 2.0, 4.0, 6.0, 900.0]), Some(1.0));
    }

    #[test]
    fn the_interval_needs_two_samples_and_lies_within_them() {
        assert_eq!(bootstrap_interval(&[], 1), None);
        assert_eq!(bootstrap_interval(&[2.0], 1), None);
        let samples = [10.0, 11.0, 12.0, 13.0, 14.0];
        let (low, high) = bootstrap_interval(&samples, 1).expect("five samples are enough");
        assert_eq!(
            (low, high),
            (10.0, 14.0),
            "of five samples, more than 2.5 % of resamples have the extremes as median"
        );
        assert_eq!(bootstrap_interval(&samples, 1), bootstrap_interval(&samples, 1));
    }

    #[test]
    fn the_interval_covers_the_true_median_about_as_often_as_it_says() {
        let covered = (0..100)
            .filter(|&case| {
                let mut sequence = Sequence::new(case, Stream::Check, 0);
                let samples: Vec<f64> = (0..25).map(|_| f64::from(sequence.uniform())).collect();
                bootstrap_interval(&samples, case).is_some_and(|(low, high)| low <= 0.5 && 0.5 <= high)
            })
            .count();
        assert!((88..=99).contains(&covered), "{covered} of 100");
    }
}

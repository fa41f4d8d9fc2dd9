//! Robust statistics of a few samples: median, spread, a nonparametric confidence interval, and fitted lines.

/// Fewest samples with a confidence interval of their median: the median lies between the extremes of n samples with
/// probability 1 - 2^(1 - n), which exceeds [`CONFIDENCE`] from n = 6.
pub const MIN_SAMPLES_FOR_INTERVAL: usize = 6;

/// The least confidence of [`median_interval`].
pub const CONFIDENCE: f64 = 0.95;

/// The probability at which samples without a trend are taken for drifting ones.
const TREND_ALPHA: f64 = 0.01;

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

/// The ends of a confidence interval of the median; `None` for fewer than [`MIN_SAMPLES_FOR_INTERVAL`] samples.
///
/// They are the two samples equally far from the extremes between which the median of any distribution lies with a
/// probability of at least [`CONFIDENCE`], and the innermost such pair.
///
/// Source: W. R. Thompson, "On confidence ranges for the median and other expectation distributions for populations of
/// unknown distribution form", The Annals of Mathematical Statistics 7(3), 1936.
pub fn median_interval(samples: &[f64]) -> Option<(f64, f64)> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (index, _) = innermost(sorted.len())?;
    Some((sorted[index], sorted[sorted.len() - 1 - index]))
}

/// The confidence that [`median_interval`] attains with `count` samples: at least [`CONFIDENCE`], and more where there
/// are few, since samples cannot be divided.
pub fn median_confidence(count: usize) -> Option<f64> {
    innermost(count).map(|(_, confidence)| confidence)
}

/// The index of the lower of the two samples that are the ends, and the confidence.
fn innermost(count: usize) -> Option<(usize, f64)> {
    // The median lies below sample k + 1 where at most k of the samples do: a binomial tail, from its logarithms.
    let mut ln_term = -(count as f64) * std::f64::consts::LN_2;
    let mut tail = 0.0;
    let mut outer = None;
    for index in 0..count / 2 {
        tail += ln_term.exp();
        if 1.0 - 2.0 * tail < CONFIDENCE {
            break;
        }
        outer = Some((index, 1.0 - 2.0 * tail));
        ln_term += ((count - index) as f64 / (index + 1) as f64).ln();
    }
    outer
}

/// The change from the first of successive samples to the last, as a share of their median, if they have a trend: the
/// probability of one by chance is below 1 %. No number of samples tells then what the next one will be.
///
/// Sources: H. B. Mann, "Nonparametric tests against trend", Econometrica 13(3), 1945; M. G. Kendall, "Rank correlation
/// methods", 1955, chapter 4 (ties); P. K. Sen, "Estimates of the regression coefficient based on Kendall's tau",
/// Journal of the American Statistical Association 63, 1968 (the slope: the median of those of all pairs).
pub fn trend(samples: &[f64]) -> Option<f64> {
    let count = samples.len() as f64;
    if samples.len() < MIN_SAMPLES_FOR_INTERVAL || samples.iter().any(|sample| !sample.is_finite()) {
        return None;
    }
    let pairs = || (0..samples.len()).flat_map(|one| (one + 1..samples.len()).map(move |other| (one, other)));
    let signs = pairs().map(|(one, other)| (samples[other] - samples[one]).partial_cmp(&0.0)).map(|sign| match sign {
        Some(std::cmp::Ordering::Greater) => 1.0,
        Some(std::cmp::Ordering::Less) => -1.0,
        _ => 0.0,
    });
    let sum: f64 = signs.sum();
    let mut sorted = samples.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let weight = |count: f64| count * (count - 1.0) * (2.0 * count + 5.0);
    let ties: f64 = sorted.chunk_by(|one, other| one == other).map(|group| weight(group.len() as f64)).sum();
    let deviation = ((weight(count) - ties) / 18.0).sqrt();
    let p = if deviation > 0.0 { 2.0 * normal((1.0 - sum.abs()) / deviation) } else { 1.0 };
    if p >= TREND_ALPHA {
        return None;
    }
    let slopes: Vec<f64> = pairs().map(|(one, other)| (samples[other] - samples[one]) / (other - one) as f64).collect();
    let change = median(&slopes)? * (count - 1.0) / median_of_sorted(&sorted)?;
    Some(change).filter(|change| change.is_finite())
}

/// The standard normal distribution at `z`, with a relative error of at most 1.2e-7.
///
/// Source: W. H. Press et al., "Numerical recipes in C", 1992, section 6.2 (erfcc).
pub fn normal(z: f64) -> f64 {
    const TERMS: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.5 * x);
    let series = TERMS.iter().rev().fold(0.0, |sum, term| sum * t + term);
    let tail = 0.5 * t * (series - x * x).exp();
    if z < 0.0 { tail } else { 1.0 - tail }
}

/// The quantile at `share` (0 to 1) of the samples, by linear interpolation; `None` for no samples.
///
/// Source: R. J. Hyndman, Y. Fan, "Sample quantiles in statistical packages", The American Statistician 1996, type 7.
pub fn quantile(samples: &[f64], share: f64) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let rank = share.clamp(0.0, 1.0) * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
    Some(below + (above - below) * rank.fract())
}

/// The line y = `intercept` + `slope` x.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// y at x = 0.
    pub intercept: f64,
    /// Growth of y for each unit of x.
    pub slope: f64,
}

impl Line {
    /// The line through `points` (x, y) with the smallest sum of squared relative distances ((y - line) / y)^2; `None`
    /// for fewer than two different x, or for a y that is not above 0.
    ///
    /// Source: least squares with the weights 1 / y^2, about the weighted means, as in P. R. Bevington, "Data reduction
    /// and error analysis for the physical sciences", 1969, section 6-3.
    pub fn through(points: &[(f64, f64)]) -> Option<Self> {
        if points.iter().any(|&(x, y)| !x.is_finite() || !y.is_finite() || y <= 0.0) {
            return None;
        }
        let weighted =
            |value: &dyn Fn(f64, f64) -> f64| points.iter().map(|&(x, y)| value(x, y) / (y * y)).sum::<f64>();
        let weight = weighted(&|_, _| 1.0);
        let (x_mean, y_mean) = (weighted(&|x, _| x) / weight, weighted(&|_, y| y) / weight);
        let variance = weighted(&|x, _| (x - x_mean) * (x - x_mean));
        let slope = weighted(&|x, y| (x - x_mean) * (y - y_mean)) / variance;
        // If all x are equal, the variance is rounding error and the slope is meaningless.
        let differ = points.iter().any(|&(x, _)| x != points[0].0);
        let line = Self { intercept: y_mean - slope * x_mean, slope };
        Some(line).filter(|line| differ && line.slope.is_finite() && line.intercept.is_finite())
    }

    /// y at `x`.
    pub fn at(&self, x: f64) -> f64 {
        self.intercept + self.slope * x
    }
}

/// A line by ordinary least squares, with the standard error of its slope.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slope {
    /// Growth of y for each unit of x.
    pub slope: f64,
    /// Standard error of the slope.
    pub error: f64,
    /// y at the first x.
    pub at_start: f64,
}

impl Slope {
    /// The line through `points` (x, y) with the smallest sum of squared distances in y; `None` for fewer than three
    /// points or two different x, or for values that are not finite.
    ///
    /// Source: N. R. Draper, H. Smith, "Applied regression analysis", 1998, sections 1.2 and 1.4.
    pub fn through(points: &[(f64, f64)]) -> Option<Self> {
        let count = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (x_mean, y_mean) = (mean(|point| point.0), mean(|point| point.1));
        let sum = |of: &dyn Fn(f64, f64) -> f64| points.iter().map(|&(x, y)| of(x, y)).sum::<f64>();
        let variance = sum(&|x, _| (x - x_mean) * (x - x_mean));
        let slope = sum(&|x, y| (x - x_mean) * (y - y_mean)) / variance;
        let residual = sum(&|x, y| (y - y_mean - slope * (x - x_mean)).powi(2));
        let error = (residual / (count - 2.0) / variance).sqrt();
        let &(first, _) = points.first()?;
        let differ = points.len() >= 3 && points.iter().any(|&(x, _)| x != first);
        let line = Self { slope, error, at_start: y_mean + slope * (first - x_mean) };
        Some(line)
            .filter(|line| differ && [line.slope, line.error, line.at_start].iter().all(|value| value.is_finite()))
    }
}

/// The median of sorted samples.
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
    fn points_on_a_line_give_that_line() {
        for (intercept, slope) in [(0.4, 2.0), (0.0, 3.0), (-0.5, 1.0), (5.0, -0.01)] {
            let line = Line { intercept, slope };
            let points = [1.0, 2.0, 4.0, 32.0, 100.0].map(|x| (x, line.at(x)));
            let found = Line::through(&points).unwrap();
            assert!((found.intercept - intercept).abs() < 1e-9 && (found.slope - slope).abs() < 1e-9, "{found:?}");
        }
    }

    #[test]
    fn relative_errors_count_equally_however_large_the_value() {
        // Every point is off by 1 % in turn: plain least squares would miss the intercept by the error of the largest.
        let points: Vec<(f64, f64)> = (0..12)
            .map(|index| (f64::from(1 << index), if index % 2 == 0 { 1.01 } else { 0.99 }))
            .map(|(x, error)| (x, (1.0 + 0.5 * x) * error))
            .collect();
        let found = Line::through(&points).unwrap();
        assert!((found.intercept - 1.0).abs() < 0.03 && (found.slope - 0.5).abs() < 0.01, "{found:?}");
        // The sum of squared relative distances is smallest there: the derivatives by intercept and slope vanish.
        let derivative = |factor: fn(f64) -> f64| -> f64 {
            points.iter().map(|&(x, y)| factor(x) * (y - found.at(x)) / (y * y)).sum()
        };
        assert!(derivative(|_| 1.0).abs() < 1e-12 && derivative(|x| x).abs() < 1e-9);
    }

    #[test]
    fn there_is_no_line_through_one_point_equal_x_or_values_that_are_not_positive() {
        let cases: [&[(f64, f64)]; 6] = [
            &[],
            &[(1.0, 1.0)],
            &[(0.1, 1.0), (0.1, 2.0), (0.1, 4.0)],
            &[(1.0, 0.0), (2.0, 1.0)],
            &[(1.0, -1.0), (2.0, 1.0)],
            &[(1.0, f64::NAN), (2.0, 1.0)],
        ];
        for points in cases {
            assert_eq!(Line::through(points), None, "{points:?}");
        }
        assert_eq!(Line::through(&[(1.0, 3.0), (2.0, 5.0)]).map(|line| line.at(3.0).round()), Some(7.0));
    }

    #[test]
    fn a_slope_has_the_error_of_the_textbook() {
        // Worked by hand: x 0 to 4, y about 2 + 3 x with residuals -1, 2, 0, -2, 1, whose sum and moment are 0.
        let points = [(0.0, 1.0), (1.0, 7.0), (2.0, 8.0), (3.0, 9.0), (4.0, 15.0)];
        let line = Slope::through(&points).unwrap();
        assert!((line.slope - 3.0).abs() < 1e-12 && (line.at_start - 2.0).abs() < 1e-12, "{line:?}");
        // Residual sum of squares 10, variance of x 10, three degrees of freedom: the square root of 10 / 3 / 10.
        assert!((line.error - (1.0f64 / 3.0).sqrt()).abs() < 1e-12, "{line:?}");
        let shifted: Vec<(f64, f64)> = points.iter().map(|&(x, y)| (x + 100.0, y)).collect();
        let moved = Slope::through(&shifted).unwrap();
        assert!((moved.at_start - 2.0).abs() < 1e-9 && (moved.slope - 3.0).abs() < 1e-9, "{moved:?}");
    }

    #[test]
    fn there_is_no_slope_through_two_points_equal_x_or_what_is_not_finite() {
        let cases: [&[(f64, f64)]; 4] = [
            &[],
            &[(0.0, 1.0), (1.0, 2.0)],
            &[(0.1, 1.0), (0.1, 2.0), (0.1, 3.0)],
            &[(0.0, 1.0), (1.0, f64::NAN), (2.0, 1.0)],
        ];
        for points in cases {
            assert_eq!(Slope::through(points), None, "{points:?}");
        }
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
    fn a_trend_is_found_and_chance_is_none() {
        let rising: Vec<f64> = (0..12).map(|index| 10.0 + 0.1 * f64::from(index)).collect();
        let change = trend(&rising).unwrap();
        assert!((change - 1.1 / 10.55).abs() < 1e-9, "{change}");
        let falling: Vec<f64> = rising.iter().rev().copied().collect();
        assert!(trend(&falling).is_some_and(|change| change < -0.1));
        // Worked by hand: 15 pairs in order of 15 have p = 2 normal(-14 / sqrt(28.33)) = 0.0085, and of 5 samples none.
        assert!(trend(&rising[..6]).is_some() && trend(&rising[..5]).is_none());
        assert_eq!(trend(&[1.0, 3.0, 2.0, 4.0, 1.5, 3.5, 2.5, 2.0]), None);
        assert_eq!(trend(&[2.0; 30]), None);
        assert_eq!(trend(&[1.0, 2.0, 3.0, f64::NAN, 5.0, 6.0, 7.0]), None);
    }

    #[test]
    fn the_confidence_is_that_of_the_sign_test() {
        assert_eq!([0, 1, 5].map(median_confidence), [None; 3]);
        for (count, pct) in [(6, 96.875), (7, 98.4375), (8, 99.21875), (9, 96.09375), (12, 96.142_578)] {
            assert!((100.0 * median_confidence(count).unwrap() - pct).abs() < 1e-6, "{count}");
        }
        assert!((6..2000).all(|count| median_confidence(count).is_some_and(|share| (0.95..0.9925).contains(&share))));
    }

    #[test]
    fn the_interval_needs_six_samples_and_leaves_out_extremes_from_nine_on() {
        let samples: Vec<f64> = (1..=20).rev().map(f64::from).collect();
        let of = |count: usize| median_interval(&samples[20 - count..]);
        assert_eq!([0, 1, 5].map(of), [None; 3]);
        assert_eq!(MIN_SAMPLES_FOR_INTERVAL, (1..).find(|&count| of(count).is_some()).unwrap());
        // The tables of the sign test.
        for (count, ends) in [(6, (1.0, 6.0)), (8, (1.0, 8.0)), (9, (2.0, 8.0)), (12, (3.0, 10.0)), (20, (6.0, 15.0))] {
            assert_eq!(of(count), Some(ends), "{count} samples");
        }
        let many: Vec<f64> = (0..3000).map(f64::from).collect();
        let (low, high) = median_interval(&many).unwrap();
        assert!((1440.0..1450.0).contains(&low) && low + high == 2999.0, "{low} to {high}");
    }
}

//! Robust statistics of a few samples: median, spread, a nonparametric confidence interval, and fitted lines.

/// Fewest samples with a confidence interval of their median: the median lies between the extremes of n samples with
/// probability 1 - 2^(1 - n), which exceeds [`CONFIDENCE`] from n = 6.
pub const MIN_SAMPLES_FOR_INTERVAL: usize = 6;

/// Confidence of [`median_interval`].
pub const CONFIDENCE: f64 = 0.95;

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
    let count = sorted.len();
    // The median lies below sample k + 1 where at most k of the samples do: a binomial tail, from its logarithms.
    let mut ln_term = -(count as f64) * std::f64::consts::LN_2;
    let mut tail = 0.0;
    let mut outer = None;
    for index in 0..count / 2 {
        tail += ln_term.exp();
        if 1.0 - 2.0 * tail < CONFIDENCE {
            break;
        }
        outer = Some(index);
        ln_term += ((count - index) as f64 / (index + 1) as f64).ln();
    }
    outer.map(|index| (sorted[index], sorted[count - 1 - index]))
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

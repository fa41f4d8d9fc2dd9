//! Whether one sample of times is faster than another, slower, the same, or neither can be said.
//!
//! The ratio is the Hodges–Lehmann estimate of the shift of the logarithms, its interval the exact inversion of the
//! Mann–Whitney test: both hold for any continuous distribution of the same form on both sides.
//!
//! Sources: H. B. Mann, D. R. Whitney, "On a test of whether one of two random variables is stochastically larger than
//! the other", The Annals of Mathematical Statistics 18(1), 1947; J. L. Hodges, E. L. Lehmann, "Estimates of location
//! based on rank tests", The Annals of Mathematical Statistics 34(2), 1963; M. Hollander, D. A. Wolfe, "Nonparametric
//! statistical methods", 1999, chapter 4; S. Holm, "A simple sequentially rejective multiple test procedure",
//! Scandinavian Journal of Statistics 6(2), 1979.

use crate::stats::{self, normal};

/// Fewest samples on each side with a verdict.
pub const MIN_SAMPLES: usize = stats::MIN_SAMPLES_FOR_INTERVAL;
/// Fewest rounds of trainings in turns with a verdict.
pub const MIN_ROUNDS: usize = 8;
/// The probability at which a difference by chance is accepted as one, over all figures of a comparison.
pub const ALPHA: f64 = 1.0 - stats::CONFIDENCE;
/// Ratios this close to 1 are the same time, unless another margin is asked for.
pub const DEFAULT_MARGIN: f64 = 0.02;
/// The most samples on each side whose distribution is counted out; C(50, 25) is exact in 64 bits.
const MOST_COUNTED: usize = 25;

/// How many times as long a second sample of times takes as a first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The ratio of the medians: the median of all ratios of a time of the second to one of the first.
    pub ratio: f64,
    /// The interval of the ratio and the p value; none with fewer than [`MIN_SAMPLES`] on a side.
    pub test: Option<Test>,
    /// Number of samples of the first and of the second.
    pub samples: [usize; 2],
}

/// What the Mann–Whitney test says of two samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Test {
    /// Lower end of the interval of the ratio.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// The confidence that the interval attains, at least 1 - [`ALPHA`].
    pub confidence: f64,
    /// Two-sided probability of ranks at least as unequal if both samples come from one distribution.
    pub p: f64,
}

/// What is said of two samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The second takes less time.
    Faster,
    /// The second takes more time.
    Slower,
    /// The two differ by less than the margin.
    Same,
    /// The samples show neither.
    Unclear,
}

impl Verdict {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Verdict::Faster => "faster",
            Verdict::Slower => "slower",
            Verdict::Same => "same",
            Verdict::Unclear => "unclear",
        }
    }
}

/// Estimates the ratio of `second` to `first`; `None` if a side is empty or holds a time that is not above 0.
pub fn estimate(first: &[f64], second: &[f64]) -> Option<Estimate> {
    let (few, many) = (first.len(), second.len());
    let all = || first.iter().chain(second);
    if few == 0 || many == 0 || all().any(|time| !time.is_finite() || *time <= 0.0) {
        return None;
    }
    let mut ratios: Vec<f64> = second.iter().flat_map(|time| first.iter().map(move |base| time / base)).collect();
    ratios.sort_unstable_by(f64::total_cmp);
    // The median of the logarithms: the geometric mean of the two middle ratios.
    let ratio = (ratios[(ratios.len() - 1) / 2] * ratios[ratios.len() / 2]).sqrt();
    let test = (few.min(many) >= MIN_SAMPLES).then(|| {
        let null = Null::of(few, many);
        let (left_out, confidence) = null.left_out();
        // Pairs in which the second is longer, and half of those that are equal: the statistic U.
        let above = ratios.len() - ratios.partition_point(|ratio| *ratio <= 1.0);
        let equal = ratios.len() - above - ratios.partition_point(|ratio| *ratio < 1.0);
        let u = above as f64 + equal as f64 / 2.0;
        let (low, high) = (ratios[left_out], ratios[ratios.len() - 1 - left_out]);
        Test { low, high, confidence, p: null.p(u, &mut all().copied().collect::<Vec<_>>()) }
    });
    Some(Estimate { ratio, test, samples: [few, many] })
}

/// The distribution of U if both samples come from one distribution.
struct Null {
    sizes: [f64; 2],
    /// P(U <= u) for each u, of small samples.
    below: Option<Vec<f64>>,
}

impl Null {
    fn of(few: usize, many: usize) -> Self {
        let below = (few.max(many) <= MOST_COUNTED).then(|| {
            let counts = arrangements(few, many);
            let all: i64 = counts.iter().sum();
            let sums = counts.iter().scan(0, |sum, count| {
                *sum += count;
                Some(*sum as f64 / all as f64)
            });
            sums.collect()
        });
        Self { sizes: [few as f64, many as f64], below }
    }

    fn mean(&self) -> f64 {
        self.sizes[0] * self.sizes[1] / 2.0
    }

    /// The variance of U where `ties` is the sum of t^3 - t over groups of t equal times.
    fn variance(&self, ties: f64) -> f64 {
        let all = self.sizes[0] + self.sizes[1];
        self.sizes[0] * self.sizes[1] / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)))
    }

    /// P(U <= u) for a whole u.
    fn at_most(&self, u: usize) -> f64 {
        match &self.below {
            Some(below) => below[u],
            None => normal((u as f64 + 0.5 - self.mean()) / self.variance(0.0).sqrt()),
        }
    }

    /// How many of the sorted ratios the interval leaves out at each end, and the confidence that it attains.
    fn left_out(&self) -> (usize, f64) {
        // The interval without k ratios at each end misses where U <= k - 1 or the same at the other end.
        let mut left_out = 0;
        while self.at_most(left_out) <= ALPHA / 2.0 {
            left_out += 1;
        }
        (left_out.saturating_sub(1), 1.0 - 2.0 * self.at_most(left_out.saturating_sub(1)))
    }

    /// The two-sided p value of `u`; exact for small samples without `times` that are equal.
    fn p(&self, u: f64, times: &mut [f64]) -> f64 {
        times.sort_unstable_by(f64::total_cmp);
        let groups = times.chunk_by(|one, other| one == other).map(|group| group.len() as f64);
        let ties: f64 = groups.map(|count| count * count * count - count).sum();
        let smaller = u.min(2.0 * self.mean() - u);
        let tail = match &self.below {
            Some(below) if ties == 0.0 => below[smaller as usize],
            _ => {
                let deviation = self.variance(ties).max(0.0).sqrt();
                // All times are equal where the variance is 0.
                if deviation > 0.0 { normal((smaller + 0.5 - self.mean()) / deviation) } else { 1.0 }
            }
        };
        (2.0 * tail).min(1.0)
    }
}

/// In how many of the orders of `few` and `many` times U is 0, 1, ...: the coefficients of the Gaussian binomial, the
/// product of (1 - q^(many + i)) / (1 - q^i) for i from 1 to `few`.
fn arrangements(few: usize, many: usize) -> Vec<i64> {
    let mut counts = vec![0i64; few * many + 1];
    counts[0] = 1;
    for factor in 1..=few {
        for u in (many + factor..counts.len()).rev() {
            counts[u] -= counts[u - many - factor];
        }
        for u in factor..counts.len() {
            counts[u] += counts[u - factor];
        }
    }
    counts
}

/// The p values of several tests, corrected for their number by Holm's method: each is to be compared with
/// [`ALPHA`] itself.
pub fn holm(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut corrected = vec![1.0; values.len()];
    let mut least: f64 = 0.0;
    for (place, index) in order.into_iter().enumerate() {
        least = least.max(values[index] * (values.len() - place) as f64).min(1.0);
        corrected[index] = least;
    }
    corrected
}

/// What more samples of a figure are made by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampled {
    /// Each training of a run gives one.
    Trainings,
    /// Each run gives one.
    Runs,
    /// Each round of trainings in turns gives one of both sides.
    Rounds,
}

impl Sampled {
    /// How to come to `count` samples.
    fn remedy(self, count: u32) -> String {
        match self {
            Sampled::Trainings => format!("measure both with --repeat {count}"),
            Sampled::Runs => format!("compare folders of {count} runs each"),
            Sampled::Rounds => {
                "give more rounds time with --max-time, or make them shorter with --epochs or --steps".to_owned()
            }
        }
    }

    /// What the p value is corrected for the number of.
    fn corrected_over(self) -> &'static str {
        if self == Sampled::Rounds { "looks" } else { "figures" }
    }

    /// The fewest samples with a verdict, and how many are advised.
    fn fewest(self) -> (usize, u32) {
        match self {
            Sampled::Trainings | Sampled::Runs => (MIN_SAMPLES, 7),
            Sampled::Rounds => (MIN_ROUNDS, 16),
        }
    }
}

/// The verdict on an estimate whose p value, corrected for the number of figures, is `p`, and the reason; ratios within
/// `margin` of 1 are the same time.
pub fn judge(estimate: &Estimate, p: f64, margin: f64, sampled: Sampled) -> (Verdict, String) {
    let pct = (1e8 * margin).round() / 1e6;
    let Some(test) = &estimate.test else {
        let [first, second] = estimate.samples;
        let (fewest, advised) = sampled.fewest();
        let counts = format!("it takes {fewest} samples of each, and there are {first} and {second}");
        return (Verdict::Unclear, format!("{counts}: {}", sampled.remedy(advised)));
    };
    let within = test.low >= 1.0 / (1.0 + margin) && test.high <= 1.0 + margin;
    let beyond = if test.low > 1.0 { Some(Verdict::Slower) } else { (test.high < 1.0).then_some(Verdict::Faster) };
    match beyond {
        _ if within => (Verdict::Same, format!("the whole interval lies within the margin of {pct} %")),
        Some(verdict) if p < ALPHA => {
            let side = if verdict == Verdict::Slower { "above" } else { "below" };
            (
                verdict,
                format!(
                    "the whole interval lies {side} 1, and p is below {ALPHA:.2} over all {}",
                    sampled.corrected_over()
                ),
            )
        }
        Some(_) => {
            let chance = "the interval lies beyond 1, but among so many figures one may by chance";
            (Verdict::Unclear, format!("{chance}: {}", sampled.remedy(15)))
        }
        None => {
            let wide = format!("the interval holds 1 and reaches beyond the margin of {pct} %");
            (Verdict::Unclear, format!("{wide}: {}", sampled.remedy(15)))
        }
    }
}

/// At most `most` values that stand for `samples` taken one after the other: the median of each of so many blocks of
/// successive samples, which resemble each other less than the samples do.
pub fn blocks(samples: &[f64], most: usize) -> Vec<f64> {
    let count = samples.len().min(most);
    let end = |block: usize| block * samples.len() / count;
    (0..count).filter_map(|block| stats::median(&samples[end(block)..end(block + 1)])).collect()
}

//! Whether two sides that were timed in turns differ, looked at several times while rounds are added.
//!
//! In each round both sides are timed once, in an order drawn by lot. If they do not differ, each round's ratio is as
//! likely above 1 as below it by the same factor, whatever the machine did meanwhile: the lot makes Wilcoxon's
//! signed-rank test exact, also for drifting or dependent times. Looking repeatedly would find a difference by chance
//! sooner or later, so that there are at most as many looks as [`LOOKS`] has, and each has its share of the probability
//! of an error (Bonferroni's inequality, which holds however the looks depend on each other).
//!
//! Sources: R. A. Fisher, "The design of experiments", 1935, chapter 3; F. Wilcoxon, "Individual comparisons by ranking
//! methods", Biometrics Bulletin 1(6), 1945; M. Hollander, D. A. Wolfe, "Nonparametric statistical methods", 1999,
//! chapter 3; C. Jennison, B. W. Turnbull, "Group sequential methods with applications to clinical trials", 2000,
//! chapters 1 and 9 (repeated confidence intervals).

use crate::verdict::{ALPHA, Estimate, MIN_ROUNDS, Sampled, Test, Verdict, judge};

/// Numbers of rounds after which the verdict is looked at. Time that is over ends a comparison with the look that would
/// be next.
pub const LOOKS: [usize; 5] = [MIN_ROUNDS, 16, 32, 64, 128];
/// The most rounds of a comparison.
pub const MAX_ROUNDS: usize = LOOKS[LOOKS.len() - 1];
/// The probability at which one look accepts a difference by chance as one.
pub const LOOK_ALPHA: f64 = ALPHA / LOOKS.len() as f64;

/// What a look says.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// The ratio, and its interval with at least 1 - [`LOOK_ALPHA`] confidence.
    pub estimate: Estimate,
    /// The p value, corrected for the number of looks: to be compared with [`ALPHA`].
    pub p_corrected: f64,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in one sentence.
    pub reason: String,
}

/// Looks at the times of both sides, round by round; a round that one side has not finished does not count. Ratios
/// within `margin` of 1 are the same time. `None` if there is no round, or a time that is not above 0.
pub fn look(first: &[f64], second: &[f64], margin: f64) -> Option<Look> {
    let estimate = estimate(first, second)?;
    let p_corrected = corrected(&estimate);
    let (verdict, reason) = judge(&estimate, p_corrected, margin, Sampled::Rounds);
    Some(Look { estimate, p_corrected, verdict, reason })
}

/// The p value of `estimate`, corrected for the number of looks; 1 without one.
pub fn corrected(estimate: &Estimate) -> f64 {
    estimate.test.map_or(1.0, |test| (test.p * LOOKS.len() as f64).min(1.0))
}

/// Estimates how many times as long the second side takes: the median of the means of any two rounds' logarithms
/// (Hodges and Lehmann), with the interval that the signed-rank test does not refuse.
pub fn estimate(first: &[f64], second: &[f64]) -> Option<Estimate> {
    let rounds: Vec<[f64; 2]> = first.iter().copied().zip(second.iter().copied()).map(Into::into).collect();
    if rounds.is_empty() || rounds.iter().flatten().any(|time| !time.is_finite() || *time <= 0.0) {
        return None;
    }
    let logs: Vec<f64> = rounds.iter().map(|[first, second]| (second / first).ln()).collect();
    let mut means: Vec<f64> = (0..logs.len())
        .flat_map(|one| (one..logs.len()).map(move |other| (one, other)))
        .map(|(one, other)| f64::midpoint(logs[one], logs[other]))
        .collect();
    means.sort_unstable_by(f64::total_cmp);
    let ratio = f64::midpoint(means[(means.len() - 1) / 2], means[means.len() / 2]).exp();
    let test = (logs.len() >= MIN_ROUNDS).then(|| {
        let ranks: Vec<usize> = (1..=logs.len()).collect();
        let null = lots(&ranks, ranks.iter().sum::<usize>() / 2);
        let below = |sum: usize| null[..=sum].iter().sum::<f64>();
        // The interval without k means at each end misses where the sum of ranks is at most k.
        let left_out = (0..).take_while(|sum| 2.0 * below(*sum) <= LOOK_ALPHA).count();
        let left_out = left_out.saturating_sub(1);
        let [low, high] = [means[left_out], means[means.len() - 1 - left_out]].map(f64::exp);
        Test { low, high, confidence: 1.0 - 2.0 * below(left_out), p: signed_rank(&logs) }
    });
    Some(Estimate { ratio, test, samples: [rounds.len(); 2] })
}

/// The probability of each sum up to `most` of those of `ranks` whose lot falls on one side.
fn lots(ranks: &[usize], most: usize) -> Vec<f64> {
    let mut chances = vec![0.0; most + 1];
    chances[0] = 1.0;
    for rank in ranks {
        for sum in (0..=most).rev() {
            let with = if sum >= *rank { chances[sum - rank] } else { 0.0 };
            chances[sum] = 0.5 * (chances[sum] + with);
        }
    }
    chances
}

/// The two-sided p value of the signed-rank test, exact also where some are equal or 0: that of the lots alone.
fn signed_rank(logs: &[f64]) -> f64 {
    let mut sorted: Vec<f64> = logs.iter().copied().filter(|log| *log != 0.0).collect();
    sorted.sort_unstable_by(|one, other| one.abs().total_cmp(&other.abs()));
    // Twice the rank, so that the mean of the ranks of equal values is whole.
    let (mut ranks, mut above, mut below) = (Vec::new(), 0, 0);
    for equal in sorted.chunk_by(|one, other| one.abs() == other.abs()) {
        let rank = 2 * ranks.len() + equal.len() + 1;
        above += rank * equal.iter().filter(|log| **log > 0.0).count();
        below += rank * equal.iter().filter(|log| **log < 0.0).count();
        ranks.extend(equal.iter().map(|_| rank));
    }
    (2.0 * lots(&ranks, above.min(below)).iter().sum::<f64>()).min(1.0)
}

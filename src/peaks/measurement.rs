//! From times to a figure: how long to measure, and which results are plausible. Independent of any device.

use crate::error::Result;
use crate::result::{Measured, Peak, PeakKind, Unit};
use crate::stats;
use web_time::{Duration, Instant};

/// Pairs of times of a figure.
pub const SAMPLES: usize = 7;
/// The fewest pairs of a figure, taken even after its time is up.
const LEAST_SAMPLES: usize = 3;
/// The most rounds of [`SAMPLES`] pairs; after a round without a plausible figure the next one takes twice as long.
const ROUNDS: u32 = 3;
/// The time of a round after which it takes no more than [`LEAST_SAMPLES`].
const BUDGET: Duration = Duration::from_millis(1000);
/// The least length of the shorter time of a pair, in steps of the clock.
const CLOCK_STEPS: f64 = 100.0;
/// The plausible ratios of the times of twice the work and of the work; otherwise work was not done, for example
/// because a compiler removed it.
const DOUBLING: [f64; 2] = [1.5, 2.6];

/// How a figure follows from the times of n and 2n units of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// From the time of 2n units, if the overhead around the work is negligible.
    Total,
    /// From the difference of the two times, if the overhead is not negligible.
    Difference,
}

/// A figure to measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// What it measures.
    pub kind: PeakKind,
    /// Size of the working set in bytes.
    pub bytes: Measured<u64>,
    /// Floating-point operations or bytes of one unit of work; not used for figures in nanoseconds.
    pub per_unit: f64,
    /// How it follows from the times.
    pub method: Method,
    /// The most units of one time.
    pub longest: u64,
}

/// A clock, and how long times by it should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clock {
    /// Nanoseconds that the shorter time of a pair should last.
    pub target_ns: f64,
    /// The resolution of the clock in nanoseconds.
    pub step_ns: f64,
}

impl Clock {
    /// Nanoseconds of a sufficiently long time.
    fn enough_ns(self) -> f64 {
        self.target_ns.max(CLOCK_STEPS * self.step_ns)
    }
}

/// The length to try after `length` took `elapsed_ns`; `None` if that was long enough or is the `longest`.
///
/// It grows by factors between 2 and 16, which limits the effect of a coarse or broken clock.
pub fn next_length(length: u64, elapsed_ns: f64, enough_ns: f64, longest: u64) -> Option<u64> {
    if elapsed_ns >= enough_ns && elapsed_ns.is_finite() || length >= longest {
        return None;
    }
    let known = elapsed_ns.is_finite() && elapsed_ns > 0.0;
    let factor = if known { 1.2 * enough_ns / elapsed_ns } else { 16.0 };
    Some(((length as f64 * factor.clamp(2.0, 16.0)).ceil() as u64).min(longest))
}

/// The figure that follows from pairs of times of `length` and of twice `length` units, in nanoseconds.
///
/// Times that are 0, negative or not finite are dropped. A figure is missing, with the reason, if too few are left, if
/// twice the work does not take about twice the time, or if the figure is not plausible for any device.
pub fn evaluate(measurement: &Measurement, length: u64, pairs: &[[f64; 2]]) -> Peak {
    let is_usable = |time: &f64| time.is_finite() && *time > 0.0;
    let usable: Vec<[f64; 2]> = pairs.iter().copied().filter(|pair| pair.iter().all(is_usable)).collect();
    let samples: Vec<f64> = usable.iter().filter_map(|pair| value(measurement, length, *pair)).collect();
    let median = plausible_median(&usable, &samples, pairs.len());
    let reason = median.reason().map(str::to_owned);
    let mut peak = Peak {
        kind: measurement.kind,
        bytes: measurement.bytes.clone(),
        median,
        deviation: match reason {
            Some(reason) => Measured::missing(reason),
            None => Measured::or_missing(stats::median_absolute_deviation(&samples), "there is no sample"),
        },
        samples,
    };
    if let Some(words) = peak.implausible() {
        (peak.median, peak.deviation) = (Measured::missing(words.clone()), Measured::missing(words));
    }
    peak
}

/// One sample in the unit of the figure; `None` if a difference is not positive.
fn value(measurement: &Measurement, length: u64, [once_ns, twice_ns]: [f64; 2]) -> Option<f64> {
    let (units, ns) = match measurement.method {
        Method::Total => (2.0 * length as f64, twice_ns),
        Method::Difference => (length as f64, twice_ns - once_ns),
    };
    let value = match measurement.kind.unit() {
        Unit::Ns => ns / units,
        Unit::GflopPerS | Unit::GbytePerS => measurement.per_unit * units / ns,
    };
    Some(value).filter(|value| ns > 0.0 && value.is_finite())
}

/// The median of the samples, or the reason why the times are not plausible.
fn plausible_median(usable: &[[f64; 2]], samples: &[f64], taken: usize) -> Measured<f64> {
    if 2 * samples.len() <= taken {
        let dropped = taken - samples.len();
        return Measured::missing(format!("{dropped} of {taken} times were 0, negative or not finite"));
    }
    // The shortest times are those that no other load disturbed. On a machine that is always busy there are none, but a
    // load that affects both times of a pair equally does not change their ratio. Work that was not done is visible in
    // both ratios.
    let shortest = |index: usize| usable.iter().map(|pair| pair[index]).fold(f64::INFINITY, f64::min);
    let ratios: Vec<f64> = usable.iter().map(|[once, twice]| twice / once).collect();
    let ratio = shortest(1) / shortest(0);
    let candidates = [Some(ratio), stats::median(&ratios)];
    if !candidates.into_iter().flatten().any(|ratio| (DOUBLING[0]..=DOUBLING[1]).contains(&ratio)) {
        return Measured::missing(format!(
            "twice the work took {ratio:.2} times as long: the machine is too busy, or a compiler left work out"
        ));
    }
    Measured::or_missing(stats::median(samples), "there is no sample")
}

/// Measures a figure with `time`, which does the given number of units of work and returns their nanoseconds.
///
/// # Errors
/// Whatever `time` returns.
pub async fn measure(
    measurement: &Measurement,
    clock: Clock,
    mut time: impl AsyncFnMut(u64) -> Result<f64>,
) -> Result<Peak> {
    let longest = (measurement.longest / 2).max(1);
    let mut length = 1;
    loop {
        // The first run includes cold caches and driver compilation: it is repeated if it was long enough.
        let first_ns = time(length).await?;
        let elapsed_ns = if first_ns >= clock.enough_ns() { time(length).await? } else { first_ns };
        match next_length(length, elapsed_ns, clock.enough_ns(), longest) {
            Some(next) => length = next,
            None => break,
        }
    }
    let mut round = 1;
    loop {
        let round_start = Instant::now();
        let mut pairs = Vec::with_capacity(SAMPLES);
        while pairs.len() < SAMPLES && (pairs.len() < LEAST_SAMPLES || round_start.elapsed() < BUDGET) {
            pairs.push([time(length).await?, time(2 * length).await?]);
        }
        let peak = evaluate(measurement, length, &pairs);
        if peak.median.value().is_some() || round == ROUNDS {
            return Ok(peak);
        }
        // Disturbances average out over a longer time.
        (round, length) = (round + 1, (2 * length).min(longest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: Clock = Clock { target_ns: 1e7, step_ns: 1.0 };

    fn measurement(kind: PeakKind, method: Method) -> Measurement {
        Measurement { kind, bytes: Measured::Value(64), per_unit: 1e3, method, longest: 1 << 40 }
    }

    /// The figure by a clock that reads `time`.
    fn figure(kind: PeakKind, method: Method, clock: Clock, mut time: impl FnMut(u64) -> f64) -> Peak {
        let run = async |length: u64| Ok(time(length));
        pollster::block_on(measure(&measurement(kind, method), clock, run)).unwrap()
    }

    #[test]
    fn a_length_grows_until_it_is_long_enough() {
        assert_eq!(next_length(1, 1e6, 1e7, 1 << 40), Some(12));
        assert_eq!(next_length(10, 9e6, 1e7, 1 << 40), Some(20));
        assert_eq!(next_length(10, 1.0, 1e7, 1 << 40), Some(160));
        assert_eq!(next_length(10, 1e7, 1e7, 1 << 40), None);
        assert_eq!(next_length(10, 1.0, 1e7, 50), Some(50));
        assert_eq!(next_length(50, 1.0, 1e7, 50), None);
        for bad in [0.0, -5.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(next_length(10, bad, 1e7, 1 << 40), Some(160), "{bad}");
        }
    }

    #[test]
    fn an_accurate_clock_gives_the_true_rate() {
        // 1000 units of work take 2 ns, plus 50 ns of overhead.
        let peak = figure(PeakKind::StorageRead, Method::Total, CLOCK, |length| 50.0 + 2.0 * length as f64);
        assert!((peak.median.value().unwrap() - 500.0).abs() < 0.1, "{peak:?}");
        assert_eq!((peak.samples.len(), peak.deviation.value()), (SAMPLES, Some(&0.0)));
        let peak = figure(PeakKind::Pass, Method::Difference, CLOCK, |length| 1e6 + 2.0 * length as f64);
        assert!((peak.median.value().unwrap() - 2.0).abs() < 1e-6, "{peak:?}");
    }

    #[test]
    fn a_coarse_clock_is_given_more_work() {
        let mut longest = 0;
        let coarse = Clock { step_ns: 1e6, ..CLOCK };
        let peak = figure(PeakKind::Submit, Method::Total, coarse, |length| {
            longest = length.max(longest);
            (length as f64 * 3.0 / 1e6).floor() * 1e6
        });
        assert!(longest as f64 * 3.0 > 2e8, "{longest}");
        assert!((peak.median.value().unwrap() - 3.0).abs() < 0.05, "{peak:?}");
    }

    #[test]
    fn broken_clocks_give_a_reason_in_place_of_a_figure() {
        for bad in [0.0, -7.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for method in [Method::Total, Method::Difference] {
                for kind in [PeakKind::StorageRead, PeakKind::Submit] {
                    let peak = figure(kind, method, CLOCK, |_| bad);
                    let reason = peak.median.reason().expect("no figure");
                    assert!(reason.contains("0, negative or not finite"), "{bad}: {reason}");
                    assert!(peak.samples.is_empty() && peak.deviation.value().is_none());
                }
            }
        }
    }

    #[test]
    fn a_busy_machine_does_not_prevent_a_true_figure() {
        let mut call = 0;
        // Each pair of times is stretched by a different load, and the shortest times belong to different pairs.
        let peak = figure(PeakKind::StorageRead, Method::Total, CLOCK, |length| {
            call += 1;
            let stretched = [1.0, 4.0, 3.0, 6.0, 2.5][call / 2 % 5];
            2.0 * stretched * length as f64
        });
        assert!(peak.median.value().is_some(), "{peak:?}");
    }

    #[test]
    fn some_bad_times_are_dropped_and_the_others_count() {
        let mut call = 0;
        let peak = figure(PeakKind::StorageRead, Method::Total, CLOCK, |length| {
            call += 1;
            if call % 9 == 0 { -1.0 } else { 2.0 * length as f64 }
        });
        assert!((peak.median.value().unwrap() - 500.0).abs() < 0.1, "{peak:?}");
        assert!(peak.samples.len() < SAMPLES);
    }

    #[test]
    fn work_that_was_not_done_is_detected() {
        let peak = figure(PeakKind::StorageRead, Method::Total, CLOCK, |length| 1e7 + 1e-3 * length as f64);
        assert!(peak.median.reason().unwrap().contains("a compiler left work out"), "{peak:?}");
        let peak = figure(PeakKind::StorageRead, Method::Total, CLOCK, |length| (length as f64).powi(2));
        assert!(peak.median.reason().unwrap().contains("twice the work took 4.00 times"), "{peak:?}");
    }

    #[test]
    fn a_figure_that_no_device_reaches_is_not_reported() {
        let peak = figure(PeakKind::HostToDevice, Method::Total, CLOCK, |length| 1e-4 * length as f64);
        assert!(peak.median.reason().unwrap().contains("not plausible"), "{peak:?}");
        assert!(peak.deviation.value().is_none());
    }
}

//! The roofline: kernels compared with the measured peaks of their adapter.

use crate::kernels::Dispatch;
use crate::result::{Bound, KernelTime, Measured, Peaks, Profile};

/// A rate above this multiple of the measured peak is an error: one of the two was measured wrongly.
const MAX_PEAK_RATIO: f64 = 1.1;

/// Sets each kernel's share of the peaks and its bound; a rate far above its peak is added to the errors.
///
/// `dispatches` and `batch` are those of the profiled steps.
///
/// Source: S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance model", CACM 52(4), 2009; the
/// launch of an empty dispatch is a third bound beside its two.
pub fn compare_with_peaks(profile: &mut Profile, peaks: &Peaks, dispatches: &[Dispatch], batch: u32) {
    let rate = peaks.highest(crate::result::PeakKind::Fp32MultiplyAdd);
    for time in &mut profile.kernels {
        let same = |dispatch: &&Dispatch| dispatch.kernel.name == time.kernel && dispatch.layer == time.layer;
        let Some(dispatch) = dispatches.iter().find(same) else { continue };
        let (flop, bytes) = (dispatch.flop.at(batch) as f64, dispatch.bytes.at(batch));
        let bandwidth = peaks.bandwidth(bytes);
        time.peak_flop_pct = share(&time.gflop_per_s, rate);
        time.peak_bandwidth_pct = share(&time.gbyte_per_s, bandwidth);
        // Rates in 10^9 per second equal rates per nanosecond.
        let bounds = [
            (Bound::Compute, rate.map(|rate| flop / rate)),
            (Bound::Memory, bandwidth.map(|bandwidth| bytes as f64 / bandwidth)),
            (Bound::Launch, peaks.launch_ns()),
        ];
        time.bound = highest(bounds);
    }
    let breaches = profile.kernels.iter().flat_map(breaches).collect::<Vec<String>>();
    profile.errors.extend(breaches);
}

fn share(rate: &Measured<f64>, peak: Option<f64>) -> Measured<f64> {
    match peak {
        Some(peak) => rate.clone().map(|rate| 100.0 * rate / peak),
        None => Measured::missing("this peak was not measured"),
    }
}

/// The bound with the longest time; missing unless all peaks are known.
fn highest(bounds: [(Bound, Option<f64>); 3]) -> Measured<Bound> {
    if bounds.iter().any(|(_, time_ns)| time_ns.is_none()) {
        return Measured::missing("not every peak was measured");
    }
    let known = bounds.into_iter().filter_map(|(bound, time_ns)| Some((bound, time_ns?)));
    let longest = known.max_by(|a, b| a.1.total_cmp(&b.1));
    Measured::or_missing(longest.map(|(bound, _)| bound), "not every peak was measured")
}

fn breaches(time: &KernelTime) -> Vec<String> {
    let shares = [(&time.peak_flop_pct, "multiply-add rate"), (&time.peak_bandwidth_pct, "bandwidth")];
    let above = |(share, what): (&Measured<f64>, &str)| {
        let share = share.value().copied().filter(|share| *share > 100.0 * MAX_PEAK_RATIO)?;
        Some(format!(
            "{} of {} reaches {share:.0} % of the measured {what}, which cannot be: measure the peaks again on an idle machine (--fresh-peaks)",
            time.kernel, time.layer
        ))
    };
    shares.into_iter().filter_map(above).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_of_the_three_bounds_counts() {
        let bounds = |compute, memory, launch| {
            highest([(Bound::Compute, compute), (Bound::Memory, memory), (Bound::Launch, launch)])
        };
        assert_eq!(bounds(Some(3.0), Some(2.0), Some(1.0)).value(), Some(&Bound::Compute));
        assert_eq!(bounds(Some(3.0), Some(9.0), Some(1.0)).value(), Some(&Bound::Memory));
        assert_eq!(bounds(Some(0.0), Some(0.5), Some(1.0)).value(), Some(&Bound::Launch));
        assert!(bounds(None, Some(0.5), Some(1.0)).reason().is_some());
    }
}

//! Kernel times from samples of dispatches.

use crate::gpu::Span;
use crate::kernels::Dispatch;
use crate::result::{KernelTime, Measured};
use crate::stats;

/// Minimum length of a span in steps of the clock, so that quantisation is at most a twentieth of it.
const CLOCK_STEPS: f64 = 20.0;
/// Maximum number of repetitions in a span, far below a driver's watchdog.
const MAX_REPEATS: u32 = 4096;

/// The samples of one dispatch of the plan, in nanoseconds per call.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    /// The positive samples.
    pub durations_ns: Vec<f64>,
    /// Number of samples that were 0 or negative.
    pub dropped: u32,
}

impl Samples {
    /// Adds a sample if it is positive, otherwise counts it as dropped.
    pub fn add(&mut self, duration_ns: f64) {
        if duration_ns > 0.0 {
            self.durations_ns.push(duration_ns);
        } else {
            self.dropped += 1;
        }
    }
}

/// The smallest non-zero difference between timestamps.
pub fn clock_step_ns(ticks: &mut [f64]) -> Option<f64> {
    ticks.sort_by(f64::total_cmp);
    let differences = ticks.windows(2).map(|pair| pair[1] - pair[0]).filter(|difference| *difference > 0.0);
    differences.min_by(f64::total_cmp)
}

/// How often to repeat each dispatch in its span, given the `spans` of `repeats` repetitions.
pub fn repeats_for(spans: &[Span], repeats: &[u32], clock_step_ns: Option<f64>) -> Vec<u32> {
    let longer = |(span, &repeats): (&Span, &u32)| {
        let duration_ns = span.duration_ns();
        let wanted = match clock_step_ns {
            Some(step_ns) if duration_ns >= step_ns => CLOCK_STEPS * step_ns / duration_ns * f64::from(repeats),
            // Below the resolution of the clock: many more, to be refined in the next round.
            _ => 16.0 * f64::from(repeats),
        };
        // Never decreases, so that the calibration terminates.
        (wanted.ceil().min(f64::from(MAX_REPEATS)) as u32).max(repeats)
    };
    spans.iter().zip(repeats).map(longer).collect()
}

/// One row for each kernel and layer, in descending order of time; `repeats` are those of the dispatches.
pub fn kernel_times(dispatches: &[Dispatch], samples: &[Samples], repeats: &[u32], batch: u32) -> Vec<KernelTime> {
    struct Row<'a> {
        dispatch: &'a Dispatch,
        calls: u32,
        repeats: u32,
        samples: Samples,
    }
    let mut rows: Vec<Row<'_>> = Vec::new();
    for ((dispatch, samples), &repeats) in dispatches.iter().zip(samples).zip(repeats) {
        match rows.iter_mut().find(|row| row.dispatch.label() == dispatch.label()) {
            Some(row) => {
                row.calls += 1;
                row.repeats = row.repeats.max(repeats);
                row.samples.durations_ns.extend(&samples.durations_ns);
                row.samples.dropped += samples.dropped;
            }
            None => rows.push(Row { dispatch, calls: 1, repeats, samples: samples.clone() }),
        }
    }
    let medians: Vec<Option<f64>> = rows.iter().map(|row| stats::median(&row.samples.durations_ns)).collect();
    let sum: f64 = rows.iter().zip(&medians).map(|(row, median)| f64::from(row.calls) * median.unwrap_or(0.0)).sum();
    let none = "every sample was 0 or negative";
    let time = |(row, median): (&Row<'_>, &Option<f64>)| {
        let of_median = |value: &dyn Fn(f64) -> f64| Measured::or_missing(median.map(value), none);
        KernelTime {
            kernel: row.dispatch.kernel.name.to_owned(),
            layer: row.dispatch.layer.to_owned(),
            calls_per_step: row.calls,
            repeats: row.repeats,
            median_ns: of_median(&|median| median),
            p95_ns: Measured::or_missing(stats::quantile(&row.samples.durations_ns, 0.95), none),
            share_pct: of_median(&|median| 100.0 * f64::from(row.calls) * median / sum),
            gflop_per_s: of_median(&|median| row.dispatch.flop.at(batch) as f64 / median),
            gbyte_per_s: of_median(&|median| row.dispatch.bytes.at(batch) as f64 / median),
            peak_flop_pct: Measured::missing("no peaks were measured"),
            peak_bandwidth_pct: Measured::missing("no peaks were measured"),
            bound: Measured::missing("no peaks were measured"),
            compiled: Measured::missing("the driver was not asked"),
            dropped: row.samples.dropped,
            // To a hundredth of a nanosecond: more digits would be noise.
            samples_ns: row.samples.durations_ns.iter().map(|sample| (sample * 100.0).round() / 100.0).collect(),
        }
    };
    let mut times: Vec<KernelTime> = rows.iter().zip(&medians).map(time).collect();
    let share = |time: &KernelTime| time.share_pct.value().copied().unwrap_or(0.0);
    times.sort_by(|a, b| share(b).total_cmp(&share(a)));
    times
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::layered::layered;
    use crate::model::{DROPOUT_RATE, Model, Training};

    #[test]
    fn durations_that_are_zero_or_negative_are_dropped_and_counted() {
        let plan = layered(&Model::new(DROPOUT_RATE), &Training::STANDARD, 1);
        let mut samples = vec![Samples::default(); plan.training.len()];
        for samples in &mut samples[1..] {
            [100.0, 300.0, 200.0, 0.0, -5.0].into_iter().for_each(|duration| samples.add(duration));
        }
        samples[0].add(-1.0);
        let times = kernel_times(&plan.training, &samples, &vec![1; plan.training.len()], 128);
        let gather = times.iter().find(|time| time.kernel == "batch_gather").unwrap();
        assert_eq!((gather.dropped, gather.median_ns.value()), (1, None));
        assert!(gather.share_pct.reason().is_some() && gather.gflop_per_s.value().is_none());
        let conv = times.iter().find(|time| time.kernel == "conv_forward").unwrap();
        assert_eq!((conv.dropped, conv.median_ns.value()), (2, Some(&200.0)));
        assert_eq!(conv.samples_ns, [100.0, 300.0, 200.0]);
        let shares: f64 = times.iter().filter_map(|time| time.share_pct.value()).sum();
        assert!((shares - 100.0).abs() < 1e-9, "{shares}");
    }

    #[test]
    fn rates_follow_from_the_counts_of_the_plan() {
        let plan = layered(&Model::new(DROPOUT_RATE), &Training::STANDARD, 1);
        let samples = vec![Samples { durations_ns: vec![1000.0], dropped: 0 }; plan.training.len()];
        let times = kernel_times(&plan.training, &samples, &vec![1; plan.training.len()], 2);
        let conv = times.iter().find(|time| time.kernel == "conv_forward" && time.layer == "conv1").unwrap();
        assert_eq!(conv.gflop_per_s.value(), Some(&(2.0 * 2.0 * 320_000.0 / 1000.0)));
    }

    #[test]
    fn the_step_of_a_coarse_clock_is_found() {
        assert_eq!(clock_step_ns(&mut [200.0, 0.0, 100.0, 200.0, 400.0]), Some(100.0));
        assert_eq!(clock_step_ns(&mut [5.0, 5.0]), None);
    }

    #[test]
    fn kernels_are_repeated_until_the_clock_resolves_them() {
        let span = |duration_ns| Span { begin_ns: 0.0, end_ns: duration_ns };
        let spans = [span(0.0), span(100.0), span(1e6), span(1e6)];
        assert_eq!(repeats_for(&spans, &[1, 1, 1, 8], Some(100.0)), [16, 20, 1, 8]);
        assert_eq!(repeats_for(&spans[..1], &[4096], Some(100.0)), [4096], "the maximum");
        assert_eq!(repeats_for(&spans[..1], &[1], None), [16], "no two timestamps differ at all");
    }
}

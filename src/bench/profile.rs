//! Where the time of a training step goes: a run of its own, with timestamps around every dispatch.

use super::Observer;
use super::train::Bench;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::gpu::{Adapters, Gpu, Pipelines, Span, Stopwatch, Timestamps};
use crate::kernels::Dispatch;
use crate::result::{KernelTime, Measured, Method, Profile, RunResult};
use crate::stats;
use crate::trainer::Trainer;
use web_time::Instant;

/// Steps profiled where nothing else is asked for.
pub const PROFILED_STEPS: u32 = 50;
/// Steps before them that are not counted, in which clocks and caches settle.
const WARM_UP_STEPS: u32 = 3;

/// The samples of one dispatch of the plan, in nanoseconds.
#[derive(Debug, Clone, Default)]
struct Samples {
    durations_ns: Vec<f64>,
    dropped: u32,
}

impl Samples {
    fn add(&mut self, duration_ns: f64) {
        if duration_ns > 0.0 {
            self.durations_ns.push(duration_ns);
        } else {
            self.dropped += 1;
        }
    }
}

/// Profiles `steps` training steps on a device of its own, opened with timestamps; the timed device never has any.
///
/// # Errors
/// [`Error::Interrupted`] if the observer stopped it, or the device's error.
pub async fn profile(
    adapters: &Adapters,
    bench: &Bench<'_>,
    dataset: &Dataset,
    steps: u32,
    result: &RunResult,
    observer: &mut dyn Observer,
) -> Result<Profile> {
    let needs = bench.recipe.needs(bench.plan, dataset);
    let gpu = Gpu::open_for_profiling(adapters, &bench.gpu.adapter, needs).await?;
    let pipelines = Pipelines::compile(&gpu, bench.plan).await?;
    let initial = bench.recipe.model.initial_parameters(bench.recipe.seed);
    let mut trainer = Trainer::new(&gpu, &pipelines, bench.plan, bench.recipe, dataset, &initial).await?;
    trainer.begin_epoch(0);

    let dispatches = &bench.plan.training;
    let stopwatch = Stopwatch::new(&gpu, dispatches.len() as u32);
    // Only full batches: a smaller one would not be the same kernel call.
    let full = (dataset.train.len() as u32 / bench.recipe.training.batch).max(1);
    let mut samples = vec![Samples::default(); dispatches.len()];
    let (mut step_times, mut span_times, mut ticks) = (Vec::new(), Vec::new(), Vec::new());
    for step in 0..WARM_UP_STEPS + steps {
        if observer.stop_requested() {
            return Err(Error::Interrupted);
        }
        let start = Instant::now();
        let spans = match &stopwatch {
            Some(stopwatch) => trainer.timed_step(stopwatch, step % full).await?,
            None => host_clock_step(&gpu, &trainer, dispatches.len(), step % full).await?,
        };
        if step < WARM_UP_STEPS {
            continue;
        }
        step_times.push(start.elapsed().as_secs_f64());
        samples.iter_mut().zip(&spans).for_each(|(samples, span)| samples.add(span.duration_ns()));
        span_times.extend(whole(&spans).filter(|_| stopwatch.is_some()));
        ticks.extend(spans.iter().flat_map(|span| [span.begin_ns, span.end_ns]).filter(|_| stopwatch.is_some()));
    }
    Ok(Profile {
        method: method(stopwatch.is_some(), bench.gpu.adapter.timestamps),
        steps,
        clock_step_ns: Measured::or_missing(clock_step_ns(&mut ticks), "the adapter takes no timestamps"),
        dropped: samples.iter().map(|samples| samples.dropped).sum(),
        profiled_step_s: Measured::or_missing(stats::median(&step_times), "no step was profiled"),
        timed_step_s: timed_step_s(result),
        span_ns: Measured::or_missing(stats::median(&span_times), "the adapter takes no timestamps"),
        method_note: Measured::missing("the finest method was used"),
        undisturbed_step_ns: Measured::missing("not measured"),
        errors: Vec::new(),
        kernels: kernel_times(dispatches, &samples, bench.recipe.training.batch),
    })
}

fn method(timestamps: bool, grade: Timestamps) -> Method {
    match (timestamps, grade) {
        (true, Timestamps::InsidePasses) => Method::TimestampsInsidePasses,
        (true, _) => Method::TimestampsAtPassBoundaries,
        (false, _) => Method::HostClock,
    }
}

/// One step, each dispatch in a submission of its own, by the host's clock.
async fn host_clock_step(gpu: &Gpu, trainer: &Trainer<'_>, dispatches: usize, step: u32) -> Result<Vec<Span>> {
    let mut spans = Vec::with_capacity(dispatches);
    for place in 0..dispatches {
        let start = Instant::now();
        gpu.wait(trainer.submit_dispatch(place, step)?).await?;
        spans.push(Span { begin_ns: 0.0, end_ns: start.elapsed().as_secs_f64() * 1e9 });
    }
    Ok(spans)
}

/// From the first beginning to the last end.
fn whole(spans: &[Span]) -> impl Iterator<Item = f64> {
    let first = spans.iter().map(|span| span.begin_ns).fold(f64::INFINITY, f64::min);
    let last = spans.iter().map(|span| span.end_ns).fold(f64::NEG_INFINITY, f64::max);
    std::iter::once(last - first).filter(|span| span.is_finite())
}

/// The smallest difference between two timestamps that differ.
fn clock_step_ns(ticks: &mut [f64]) -> Option<f64> {
    ticks.sort_by(f64::total_cmp);
    let differences = ticks.windows(2).map(|pair| pair[1] - pair[0]).filter(|difference| *difference > 0.0);
    differences.min_by(f64::total_cmp)
}

/// The mean time of a step of the timed training that is nearest to what was profiled.
fn timed_step_s(result: &RunResult) -> Measured<f64> {
    let samples = result.repeats.last().map(|repeat| &repeat.samples[..]).unwrap_or_default();
    let steps: u32 = samples.iter().map(|sample| sample.steps).sum();
    let seconds: f64 = samples.iter().map(|sample| sample.duration_s).sum();
    Measured::or_missing((steps > 0).then(|| seconds / f64::from(steps)), "no step was timed")
}

/// One row for each kernel and layer, the longest first.
fn kernel_times(dispatches: &[Dispatch], samples: &[Samples], batch: u32) -> Vec<KernelTime> {
    let mut rows: Vec<(&Dispatch, u32, Samples)> = Vec::new();
    for (dispatch, samples) in dispatches.iter().zip(samples) {
        match rows.iter_mut().find(|(row, ..)| row.label() == dispatch.label()) {
            Some((_, calls, all)) => {
                *calls += 1;
                all.durations_ns.extend(&samples.durations_ns);
                all.dropped += samples.dropped;
            }
            None => rows.push((dispatch, 1, samples.clone())),
        }
    }
    let medians: Vec<Option<f64>> = rows.iter().map(|(_, _, samples)| stats::median(&samples.durations_ns)).collect();
    let sum: f64 =
        rows.iter().zip(&medians).map(|((_, calls, _), median)| f64::from(*calls) * median.unwrap_or(0.0)).sum();
    let none = "every sample was 0 or negative";
    let row = |((dispatch, calls, samples), median): (&(&Dispatch, u32, Samples), &Option<f64>)| {
        let of_median = |value: &dyn Fn(f64) -> f64| Measured::or_missing(median.map(value), none);
        KernelTime {
            kernel: dispatch.kernel.name.to_owned(),
            layer: dispatch.layer.to_owned(),
            calls_per_step: *calls,
            median_ns: of_median(&|median| median),
            p95_ns: Measured::or_missing(stats::quantile(&samples.durations_ns, 0.95), none),
            share_pct: of_median(&|median| 100.0 * f64::from(*calls) * median / sum),
            gflop_per_s: of_median(&|median| dispatch.flop.at(batch) as f64 / median),
            gbyte_per_s: of_median(&|median| dispatch.bytes.at(batch) as f64 / median),
            dropped: samples.dropped,
            repeats: 1,
            peak_flop_pct: Measured::missing("no peaks were measured"),
            peak_bandwidth_pct: Measured::missing("no peaks were measured"),
            bound: Measured::missing("no peaks were measured"),
            samples_ns: samples.durations_ns.clone(),
        }
    };
    let mut times: Vec<KernelTime> = rows.iter().zip(&medians).map(row).collect();
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
        let times = kernel_times(&plan.training, &samples, 128);
        let gather = times.iter().find(|time| time.kernel == "batch_gather").unwrap();
        assert_eq!((gather.dropped, gather.median_ns.value()), (1, None));
        assert!(gather.share_pct.reason().is_some() && gather.gflop_per_s.value().is_none());
        let conv = times.iter().find(|time| time.kernel == "conv_forward").unwrap();
        assert_eq!((conv.dropped, conv.median_ns.value()), (2, Some(&200.0)));
        let shares: f64 = times.iter().filter_map(|time| time.share_pct.value()).sum();
        assert!((shares - 100.0).abs() < 1e-9, "{shares}");
    }

    #[test]
    fn rates_follow_from_the_counts_of_the_plan() {
        let plan = layered(&Model::new(DROPOUT_RATE), &Training::STANDARD, 1);
        let samples = vec![Samples { durations_ns: vec![1000.0], dropped: 0 }; plan.training.len()];
        let times = kernel_times(&plan.training, &samples, 2);
        let conv = times.iter().find(|time| time.kernel == "conv_forward" && time.layer == "conv1").unwrap();
        assert_eq!(conv.gflop_per_s.value(), Some(&(2.0 * 2.0 * 320_000.0 / 1000.0)));
    }

    #[test]
    fn the_step_of_a_coarse_clock_is_found() {
        assert_eq!(clock_step_ns(&mut [200.0, 0.0, 100.0, 200.0, 400.0]), Some(100.0));
        assert_eq!(clock_step_ns(&mut [5.0, 5.0]), None);
    }
}

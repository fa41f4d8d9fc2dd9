//! A profile of training steps, separate from the timed trainings, with timestamps around every dispatch.

mod baseline;
mod kernels;
mod roofline;
mod timeline;

pub use roofline::compare_with_peaks;

use super::account::DeviceStep;
use super::host_timeline::nanoseconds;
use super::job::Job;
use super::observer::Observer;
use super::prepared_plan::PreparedPlan;
use super::profile_options::ProfileOptions;
use crate::error::{Error, Result};
use crate::gpu::{Adapters, Gpu, Needs, Pipelines, Span, Stopwatch, Timestamps};
use crate::kernels::{Dispatch, Plan};
use crate::result::{Measured, Method, Profile, RunResult, Timeline};
use crate::stats;
use crate::trainer::{Stage, Trainer};
use baseline::{BaselineSteps, Block};
use kernels::{Samples, clock_step_ns, kernel_times, repeats_for};
use timeline::{StepClock, StepEvents};
use web_time::Instant;

/// Uncounted steps before the profiled ones, in which clocks and caches settle.
const WARM_UP_STEPS: u32 = 3;
/// Maximum number of rounds to find the repetitions of each kernel.
const CALIBRATIONS: u32 = 6;

/// Outputs of [`profile`].
pub struct Profiled {
    /// The figures.
    pub profile: Profile,
    /// Device times for the time account, or the reason why there are none.
    pub device_step: Measured<DeviceStep>,
    /// Events of the profiled steps.
    pub timeline: Timeline,
}

/// Profiles training steps on a separate device with timestamps enabled; the timed device has none.
///
/// # Errors
/// [`Error::Adapter`] if the adapter lacks the requested grade, [`Error::Interrupted`] if the observer stopped it, or
/// the device's error.
pub async fn profile(
    job: &Job<'_>,
    adapters: &Adapters,
    checked: bool,
    prepared: &PreparedPlan<'_>,
    options: ProfileOptions,
    result: &RunResult,
    observer: &mut dyn Observer,
) -> Result<Profiled> {
    let adapter = &prepared.gpu.adapter;
    let grade = grade_to_use(adapter.timestamps, options.grade)?;
    let needs = Needs { checked, ..prepared.config.needs(prepared.plan, job.dataset) };
    let gpu = Gpu::open_with_timestamps(adapters, adapter, needs, grade).await?;
    let pipelines = Pipelines::compile(&gpu, prepared.plan).await?;
    let initial = job.initial_parameters(&prepared.config.model, prepared.config.seed);
    let mut trainer = Trainer::new(&gpu, &pipelines, prepared.plan, prepared.config, job.dataset, &initial).await?;
    trainer.begin_epoch(0);
    let dispatches = prepared.plan.training.len();
    let stopwatch = Stopwatch::new(&gpu, dispatches as u32, options.clock_step_ns);
    let (stopwatch, method_note) = match (stopwatch, options.grade) {
        (Ok(stopwatch), None) => (Some(stopwatch), Measured::missing("the finest method was used")),
        (Ok(stopwatch), Some(_)) => (Some(stopwatch), Measured::Value("this method was requested".to_owned())),
        (Err(_), Some(Timestamps::Unsupported)) => (None, Measured::Value("this method was requested".to_owned())),
        (Err(reason), _) => (None, Measured::Value(reason)),
    };
    // Only full batches: a smaller batch is a different workload.
    let full_batches = (job.dataset.train.len() as u32 / prepared.config.training.batch).max(1);
    let mut profiler = Profiler {
        gpu: &gpu,
        trainer: &trainer,
        stopwatch: stopwatch.as_ref(),
        baseline: BaselineSteps::new(&gpu, &trainer, options.clock_step_ns, full_batches),
        initial: &initial,
        full_batches,
        repeats: vec![1; dispatches],
        origin: job.started,
        measurements: Measurements { samples: vec![Samples::default(); dispatches], ..Default::default() },
    };
    profiler.run(options.steps, observer).await?;
    let repeats = profiler.repeats.clone();
    let measurements = profiler.measurements;
    let mut profile = figures(&measurements, method(stopwatch.as_ref()), prepared, result);
    profile.method_note = method_note;
    profile.commands = Measured::Value(gpu.commands());
    profile.kernels =
        kernel_times(&prepared.plan.training, &measurements.samples, &repeats, prepared.config.training.batch);
    ask_the_compiler(&mut profile, job, &gpu, prepared.plan, options);
    profile.errors.extend(kernels_above_wall(&profile));
    let names: Vec<String> = prepared.plan.training.iter().map(|dispatch| dispatch.label()).collect();
    let device_step = device_step(&measurements, &profile, adapter.software);
    Ok(Profiled { profile, device_step, timeline: timeline::timeline(&measurements.events, &names) })
}

/// Sets what the driver's compiler says of each kernel.
fn ask_the_compiler(profile: &mut Profile, job: &Job<'_>, gpu: &Gpu, plan: &Plan, options: ProfileOptions) {
    let dispatches = &plan.training;
    let none = |reason: &str| vec![Measured::missing(reason); dispatches.len()];
    let compiled = if gpu.checked() {
        none("it is asked of kernels without runtime checks alone")
    } else if options.max_share.is_some() {
        // It compiles every kernel again, which the estimate of the short profile's share does not have.
        none("a short profile leaves it out; `gpubench profile` asks the driver")
    } else {
        job.compiler.compiled(&gpu.adapter, dispatches, plan.needs_subgroups())
    };
    for time in &mut profile.kernels {
        let is_its = |dispatch: &Dispatch| dispatch.kernel.name == time.kernel && dispatch.layer == time.layer;
        if let Some(place) = dispatches.iter().position(is_its) {
            time.compiled = compiled[place].clone();
        }
    }
}

/// The requested grade if the adapter has it; the adapter's finest if none was requested.
fn grade_to_use(offered: Timestamps, requested: Option<Timestamps>) -> Result<Timestamps> {
    let Some(requested) = requested else { return Ok(offered) };
    let rank = |grade| match grade {
        Timestamps::InsidePasses => 3,
        Timestamps::InsideEncoders => 2,
        Timestamps::PassBoundaries => 1,
        Timestamps::Unsupported => 0,
    };
    if rank(requested) <= rank(offered) {
        Ok(requested)
    } else {
        Err(Error::Adapter(format!(
            "this adapter takes timestamps no finer than '{offered}', not '{requested}': leave --timestamps out to use the finest it has"
        )))
    }
}

fn method(stopwatch: Option<&Stopwatch>) -> Method {
    match stopwatch.map(Stopwatch::granularity) {
        Some(Timestamps::InsidePasses) => Method::TimestampsInsidePasses,
        Some(Timestamps::InsideEncoders) => Method::TimestampsInsideEncoders,
        Some(Timestamps::PassBoundaries) => Method::TimestampsAtPassBoundaries,
        Some(Timestamps::Unsupported) | None => Method::HostClock,
    }
}

/// Raw measurements of all profiled steps.
#[derive(Default)]
struct Measurements {
    /// Samples of each dispatch of the plan.
    samples: Vec<Samples>,
    /// Seconds of each profiled step on the host's clock.
    step_s: Vec<f64>,
    /// Time from the first to the last timestamp of each profiled step.
    span_ns: Vec<f64>,
    /// Blocks of unprofiled steps.
    blocks: Vec<Block>,
    /// All timestamps.
    ticks_ns: Vec<f64>,
    /// Events of each profiled step.
    events: Vec<StepEvents>,
}

/// Runs profiled steps on one device.
struct Profiler<'a> {
    gpu: &'a Gpu,
    trainer: &'a Trainer<'a>,
    stopwatch: Option<&'a Stopwatch>,
    baseline: BaselineSteps<'a>,
    initial: &'a [f32],
    full_batches: u32,
    repeats: Vec<u32>,
    origin: Instant,
    measurements: Measurements,
}

impl Profiler<'_> {
    async fn run(&mut self, steps: u32, observer: &mut dyn Observer) -> Result<()> {
        let mut step_s = 0.0;
        for step in 0..WARM_UP_STEPS {
            let start = Instant::now();
            let index = step % self.full_batches;
            self.gpu.wait(self.trainer.submit(Stage::Training, index..index + 1)?).await?;
            step_s = start.elapsed().as_secs_f64();
        }
        self.calibrate().await?;
        self.baseline.set_step_time(step_s);
        for step in 0..steps {
            if observer.stop_requested() {
                return Err(Error::Interrupted);
            }
            let (events, spans) = self.step(WARM_UP_STEPS + step).await?;
            self.measurements.step_s.push(nanoseconds_between(&events.clock.wall_ns) / 1e9);
            for ((samples, span), &repeats) in self.measurements.samples.iter_mut().zip(&spans).zip(&self.repeats) {
                samples.add(span.duration_ns() / f64::from(repeats));
            }
            if self.stopwatch.is_some() {
                self.measurements.span_ns.extend(total_span_ns(&spans));
                self.measurements.ticks_ns.extend(spans.iter().flat_map(|span| [span.begin_ns, span.end_ns]));
            }
            self.measurements.events.push(events);
            self.measurements.blocks.extend(self.baseline.run_after(step).await?);
        }
        Ok(())
    }

    /// Finds how often each kernel has to be repeated for the clock to resolve it.
    async fn calibrate(&mut self) -> Result<()> {
        let Some(stopwatch) = self.stopwatch else { return Ok(()) };
        // Back-to-back timestamps differ by about one step of the clock.
        let mut recording = stopwatch.record(self.gpu);
        (0..self.repeats.len()).try_for_each(|_| recording.span(|_| Ok(())))?;
        self.gpu.wait(self.gpu.submit_encoded(recording.finish())).await?;
        let empty = stopwatch.spans(self.gpu, self.repeats.len() as u32).await?;
        self.measurements.ticks_ns.extend(empty.iter().flat_map(|span| [span.begin_ns, span.end_ns]));
        for round in 0..CALIBRATIONS {
            let (_, spans) = self.step(round).await?;
            self.measurements.ticks_ns.extend(spans.iter().flat_map(|span| [span.begin_ns, span.end_ns]));
            let step_ns = clock_step_ns(&mut self.measurements.ticks_ns.clone());
            let enough = repeats_for(&spans, &self.repeats, step_ns);
            if enough == self.repeats {
                break;
            }
            self.repeats = enough;
        }
        Ok(())
    }

    /// Runs one step with a span for each dispatch.
    async fn step(&self, step: u32) -> Result<(StepEvents, Vec<Span>)> {
        let index = step % self.full_batches;
        let now_ns = || nanoseconds(self.origin.elapsed());
        let begin_ns = now_ns();
        let Some(stopwatch) = self.stopwatch else {
            let spans = self.step_on_host_clock(index).await?;
            let wall_ns = begin_ns..now_ns();
            let clock = StepClock { submit_ns: wall_ns.clone(), wait_end_ns: wall_ns.end, wall_ns };
            return Ok((StepEvents { step, clock, spans: spans.clone(), repeats: self.repeats.clone() }, spans));
        };
        let mut recording = stopwatch.record(self.gpu);
        self.trainer.record_kernels(&mut recording, index, &self.repeats)?;
        let encoded = recording.finish();
        let submit_begin_ns = now_ns();
        let submission = self.gpu.submit_encoded(encoded);
        let submit_end_ns = now_ns();
        self.gpu.wait(submission).await?;
        let wait_end_ns = now_ns();
        let spans = stopwatch.spans(self.gpu, self.repeats.len() as u32).await?;
        let clock = StepClock { wall_ns: begin_ns..now_ns(), submit_ns: submit_begin_ns..submit_end_ns, wait_end_ns };
        if self.repeats.iter().any(|&repeats| repeats > 1) {
            // A repeated update is applied repeatedly: without a reset the parameters would diverge.
            self.trainer.set_parameters(self.initial);
        }
        Ok((StepEvents { step, clock, spans: spans.clone(), repeats: self.repeats.clone() }, spans))
    }

    /// Runs one step with each dispatch in its own submission, timed by the host's clock.
    async fn step_on_host_clock(&self, step: u32) -> Result<Vec<Span>> {
        let mut spans = Vec::with_capacity(self.repeats.len());
        for dispatch in 0..self.repeats.len() {
            let begin_ns = nanoseconds(self.origin.elapsed());
            self.gpu.wait(self.trainer.submit_dispatch(dispatch, step)?).await?;
            spans.push(Span { begin_ns, end_ns: nanoseconds(self.origin.elapsed()) });
        }
        Ok(spans)
    }
}

fn nanoseconds_between(range: &std::ops::Range<f64>) -> f64 {
    range.end - range.start
}

/// Time from the first begin to the last end.
fn total_span_ns(spans: &[Span]) -> Option<f64> {
    let first = spans.iter().map(|span| span.begin_ns).fold(f64::INFINITY, f64::min);
    let last = spans.iter().map(|span| span.end_ns).fold(f64::NEG_INFINITY, f64::max);
    Some(last - first).filter(|span| span.is_finite())
}

/// The profile of the step as a whole, without its kernels.
fn figures(measurements: &Measurements, method: Method, prepared: &PreparedPlan<'_>, result: &RunResult) -> Profile {
    let none = "the adapter takes no timestamps";
    let usable: Vec<f64> = measurements.blocks.iter().filter(|block| block.is_usable()).map(Block::step_ns).collect();
    Profile {
        method,
        method_note: Measured::missing("the finest method was used"),
        steps: measurements.step_s.len() as u32,
        clock_step_ns: Measured::or_missing(clock_step_ns(&mut measurements.ticks_ns.clone()), none),
        dropped: measurements.samples.iter().map(|samples| samples.dropped).sum(),
        profiled_step_s: Measured::or_missing(stats::median(&measurements.step_s), "no step was profiled"),
        timed_step_s: timed_step_s(result, prepared),
        span_ns: Measured::or_missing(stats::median(&measurements.span_ns), none),
        undisturbed_step_ns: match method {
            Method::HostClock => Measured::missing(none),
            _ => Measured::or_missing(stats::median(&usable), "every sample was 0 or negative"),
        },
        commands: crate::result::not_recorded(),
        errors: Vec::new(),
        kernels: Vec::new(),
    }
}

/// The mean time of a full batch in the last timed training, without uploads.
fn timed_step_s(result: &RunResult, prepared: &PreparedPlan<'_>) -> Measured<f64> {
    let Some(repeat) = result.repeats.last() else { return Measured::missing("no step was timed") };
    let seconds = repeat.samples_s();
    let images = super::train::images_trained(repeat, prepared.config, result.data.train_images);
    let batches = images as f64 / f64::from(prepared.config.training.batch);
    Measured::or_missing((batches > 0.0).then(|| seconds / batches), "no step was timed")
}

/// The device times of a step for the time account: means, since the parts of the account add up.
fn device_step(measurements: &Measurements, profile: &Profile, software: bool) -> Measured<DeviceStep> {
    if profile.method == Method::HostClock {
        return Measured::missing(
            "without device timestamps the time of kernels cannot be separated from that of launching them",
        );
    }
    let mean = |samples: &[f64]| samples.iter().sum::<f64>() / samples.len() as f64;
    let blocks = measurements.blocks.iter().filter(|block| block.is_usable());
    let total = blocks.fold(Block::default(), |total, block| total.plus(block));
    let kernels_ns: f64 = measurements
        .samples
        .iter()
        .map(|samples| &samples.durations_ns[..])
        .filter(|durations| !durations.is_empty())
        .map(mean)
        .sum();
    if total.steps == 0 || kernels_ns <= 0.0 {
        return Measured::missing("the device's clock is too coarse: every sample was 0 or negative");
    }
    Measured::Value(DeviceStep {
        kernels_s: kernels_ns / 1e9,
        step_s: total.step_ns() / 1e9,
        host_step_s: software.then(|| total.wall_ns / f64::from(total.steps) / 1e9),
    })
}

/// An error if the kernels took longer than their step did on the host's clock.
fn kernels_above_wall(profile: &Profile) -> Option<String> {
    let repeated = profile.kernels.iter().any(|time| time.repeats > 1);
    let wall_s = *profile.profiled_step_s.value()?;
    let sum_s = profile.kernels_ns() / 1e9;
    (!repeated && sum_s > wall_s).then(|| {
        format!(
            "the kernels' times add up to {:.3} ms, more than the {:.3} ms that a profiled step took: the device's clock runs wrong",
            1e3 * sum_s,
            1e3 * wall_s
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coarser_grade_can_be_requested_and_a_finer_one_is_refused() {
        use Timestamps::{InsidePasses, PassBoundaries, Unsupported};
        assert_eq!(grade_to_use(InsidePasses, None), Ok(InsidePasses));
        assert_eq!(grade_to_use(InsidePasses, Some(PassBoundaries)), Ok(PassBoundaries));
        assert_eq!(grade_to_use(PassBoundaries, Some(Unsupported)), Ok(Unsupported));
        let error = grade_to_use(PassBoundaries, Some(InsidePasses)).expect_err("finer than offered");
        assert!(error.exit_code() == 4 && error.to_string().contains("pass boundaries"), "{error}");
    }
}

//! Profiles on every adapter of this machine: each grade of timestamps, coarse clocks, long runs, and no query in a
//! timed training.

use crate::common::named;
use crate::common::training::{Silent, begun, job};
use crate::common::trials::{AdapterTest, Outcome, with_each};
use gpubench::bench::{self, AdapterTarget, Finished, Job, ProfileOptions};
use gpubench::check;
use gpubench::gpu::{Adapters, Gpu, Needs, Pipelines, Stopwatch, Timestamps};
use gpubench::kernels::plan_named;
use gpubench::model::{DROPOUT_RATE, Model, Training};
use gpubench::result::{Bound, Measured, Method, Peak, PeakKind, Peaks, Profile, RunResult, Setting, Subject, Track};
use gpubench::trainer::{Stage, Trainer, TrainingConfig};
use libtest_mimic::Trial;
use std::sync::Arc;

/// Images in a step and steps in a timed training: small, so that many profiles take little time.
const BATCH: u32 = 24;
const STEPS: u32 = 6;
/// Batches in the training images, and in the test images.
const BATCHES: u32 = 8;

/// Peaks that nothing here reaches, with launches so long that small kernels are bound by them.
fn peaks() -> Peaks {
    let figure = |kind, median: f64| Peak {
        kind,
        bytes: Measured::Value(1 << 28),
        median: median.into(),
        deviation: 0.0.into(),
        samples: vec![median],
    };
    Peaks {
        subject: Subject {
            adapter: "imaginary".into(),
            pci_bus_id: String::new(),
            backend: "vulkan".into(),
            driver: String::new(),
            version: String::new(),
            shader_hash: String::new(),
        },
        measured_utc: "2026-11-24T10:00:00Z".into(),
        cached: false,
        clock: "invented".into(),
        duration_s: 1.0,
        figures: vec![
            figure(PeakKind::Fp32MultiplyAdd, 1e5),
            figure(PeakKind::StorageRead, 1e5),
            figure(PeakKind::DependentDispatch, 1e4),
        ],
    }
}

/// A short training with a profile, from random images.
fn profiled(adapters: &Adapters, index: usize, options: ProfileOptions) -> gpubench::Result<(RunResult, Finished)> {
    let dataset = check::random_dataset((BATCHES * BATCH) as usize, 3);
    let adapter = &adapters.infos()[index];
    let mut result = begun(&dataset, BATCH, 1, |settings| settings.steps = Setting::default(Measured::Value(STEPS)));
    let target = AdapterTarget { adapters, adapter, checked: false };
    let job = Job { profile: Some(options), peaks: Measured::Value(peaks()), ..job(&dataset) };
    let finished = pollster::block_on(bench::run(&target, &job, &mut result, &mut Silent))?;
    Ok((result, finished))
}

fn profile_of(result: &RunResult) -> &Profile {
    result.profile.value().expect("a profile was asked for")
}

fn every_kernel_has_its_time_and_the_account_closes(adapters: &Adapters, index: usize) -> Outcome {
    let (result, finished) = profiled(adapters, index, ProfileOptions::new(8))?;
    let profile = profile_of(&result);
    assert_eq!(profile.kernels.len(), result.plan.kernels.len());
    assert_eq!(profile.steps, 8);
    for time in &profile.kernels {
        assert_eq!(time.samples_ns.len() + time.dropped as usize, 8 * time.calls_per_step as usize, "{}", time.kernel);
        assert!(time.bound.value().is_some(), "{:?}", time.bound);
    }
    assert!(
        profile.kernels.iter().any(|time| time.bound == Measured::Value(Bound::Launch)),
        "the sample's launches are long"
    );
    if let Some(account) = result.account.value() {
        let sum: f64 = account.parts().iter().map(|(_, seconds)| seconds).sum();
        assert!((sum - account.wall_s).abs() < 1e-9 * account.wall_s.max(1.0), "{sum} of {}", account.wall_s);
        assert_eq!(account.steps, STEPS);
        let host = &account.host;
        let parts = [host.prepare_s, host.upload_s, host.shuffle_s, host.encode_s, host.submit_s, host.wait_s];
        assert!(parts.iter().all(|seconds| *seconds >= 0.0 && *seconds <= account.wall_s), "{host:?}");
        assert!(host.other_s >= 0.0, "{host:?}");
        let verdict = account.verdict.value().map(|verdict| !verdict.words.is_empty());
        assert_eq!(verdict, account.disagreement().is_none().then_some(true), "{:?}", account.verdict);
        let factor = account.device_time_factor.value();
        assert_eq!(factor.is_some(), adapters.infos()[index].software, "only a processor's times are scaled");
        if factor.is_some() {
            assert!(account.rest_s > -1e-6 * account.wall_s, "more is explained than there was: {account:?}");
        }
    } else {
        assert_eq!(profile.method, Method::HostClock, "{:?}", result.account);
    }
    let device = finished.timeline.events.iter().filter(|event| event.track == Track::ProfiledDevice).count();
    let kept: usize = profile.kernels.iter().map(|time| time.samples_ns.len()).sum();
    assert_eq!(device, kept, "as many events as samples");
    Ok(())
}

fn a_timed_training_contains_no_query(adapters: &Adapters, index: usize) -> Outcome {
    let (result, _) = profiled(adapters, index, ProfileOptions::new(2))?;
    let commands = result.repeats[0].commands.value().expect("commands were counted");
    assert_eq!(commands.timestamps, 0);
    let cache = &result.plan.tuning["pipeline_cache"];
    assert!(cache == "off" || cache == "unsupported by the adapter", "nobody asked to keep pipelines: {cache}");
    assert!(!result.environment.adapter.features.iter().any(|feature| feature.contains("timestamp")));
    let a_step = u64::from(result.plan.kernels.iter().map(|kernel| kernel.dispatches_per_step).sum::<u32>());
    let config =
        TrainingConfig { model: Model::new(DROPOUT_RATE), training: Training::STANDARD, seed: 1, shuffle: true };
    let plan = plan_named(&result.plan.name).unwrap().make(&config.model, &config.training, config.seed);
    assert_eq!(a_step, plan.training.len() as u64);
    // The test images are as many as the training images: BATCHES evaluations come on top of the steps, and nothing
    // else.
    let expected = u64::from(STEPS) * a_step + u64::from(BATCHES) * plan.evaluation.len() as u64;
    assert_eq!(commands.dispatches, expected, "{commands:?}");
    // One pass a submission, however many steps; two submissions more carry the data to the device and the results
    // back.
    assert_eq!(commands.passes, commands.submissions - 2, "{commands:?}");
    // The counter does count: a profiled step has two timestamps for each dispatch.
    let profile = profile_of(&result);
    if profile.method != Method::HostClock {
        let taken = profile.commands.value().expect("commands were counted").timestamps;
        assert!(taken >= 2 * a_step * 2, "{taken} timestamps");
    }
    Ok(())
}

fn every_grade_of_timestamps_serves(adapters: &Adapters, index: usize) -> Outcome {
    let grades = [
        (Timestamps::InsidePasses, Method::TimestampsInsidePasses),
        (Timestamps::InsideEncoders, Method::TimestampsInsideEncoders),
        (Timestamps::PassBoundaries, Method::TimestampsAtPassBoundaries),
        (Timestamps::Unsupported, Method::HostClock),
    ];
    for (grade, method) in grades {
        let options = ProfileOptions { grade: Some(grade), ..ProfileOptions::new(3) };
        let (result, _) = match profiled(adapters, index, options) {
            Err(error) if error.exit_code() == 4 && error.to_string().contains("no finer than") => continue,
            outcome => outcome?,
        };
        let profile = profile_of(&result);
        assert_eq!(profile.method, method);
        assert!(profile.method_note.value().is_some_and(|note| note.contains("was requested")));
        let sum: f64 = profile.kernels.iter().filter_map(|time| time.median_ns.value()).sum();
        assert!(sum > 0.0 && sum.is_finite());
        let without = method == Method::HostClock;
        assert_eq!(profile.clock_step_ns.reason().is_some(), without);
        assert_eq!(result.account.reason().is_some(), without, "without timestamps there is no account");
    }
    Ok(())
}

/// With a clock as coarse as a browser's, repeated kernels come out about as long as they are.
fn a_coarse_clock_is_overcome_by_repetition(adapters: &Adapters, index: usize) -> Outcome {
    if adapters.infos()[index].timestamps == Timestamps::Unsupported {
        return Ok(());
    }
    let step_ns = 100_000.0;
    let (fine, _) = profiled(adapters, index, ProfileOptions::new(6))?;
    let coarse = ProfileOptions { clock_step_ns: Some(step_ns), ..ProfileOptions::new(6) };
    let (coarse, _) = profiled(adapters, index, coarse)?;
    let coarse = profile_of(&coarse);
    assert_eq!(coarse.clock_step_ns.value().map(|step| step.round()), Some(step_ns));
    assert!(coarse.kernels.iter().any(|time| time.repeats > 1), "some kernels are shorter than the clock's step");
    let mut seen = 0;
    for time in &coarse.kernels {
        assert!(time.median_ns.value().is_some(), "{} was never seen", time.kernel);
        // A sample is a whole number of clock steps, shared by its repeats.
        let steps = time.samples_ns[0] * f64::from(time.repeats) / step_ns;
        assert!((steps - steps.round()).abs() < 1e-3 * f64::from(time.repeats), "{}: {steps}", time.kernel);
        let same = |other: &&gpubench::result::KernelTime| other.kernel == time.kernel && other.layer == time.layer;
        let fine = profile_of(&fine).kernels.iter().find(same).unwrap();
        // Other work on this machine makes single samples many times too long, but none too short: the shortest ones
        // are compared. One dispatch alone may take several times as long as one of many, since the threads of a
        // software adapter are woken for it. Without repetition a kernel of this length would be 0, or a whole step of
        // the clock.
        let shortest = |samples: &[f64]| samples.iter().copied().fold(f64::INFINITY, f64::min);
        let (fine_ns, coarse_ns) = (shortest(&fine.samples_ns), shortest(&time.samples_ns));
        let near = (fine_ns / 20.0..fine_ns * 4.0 + step_ns / f64::from(time.repeats)).contains(&coarse_ns);
        assert!(near, "{} of {}: {:?} beside {:?}", time.kernel, time.layer, time.samples_ns, fine.samples_ns);
        seen += 1;
    }
    assert_eq!(seen, fine.plan.kernels.len());
    Ok(())
}

/// 70 steps of 32 dispatches take more timestamps than a query set holds: it is used again for every step.
fn a_long_profile_does_not_exhaust_the_query_set(adapters: &Adapters, index: usize) -> Outcome {
    let (result, _) = profiled(adapters, index, ProfileOptions::new(70))?;
    let profile = profile_of(&result);
    assert_eq!(profile.steps, 70);
    if profile.method != Method::HostClock {
        assert!(profile.commands.value().unwrap().timestamps > 4096);
    }
    Ok(())
}

/// Epochs use what the first one made: nothing on the device grows with them.
fn ten_epochs_make_no_more_buffers_than_one(_adapters: &Adapters, index: usize) -> Outcome {
    pollster::block_on(async {
        // A list of its own, whose devices no other test opens.
        let adapters = Adapters::find(None).await?;
        let config = TrainingConfig {
            model: Model::new(DROPOUT_RATE),
            training: Training { batch: 16, ..Training::STANDARD },
            seed: 1,
            shuffle: true,
        };
        let plan = plan_named("fused")?.make(&config.model, &config.training, config.seed);
        let gpu = Gpu::open(&adapters, &adapters.infos()[index], Needs::default()).await?;
        let pipelines = Pipelines::compile(&gpu, &plan).await?;
        let dataset = check::random_dataset(40, 3);
        let start = config.model.initial_parameters(config.seed);
        let mut trainer = Trainer::new(&gpu, &pipelines, &plan, &config, &dataset, &start).await?;
        let mut live = Vec::new();
        for epoch in 0..10 {
            trainer.begin_epoch(epoch);
            gpu.wait(trainer.submit(Stage::Training, 0..trainer.steps_per_epoch())?).await?;
            trainer.step_metrics(trainer.steps_per_epoch()).await?;
            live.push(adapters.live_buffers_and_groups().expect("natively it is told"));
        }
        assert!(live[0].iter().all(|count| *count > 0), "{live:?}");
        assert!(live.iter().all(|counts| *counts == live[0]), "{live:?}");
        Ok(())
    })
}

fn what_cannot_be_timed_says_why(adapters: &Adapters, index: usize) -> Outcome {
    pollster::block_on(async {
        let adapter = &adapters.infos()[index];
        let without = Gpu::open(adapters, adapter, Needs::default()).await?;
        let words = Stopwatch::new(&without, 1, None).err().ok_or("timestamps on a device without them")?;
        assert!(words.contains("takes no timestamps"), "{words}");
        if adapter.timestamps != Timestamps::Unsupported {
            let gpu = Gpu::open_with_timestamps(adapters, adapter, Needs::default(), adapter.timestamps).await?;
            let words = Stopwatch::new(&gpu, 2049, None).err().ok_or("more timestamps than a query set holds")?;
            assert!(words.contains("4098 timestamps do not fit"), "{words}");
        }
        Ok(())
    })
}

const TESTS: &[AdapterTest] = &named![
    ten_epochs_make_no_more_buffers_than_one,
    every_kernel_has_its_time_and_the_account_closes,
    a_timed_training_contains_no_query,
    every_grade_of_timestamps_serves,
    a_coarse_clock_is_overcome_by_repetition,
    a_long_profile_does_not_exhaust_the_query_set,
    what_cannot_be_timed_says_why,
];

pub fn trials(adapters: &Arc<Adapters>) -> Vec<Trial> {
    with_each(adapters, TESTS)
}

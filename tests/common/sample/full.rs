//! Made-up results whose figures follow from each other, as those of a real run do: `gpubench verify` finds nothing in
//! them.

use super::{gpu_run, profiled_run};
use gpubench::result::{
    Account, Agreement, Epoch, HostTimes, KernelTime, Load, Measured, Member, OtherTool, Parallel, Peaks, Profile,
    Repeat, Repeating, RepeatingEnd, RunResult, Sample, Setting, Soak, Summary, Sweep, SweepFit, Synchronisation,
    Thinned,
};
use gpubench::stats::{self, Line};

const EPOCHS: u32 = 10;
const STEPS_PER_EPOCH: u32 = 469;
const IMAGES: f64 = 60_000.0;
/// Steps of a submission, of which an epoch has seven.
const CHUNK: u32 = 67;
/// Points of a loss curve.
const PARTS: u32 = 32;

/// Factors near 1 without an order.
fn factors(seed: u32) -> impl Iterator<Item = f64> {
    let next = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    let states = std::iter::successors(Some(seed.wrapping_mul(977).wrapping_add(1)), next);
    states.skip(1).map(|state| 0.98 + 0.04 * f64::from(state >> 8) / f64::from(1 << 24))
}

/// [`profiled_run`] with seven trainings and figures that follow from each other.
pub fn full_run() -> RunResult {
    let mut result = profiled_run();
    result.repeats = (0..7).map(|index| repeat(index, EPOCHS)).collect();
    result.settings.repeat = Setting::option_or(Some(7), 1);
    let first = &result.repeats[0];
    (result.phases.train_s, result.phases.evaluate_s) = (first.train_s.clone(), first.evaluate_s.clone());
    result.phases.cold_total_s = first.train_s.clone().map(|train_s| train_s + 3.0);
    summarise(&mut result);
    let peaks = peaks(result.peaks.value().expect("the sample has peaks").clone());
    let profile = profile(&result, &peaks);
    let account = account(&result);
    result.summary.gpu_busy_pct = account.busy_pct();
    (result.profile, result.peaks) = (Measured::Value(profile), Measured::Value(peaks));
    result.account = Measured::Value(account);
    result.sweep = result.sweep.map(sweep);
    result
}

/// A soak of one training of 40 epochs.
pub fn soak_run() -> RunResult {
    let mut result = gpu_run(1);
    result.repeats = vec![repeat(3, 40)];
    result.settings.stopping.soak_min = Setting::option_or(Some(Measured::Value(0.8)), Measured::missing("none"));
    result.standard = false;
    result.non_standard = vec!["a soak of 0.8 minutes".to_owned()];
    result.phases.train_s = result.repeats[0].train_s.clone();
    result.phases.evaluate_s = result.repeats[0].evaluate_s.clone();
    result.phases.cold_total_s = result.phases.train_s.clone().map(|train_s| train_s + 3.0);
    summarise(&mut result);
    result.summary.accepted_test_error_pct = Measured::missing("a non-standard run has no accepted range");
    result.soak = Measured::Value(soak(&result.repeats[0].epochs));
    result
}

/// A soak of 600 epochs, of which some are kept.
pub fn long_soak_run() -> RunResult {
    let mut result = soak_run();
    let whole = repeat(3, 600);
    let times: Vec<f64> = whole.epochs.iter().map(|epoch| epoch.train_s).collect();
    let soak = soak(&whole.epochs);
    let thinned = Thinned {
        every: 4,
        epochs: 600,
        epochs_s: times.iter().fold(0.0, |sum, train_s| sum + train_s),
        steps: whole.steps(),
        samples: whole.samples.len() as u64,
        samples_s: whole.samples_s(),
    };
    let is_kept = |epoch: u32| epoch == 600 || (epoch - 1).is_multiple_of(4);
    let repeat = &mut result.repeats[0];
    *repeat = whole;
    repeat.epochs.retain(|epoch| is_kept(epoch.epoch));
    repeat.samples.retain(|sample| is_kept(sample.epoch));
    repeat.thinned = Measured::Value(thinned);
    result.phases.train_s = repeat.train_s.clone();
    result.phases.cold_total_s = result.phases.train_s.clone().map(|train_s| train_s + 3.0);
    summarise(&mut result);
    result.summary.accepted_test_error_pct = Measured::missing("a non-standard run has no accepted range");
    result.soak = Measured::Value(soak);
    result
}

/// Two devices that train together.
pub fn parallel_run() -> RunResult {
    let mut result = full_run();
    without_measurements(&mut result);
    let member = |name: &str, alone_step_s: f64| Member {
        name: name.to_owned(),
        plan: "fused".to_owned(),
        images_per_batch: 64,
        alone_step_s: alone_step_s.into(),
    };
    let last = result.repeats.last().expect("it has trainings");
    let train_s = *last.train_s.value().expect("it ended");
    let members = vec![member("Imaginary GPU 9000 #0", 0.0041), member("Imaginary GPU 9000 #1", 0.0043)];
    let alone: f64 = 1.0 / 0.0041 + 1.0 / 0.0043;
    result.parallel = Measured::Value(Parallel {
        sync: Synchronisation::Step,
        scaling_mode: gpubench::result::one_process(),
        ranks: gpubench::result::one_process(),
        members,
        exchange_s: 1.25.into(),
        exchange_pct: (100.0 * 1.25 / train_s).into(),
        bytes_per_exchange: 523_216,
        exchanges_per_epoch: STEPS_PER_EPOCH,
        scaling_efficiency_pct: (100.0 * f64::from(last.steps()) / train_s / alone).into(),
    });
    result
}

/// Leaves out what is measured beside the trainings.
fn without_measurements(result: &mut RunResult) {
    (result.profile, result.peaks) = (gpubench::result::not_profiled(), gpubench::result::no_peaks());
    (result.account, result.sweep) = (gpubench::result::no_account(), gpubench::result::no_sweep());
    result.summary.gpu_busy_pct = gpubench::result::no_gpu_busy();
}

/// A framework that trained instead.
pub fn framework_run() -> RunResult {
    let mut result = full_run();
    let agreement = Agreement { steps: 10, largest_difference: 5e-7, worst_step: 3, tolerance: 1e-4 };
    result.tool = Some(OtherTool {
        name: "Imaginary".to_owned(),
        version: "1.0".to_owned(),
        backend: "cudnn 9".to_owned(),
        agreement: Measured::Value(agreement),
    });
    result.check = Measured::missing("another tool");
    without_measurements(&mut result);
    result
}

fn summarise(result: &mut RunResult) {
    let steps = f64::from(result.repeats[0].steps());
    let images = (steps / f64::from(STEPS_PER_EPOCH) * IMAGES) as u64;
    let summary = Summary::of(&result.repeats, images, result.model.training_macs);
    result.summary = Summary { accepted_test_error_pct: Measured::Value([0.4, 1.5]), ..summary };
    let train_s = *result.summary.train_s.value().expect("it was timed");
    let half = result
        .summary
        .train_interval
        .clone()
        .map(|interval| 100.0 * (train_s - interval.low_s).max(interval.high_s - train_s) / train_s);
    let all_s: f64 = result.repeats.iter().filter_map(|repeat| repeat.train_s.value()).sum();
    result.repeating = Measured::Value(Repeating {
        trainings: result.repeats.len() as u32,
        half_width_pct: half,
        elapsed_s: all_s + 4.0,
        ended: RepeatingEnd::Count,
    });
}

/// Training `index`, of `epochs` epochs of about 1.2 s.
fn repeat(index: u32, epochs: u32) -> Repeat {
    let upload_s = 0.022;
    let mut factor = factors(index);
    let mut samples = Vec::new();
    let epochs: Vec<Epoch> = (1..=epochs)
        .map(|epoch| {
            let chunks = (0..STEPS_PER_EPOCH / CHUNK).zip(&mut factor).map(|(chunk, factor)| Sample {
                epoch,
                first_step: STEPS_PER_EPOCH * (epoch - 1) + CHUNK * chunk,
                steps: CHUNK,
                duration_s: (0.17 * factor * 1e6).round() / 1e6,
            });
            let chunks: Vec<Sample> = chunks.collect();
            let train_s = chunks.iter().map(|sample| sample.duration_s).sum::<f64>() + 0.004;
            samples.extend(chunks);
            epoch_of(epoch, train_s)
        })
        .collect();
    let train_s = upload_s + epochs.iter().fold(0.0, |sum, epoch| sum + epoch.train_s);
    Repeat {
        train_s: train_s.into(),
        evaluate_s: (0.4 + 0.01 * f64::from(index)).into(),
        final_test_error_pct: epochs.last().expect("it has epochs").test_error_pct.clone(),
        load: gpu_run(1).repeats[0].load.clone().map(|sample| load(sample, train_s, IMAGES * epochs.len() as f64)),
        epochs,
        samples,
        ..gpu_run(1).repeats.remove(0)
    }
}

fn epoch_of(epoch: u32, train_s: f64) -> Epoch {
    let errors = 90 + 20 / epoch;
    let curve: Vec<f64> = (0..PARTS).map(|part| 0.5 / f64::from(epoch) * (1.0 - 0.004 * f64::from(part))).collect();
    // The last batch has 96 images instead of 128.
    let end = |part: u32| f64::from(part * STEPS_PER_EPOCH / PARTS * 128).min(IMAGES);
    let sum: f64 = (0..).zip(&curve).map(|(part, loss)| loss * (end(part + 1) - end(part))).sum();
    Epoch {
        epoch,
        train_s,
        train_loss: (sum / IMAGES).into(),
        train_error_pct: (12.0 / f64::from(epoch)).into(),
        test_loss: (0.1 / f64::from(epoch) + 0.02).into(),
        test_errors: Measured::Value(errors),
        test_error_pct: (100.0 * f64::from(errors) / 10_000.0).into(),
        loss_curve: curve,
    }
}

fn load(sample: Load, train_s: f64, images: f64) -> Load {
    let window_s = train_s + 1e-5;
    let energy = sample.energy.clone().map(|mut energy| {
        energy.total_j = 180.0 * window_s;
        let net_j = energy.total_j - 52.0 * window_s;
        energy.net_j = net_j.into();
        energy.net_j_per_epoch = (net_j * IMAGES / images).into();
        energy.net_j_per_1000_images = (net_j * 1000.0 / images).into();
        energy
    });
    let sampling = sample.sampling.clone().map(|mut sampling| {
        sampling.cpu_pct = 100.0 * sampling.cpu_s / window_s;
        sampling
    });
    Load { window_s, energy, sampling, ..sample }
}

fn soak(epochs: &[Epoch]) -> Soak {
    let times: Vec<f64> = epochs.iter().map(|epoch| epoch.train_s).collect();
    let least = |one: &&Epoch, other: &&Epoch| one.train_s.total_cmp(&other.train_s);
    let best = epochs.iter().min_by(least).expect("there are epochs");
    let worst = epochs.iter().skip(1).max_by(least).expect("there are epochs");
    let mut begin_s = 0.0;
    let points: Vec<(f64, f64)> = times
        .iter()
        .map(|train_s| {
            begin_s += train_s;
            ((begin_s - train_s) / 3600.0, *train_s)
        })
        .collect();
    let slope = stats::Slope::through(&points[1..]).expect("a line");
    let relative = |value: f64| 100.0 * value / slope.at_start;
    let is_told = slope.error <= slope.slope.abs();
    Soak {
        epochs: epochs.len() as u32,
        best_s: best.train_s,
        best_epoch: best.epoch,
        worst_s: worst.train_s,
        worst_epoch: worst.epoch,
        median_s: stats::median(&times).expect("there are epochs"),
        drift_pct_per_hour: Measured::or_missing(is_told.then(|| relative(slope.slope)), "its error exceeds it"),
        drift_error_pct_per_hour: relative(slope.error).into(),
    }
}

fn peaks(mut peaks: Peaks) -> Peaks {
    for (seed, figure) in (0..).zip(&mut peaks.figures) {
        if let Some(&median) = figure.median.value() {
            figure.samples = factors(seed).take(7).map(|factor| median * factor).collect();
            figure.median = stats::median(&figure.samples).expect("there are samples").into();
            figure.deviation = stats::median_absolute_deviation(&figure.samples).expect("there are samples").into();
        }
    }
    peaks
}

fn profile(result: &RunResult, peaks: &Peaks) -> Profile {
    let mut profile = result.profile.value().expect("the sample has a profile").clone();
    let rate = peaks.highest(gpubench::result::PeakKind::Fp32MultiplyAdd).expect("it was measured");
    for (seed, time) in (0..).zip(&mut profile.kernels) {
        let about_ns = *time.median_ns.value().expect("it was timed");
        let samples = factors(seed).take(50).map(|factor| (100.0 * about_ns * factor).round() / 100.0);
        time.samples_ns = samples.collect();
        let median_ns = stats::median(&time.samples_ns).expect("there are samples");
        let row = result.plan.kernels.iter().find(|row| row.kernel == time.kernel && row.layer == time.layer);
        let row = row.expect("the plan has it");
        let (gflop_per_s, gbyte_per_s) = (row.flop_per_step as f64 / median_ns, row.bytes_per_step as f64 / median_ns);
        let bandwidth = peaks.bandwidth(row.bytes_per_step).expect("it was measured");
        *time = KernelTime {
            median_ns: median_ns.into(),
            p95_ns: stats::quantile(&time.samples_ns, 0.95).expect("there are samples").into(),
            gflop_per_s: gflop_per_s.into(),
            gbyte_per_s: gbyte_per_s.into(),
            peak_flop_pct: (100.0 * gflop_per_s / rate).into(),
            peak_bandwidth_pct: (100.0 * gbyte_per_s / bandwidth).into(),
            ..time.clone()
        };
    }
    let sum_ns = profile.kernels_ns();
    for time in &mut profile.kernels {
        time.share_pct = time.median_ns.clone().map(|median_ns| 100.0 * median_ns / sum_ns);
    }
    let last = result.repeats.last().expect("it trained");
    let seconds: f64 = last.samples.iter().map(|sample| sample.duration_s).sum();
    (profile.steps, profile.dropped) = (50, 0);
    profile.timed_step_s = (seconds / (f64::from(EPOCHS) * IMAGES / 128.0)).into();
    profile
}

fn account(result: &RunResult) -> Account {
    let last = result.repeats.last().expect("it trained");
    let wall_s = *last.train_s.value().expect("it ended");
    Account {
        wall_s,
        steps: last.steps(),
        kernels_s: 0.92 * wall_s,
        gaps_s: 0.031 * wall_s,
        encode_submit_s: 0.015 * wall_s,
        transfer_s: 0.008 * wall_s,
        host_s: 0.004 * wall_s,
        rest_s: wall_s - 0.978 * wall_s,
        host: HostTimes {
            wait_s: 0.95 * wall_s,
            encode_s: 0.03 * wall_s,
            other_s: 0.02 * wall_s,
            ..HostTimes::default()
        },
        ..result.account.value().expect("the sample has an account").clone()
    }
}

fn sweep(mut sweep: Sweep) -> Sweep {
    for (seed, point) in (0..).zip(&mut sweep.points) {
        if let Some(&about_s) = point.step_s.value() {
            point.samples_s = factors(seed).take(9).map(|factor| about_s * factor).collect();
            point.step_s = stats::median(&point.samples_s).expect("there are samples").into();
            point.deviation_s = stats::median_absolute_deviation(&point.samples_s).expect("there are samples").into();
        }
    }
    let flop = |point: &gpubench::result::SweepPoint| Some(*point.flop_per_step.value()? as f64);
    let timed = sweep.points.iter().filter_map(|point| Some((flop(point)?, *point.step_s.value()?)));
    let timed: Vec<(f64, f64)> = timed.collect();
    let line = Line::through(&timed).expect("sizes differ");
    let residual = |&(flop, step_s): &(f64, f64)| ((step_s - line.at(flop)) / step_s).abs();
    let of_one = flop(&sweep.points[0]).expect("it is known") / f64::from(sweep.points[0].batch);
    sweep.fit = Measured::Value(SweepFit {
        overhead_s: line.intercept,
        asymptotic_gflop_per_s: 1.0 / (line.slope * 1e9),
        half_rate_at: (line.intercept / line.slope / of_one).into(),
        largest_residual_pct: 100.0 * timed.iter().map(residual).fold(0.0, f64::max),
        points: timed.len() as u32,
    });
    sweep
}

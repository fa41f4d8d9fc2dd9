//! The figures that are measured beside the trainings: profile, time account, peaks, sweep, and what several devices
//! share.

use super::findings::{Findings, SAME};
use crate::bench::job::training_config;
use crate::bench::search::fit_line;
use crate::bench::train::images_trained;
use crate::model::Model;
use crate::result::{Account, KernelTime, Measured, Parallel, PeakKind, Peaks, Profile, Repeat, RunResult, Sweep};
use crate::stats;

/// Most that a kernel may reach of a measured peak, in percent.
const HIGHEST_SHARE_PCT: f64 = 110.0;
/// Samples of a profile are rounded to a hundredth of a nanosecond.
const ROUNDING_NS: f64 = 0.01;

/// The kernels of a profile: statistics of their samples, rates, shares of peaks.
pub fn profile(result: &RunResult, profile: &Profile, found: &mut Findings) {
    let sum_ns = profile.kernels_ns();
    for (index, time) in profile.kernels.iter().enumerate() {
        let place = format!("profile.kernels[{index}]");
        statistics(profile, time, sum_ns, &place, found);
        rates(result, time, &place, found);
        for (field, share) in [("peak_flop_pct", &time.peak_flop_pct), ("peak_bandwidth_pct", &time.peak_bandwidth_pct)]
        {
            let pct = share.value().copied().unwrap_or(0.0);
            // The result says so itself of what its run found.
            let told = !profile.errors.is_empty();
            found.expect(told || (0.0..=HIGHEST_SHARE_PCT).contains(&pct), format!("{place}.{field}"), || {
                format!("{pct:.1} % of a measured peak cannot be")
            });
        }
    }
    let dropped: u64 = profile.kernels.iter().map(|time| u64::from(time.dropped)).sum();
    found.count("profile.dropped", u64::from(profile.dropped), dropped, "the kernels");
    let steps_s: Vec<f64> = result.repeats.iter().filter_map(|repeat| step_s(result, repeat)).collect();
    if let Some(&is) = profile.timed_step_s.value().filter(|_| !steps_s.is_empty()) {
        let near = steps_s.iter().any(|step_s| (is - step_s).abs() <= SAME * step_s);
        found.expect(near, "profile.timed_step_s", || format!("it is {is}, and no training gives that"));
    }
}

/// What follows from a kernel's samples.
fn statistics(profile: &Profile, time: &KernelTime, sum_ns: f64, place: &str, found: &mut Findings) {
    let at = |field: &str| format!("{place}.{field}");
    let figures = [
        ("median_ns", &time.median_ns, stats::median(&time.samples_ns)),
        ("p95_ns", &time.p95_ns, stats::quantile(&time.samples_ns, 0.95)),
    ];
    for (field, is, computed) in figures {
        if let (Some(&is), Some(computed)) = (is.value(), computed) {
            found.near(at(field), is, computed, ROUNDING_NS, "the samples");
        }
    }
    let share = time.median_ns.value().map(|median| 100.0 * f64::from(time.calls_per_step) * median / sum_ns);
    found.follows(at("share_pct"), &time.share_pct, share, "the medians of all kernels");
    // Older versions kept no samples.
    if !time.samples_ns.is_empty() {
        let taken = u64::from(profile.steps) * u64::from(time.calls_per_step);
        let kept = time.samples_ns.len() as u64 + u64::from(time.dropped);
        found.count(at("samples_ns"), kept, taken, "the profiled steps");
    }
    found.expect(time.repeats > 0, at("repeats"), || "a kernel is dispatched at least once".to_owned());
}

/// What follows from a kernel's median, the counts of the plan and the peaks.
fn rates(result: &RunResult, time: &KernelTime, place: &str, found: &mut Findings) {
    let at = |field: &str| format!("{place}.{field}");
    let same = |row: &&crate::result::PlanKernel| row.kernel == time.kernel && row.layer == time.layer;
    let Some(row) = result.plan.kernels.iter().find(same) else { return };
    let (calls, counted) = (u64::from(time.calls_per_step), u64::from(row.dispatches_per_step));
    found.count(at("calls_per_step"), calls, counted, "the plan's rows");
    let Some(&median_ns) = time.median_ns.value().filter(|_| counted > 0) else { return };
    let call = |of_step: u64| of_step as f64 / counted as f64;
    let (flop, bytes) = (call(row.flop_per_step), call(row.bytes_per_step));
    let [gflop_per_s, gbyte_per_s] = [flop / median_ns, bytes / median_ns];
    found.follows(at("gflop_per_s"), &time.gflop_per_s, Some(gflop_per_s), "the plan's count and the median");
    found.follows(at("gbyte_per_s"), &time.gbyte_per_s, Some(gbyte_per_s), "the plan's count and the median");
    let Some(peaks) = result.peaks.value() else { return };
    let share = |rate: f64, peak: Option<f64>| peak.map(|peak| 100.0 * rate / peak);
    let of_flop = share(gflop_per_s, peaks.highest(PeakKind::Fp32MultiplyAdd));
    let of_bytes = share(gbyte_per_s, peaks.bandwidth(bytes as u64));
    found.follows(at("peak_flop_pct"), &time.peak_flop_pct, of_flop, "its rate and the measured peak");
    found.follows(at("peak_bandwidth_pct"), &time.peak_bandwidth_pct, of_bytes, "its rate and the measured peak");
}

/// The mean time of a full batch in a training, without uploads.
fn step_s(result: &RunResult, repeat: &Repeat) -> Option<f64> {
    let seconds = repeat.samples_s();
    let images = images_trained(repeat, &training_config(&result.settings), result.data.train_images);
    let batches = images as f64 / f64::from(result.settings.batch.value);
    (batches > 0.0).then(|| seconds / batches)
}

/// The time account: its parts are the wall time of a training, and so is the host's work.
pub fn account(result: &RunResult, account: &Account, found: &mut Findings) {
    let wall_s = account.wall_s;
    let closes = |sum_s: f64| (sum_s - wall_s).abs() <= SAME * wall_s.abs();
    let parts: f64 = account.parts().iter().map(|(_, seconds)| seconds).sum();
    found.expect(closes(parts), "account", || format!("its parts add up to {parts} s of {wall_s} s"));
    let host = &account.host;
    let work = [host.prepare_s, host.upload_s, host.shuffle_s, host.encode_s, host.submit_s, host.wait_s];
    let work: f64 = work.into_iter().chain([host.readback_s, host.other_s]).sum();
    found.expect(closes(work), "account.host", || format!("its parts add up to {work} s of {wall_s} s"));
    let mut trainings = result.repeats.iter().filter_map(|repeat| Some((*repeat.train_s.value()?, repeat.steps())));
    let is_one = trainings.any(|(train_s, steps)| (train_s - wall_s).abs() <= SAME * wall_s && steps == account.steps);
    found.expect(is_one, "account.wall_s", || format!("no training has {} steps in {wall_s} s", account.steps));
}

/// The measured peaks.
pub fn peaks(peaks: &Peaks, found: &mut Findings) {
    for (index, peak) in peaks.figures.iter().enumerate() {
        let at = format!("peaks.figures[{index}]");
        if let Some(words) = peak.implausible() {
            found.expect(false, at.as_str(), || words);
        }
        let (median, deviation) = (stats::median(&peak.samples), stats::median_absolute_deviation(&peak.samples));
        found.follows(format!("{at}.median"), &peak.median, median, "the samples");
        found.follows(format!("{at}.deviation"), &peak.deviation, deviation, "the samples");
    }
    found.hash("peaks.subject.shader_hash", &peaks.subject.shader_hash);
}

/// The sizes of a sweep, and the line through their times.
pub fn sweep(result: &RunResult, sweep: &Sweep, found: &mut Findings) {
    for (index, point) in sweep.points.iter().enumerate() {
        let at = |field: &str| format!("sweep.points[{index}].{field}");
        let (median, deviation) = (stats::median(&point.samples_s), stats::median_absolute_deviation(&point.samples_s));
        found.follows(at("step_s"), &point.step_s, median, "the samples");
        found.follows(at("deviation_s"), &point.deviation_s, deviation, "the samples");
        let Ok(model) = Model::scaled(result.settings.dropout.value, point.width) else { continue };
        let flop = (2 * model.training_macs()).saturating_mul(u64::from(point.batch));
        if let Some(&is) = point.flop_per_step.value() {
            found.count(at("flop_per_step"), is, flop, "the network and the batch");
        }
        if let Some(&is) = point.parameters.value() {
            found.count(at("parameters"), is, model.parameter_count() as u64, "layers of this width");
        }
    }
    let (Some(line), Some(computed)) = (sweep.fit.value(), fit_line(sweep.variable, &sweep.points).value().cloned())
    else {
        return;
    };
    let figures = [
        ("overhead_s", line.overhead_s.into(), computed.overhead_s.into()),
        ("asymptotic_gflop_per_s", line.asymptotic_gflop_per_s.into(), computed.asymptotic_gflop_per_s.into()),
        ("half_rate_at", line.half_rate_at.clone(), computed.half_rate_at),
        ("largest_residual_pct", line.largest_residual_pct.into(), computed.largest_residual_pct.into()),
    ];
    for (field, is, computed) in figures {
        found.follows(format!("sweep.fit.{field}"), &is, computed.value().copied(), "the points");
    }
    found.count("sweep.fit.points", u64::from(line.points), u64::from(computed.points), "the points");
}

/// What several devices share: the batch, and the time of the exchange.
pub fn parallel(result: &RunResult, parallel: &Parallel, found: &mut Findings) {
    let images: u64 = parallel.members.iter().map(|member| u64::from(member.images_per_batch)).sum();
    let batch = u64::from(result.settings.batch.value);
    found.count("parallel.members", images, batch, "the settings");
    // They are those of the last training, or where rounds were added of the last one of the first round.
    let trainings: Vec<(f64, f64)> =
        result.repeats.iter().filter_map(|one| Some((*one.train_s.value()?, f64::from(one.steps())))).collect();
    let alone = parallel.alone_steps_per_s();
    let share = |(train_s, _): &(f64, f64)| parallel.exchange_s.value().map(|exchange_s| 100.0 * exchange_s / train_s);
    let efficiency = |(train_s, steps): &(f64, f64)| alone.map(|alone| 100.0 * steps / train_s / alone);
    let figures: [(&str, &Measured<f64>, Vec<f64>); 2] = [
        ("exchange_pct", &parallel.exchange_pct, trainings.iter().filter_map(share).collect()),
        ("scaling_efficiency_pct", &parallel.scaling_efficiency_pct, trainings.iter().filter_map(efficiency).collect()),
    ];
    for (field, is, computed) in figures {
        if let (Some(&is), false) = (is.value(), computed.is_empty()) {
            let near = computed.iter().any(|one| (is - one).abs() <= SAME * is.abs());
            found.expect(near, format!("parallel.{field}"), || format!("it is {is}, and no training gives that"));
        }
    }
}

//! Whether the figures of a result follow from each other: what can be computed again is, and compared.

use super::job::training_config;
use super::train::images_trained;
use super::validate::{ACCEPTED_TEST_ERROR_PCT, difference_in_images, differences_from_standard};
use crate::model::Model;
use crate::result::{Account, Measured, Outcome, Peaks, Profile, Repeat, RunResult, Status, Summary};
use crate::stats;

/// Relative difference below which two figures are one: they are written exactly, and computed in 64 bits.
const SAME: f64 = 1e-9;
/// Relative difference up to which the parts of a time may exceed it: samples are rounded to the microsecond.
const PARTS: f64 = 1e-3;
/// Seconds that they may exceed it in addition.
const PARTS_S: f64 = 1e-3;
/// Most that a kernel may reach of a measured peak, in percent.
const HIGHEST_SHARE_PCT: f64 = 110.0;
/// A rate in GFLOP/s that no device reaches: 1,000 TFLOP/s in 32 bits.
const HIGHEST_GFLOP_PER_S: f64 = 1e6;

/// Something in a result that cannot be as it is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The field, as a path in the JSON document.
    pub place: String,
    /// What is wrong with it, in one phrase.
    pub words: String,
}

/// Everything in `result` that does not follow from the rest of it, or that no device does; empty if all is well.
pub fn verify(result: &RunResult) -> Vec<Finding> {
    let mut found = Findings::default();
    task(result, &mut found);
    for (index, repeat) in result.repeats.iter().enumerate() {
        training(result, repeat, &format!("repeats[{index}]"), &mut found);
    }
    if let Some(first) = result.repeats.first() {
        summary(result, first, &mut found);
    }
    phases(result, &mut found);
    if let Measured::Value(profile) = &result.profile {
        kernels(profile, &mut found);
    }
    if let Measured::Value(account) = &result.account {
        times(account, &mut found);
    }
    if let Measured::Value(peaks) = &result.peaks {
        ceilings(peaks, &mut found);
    }
    found.0
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn expect(&mut self, holds: bool, place: impl Into<String>, words: impl FnOnce() -> String) {
        if !holds {
            self.0.push(Finding { place: place.into(), words: words() });
        }
    }

    /// Expects the figure that `from` gives.
    fn same(&mut self, place: impl Into<String>, found: f64, computed: f64, from: &str) {
        let near = (found - computed).abs() <= SAME * found.abs().max(computed.abs());
        self.expect(near, place, || format!("it is {found}, and {from} give {computed}"));
    }

    /// Expects that seconds are not longer than what they are a part of.
    fn part(&mut self, place: impl Into<String>, part_s: f64, whole_s: f64, whole: &str) {
        let fits = part_s <= whole_s * (1.0 + PARTS) + PARTS_S;
        self.expect(fits, place, || format!("{part_s:.6} s are more than the {whole_s:.6} s of {whole}"));
    }
}

/// The task, the size of the network and the status.
fn task(result: &RunResult, found: &mut Findings) {
    let mut differences = differences_from_standard(&result.settings, result.data.identity);
    differences.extend(difference_in_images(result.data.train_images as usize, result.data.test_images as usize));
    found.expect(result.standard == result.non_standard.is_empty(), "standard", || {
        format!("it is {}, and non_standard has {} entries", result.standard, result.non_standard.len())
    });
    found.expect(!result.standard || differences.is_empty(), "standard", || {
        format!("the settings differ from the standard task: {}", differences.join(", "))
    });
    let model = Model::new(result.settings.dropout.value);
    let sizes = [
        ("model.parameters", result.model.parameters, model.parameter_count() as u64),
        ("model.forward_macs", result.model.forward_macs, model.forward_macs()),
        ("model.training_macs", result.model.training_macs, model.training_macs()),
    ];
    for (place, is, expected) in sizes {
        found.expect(is == expected, place, || format!("it is {is}, and the network has {expected}"));
    }
    if result.status != Status::Complete {
        return;
    }
    let check = result.check.value();
    found.expect(check.is_none_or(|check| check.outcome == Outcome::Passed), "check.outcome", || {
        "the result is complete, and its check failed".to_owned()
    });
    let passes = check.is_none_or(|check| check.kernels.iter().all(|one| one.outcome == Outcome::Passed));
    found.expect(passes, "check.kernels", || "the check passed, and a kernel of it failed".to_owned());
    let error_pct = result.summary.test_error_pct.value().filter(|_| result.standard);
    let [low, high] = ACCEPTED_TEST_ERROR_PCT;
    found.expect(error_pct.is_none_or(|error| (low..=high).contains(error)), "summary.test_error_pct", || {
        format!("a complete standard run has {low} to {high} %")
    });
}

/// The epochs and samples of a training.
fn training(result: &RunResult, repeat: &Repeat, place: &str, found: &mut Findings) {
    let mut next_step = 0;
    for (index, sample) in repeat.samples.iter().enumerate() {
        let at = || format!("{place}.samples[{index}]");
        found.expect(sample.first_step == next_step && sample.steps > 0, at(), || {
            format!("it has {} steps from step {}, and follows step {next_step}", sample.steps, sample.first_step)
        });
        found.expect(sample.duration_s >= 0.0, at(), || format!("{} s is no duration", sample.duration_s));
        next_step = sample.first_step.saturating_add(sample.steps);
    }
    let mut epochs_s = 0.0;
    for (index, epoch) in repeat.epochs.iter().enumerate() {
        let at = |field: &str| format!("{place}.epochs[{index}].{field}");
        found.expect(epoch.epoch as usize == index + 1, at("epoch"), || format!("epoch {} of them", index + 1));
        let samples = repeat.samples.iter().filter(|sample| sample.epoch == epoch.epoch);
        found.part(at("train_s"), samples.map(|sample| sample.duration_s).sum(), epoch.train_s, "the epoch");
        epochs_s += epoch.train_s;
        let tested = f64::from(result.data.test_images);
        if let (Some(errors), Some(&pct)) = (epoch.test_errors.value(), epoch.test_error_pct.value()) {
            found.same(at("test_error_pct"), pct, 100.0 * f64::from(*errors) / tested, "the misclassified images");
        }
        let losses = [("train_loss", &epoch.train_loss), ("test_loss", &epoch.test_loss)];
        for (field, loss) in losses {
            let sensible = loss.value().is_none_or(|loss| *loss >= 0.0);
            found.expect(sensible, at(field), || "a cross-entropy is not negative".to_owned());
        }
        let share = epoch.train_error_pct.value().is_none_or(|pct| (0.0..=100.0).contains(pct));
        found.expect(share, at("train_error_pct"), || "it is no share in percent".to_owned());
    }
    if let Some(&train_s) = repeat.train_s.value() {
        found.expect(train_s > 0.0, format!("{place}.train_s"), || format!("{train_s} s is no duration"));
        found.part(format!("{place}.epochs"), epochs_s, train_s, "the training");
    }
    if let (Some(last), Some(&error_pct)) = (repeat.epochs.last(), repeat.final_test_error_pct.value()) {
        let last_pct = last.test_error_pct.value().copied().unwrap_or(f64::NAN);
        found.same(format!("{place}.final_test_error_pct"), error_pct, last_pct, "the last epoch's errors");
    }
    let hash = repeat.parameters_sha256.value();
    let is_hash = |hash: &String| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    found.expect(hash.is_none_or(is_hash), format!("{place}.parameters_sha256"), || "it is no SHA-256".to_owned());
}

/// The summary, computed again from the trainings.
fn summary(result: &RunResult, first: &Repeat, found: &mut Findings) {
    let images = images_trained(first, &training_config(&result.settings), result.data.train_images);
    let computed = Summary::of(&result.repeats, images, result.model.training_macs);
    let stored = &result.summary;
    let figures = [
        ("train_s", &stored.train_s, &computed.train_s),
        ("train_mad_s", &stored.train_mad_s, &computed.train_mad_s),
        ("images_per_s", &stored.images_per_s, &computed.images_per_s),
        ("dense_gflop_per_s", &stored.dense_gflop_per_s, &computed.dense_gflop_per_s),
        ("test_error_pct", &stored.test_error_pct, &computed.test_error_pct),
    ];
    for (field, is, computed) in figures {
        if let (Some(&is), Some(&computed)) = (is.value(), computed.value()) {
            found.same(format!("summary.{field}"), is, computed, "the trainings");
        }
    }
    if let (Some(is), Some(computed)) = (stored.train_interval.value(), computed.train_interval.value()) {
        found.same("summary.train_interval.low_s", is.low_s, computed.low_s, "the trainings");
        found.same("summary.train_interval.high_s", is.high_s, computed.high_s, "the trainings");
        let count = is.samples == computed.samples;
        found.expect(count, "summary.train_interval.samples", || format!("{} trainings ended", computed.samples));
    }
    let rate = stored.dense_gflop_per_s.value().copied().unwrap_or(0.0);
    found.expect((0.0..HIGHEST_GFLOP_PER_S).contains(&rate), "summary.dense_gflop_per_s", || {
        format!("no device reaches {rate} GFLOP/s in 32 bits")
    });
}

/// The phases against the first training and the cold total.
fn phases(result: &RunResult, found: &mut Findings) {
    let phases = &result.phases;
    let value = |phase: &Measured<f64>| phase.value().copied();
    if let (Some(train_s), Some(first)) = (value(&phases.train_s), result.repeats.first())
        && let Some(first_s) = value(&first.train_s)
    {
        found.same("phases.train_s", train_s, first_s, "the times of the first training");
    }
    let parts = [
        ("adapter_s", &phases.adapter_s),
        ("device_s", &phases.device_s),
        ("compile_s", &phases.compile_s),
        ("data_s", &phases.data_s),
        ("check_s", &phases.check_s),
        ("warm_up_s", &phases.warm_up_s),
        ("upload_s", &phases.upload_s),
        ("first_step_s", &phases.first_step_s),
        ("train_s", &phases.train_s),
        ("evaluate_s", &phases.evaluate_s),
        ("tune_s", &phases.tune_s),
        ("peaks_s", &phases.peaks_s),
        ("idle_s", &phases.idle_s),
    ];
    for (field, phase) in parts {
        let sensible = value(phase).is_none_or(|seconds| seconds >= 0.0);
        found.expect(sensible, format!("phases.{field}"), || "it is no duration".to_owned());
        if let (Some(part_s), Some(cold_s)) = (value(phase), value(&phases.cold_total_s)) {
            found.part(format!("phases.{field}"), part_s, cold_s, "the cold total");
        }
    }
}

/// The kernels of a profile: medians of their samples, shares of peaks that a device can reach.
fn kernels(profile: &Profile, found: &mut Findings) {
    for (index, time) in profile.kernels.iter().enumerate() {
        let at = |field: &str| format!("profile.kernels[{index}].{field}");
        if let (Some(&median_ns), Some(computed)) = (time.median_ns.value(), stats::median(&time.samples_ns)) {
            // Samples are rounded to a hundredth of a nanosecond.
            let near = (median_ns - computed).abs() <= 0.01 + SAME * computed;
            found.expect(near, at("median_ns"), || format!("it is {median_ns}, and the samples give {computed}"));
        }
        for (field, share) in [("peak_flop_pct", &time.peak_flop_pct), ("peak_bandwidth_pct", &time.peak_bandwidth_pct)]
        {
            let pct = share.value().copied().unwrap_or(0.0);
            // The result says so itself of what its run found.
            let told = !profile.errors.is_empty();
            found.expect(told || (0.0..=HIGHEST_SHARE_PCT).contains(&pct), at(field), || {
                format!("{pct:.1} % of a measured peak cannot be")
            });
        }
    }
    let shares = profile.kernels.iter().filter_map(|time| time.share_pct.value().copied());
    let sum: f64 = shares.sum();
    found.expect(sum == 0.0 || (sum - 100.0).abs() < 1e-6, "profile.kernels", || {
        format!("their shares add up to {sum} %")
    });
}

/// The time account: its parts are the wall time, and so is the host's work.
fn times(account: &Account, found: &mut Findings) {
    let parts: f64 = account.parts().iter().map(|(_, seconds)| seconds).sum();
    let closes = (parts - account.wall_s).abs() <= 1e-6 * account.wall_s.abs();
    found.expect(closes, "account", || format!("its parts add up to {parts} s of {} s", account.wall_s));
}

/// The measured peaks.
fn ceilings(peaks: &Peaks, found: &mut Findings) {
    for (index, peak) in peaks.figures.iter().enumerate() {
        let at = format!("peaks.figures[{index}]");
        if let Some(words) = peak.implausible() {
            found.expect(false, at.as_str(), || words);
        }
        if let (Some(&is), Some(computed)) = (peak.median.value(), stats::median(&peak.samples)) {
            found.same(format!("{at}.median"), is, computed, "the samples");
        }
    }
}

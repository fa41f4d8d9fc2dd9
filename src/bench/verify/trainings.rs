//! The timed trainings of a result, and the figures that follow from them: summary, repetition, soak, load.

use super::findings::Findings;
use crate::bench::job::training_config;
use crate::bench::stopping;
use crate::bench::train::{CURVE_PARTS, images_trained};
use crate::result::{Epoch, Load, Measured, Repeat, RunResult, Soak, Spread, Status, Summary, Thinned};

/// A rate in GFLOP/s that no device reaches: 1,000 TFLOP/s in 32 bits.
const HIGHEST_GFLOP_PER_S: f64 = 1e6;
/// The confidence that older versions wrote for every interval, in percent: at least that.
const LEAST_CONFIDENCE_PCT: f64 = 95.0;
/// How far the window of a load may be from the training's time: a busy machine may pause the program between them.
const WINDOW: f64 = 0.02;
const WINDOW_S: f64 = 0.1;
/// Rounding of the losses of a curve.
const CURVE_ROUNDING: f64 = 1e-6;

/// The epochs, samples and load of a training.
pub fn training(result: &RunResult, index: usize, found: &mut Findings) {
    let (repeat, place) = (&result.repeats[index], format!("repeats[{index}]"));
    samples(result, repeat, &place, found);
    let mut epochs_s = 0.0;
    for (index, epoch) in repeat.epochs.iter().enumerate() {
        self::epoch(result, repeat, index, &place, found);
        epochs_s += epoch.train_s;
    }
    if let Some(thinned) = repeat.thinned.value() {
        self::thinned(result, repeat, thinned, &place, found);
        found.part(format!("{place}.epochs"), epochs_s, thinned.epochs_s, "all epochs");
        epochs_s = thinned.epochs_s;
    }
    if let Some(&train_s) = repeat.train_s.value() {
        found.expect(train_s > 0.0, format!("{place}.train_s"), || format!("{train_s} s is no duration"));
        found.part(format!("{place}.epochs"), epochs_s, train_s, "the training");
        // The clock runs while the data are moved to the device, and in the epochs.
        let upload_s = result.phases.upload_s.value().filter(|_| index == 0 && result.tool.is_none());
        let whole = upload_s.filter(|_| !repeat.epochs.is_empty()).map(|upload_s| upload_s + epochs_s);
        found.follows(format!("{place}.train_s"), &repeat.train_s, whole, "the upload and the epochs");
    }
    if let (Some(last), Some(&error_pct)) = (repeat.epochs.last(), repeat.final_test_error_pct.value()) {
        let last_pct = last.test_error_pct.value().copied().unwrap_or(f64::NAN);
        found.same(format!("{place}.final_test_error_pct"), error_pct, last_pct, "the last epoch's errors");
    }
    if let Some(hash) = repeat.parameters_sha256.value() {
        found.hash(format!("{place}.parameters_sha256"), hash);
        let first = result.repeats[0].parameters_sha256.value().unwrap_or(hash);
        found.expect(result.status != Status::Complete || hash == first, format!("{place}.parameters_sha256"), || {
            "another training of the same seed ended with other parameters".to_owned()
        });
    }
    if let Some(load) = repeat.load.value() {
        self::load(result, repeat, load, &format!("{place}.load"), found);
    }
}

/// The counts of a training that keeps some of its epochs.
fn thinned(result: &RunResult, repeat: &Repeat, thinned: &Thinned, place: &str, found: &mut Findings) {
    let at = |field: &str| format!("{place}.thinned.{field}");
    found.expect(thinned.every > 1, at("every"), || "every epoch is kept then".to_owned());
    let last = repeat.epochs.last().map_or(0, |epoch| epoch.epoch);
    found.count(at("epochs"), u64::from(thinned.epochs), u64::from(last), "the last epoch's number");
    // The last epoch may have been cut short, and one after it begun.
    let whole = u64::from(result.steps_per_epoch());
    let before = whole * u64::from(thinned.epochs.saturating_sub(1));
    let steps = u64::from(thinned.steps);
    found.expect((before..=before + 2 * whole).contains(&steps), at("steps"), || {
        format!("they are {steps}, and {} epochs have {whole} each", thinned.epochs)
    });
    let kept = repeat.samples.len() as u64;
    found.expect((kept..=steps).contains(&thinned.samples), at("samples"), || {
        format!("they are {} of {steps} steps, and {kept} are kept", thinned.samples)
    });
    let kept_s: f64 = repeat.samples.iter().map(|sample| sample.duration_s).sum();
    found.part(at("samples_s"), kept_s, thinned.samples_s, "all samples");
    if repeat.train_s.value().is_some() {
        found.part(at("samples_s"), thinned.samples_s, thinned.epochs_s, "all epochs");
    }
}

/// The samples: without gaps, and as many steps as were asked for.
fn samples(result: &RunResult, repeat: &Repeat, place: &str, found: &mut Findings) {
    let (mut next_step, mut epoch) = (0, 1);
    let is_thinned = repeat.thinned.value().is_some();
    for (index, sample) in repeat.samples.iter().enumerate() {
        let at = || format!("{place}.samples[{index}]");
        if is_thinned && sample.epoch != epoch {
            epoch = sample.epoch;
            next_step = epoch.saturating_sub(1).saturating_mul(result.steps_per_epoch());
        }
        found.expect(sample.first_step == next_step && sample.steps > 0, at(), || {
            format!("it has {} steps from step {}, and follows step {next_step}", sample.steps, sample.first_step)
        });
        found.expect(sample.duration_s >= 0.0, at(), || format!("{} s is no duration", sample.duration_s));
        let epochs = repeat.epochs.last().map_or(0, |epoch| epoch.epoch);
        found.expect((1..=epochs.saturating_add(1)).contains(&sample.epoch), at(), || {
            format!("it is of epoch {}, and {epochs} were finished", sample.epoch)
        });
        next_step = sample.first_step.saturating_add(sample.steps);
    }
    let settings = &result.settings;
    let ends_by_time = settings.quick.value || settings.stopping.soak_min.value.value().is_some();
    let is_whole = result.status == Status::Complete && repeat.train_s.value().is_some() && !ends_by_time;
    let is_whole = is_whole && (result.tool.is_none() || result.standard);
    let planned = result.planned_steps();
    found.expect(!is_whole || next_step == planned, format!("{place}.samples"), || {
        format!("they are of {next_step} steps, and the settings ask for {planned}")
    });
}

/// One epoch: its time, errors and losses.
fn epoch(result: &RunResult, repeat: &Repeat, index: usize, place: &str, found: &mut Findings) {
    let epoch = &repeat.epochs[index];
    let at = |field: &str| format!("{place}.epochs[{index}].{field}");
    let is_last = index + 1 == repeat.epochs.len();
    let number = match repeat.thinned.value() {
        Some(thinned) if is_last => thinned.epochs,
        thinned => (index as u32).saturating_mul(thinned.map_or(1, |thinned| thinned.every)).saturating_add(1),
    };
    found.count(at("epoch"), u64::from(epoch.epoch), u64::from(number), "those before it");
    let samples = || repeat.samples.iter().filter(|sample| sample.epoch == epoch.epoch);
    found.part(at("train_s"), samples().map(|sample| sample.duration_s).sum(), epoch.train_s, "the epoch");
    let tested = f64::from(result.data.test_images);
    if let (Some(errors), Some(&pct)) = (epoch.test_errors.value(), epoch.test_error_pct.value()) {
        found.same(at("test_error_pct"), pct, 100.0 * f64::from(*errors) / tested, "the misclassified images");
    }
    for (field, loss) in [("train_loss", &epoch.train_loss), ("test_loss", &epoch.test_loss)] {
        let sensible = loss.value().is_none_or(|loss| *loss >= 0.0);
        found.expect(sensible, at(field), || "a cross-entropy is not negative".to_owned());
    }
    found.share(at("train_error_pct"), &epoch.train_error_pct);
    let steps = repeat.steps_in(epoch.epoch);
    let per_epoch = result.steps_per_epoch();
    found.expect(is_last || samples().next().is_none() || steps == per_epoch, at("epoch"), || {
        format!("its samples are of {steps} steps, and an epoch has {per_epoch}")
    });
    if let (Some(&loss), Some(mean)) = (epoch.train_loss.value(), mean_of_curve(result, epoch, steps)) {
        found.near(at("train_loss"), loss, mean, CURVE_ROUNDING, "the losses of its parts");
    }
}

/// The mean loss of an epoch of `steps` steps from those of its parts, if the curve has them all.
fn mean_of_curve(result: &RunResult, epoch: &Epoch, steps: u32) -> Option<f64> {
    let (steps, parts) = (u64::from(steps), (steps as usize).min(CURVE_PARTS) as u64);
    if parts == 0 || epoch.loss_curve.len() as u64 != parts {
        return None;
    }
    let images_of = |steps: u64| {
        let images = steps * u64::from(result.settings.batch.value);
        images.min(u64::from(result.data.train_images)) as f64
    };
    let end = |part: u64| images_of(part * steps / parts);
    let sum: f64 = (0..).zip(&epoch.loss_curve).map(|(part, loss)| loss * (end(part + 1) - end(part))).sum();
    Some(sum / images_of(steps))
}

/// The figures of a soak that keeps some of its epochs: bounded by those.
fn thinned_soak(soak: &Soak, last: &Repeat, thinned: &Thinned, found: &mut Findings) {
    found.count("soak.epochs", u64::from(soak.epochs), u64::from(thinned.epochs), "the counts");
    let ends = [("best", soak.best_epoch, soak.best_s, 1.0), ("worst", soak.worst_epoch, soak.worst_s, -1.0)];
    for (which, number, seconds, sign) in ends {
        found.expect((1..=thinned.epochs).contains(&number), format!("soak.{which}_epoch"), || {
            format!("there are {} epochs", thinned.epochs)
        });
        for epoch in last.epochs.iter().filter(|epoch| which == "best" || epoch.epoch > 1) {
            let beyond = sign * (epoch.train_s - seconds) < 0.0 || (epoch.epoch == number && epoch.train_s != seconds);
            found.expect(!beyond, format!("soak.{which}_s"), || {
                format!("it is {seconds}, and epoch {} took {} s", epoch.epoch, epoch.train_s)
            });
        }
    }
    let ordered = soak.best_s <= soak.median_s && (soak.median_s <= soak.worst_s || thinned.epochs < 3);
    found.expect(ordered, "soak.median_s", || "it is not between the fastest and the slowest epoch".to_owned());
    let mean_s = thinned.epochs_s / f64::from(thinned.epochs.max(1));
    found.expect(mean_s >= soak.best_s, "soak.best_s", || format!("the mean of all epochs is {mean_s} s"));
}

/// The load of a training, and its energy.
fn load(result: &RunResult, repeat: &Repeat, load: &Load, place: &str, found: &mut Findings) {
    let at = |field: &str| format!("{place}.{field}");
    if let Some(&train_s) = repeat.train_s.value() {
        let near = (load.window_s - train_s).abs() <= WINDOW * train_s + WINDOW_S;
        found.expect(near, at("window_s"), || format!("it is {} s of a training of {train_s} s", load.window_s));
    }
    for (field, cores) in [("cpus_used", &load.cpus_used), ("other_cpus", &load.other_cpus)] {
        let sensible = cores.value().is_none_or(|cores| *cores >= 0.0);
        found.expect(sensible, at(field), || "it is no number of cores".to_owned());
    }
    found.share(at("busiest_cpu_pct"), &load.busiest_cpu_pct);
    let gpu = &load.gpu;
    let spreads = [
        ("gpu.busy_pct", &gpu.busy_pct),
        ("gpu.core_clock_mhz", &gpu.core_clock_mhz),
        ("gpu.memory_clock_mhz", &gpu.memory_clock_mhz),
        ("gpu.temperature_c", &gpu.temperature_c),
        ("gpu.power_w", &gpu.power_w),
    ];
    for (field, spread) in spreads {
        // A mean of equal readings may be off in its last digits.
        let ordered = |spread: &Spread| {
            let slack = 1e-9 * spread.highest.abs();
            spread.lowest <= spread.mean + slack && spread.mean <= spread.highest + slack
        };
        found.expect(spread.value().is_none_or(ordered), at(field), || {
            "its mean is not between its lowest and highest reading".to_owned()
        });
    }
    found.share(at("gpu.throttling.share_pct"), &gpu.throttling.clone().map(|throttling| throttling.share_pct));
    if let Some(sampling) = load.sampling.value().filter(|_| load.window_s > 0.0) {
        let pct = 100.0 * sampling.cpu_s / load.window_s;
        found.same(at("sampling.cpu_pct"), sampling.cpu_pct, pct, "the sampling's seconds and the window");
    }
    let Some(energy) = load.energy.value() else { return };
    let net_j = energy.idle_w.value().map(|idle_w| energy.total_j - idle_w * load.window_s);
    found.follows(at("energy.net_j"), &energy.net_j, net_j, "the total and the idle power");
    let images = images_trained(repeat, &training_config(&result.settings), result.data.train_images);
    let per = |count: f64| energy.net_j.value().filter(|_| images > 0).map(|net_j| net_j * count / images as f64);
    let of_epoch = per(f64::from(result.data.train_images));
    found.follows(at("energy.net_j_per_epoch"), &energy.net_j_per_epoch, of_epoch, "the net energy and the images");
    let of_images = &energy.net_j_per_1000_images;
    found.follows(at("energy.net_j_per_1000_images"), of_images, per(1000.0), "the net energy and the images");
}

/// The summary, computed again from the trainings.
pub fn summary(result: &RunResult, first: &Repeat, found: &mut Findings) {
    let images = images_trained(first, &training_config(&result.settings), result.data.train_images);
    let computed = Summary::of(&result.repeats, images, result.model.training_macs);
    let stored = &result.summary;
    let gpu_busy_pct = result.account.and_then(crate::result::Account::busy_pct);
    let figures = [
        ("train_s", &stored.train_s, &computed.train_s),
        ("train_mad_s", &stored.train_mad_s, &computed.train_mad_s),
        ("images_per_s", &stored.images_per_s, &computed.images_per_s),
        ("dense_gflop_per_s", &stored.dense_gflop_per_s, &computed.dense_gflop_per_s),
        ("test_error_pct", &stored.test_error_pct, &computed.test_error_pct),
        ("gpu_busy_pct", &stored.gpu_busy_pct, &gpu_busy_pct),
        ("driver_gpu_busy_pct", &stored.driver_gpu_busy_pct, &computed.driver_gpu_busy_pct),
        ("cpus_used", &stored.cpus_used, &computed.cpus_used),
        ("busiest_cpu_pct", &stored.busiest_cpu_pct, &computed.busiest_cpu_pct),
        ("net_j_per_1000_images", &stored.net_j_per_1000_images, &computed.net_j_per_1000_images),
    ];
    for (field, is, computed) in figures {
        found.follows(format!("summary.{field}"), is, computed.value().copied(), "the trainings");
    }
    if let (Some(&is), Some(&bytes)) = (stored.device_buffer_bytes.value(), computed.device_buffer_bytes.value()) {
        found.count("summary.device_buffer_bytes", is, bytes, "the trainings");
    }
    // Rounds that were added later leave it as it was in the first, and older versions read it at the end of the run:
    // the kernel's counter, which may be off by some pages of each core.
    let peak = |repeat: &Repeat| repeat.load.value()?.peak_host_memory_bytes.value().copied();
    let peaks: Vec<u64> = result.repeats.iter().filter_map(peak).collect();
    let told = stored
        .peak_host_memory_bytes
        .value()
        .is_none_or(|is| peaks.iter().min().is_none_or(|least| *is as f64 >= 0.99 * *least as f64));
    found.expect(told, "summary.peak_host_memory_bytes", || "it is less than that of any training".to_owned());
    if let (Some(is), Some(computed)) = (stored.train_interval.value(), computed.train_interval.value()) {
        let at = |field: &str| format!("summary.train_interval.{field}");
        found.same(at("low_s"), is.low_s, computed.low_s, "the trainings");
        found.same(at("high_s"), is.high_s, computed.high_s, "the trainings");
        found.count(at("samples"), u64::from(is.samples), u64::from(computed.samples), "the trainings");
        let of_older = is.confidence_pct == LEAST_CONFIDENCE_PCT;
        if !of_older {
            found.same(at("confidence_pct"), is.confidence_pct, computed.confidence_pct, "so many trainings");
        }
    }
    let rate = stored.dense_gflop_per_s.value().copied().unwrap_or(0.0);
    found.expect((0.0..HIGHEST_GFLOP_PER_S).contains(&rate), "summary.dense_gflop_per_s", || {
        format!("no device reaches {rate} GFLOP/s in 32 bits")
    });
    if let Some(&[low, high]) = stored.accepted_test_error_pct.value() {
        let [lowest, highest] = crate::bench::validate::ACCEPTED_TEST_ERROR_PCT;
        let place = "summary.accepted_test_error_pct";
        found.expect((low, high) == (lowest, highest), place, || format!("it is {lowest} to {highest} %"));
    }
}

/// How often the training was repeated, and the figures of a soak.
pub fn repetition(result: &RunResult, found: &mut Findings) {
    if let Some(repeating) = result.repeating.value() {
        let computed = stopping::repeating(&result.repeats, &result.summary, repeating.elapsed_s, repeating.ended);
        let (is, counted) = (u64::from(repeating.trainings), u64::from(computed.trainings));
        found.count("repeating.trainings", is, counted, "the trainings");
        let half_width = computed.half_width_pct.value().copied();
        found.follows("repeating.half_width_pct", &repeating.half_width_pct, half_width, "the interval");
        let trained_s: f64 = result.repeats.iter().filter_map(|repeat| repeat.train_s.value()).sum();
        found.part("repeating.elapsed_s", trained_s, repeating.elapsed_s, "the repetition");
    }
    let (Some(soak), Some(last)) = (result.soak.value(), result.repeats.last()) else { return };
    if let Some(thinned) = last.thinned.value() {
        return thinned_soak(soak, last, thinned, found);
    }
    let epochs_s: Vec<f64> = last.epochs.iter().map(|epoch| epoch.train_s).collect();
    let Measured::Value(computed) = stopping::soak(&epochs_s) else { return };
    let counts = [
        ("epochs", soak.epochs, computed.epochs),
        ("best_epoch", soak.best_epoch, computed.best_epoch),
        ("worst_epoch", soak.worst_epoch, computed.worst_epoch),
    ];
    for (field, is, counted) in counts {
        found.count(format!("soak.{field}"), u64::from(is), u64::from(counted), "the epochs");
    }
    let figures = [
        ("best_s", soak.best_s.into(), computed.best_s.into()),
        ("worst_s", soak.worst_s.into(), computed.worst_s.into()),
        ("median_s", soak.median_s.into(), computed.median_s.into()),
        ("drift_pct_per_hour", soak.drift_pct_per_hour.clone(), computed.drift_pct_per_hour),
        ("drift_error_pct_per_hour", soak.drift_error_pct_per_hour.clone(), computed.drift_error_pct_per_hour),
    ];
    for (field, is, computed) in figures {
        found.follows(format!("soak.{field}"), &is, computed.value().copied(), "the epochs");
    }
}

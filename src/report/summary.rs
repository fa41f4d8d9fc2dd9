//! The headline, facts, epochs and phases of a result.

use super::layout::{Facts, GAP, Table, paragraph};
use super::load;
use super::numbers::{bytes, finite, fixed, or_reason, three_digits};
use super::published::{on_cpu, other_data};
use super::sweep;
use crate::result::{Check, Epoch, Measured, Outcome, RunResult};

/// The headline for a terminal of `width` columns: the stamps, then what was trained, its time and its error rate.
pub(super) fn headline(result: &RunResult, width: u16) -> String {
    let (stamps, line) = headline_parts(result);
    let stamps = if stamps.is_empty() { String::new() } else { format!("{}: ", stamps.join(", ")) };
    paragraph(format!("{stamps}{line}"), width)
}

/// The stamps and the sentence of the headline.
pub(super) fn headline_parts(result: &RunResult) -> (Vec<&'static str>, String) {
    if let Some(sweep) = sweep::without_training(result) {
        return (result.stamps(), sweep::headline(result, sweep));
    }
    let epochs = result.repeats.first().map_or(0, |repeat| repeat.epochs.len());
    let unit = if epochs == 1 { "epoch" } else { "epochs" };
    let time = or_reason(&result.summary.train_s, |time| format!("{} s", three_digits(*time)));
    let error = finite(&result.summary.test_error_pct, |rate| format!("{rate:.2} %"));
    let data = other_data(result).map_or_else(String::new, |data| format!(" ({data})"));
    (result.stamps(), format!("{epochs} {unit} of {} in {time}, test error {error}{data}", result.data.name))
}

/// The circumstances of a result, its speed, spread, check and load.
pub(super) fn facts(result: &RunResult) -> Facts {
    let summary = &result.summary;
    let rate = |rate: &Measured<f64>, unit: &str| or_reason(rate, |rate| format!("{} {unit}", three_digits(*rate)));
    let check = ("check", or_reason(&result.check, check));
    let mut facts = circumstances(result);
    if sweep::without_training(result).is_some() {
        facts.push(check);
        return facts;
    }
    let images = rate(&summary.images_per_s, "images/s");
    let speed = format!("{images}, {} (dense count)", rate(&summary.dense_gflop_per_s, "GFLOP/s"));
    facts.extend([("speed", speed), ("spread", spread(result)), check]);
    facts.extend(load::facts(result));
    facts
}

/// How the run ended, its warnings, and what it ran on.
fn circumstances(result: &RunResult) -> Facts {
    let status = result.status.stamp().unwrap_or("status");
    let mut facts: Facts = result.reasons.iter().map(|reason| (status, reason.clone())).collect();
    if !result.non_standard.is_empty() {
        facts.push(("non-standard", result.non_standard.join("; ")));
    }
    facts.extend(result.warnings.iter().map(|warning| ("warning", warning.clone())));
    facts.extend([("adapter", adapter(result)), ("machine", machine(result))]);
    facts
}

fn adapter(result: &RunResult) -> String {
    let adapter = &result.environment.adapter;
    if on_cpu(adapter) && !adapter.software {
        let simd = result.plan.tuning.get("simd").map_or("no driver", String::as_str);
        let threads = match result.plan.tuning.get("threads").map_or("", String::as_str) {
            "" => String::new(),
            "1" => ", 1 thread".to_owned(),
            threads => format!(", {threads} threads"),
        };
        return format!("{}{threads}, {}, {simd}", adapter.label(), adapter.backend);
    }
    let driver = [&adapter.driver, &adapter.driver_info].into_iter().filter_map(Measured::value);
    let driver: Vec<&str> = driver.map(String::as_str).filter(|text| !text.is_empty()).collect();
    let driver = if driver.is_empty() { "driver unknown".to_owned() } else { driver.join(" ") };
    format!("{}, {}, {driver}", adapter.label(), adapter.backend)
}

fn machine(result: &RunResult) -> String {
    let cpu = &result.environment.cpu;
    format!(
        "{}, {}, {}, {}",
        or_reason(&cpu.name, String::clone),
        or_reason(&cpu.logical_cores, |cores| format!("{cores} cores")),
        or_reason(&cpu.memory_bytes, |memory| bytes(*memory)),
        or_reason(&result.environment.os, String::clone)
    )
}

fn spread(result: &RunResult) -> String {
    let summary = &result.summary;
    let deviation = or_reason(&summary.train_mad_s, |deviation| format!("{} s", three_digits(*deviation)));
    or_reason(&summary.train_interval, |interval| {
        format!(
            "median of {} trainings, {} % interval {} to {} s, median absolute deviation {deviation}",
            interval.samples,
            interval.confidence_pct,
            three_digits(interval.low_s),
            three_digits(interval.high_s)
        )
    })
}

fn check(check: &Check) -> String {
    let failed = check.kernels.iter().filter(|kernel| kernel.outcome == Outcome::Failed);
    let failed: Vec<String> = failed.map(|kernel| format!("{} of {}", kernel.kernel, kernel.layer)).collect();
    match check.outcome {
        Outcome::Passed => format!(
            "passed: {} kernels and {} training steps agree with the reference",
            check.kernels.len(),
            check.steps.len()
        ),
        Outcome::Failed if failed.is_empty() => "FAILED: the training steps disagree with the reference".to_owned(),
        Outcome::Failed => format!("FAILED: {} disagree with the reference", failed.join(", ")),
    }
}

/// The epochs of the first training, for a terminal of `width` columns.
pub(super) fn epochs_text(result: &RunResult, width: u16) -> String {
    let Some(repeat) = result.repeats.first().filter(|repeat| !repeat.epochs.is_empty()) else {
        return String::new();
    };
    let table = epochs(&repeat.epochs).shortened().text(GAP, width);
    match result.settings.repeat.value {
        1 => table,
        repeats => format!("The first of {repeats} trainings\n\n{table}"),
    }
}

/// One row for each epoch.
pub(super) fn epochs(epochs: &[Epoch]) -> Table {
    let headings = ["epoch", "time [s]", "loss", "train error %", "test loss", "test error %"];
    Table::of(&headings, 0, epochs, |epoch, notes| {
        vec![
            epoch.epoch.to_string(),
            three_digits(epoch.train_s),
            notes.or_mark(&epoch.train_loss, |loss| fixed(loss, 4)),
            notes.or_mark(&epoch.train_error_pct, |rate| fixed(rate, 2)),
            notes.or_mark(&epoch.test_loss, |loss| fixed(loss, 4)),
            notes.or_mark(&epoch.test_error_pct, |rate| fixed(rate, 2)),
        ]
    })
}

/// The seconds of each phase in one row, with the reasons for missing phases below.
pub(super) fn phases_text(result: &RunResult, width: u16) -> String {
    let phases = phases(result);
    let table = Table::of(&phases.map(|(name, _)| name), 0, [phases], |phases, notes| {
        phases.map(|(_, phase)| notes.or_mark(phase, three_digits)).to_vec()
    });
    format!("Phases [s]\n\n{}", table.text(GAP, width))
}

/// Each phase with its name, in the order of a run.
pub(super) fn phases(result: &RunResult) -> [(&'static str, &Measured<f64>); 14] {
    let phases = &result.phases;
    [
        ("adapter", &phases.adapter_s),
        ("device", &phases.device_s),
        ("compile", &phases.compile_s),
        ("data", &phases.data_s),
        ("tune", &phases.tune_s),
        ("peaks", &phases.peaks_s),
        ("first\nstep", &phases.first_step_s),
        ("check", &phases.check_s),
        ("warm-\nup", &phases.warm_up_s),
        ("idle\npower", &phases.idle_s),
        ("upload", &phases.upload_s),
        ("train", &phases.train_s),
        ("evaluate", &phases.evaluate_s),
        ("cold\ntotal", &phases.cold_total_s),
    ]
}

//! The headline, facts, epochs and phases of a run.

use super::numbers::{Notes, bytes, finite, or_reason, three_digits};
use super::published::on_cpu;
use super::rows::{device, error_on, stamps};
use super::table::{GAP, grid, list, note_list};
use crate::result::{Check, Epoch, Measured, Outcome, RunResult};

/// Trainings with more epochs show only so many of the first and of the last.
pub(super) const EPOCHS_AT_EACH_END: usize = 10;

/// One sentence: what was trained, how long it took and how well it went, after the stamps.
pub(super) fn headline(result: &RunResult, width: u16) -> String {
    let (stamps, line) = headline_parts(result);
    let stamps = if stamps.is_empty() { String::new() } else { format!("{}: ", stamps.join(", ")) };
    list([vec![format!("{stamps}{line}")]], width)
}

/// The stamps and the sentence of the headline.
pub(super) fn headline_parts(result: &RunResult) -> (Vec<String>, String) {
    if let Some(sweep) = super::only_sweep(result) {
        return (stamps(result), super::sweep::headline(result, sweep));
    }
    let epochs = result.repeats.first().map_or(0, |repeat| repeat.epochs.len());
    let unit = if epochs == 1 { "epoch" } else { "epochs" };
    let time = or_reason(&result.summary.train_s, |time| format!("{} s", three_digits(*time)));
    (stamps(result), format!("{epochs} {unit} of {} in {time}, test error {}", result.data.name, error(result)))
}

fn error(result: &RunResult) -> String {
    let rate = finite(&result.summary.test_error_pct, |rate| format!("{rate:.2} %"));
    error_on(result).map_or_else(|| rate.clone(), |data| format!("{rate} ({data})"))
}

/// What ran where, how fast, how surely, and what to be careful about: one line each.
pub(super) fn facts(result: &RunResult, width: u16) -> String {
    list(fact_rows(result).into_iter().map(Vec::from), width)
}

/// Each fact's name and what there is to say.
pub(super) fn fact_rows(result: &RunResult) -> Vec<[String; 2]> {
    let summary = &result.summary;
    let rate = |rate: &Measured<f64>, unit: &str| or_reason(rate, |rate| format!("{} {unit}", three_digits(*rate)));
    let mut facts = circumstances(result);
    if super::only_sweep(result).is_some() {
        facts.push(["check".to_owned(), or_reason(&result.check, check)]);
        return facts;
    }
    let mut fact = |name: &str, text: String| facts.push([name.to_owned(), text]);
    fact(
        "speed",
        format!(
            "{}, {} (dense count)",
            rate(&summary.images_per_s, "images/s"),
            rate(&summary.dense_gflop_per_s, "GFLOP/s")
        ),
    );
    fact("spread", spread(result));
    fact("check", or_reason(&result.check, check));
    facts.extend(super::load::fact_rows(result));
    facts
}

/// How the run ended, what to be careful about, and what it ran on: a name and a text each.
pub(super) fn circumstances(result: &RunResult) -> Vec<[String; 2]> {
    let mut facts = Vec::new();
    let mut fact = |name: &str, text: String| facts.push([name.to_owned(), text]);
    for reason in &result.reasons {
        fact(result.status.stamp().unwrap_or("status"), reason.clone());
    }
    if !result.non_standard.is_empty() {
        fact("non-standard", result.non_standard.join("; "));
    }
    for warning in &result.warnings {
        fact("warning", warning.clone());
    }
    fact("adapter", adapter(result));
    fact("machine", machine(result));
    facts
}

fn adapter(result: &RunResult) -> String {
    let adapter = &result.environment.adapter;
    if on_cpu(adapter) && !adapter.software {
        let simd = result.plan.tuning.get("simd").map_or("no driver", String::as_str);
        return format!("{}, {}, {simd}", device(result), adapter.backend);
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

pub(super) fn check(check: &Check) -> String {
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

/// The epochs of the first training.
pub(super) fn epochs(result: &RunResult, width: u16) -> String {
    let Some(repeat) = result.repeats.first().filter(|repeat| !repeat.epochs.is_empty()) else {
        return String::new();
    };
    let epochs = &repeat.epochs;
    let mut rows: Vec<Vec<String>> = Vec::new();
    if epochs.len() > 2 * EPOCHS_AT_EACH_END {
        rows.extend(epochs[..EPOCHS_AT_EACH_END].iter().map(epoch));
        rows.push(vec!["...".to_owned(); EPOCH_HEADINGS.len()]);
        rows.extend(epochs[epochs.len() - EPOCHS_AT_EACH_END..].iter().map(epoch));
    } else {
        rows.extend(epochs.iter().map(epoch));
    }
    let table = grid(&EPOCH_HEADINGS, rows, 0, GAP, width);
    match result.settings.repeat.value {
        1 => table,
        repeats => format!("The first of {repeats} trainings\n\n{table}"),
    }
}

const EPOCH_HEADINGS: [&str; 6] = ["epoch", "time [s]", "loss", "train error %", "test loss", "test error %"];

fn epoch(epoch: &Epoch) -> Vec<String> {
    let loss = |loss: &Measured<f64>| finite(loss, |loss| format!("{loss:.4}"));
    let rate = |rate: &Measured<f64>| finite(rate, |rate| format!("{rate:.2}"));
    vec![
        epoch.epoch.to_string(),
        three_digits(epoch.train_s),
        loss(&epoch.train_loss),
        rate(&epoch.train_error_pct),
        loss(&epoch.test_loss),
        rate(&epoch.test_error_pct),
    ]
}

/// Seconds of each phase, in one row; phases the run did not come to are told below it.
pub(super) fn phases(result: &RunResult, width: u16) -> String {
    let columns = phase_columns(result);
    let mut notes = Notes::default();
    let row = columns.map(|(_, phase)| notes.or_mark(phase, three_digits)).to_vec();
    let table = grid(&columns.map(|(name, _)| name), vec![row], 0, GAP, width);
    format!("Phases [s]\n\n{table}\n{}", note_list(&notes, width)).trim_end().to_owned()
}

/// Each phase with its name, in the order of a run.
pub(super) fn phase_columns(result: &RunResult) -> [(&'static str, &Measured<f64>); 13] {
    let phases = &result.phases;
    [
        ("adapter", &phases.adapter_s),
        ("device", &phases.device_s),
        ("compile", &phases.compile_s),
        ("data", &phases.data_s),
        ("tune", &phases.tune_s),
        ("peaks", &phases.peaks_s),
        ("check", &phases.check_s),
        ("upload", &phases.upload_s),
        ("first\nstep", &phases.first_step_s),
        ("idle\npower", &phases.idle_s),
        ("train", &phases.train_s),
        ("evaluate", &phases.evaluate_s),
        ("cold\ntotal", &phases.cold_total_s),
    ]
}

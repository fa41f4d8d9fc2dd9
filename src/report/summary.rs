//! The headline, facts, epochs and phases of a result.

use super::layout::{Facts, GAP, Table, paragraph};
use super::load;
use super::numbers::{bytes, finite, fixed, or_reason, thousands, three_digits};
use super::published::{is_cpu_target, other_data, tool};
use super::{sweep, work};
use crate::result::{Adapter, Agreement, Check, Interval, Measured, Outcome, Repeat, RunResult};
use crate::stats::MIN_SAMPLES_FOR_INTERVAL;

/// The headline for a terminal of `width` columns: the stamps, then the speed, what was
/// done in which time, and the error rate.
pub(super) fn headline(result: &RunResult, width: u16) -> String {
    paragraph(headline_line(result), width)
}

/// The stamps and the sentence of the headline on one line.
pub(super) fn headline_line(result: &RunResult) -> String {
    let (stamps, line) = headline_parts(result);
    let stamps = if stamps.is_empty() { String::new() } else { format!("{}: ", stamps.join(", ")) };
    format!("{stamps}{line}")
}

/// The stamps and the sentence of the headline.
pub(super) fn headline_parts(result: &RunResult) -> (Vec<&'static str>, String) {
    if let Some(sweep) = sweep::without_training(result) {
        return (result.stamps(), sweep::headline(result, sweep));
    }
    let summary = &result.summary;
    let rate =
        summary.images_per_s.value().map_or_else(String::new, |rate| format!("{} images/s: ", three_digits(*rate)));
    let time = or_reason(&summary.train_s, |time| format!("{} s", three_digits(*time)));
    let cut = if result.cut_short_after_s().is_some() { ", cut short" } else { "" };
    let error = finite(&summary.test_error_pct, |rate| format!("{rate:.2} %"));
    let data = other_data(result).map_or_else(String::new, |data| format!(" ({data})"));
    (result.stamps(), format!("{rate}{} in {time}{cut}, test error {error}{data}", work::on_data(result)))
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
    facts.extend(other_tool(result));
    facts.extend([("adapter", adapter(result)), ("machine", machine(result))]);
    facts
}

/// The tool that trained, if it is not this program, and how its first losses compare.
pub(super) fn other_tool(result: &RunResult) -> Option<(&'static str, String)> {
    let other = result.tool.as_ref()?;
    let agreement = or_reason(&other.agreement, |agreement| match agreement.difference() {
        Some(difference) => difference,
        None => {
            let Agreement { steps, largest_difference, .. } = agreement;
            format!("its losses of {steps} steps differ from gpubench's by at most {largest_difference:.1e}")
        }
    });
    Some(("tool", format!("{}; {agreement}", tool(result))))
}

fn adapter(result: &RunResult) -> String {
    let adapter = &result.environment.adapter;
    if is_cpu_target(adapter) {
        let simd = result.plan.tuning.get("simd").map_or("no driver", String::as_str);
        let threads = threads(result).map_or_else(String::new, |threads| format!(", {threads}"));
        return format!("{}{threads}, {}, {simd}", adapter.label(), adapter.backend);
    }
    let driver = driver_parts(adapter).collect::<Vec<_>>().join(" ");
    let driver = if driver.is_empty() { "driver unknown".to_owned() } else { driver };
    format!("{}, {}, {driver}", adapter.label(), adapter.backend)
}

/// The number of threads of a training on the host's CPU: "1 thread", "8 threads".
pub(super) fn threads(result: &RunResult) -> Option<String> {
    match result.plan.tuning.get("threads").map_or("", String::as_str) {
        "" => None,
        "1" => Some("1 thread".to_owned()),
        threads => Some(format!("{threads} threads")),
    }
}

/// What is known of an adapter's driver: its name, then its version.
pub(super) fn driver_parts(adapter: &Adapter) -> impl Iterator<Item = &str> {
    let known = [&adapter.driver, &adapter.driver_info].into_iter().filter_map(Measured::value);
    known.map(String::as_str).filter(|text| !text.is_empty())
}

/// The host: processor, cores, memory, operating system.
pub(super) fn machine(result: &RunResult) -> String {
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
    or_reason(&summary.train_mad_s, |deviation| {
        let trainings = result.repeats.iter().filter(|repeat| repeat.train_s.value().is_some()).count();
        format!(
            "median of {trainings} trainings, {}, median absolute deviation {} s",
            interval(&summary.train_interval),
            three_digits(*deviation)
        )
    })
}

/// The interval of a time. One of fewer samples than it takes, as older versions wrote, is none.
pub(super) fn interval(interval: &Measured<Interval>) -> String {
    or_reason(interval, |interval| match interval.samples as usize >= MIN_SAMPLES_FOR_INTERVAL {
        true => format!(
            "{} % interval {} to {} s",
            fixed(interval.confidence_pct, 0),
            three_digits(interval.low_s),
            three_digits(interval.high_s)
        ),
        false => format!("n/a ({})", Interval::too_few()),
    })
}

/// Whether the arithmetic agrees with the reference, in words.
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

/// The epochs of the first training, for a terminal of `width` columns.
pub(super) fn epochs_text(result: &RunResult, width: u16) -> String {
    let Some(repeat) = result.repeats.first().filter(|repeat| !repeat.epochs.is_empty()) else {
        return String::new();
    };
    let table = epochs(repeat, result.steps_per_epoch()).shortened().text(GAP, width);
    match (result.settings.repeat.value, thinned(repeat)) {
        (_, Some(words)) => format!("{words}\n\n{table}"),
        (1, None) => table,
        (repeats, None) => format!("The first of {repeats} trainings\n\n{table}"),
    }
}

/// Which epochs of a long soak are kept, if not all.
pub(super) fn thinned(repeat: &Repeat) -> Option<String> {
    let thinned = repeat.thinned.value()?;
    let epochs = thousands(&thinned.epochs.to_string());
    Some(format!("Of {epochs} epochs one in {} is kept, from the first on, and the last", thinned.every))
}

/// One row for each epoch of a training.
pub(super) fn epochs(repeat: &Repeat, steps_per_epoch: u32) -> Table {
    let headings = ["epoch", "time [s]", "loss", "train error %", "test loss", "test error %"];
    Table::of(&headings, 0, &repeat.epochs, |epoch, notes| {
        vec![
            work::epoch(epoch.epoch, repeat, steps_per_epoch),
            three_digits(epoch.train_s),
            notes.or_mark(&epoch.train_loss, |loss| fixed(loss, 4)),
            notes.or_mark(&epoch.train_error_pct, |rate| fixed(rate, 2)),
            notes.or_mark(&epoch.test_loss, |loss| fixed(loss, 4)),
            notes.or_mark(&epoch.test_error_pct, |rate| fixed(rate, 2)),
        ]
    })
}

/// The seconds of each phase, with the reasons for missing phases below.
pub(super) fn phases_text(result: &RunResult, width: u16) -> String {
    let table = Table::of(&["phase", "seconds"], 1, phases(result), |(name, phase), notes| {
        vec![name.to_owned(), notes.or_mark(phase, three_digits)]
    });
    format!("Phases\n\n{}", table.text(GAP, width))
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
        ("first step", &phases.first_step_s),
        ("check", &phases.check_s),
        ("warm-up", &phases.warm_up_s),
        ("idle power", &phases.idle_s),
        ("upload (part of train)", &phases.upload_s),
        ("train", &phases.train_s),
        ("evaluate", &phases.evaluate_s),
        ("cold total", &phases.cold_total_s),
    ]
}

//! Where the time of a training step goes.

use super::numbers::{Notes, or_reason, three_digits};
use super::table::{grid, list, note_list};
use crate::result::{KernelTime, Profile, RunResult};

const HEADINGS: [&str; 8] = ["kernel", "layer", "calls", "median\n[us]", "p95\n[us]", "share\n%", "GFLOP/s", "GB/s"];
/// Number of leading columns that hold text.
const TEXT_COLUMNS: usize = 2;
const GAP: u16 = 2;

/// The profile's table and what belongs to it; nothing without a profile.
pub(super) fn text(result: &RunResult, width: u16) -> String {
    let Some(profile) = result.profile.value() else { return String::new() };
    let mut notes = Notes::default();
    let rows = profile.kernels.iter().map(|time| cells(time, &mut notes)).collect();
    let table = grid(&HEADINGS, rows, TEXT_COLUMNS, GAP, width);
    let parts = ["Kernels by device time".to_owned(), table, note_list(&notes, width), list(facts(profile), width)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

fn cells(time: &KernelTime, notes: &mut Notes) -> Vec<String> {
    let microseconds = |ns: f64| three_digits(ns / 1e3);
    vec![
        time.kernel.clone(),
        time.layer.clone(),
        time.calls_per_step.to_string(),
        notes.or_mark(&time.median_ns, microseconds),
        notes.or_mark(&time.p95_ns, microseconds),
        notes.or_mark(&time.share_pct, |share| format!("{share:.1}")),
        notes.or_mark(&time.gflop_per_s, three_digits),
        notes.or_mark(&time.gbyte_per_s, three_digits),
    ]
}

fn facts(profile: &Profile) -> Vec<Vec<String>> {
    let milliseconds = |seconds: &f64| format!("{} ms", three_digits(seconds * 1e3));
    let kernels_s: f64 = profile
        .kernels
        .iter()
        .filter_map(|time| Some(f64::from(time.calls_per_step) * time.median_ns.value()? / 1e9))
        .sum();
    let of_span = match profile.span_ns.value() {
        Some(span_ns) if *span_ns > 0.0 => {
            format!(
                "{}, {:.1} % of the {} from the first to the last timestamp of a step",
                milliseconds(&kernels_s),
                100.0 * kernels_s * 1e9 / span_ns,
                milliseconds(&(span_ns / 1e9))
            )
        }
        _ => milliseconds(&kernels_s),
    };
    let ratio = match (profile.profiled_step_s.value(), profile.timed_step_s.value()) {
        (Some(profiled), Some(timed)) => format!(", {:.2} times as long", profiled / timed),
        _ => String::new(),
    };
    let step = format!(
        "{} timed without timestamps, {} profiled{ratio}",
        or_reason(&profile.timed_step_s, milliseconds),
        or_reason(&profile.profiled_step_s, milliseconds),
    );
    let clock = or_reason(&profile.clock_step_ns, |step_ns| format!("{} ns", three_digits(*step_ns)));
    [
        ("method", format!("{}, {} steps, {} samples dropped", profile.method.words(), profile.steps, profile.dropped)),
        ("kernels", of_span),
        ("step", step),
        ("clock", format!("smallest difference between two timestamps: {clock}")),
    ]
    .map(|(name, text)| vec![name.to_owned(), text])
    .to_vec()
}

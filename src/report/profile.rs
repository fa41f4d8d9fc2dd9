//! The profile: device time of each kernel of a training step.

use super::kernels;
use super::layout::{self, Facts, Table, joined};
use super::numbers::{Notes, finite, fixed, minute, or_reason, three_digits};
use crate::result::{Bound, COMPILED_NATURE, KernelTime, Measured, PeakKind, Peaks, Profile, RunResult};

/// Narrower terminals go without the least important columns.
const ALL_FROM_WIDTH: u16 = 98;
const GAP: u16 = 1;

/// Headings of columns that are dropped if they say nothing: if no kernel serves several layers, or is called more than
/// once.
const LAYER: &str = "layer";
const CALLS: &str = "calls";

/// A column: its heading, whether narrow terminals go without it, and its cells.
type Column = (&'static str, bool, fn(&KernelTime, &mut Notes) -> String);

const COLUMNS: [Column; 11] = [
    ("kernel", false, |time, _| time.kernel.clone()),
    (LAYER, false, |time, _| time.layer.clone()),
    (CALLS, true, |time, _| time.calls_per_step.to_string()),
    ("median\n[us]", false, |time, notes| notes.or_mark(&time.median_ns, microseconds)),
    ("p95\n[us]", true, |time, notes| notes.or_mark(&time.p95_ns, microseconds)),
    ("share\n%", false, |time, notes| notes.or_mark(&time.share_pct, |share| fixed(share, 1))),
    ("GFLOP\n/s", false, |time, notes| notes.or_mark(&time.gflop_per_s, three_digits)),
    ("% of\npeak", false, |time, notes| notes.or_mark(&time.peak_flop_pct, |share| fixed(share, 1))),
    ("GB/s", false, |time, notes| notes.or_mark(&time.gbyte_per_s, three_digits)),
    ("% of\npeak", false, |time, notes| notes.or_mark(&time.peak_bandwidth_pct, |share| fixed(share, 1))),
    ("roof", false, |time, notes| match &time.bound {
        Measured::Value(bound) => bound.word().to_owned(),
        Measured::Missing { reason } => format!("n/a{}", notes.mark(reason)),
    }),
];

pub(super) fn microseconds(ns: f64) -> String {
    three_digits(ns / 1e3)
}

/// The kernels by device time, and how they were measured; nothing without a profile.
pub(super) fn text(result: &RunResult, width: u16) -> String {
    let Some(profile) = result.profile.value() else { return String::new() };
    let table = table(profile, width);
    let errors = profile.errors.iter().map(|error| ("ERROR", error.clone()));
    let facts = layout::facts(errors.chain(facts(profile, result)), width);
    joined(["Kernels by device time".to_owned(), table.text(GAP, width), compiled(profile, width), facts])
}

fn table(profile: &Profile, width: u16) -> Table {
    let kernels = &profile.kernels;
    let called_once = kernels.iter().all(|time| time.calls_per_step == 1);
    let is_alone = |time: &KernelTime| kernels.iter().filter(|other| other.kernel == time.kernel).count() == 1;
    let one_layer = kernels.iter().all(is_alone);
    let shown = |(heading, dispensable, _): &&Column| {
        let says_nothing = (*heading == CALLS && called_once) || (*heading == LAYER && one_layer);
        let is_too_wide = *dispensable && width < ALL_FROM_WIDTH;
        !says_nothing && !is_too_wide
    };
    let columns: Vec<&Column> = COLUMNS.iter().filter(shown).collect();
    let headings: Vec<&str> = columns.iter().map(|(heading, ..)| *heading).collect();
    let cells = |time, notes: &mut Notes| columns.iter().map(|(_, _, cell)| cell(time, notes)).collect();
    Table::of(&headings, if one_layer { 1 } else { 2 }, kernels, cells)
}

/// What the driver's compiler says of each kernel that it says anything of.
fn compiled(profile: &Profile, width: u16) -> String {
    let known = || profile.kernels.iter().filter_map(|time| Some((time, time.compiled.value()?)));
    if known().next().is_none() {
        return String::new();
    }
    let columns = [kernels::REGISTERS, kernels::SPILLS, kernels::OCCUPANCY];
    let headings = [&["kernel", LAYER][..], &columns.map(|(heading, ..)| heading)].concat();
    let table = Table::of(&headings, 2, known(), |(time, compiled), notes| {
        let names = [time.kernel.clone(), time.layer.clone()];
        names.into_iter().chain(columns.iter().map(|(_, _, cell)| cell(compiled, notes))).collect()
    });
    table.text(GAP, width)
}

/// Where registers, spills and occupancy come from, or why there are none.
fn compiler(profile: &Profile) -> String {
    let missing = profile.kernels.iter().find_map(|time| time.compiled.reason());
    match profile.kernels.iter().any(|time| time.compiled.value().is_some()) {
        true => format!("registers, spills and occupancy are {COMPILED_NATURE}"),
        false => format!("registers, spills, occupancy: n/a ({})", missing.unwrap_or("no kernel was profiled")),
    }
}

/// How the profile was measured, and its figures for a whole step.
pub(super) fn facts(profile: &Profile, result: &RunResult) -> Facts {
    let note = profile.method_note.value().map_or(String::new(), |note| format!(" ({note})"));
    vec![
        (
            "method",
            format!("{}{note}, {} steps, {} samples dropped", profile.method.words(), profile.steps, profile.dropped),
        ),
        ("kernels", kernel_sum(profile)),
        ("step", step(profile)),
        ("commands", commands(result)),
        ("clock", clock(profile)),
        ("roofs", roofs(profile)),
        ("peaks", or_reason(&result.peaks, peaks_line)),
        ("compiler", compiler(profile)),
    ]
}

fn milliseconds(seconds: f64) -> String {
    format!("{} ms", three_digits(seconds * 1e3))
}

/// The sum of the kernels, and its share of a whole step on the device.
fn kernel_sum(profile: &Profile) -> String {
    let kernels_ns = profile.kernels_ns();
    let mut text = milliseconds(kernels_ns / 1e9);
    // A span with repeated kernels is longer than a step.
    let repeated = profile.kernels.iter().any(|time| time.repeats > 1);
    if let Some(span_ns) = profile.span_ns.value().filter(|span_ns| **span_ns > 0.0 && !repeated) {
        text += &format!(
            ", {} % of the {} from the first to the last timestamp of a step",
            fixed(100.0 * kernels_ns / span_ns, 1),
            milliseconds(span_ns / 1e9)
        );
    }
    if let Some(undisturbed_ns) = profile.undisturbed_step_ns.value() {
        text += &format!("; a step without timestamps inside takes {}", milliseconds(undisturbed_ns / 1e9));
    }
    text
}

fn step(profile: &Profile) -> String {
    let ratio = match (profile.profiled_step_s.value(), profile.timed_step_s.value()) {
        (Some(profiled), Some(timed)) => format!(", {} times as long", fixed(profiled / timed, 2)),
        _ => String::new(),
    };
    format!(
        "{} timed without timestamps, {} profiled{ratio}",
        finite(&profile.timed_step_s, milliseconds),
        finite(&profile.profiled_step_s, milliseconds),
    )
}

/// The commands that the last timed training submitted.
fn commands(result: &RunResult) -> String {
    let none = Measured::missing("nothing was timed");
    or_reason(result.repeats.last().map_or(&none, |repeat| &repeat.commands), |commands| {
        let per_step: u32 = result.plan.kernels.iter().map(|kernel| kernel.dispatches_per_step).sum();
        format!(
            "{per_step} dispatches a step; the timed training made {} in {} submissions with {} timestamps",
            three_digits(commands.dispatches as f64),
            three_digits(commands.submissions as f64),
            commands.timestamps
        )
    })
}

fn clock(profile: &Profile) -> String {
    let step = finite(&profile.clock_step_ns, |step_ns| format!("{} ns", three_digits(step_ns)));
    let repeated: Vec<&KernelTime> = profile.kernels.iter().filter(|time| time.repeats > 1).collect();
    let most = repeated.iter().map(|time| time.repeats).max().unwrap_or(1);
    let repeats = match repeated.len() {
        0 => String::new(),
        count => format!("; {count} kernels were too short for it and were repeated up to {most} times in a row"),
    };
    format!("smallest difference between two timestamps: {step}{repeats}")
}

/// The share of the kernels' time by the roof that they would reach first.
fn roofs(profile: &Profile) -> String {
    let share_of = |bound: Bound| -> f64 {
        let of_bound = profile.kernels.iter().filter(|time| time.bound.value() == Some(&bound));
        of_bound.filter_map(|time| time.share_pct.value()).fold(0.0, |sum, share| sum + share)
    };
    let known = [Bound::Compute, Bound::Memory, Bound::Launch].map(|bound| (bound.word(), share_of(bound)));
    if known.iter().all(|(_, share)| *share == 0.0) {
        let reason = profile.kernels.iter().find_map(|time| time.bound.reason()).unwrap_or("no kernel was measured");
        return format!("n/a ({reason})");
    }
    let shares = known.map(|(word, share)| format!("{} % {word}", fixed(share, 1)));
    format!("of the kernels' time, by the roof above them, near or far: {}", shares.join(", "))
}

/// The peaks and when they were measured.
fn peaks_line(peaks: &Peaks) -> String {
    let source = if peaks.cached { "from the cache, measured" } else { "measured" };
    let rate = peaks.highest(PeakKind::Fp32MultiplyAdd);
    let of = |peak: Option<f64>, unit: &str| {
        peak.map_or_else(|| format!("n/a {unit}"), |peak| format!("{} {unit}", three_digits(peak)))
    };
    format!(
        "{source} {}: {}, {} in cache, {} beyond, {} us to launch a dependent kernel",
        minute(&peaks.measured_utc),
        of(rate, "GFLOP/s"),
        of(peaks.bandwidth(0), "GB/s"),
        of(peaks.bandwidth(u64::MAX), "GB/s"),
        of(peaks.launch_ns().map(|ns| ns / 1e3), "").trim_end()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::explain;

    #[test]
    fn every_column_is_explained() {
        for (heading, ..) in COLUMNS {
            assert!(explain::figure(heading).is_some(), "{heading:?}");
        }
    }
}

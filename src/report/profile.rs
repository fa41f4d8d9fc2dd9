//! Where the time of a training step goes.

use super::numbers::{Notes, or_reason, three_digits};
use super::table::{grid, list, note_list};
use crate::result::{Bound, KernelTime, Measured, Peaks, Profile, RunResult};

/// Terminals narrower than this go without the columns that are wanted least.
const ALL_FROM_WIDTH: u16 = 98;
/// Number of leading columns that hold text.
const TEXT_COLUMNS: usize = 2;
const GAP: u16 = 1;

/// Heading of the column that is left out where every kernel serves one layer, or several together.
const LAYER: &str = "layer";
/// Heading of the column that is left out where every kernel is called once.
const CALLS: &str = "calls";

/// A column: its heading, whether narrow terminals go without it, and its cells.
type Column = (&'static str, bool, fn(&KernelTime, &mut Notes) -> String);

const COLUMNS: [Column; 11] = [
    ("kernel", false, |time, _| time.kernel.clone()),
    (LAYER, false, |time, _| time.layer.clone()),
    (CALLS, true, |time, _| time.calls_per_step.to_string()),
    ("median\n[us]", false, |time, notes| notes.or_mark(&time.median_ns, microseconds)),
    ("p95\n[us]", true, |time, notes| notes.or_mark(&time.p95_ns, microseconds)),
    ("share\n%", false, |time, notes| notes.or_mark(&time.share_pct, |share| format!("{share:.1}"))),
    ("GFLOP\n/s", false, |time, notes| notes.or_mark(&time.gflop_per_s, three_digits)),
    ("% of\npeak", false, |time, notes| notes.or_mark(&time.peak_flop_pct, |share| format!("{share:.1}"))),
    ("GB/s", false, |time, notes| notes.or_mark(&time.gbyte_per_s, three_digits)),
    ("% of\npeak", false, |time, notes| notes.or_mark(&time.peak_bandwidth_pct, |share| format!("{share:.1}"))),
    ("bound", false, |time, notes| match &time.bound {
        Measured::Value(bound) => bound.word().to_owned(),
        Measured::Missing { reason } => format!("n/a{}", notes.mark(reason)),
    }),
];

fn microseconds(ns: f64) -> String {
    three_digits(ns / 1e3)
}

/// The profile's table and what belongs to it; nothing without a profile.
pub(super) fn text(result: &RunResult, width: u16) -> String {
    let Some(profile) = result.profile.value() else { return String::new() };
    let mut notes = Notes::default();
    let called_once = profile.kernels.iter().all(|time| time.calls_per_step == 1);
    let same_kernel = |time: &KernelTime| profile.kernels.iter().filter(|other| other.kernel == time.kernel).count();
    let one_layer = profile.kernels.iter().all(|time| same_kernel(time) == 1);
    let shown = |(heading, dispensable, _): &&Column| {
        let too_narrow = *dispensable && width < ALL_FROM_WIDTH;
        let says_nothing = (*heading == CALLS && called_once) || (*heading == LAYER && one_layer);
        !too_narrow && !says_nothing
    };
    let columns: Vec<&Column> = COLUMNS.iter().filter(shown).collect();
    let headings: Vec<&str> = columns.iter().map(|(heading, ..)| *heading).collect();
    let rows = profile
        .kernels
        .iter()
        .map(|time| columns.iter().map(|(_, _, cell)| cell(time, &mut notes)).collect())
        .collect();
    let text_columns = TEXT_COLUMNS - usize::from(one_layer);
    let table = grid(&headings, rows, text_columns, GAP, width);
    let facts = list(facts(profile, result), width);
    let parts = ["Kernels by device time".to_owned(), table, note_list(&notes, width), facts];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

fn facts(profile: &Profile, result: &RunResult) -> Vec<Vec<String>> {
    let mut facts: Vec<(&str, String)> = profile.errors.iter().map(|error| ("ERROR", error.clone())).collect();
    let note = profile.method_note.value().map_or(String::new(), |note| format!(" ({note})"));
    facts.extend([
        (
            "method",
            format!("{}{note}, {} steps, {} samples dropped", profile.method.words(), profile.steps, profile.dropped),
        ),
        ("kernels", kernels(profile)),
        ("step", step(profile)),
        ("commands", commands(result)),
        ("clock", clock(profile)),
        ("bound", bounds(profile)),
        ("peaks", or_reason(&result.peaks, peaks_line)),
    ]);
    facts.into_iter().map(|(name, text)| vec![name.to_owned(), text]).collect()
}

fn milliseconds(seconds: &f64) -> String {
    format!("{} ms", three_digits(seconds * 1e3))
}

/// The sum of the kernels, and what it is of the whole step on the device.
fn kernels(profile: &Profile) -> String {
    let kernels_ns = profile.kernels_ns();
    let mut text = milliseconds(&(kernels_ns / 1e9));
    // Repeated kernels make the span longer than a step.
    let repeated = profile.kernels.iter().any(|time| time.repeats > 1);
    if let Some(span_ns) = profile.span_ns.value().filter(|span_ns| **span_ns > 0.0 && !repeated) {
        text += &format!(
            ", {:.1} % of the {} from the first to the last timestamp of a step",
            100.0 * kernels_ns / span_ns,
            milliseconds(&(span_ns / 1e9))
        );
    }
    if let Some(undisturbed_ns) = profile.undisturbed_step_ns.value() {
        text += &format!("; a step without timestamps inside takes {}", milliseconds(&(undisturbed_ns / 1e9)));
    }
    text
}

fn step(profile: &Profile) -> String {
    let ratio = match (profile.profiled_step_s.value(), profile.timed_step_s.value()) {
        (Some(profiled), Some(timed)) => format!(", {:.2} times as long", profiled / timed),
        _ => String::new(),
    };
    format!(
        "{} timed without timestamps, {} profiled{ratio}",
        or_reason(&profile.timed_step_s, milliseconds),
        or_reason(&profile.profiled_step_s, milliseconds),
    )
}

/// What the last timed training handed to the device.
fn commands(result: &RunResult) -> String {
    let none = Measured::missing("nothing was timed");
    or_reason(result.repeats.last().map_or(&none, |repeat| &repeat.commands), |commands| {
        let per_step: u32 = result.plan.kernels.iter().map(|kernel| kernel.dispatches_per_step).sum();
        format!(
            "{per_step} dispatches a step; the timed training handed over {} dispatches in {} submissions with {} timestamps",
            three_digits(commands.dispatches as f64),
            three_digits(commands.submissions as f64),
            commands.timestamps
        )
    })
}

fn clock(profile: &Profile) -> String {
    let step = or_reason(&profile.clock_step_ns, |step_ns| format!("{} ns", three_digits(*step_ns)));
    let repeated: Vec<&KernelTime> = profile.kernels.iter().filter(|time| time.repeats > 1).collect();
    let most = repeated.iter().map(|time| time.repeats).max().unwrap_or(1);
    let repeats = match repeated.len() {
        0 => String::new(),
        count => format!("; {count} kernels were too short for it and were repeated up to {most} times in a row"),
    };
    format!("smallest difference between two timestamps: {step}{repeats}")
}

/// Which share of the kernels' time goes to kernels of each bound.
fn bounds(profile: &Profile) -> String {
    let share_of = |bound: Bound| -> f64 {
        let of_bound = profile.kernels.iter().filter(|time| time.bound.value() == Some(&bound));
        of_bound.filter_map(|time| time.share_pct.value()).fold(0.0, |sum, share| sum + share)
    };
    let known = [Bound::Compute, Bound::Memory, Bound::Launch].map(|bound| (bound.word(), share_of(bound)));
    if known.iter().all(|(_, share)| *share == 0.0) {
        let reason = profile.kernels.iter().find_map(|time| time.bound.reason()).unwrap_or("no kernel was measured");
        return format!("n/a ({reason})");
    }
    let shares = known.map(|(word, share)| format!("{share:.1} % {word}"));
    format!("of the kernels' time, by what would bound them at the peaks: {}", shares.join(", "))
}

/// Where the peaks come from.
fn peaks_line(peaks: &Peaks) -> String {
    let source = if peaks.cached { "from the cache, measured" } else { "measured" };
    let rate = peaks.highest(crate::result::PeakKind::Fp32MultiplyAdd);
    let of = |peak: Option<f64>, unit: &str| {
        peak.map_or_else(|| format!("n/a {unit}"), |peak| format!("{} {unit}", three_digits(peak)))
    };
    format!(
        "{source} {}: {}, {} in cache, {} beyond, {} us to launch a dependent kernel",
        peaks.measured_utc.get(..16).unwrap_or(&peaks.measured_utc).replace('T', " "),
        of(rate, "GFLOP/s"),
        of(peaks.bandwidth(0), "GB/s"),
        of(peaks.bandwidth(u64::MAX), "GB/s"),
        of(peaks.launch_ns().map(|ns| ns / 1e3), "").trim_end()
    )
}

//! What was measured besides: peaks, phases, the published rows, and what it all ran on.

use super::super::numbers::{Notes, bytes, finite, fixed, or_reason, three_digits};
use super::super::published::Frame;
use super::super::{load as load_of, parallel as sharing, rows, summary, table as terminal};
use super::plot::percent;
use super::table::{self, Column, number, text, words};
use crate::result::{Measured, Parallel, Peak, Peaks, RunResult, Unit};
use maud::{Markup, html};
use serde::Serialize;

const PEAK_COLUMNS: [Column; 4] = [words("figure"), number("memory"), number("median"), number("deviation")];
const DEVICE_COLUMNS: [Column; 4] =
    [words("device"), words("plan"), number("images a batch"), number("alone, ms a step")];
const PHASE_COLUMNS: [Column; 3] =
    [words("phase"), Column { heading: "of the cold total", class: "bars" }, number("seconds")];

/// The measured peaks.
pub(super) fn peaks(peaks: &Peaks) -> Markup {
    let mut notes = Notes::default();
    let rows: Vec<Vec<Markup>> = peaks.figures.iter().map(|figure| peak(figure, &mut notes)).collect();
    let source = if peaks.cached { "read from the cache, measured" } else { "measured" };
    html! {
        (table::table("What this adapter reached through this API", "cards", &PEAK_COLUMNS, &rows))
        (table::notes(&notes))
        p class="note" {
            (peaks.subject.adapter) ", " (peaks.subject.backend) ", " (peaks.subject.driver) ": " (source) " "
            (peaks.measured_utc) " in " (three_digits(peaks.duration_s)) " s; clock: " (peaks.clock) "."
        }
    }
}

fn peak(figure: &Peak, notes: &mut Notes) -> Vec<Markup> {
    let (unit, scale) = match figure.kind.unit() {
        Unit::GflopPerS => ("GFLOP/s", 1.0),
        Unit::GbytePerS => ("GB/s", 1.0),
        Unit::Ns => ("us", 1e-3),
    };
    let mut write =
        |value: &Measured<f64>| notes.or_mark(value, |value| format!("{} {unit}", three_digits(value * scale)));
    vec![
        text(word(&figure.kind)),
        text(figure.bytes.value().map_or_else(|| "none".to_owned(), |bytes| memory(*bytes))),
        text(write(&figure.median)),
        text(write(&figure.deviation)),
    ]
}

/// An amount of memory in the binary units in which it was chosen.
fn memory(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) if bytes.is_multiple_of(unit) => format!("{} {name}", bytes / unit),
        Some((unit, name)) => format!("{} {name}", three_digits(bytes as f64 / unit as f64)),
        None => format!("{bytes} B"),
    }
}

/// The key of a value in JSON, as words.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(key)) => key.replace('_', " "),
        _ => "n/a (without a name)".to_owned(),
    }
}

/// Who trained which part of a batch, and what that cost.
pub(super) fn parallel(result: &RunResult, parallel: &Parallel) -> Markup {
    let rows: Vec<Vec<Markup>> = sharing::rows(parallel).iter().map(|cells| cells.iter().map(text).collect()).collect();
    let facts = sharing::facts(parallel, sharing::step_s(result));
    html! {
        (table::table("Each device's part, and its time alone", "plain", &DEVICE_COLUMNS, &rows))
        (table::facts(facts.map(|(name, text)| (name.to_owned(), text))))
    }
}

/// Seconds of each phase, as bars of the cold total.
pub(super) fn phases(result: &RunResult) -> Markup {
    let total_s = result.phases.cold_total_s.value().copied().unwrap_or(f64::NAN);
    let mut notes = Notes::default();
    let mut rows = Vec::new();
    for (name, phase) in summary::phase_columns(result) {
        let bar = html! {
            svg class="bar" width="100%" height="14" aria-hidden="true" {
                @if let Some(seconds) = phase.value() {
                    rect class="forward" y="2" height="10" width=(percent(*seconds, total_s)) {}
                }
            }
        };
        rows.push(vec![text(name.replace('\n', " ")), bar, text(notes.or_mark(phase, three_digits))]);
    }
    html! {
        (table::table("Seconds of each phase; upload is a part of train", "bars", &PHASE_COLUMNS, &rows))
        (table::notes(&notes))
    }
}

/// What each training used of the machine.
pub(super) fn load(result: &RunResult) -> Markup {
    let mut notes = Notes::default();
    let columns: Vec<Column> = load_of::HEADINGS.iter().map(|heading| number(heading)).collect();
    let trainings = result.repeats.iter().enumerate();
    let rows: Vec<Vec<Markup>> =
        trainings.map(|(index, repeat)| load_of::cells(index, repeat, &mut notes).map(text).to_vec()).collect();
    html! {
        (table::table("What each training used, evaluations left out", "cards", &columns, &rows))
        (table::notes(&notes))
    }
}

/// This run among the published ones.
pub(super) fn comparison(result: &RunResult) -> Markup {
    let comparison = rows::comparison(result, Frame::of(&result.environment.adapter));
    let mut notes = Notes::default();
    let columns: Vec<Column> = terminal::HEADINGS
        .iter()
        .enumerate()
        .map(|(index, heading)| if index < terminal::TEXT_COLUMNS { words(heading) } else { number(heading) })
        .collect();
    let body = html! {
        @for row in &comparison.rows {
            @let cells = terminal::cells(row, &mut notes, " ").map(text);
            (table::row(if row.published { "" } else { "this" }, &columns, &cells))
        }
    };
    html! {
        table role="table" class="cards published" {
            caption { "This run among the published ones, " (comparison.frame.name()) }
            (table::head(&columns))
            tbody role="rowgroup" { (body) }
        }
        @for (mark, note) in notes.iter() { p class="note" { (mark) " " (note) } }
        p class="note" { (terminal::ratios(&comparison)) }
        p class="note" { (terminal::CAVEAT) }
    }
}

/// Everything the run ran on and was asked for.
pub(super) fn environment(result: &RunResult) -> Markup {
    let environment = &result.environment;
    let adapter = &environment.adapter;
    let id = |id: &Measured<u32>| or_reason(id, |id| format!("0x{id:04x}"));
    let whole = |count: &Measured<u32>| or_reason(count, u32::to_string);
    let limits: Vec<String> = adapter.limits.iter().map(|(name, limit)| format!("{name} {limit}")).collect();
    let features = if adapter.features.is_empty() { "none".to_owned() } else { adapter.features.join(", ") };
    let tool = &environment.tool;
    let facts = [
        ("started", result.started_utc.clone()),
        ("adapter", adapter.label()),
        ("kind", word(&adapter.kind)),
        ("backend", adapter.backend.clone()),
        ("driver", or_reason(&adapter.driver, String::clone)),
        ("driver version", or_reason(&adapter.driver_info, String::clone)),
        ("vendor and device", format!("{}, {}", id(&adapter.vendor_id), id(&adapter.device_id))),
        ("PCI bus id", or_reason(&adapter.pci_bus_id, String::clone)),
        ("timestamps", word(&adapter.timestamps)),
        ("limits", limits.join(", ")),
        ("features", features),
        ("system", or_reason(&environment.os, String::clone)),
        ("processor", or_reason(&environment.cpu.name, String::clone)),
        (
            "cores",
            format!("{}, {} logical", whole(&environment.cpu.physical_cores), whole(&environment.cpu.logical_cores)),
        ),
        ("memory", or_reason(&environment.cpu.memory_bytes, |memory| bytes(*memory))),
        (
            "gpubench",
            format!("{}, {} build, commit {}", tool.version, tool.profile, or_reason(&tool.git, String::clone)),
        ),
        ("shaders", format!("SHA-256 {}", tool.shader_hash)),
        ("compiler", or_reason(&tool.rustc, String::clone)),
    ];
    let facts = facts.into_iter().chain(settings(result));
    table::facts(facts.map(|(name, text)| (name.to_owned(), text)))
}

fn settings(result: &RunResult) -> [(&'static str, String); 4] {
    let settings = &result.settings;
    let tuning: Vec<String> = result.plan.tuning.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let tuning = if tuning.is_empty() { "no tuning".to_owned() } else { tuning.join(", ") };
    [
        ("plan", format!("{}, {} kernels, {tuning}", result.plan.name, result.plan.kernels.len())),
        ("data", format!("{}, from {}", result.data.name, or_reason(&result.data.source, String::clone))),
        (
            "settings",
            format!(
                "{} epochs, batch {}, steps {}, seed {}, dropout {}, {}",
                settings.epochs.value,
                settings.batch.value,
                or_reason(&settings.steps.value, u32::to_string),
                settings.seed.value,
                fixed(f64::from(settings.dropout.value), 2),
                if settings.shuffle.value { "shuffled" } else { "not shuffled" },
            ),
        ),
        ("deviation", finite(&result.summary.train_mad_s, |deviation| format!("{} s", three_digits(deviation)))),
    ]
}

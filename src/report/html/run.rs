//! Sections without drawings of their own: peaks, devices, phases, load, published rows and environment.

use super::plot::percent;
use super::table::{self, Column, number, text, words};
use crate::report::layout::Facts;
use crate::report::numbers::{Notes, bytes, finite, fixed, or_reason, three_digits};
use crate::report::published::{Medium, PublishedTable, TableView, Tables};
use crate::report::{load as loads, parallel as devices, peaks as measured_peaks, summary};
use crate::result::{Measured, Parallel, Peaks, RunResult};
use maud::{Markup, html};
use serde::Serialize;

const PHASE_COLUMNS: [Column; 3] =
    [words("phase"), Column { heading: "of the cold total", class: "bars" }, number("seconds")];

/// The measured peaks.
pub(super) fn peaks(peaks: &Peaks) -> Markup {
    html! {
        (table::of(&measured_peaks::table(peaks), "What this adapter reached through this API", "cards"))
        (table::facts(measured_peaks::about(peaks)))
    }
}

/// The name of a value in JSON, with spaces between its words.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(key)) => key.replace('_', " "),
        _ => "n/a (without a name)".to_owned(),
    }
}

/// The devices of a data-parallel training, and what the exchange costs.
pub(super) fn parallel(result: &RunResult, parallel: &Parallel) -> Markup {
    html! {
        (table::of(&devices::table(parallel), "Each device's part, and its time alone", "plain"))
        @if let Some(ranks) = devices::ranks(parallel) {
            (table::of(&ranks, "Each rank's time in a mean step", "plain"))
        }
        (table::facts(devices::facts(result, parallel)))
    }
}

/// Seconds of each phase, as bars of the cold total; those without a time in a line below.
pub(super) fn phases(result: &RunResult) -> Markup {
    let total_s = result.phases.cold_total_s.value().copied().unwrap_or(f64::NAN);
    let mut notes = Notes::default();
    let mut rows = Vec::new();
    let mut missing: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, phase) in summary::phases(result) {
        if let Measured::Missing { reason } = phase {
            match missing.iter_mut().find(|(known, _)| known == reason) {
                Some((_, names)) => names.push(name),
                None => missing.push((reason, vec![name])),
            }
            continue;
        }
        let bar = html! {
            svg class="bar" width="100%" height="14" aria-hidden="true" {
                @if let Some(seconds) = phase.value() {
                    rect class="forward" y="2" height="10" rx="2" width=(percent(*seconds, total_s)) {}
                }
            }
        };
        let name = table::explained(phase_figure(name), name);
        let cells = [name, bar, text(notes.or_mark(phase, three_digits))];
        rows.push(table::row("", &PHASE_COLUMNS, &cells));
    }
    html! {
        (table::with_rows("Seconds of each phase; upload is a part of train", "bars", &PHASE_COLUMNS, rows))
        (table::notes(&notes))
        @for (reason, names) in &missing { p class="note" { (names.join(", ")) ": n/a (" (reason) ")" } }
    }
}

/// The name under which a phase is explained: some phases share theirs with a figure.
fn phase_figure(name: &'static str) -> &'static str {
    match name {
        "adapter" => "adapter phase",
        "device" => "device phase",
        "check" => "check phase",
        other => other,
    }
}

/// What each training used of the machine.
pub(super) fn load(result: &RunResult) -> Markup {
    html! {
        (table::with_values(&loads::table(result), "What each training used, evaluations left out", "cards"))
        (table::behind("Memory, sensors and energy", &table::facts(loads::facts(result))))
    }
}

/// This run among the published ones.
pub(super) fn published(result: &RunResult) -> Markup {
    let tables = Tables::of_run(result);
    let view = TableView::Published(PublishedTable::of(&result.environment.adapter));
    let table = tables.table(view, Medium::Page);
    html! {
        (table::without_notes(&table, &tables.title(view), "cards published"))
        @for (mark, note) in table.notes.iter() { p class="note" { (mark) " " (note) } }
        p class="note" { (tables.legend(&[view], Medium::Page).join(" ")) }
    }
}

/// Adapter, machine, program and settings.
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
    table::facts(facts.into_iter().chain(settings(result)))
}

/// The number of a plan's kernels; of a target without a plan of dispatches that of the check.
fn kernels(result: &RunResult) -> String {
    match result.plan.kernels.len() {
        0 => or_reason(&result.check, |check| format!("{} checked kernels", check.kernels.len())),
        count => format!("{count} kernels"),
    }
}

fn settings(result: &RunResult) -> Facts {
    let settings = &result.settings;
    let tuning: Vec<String> = result.plan.tuning.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let tuning = if tuning.is_empty() { "no tuning".to_owned() } else { tuning.join(", ") };
    vec![
        ("plan", format!("{}, {}, {tuning}", result.plan.name, kernels(result))),
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

//! The measured peaks of an adapter.

use super::layout::{Facts, Table, facts, joined, paragraph};
use super::numbers::{Notes, fixed, three_digits};
use crate::result::{PEAK_FACTS, Peak, PeakKind, Peaks, Unit};

/// Peaks for a terminal of `width` columns; with the meaning of each kind if `explain`.
pub fn text(peaks: &Peaks, explain: bool, width: u16) -> String {
    let headline = format!("Peaks of {} ({})", peaks.subject.adapter, peaks.subject.backend);
    let meanings = if explain { facts(meanings(peaks), width) } else { String::new() };
    joined([paragraph(headline, width), table(peaks).text(2, width), meanings, facts(about(peaks), width)]) + "\n"
}

/// One row for each figure.
pub(super) fn table(peaks: &Peaks) -> Table {
    let headings = ["figure", "working set", "median", "spread", "unit"];
    Table::of(&headings, 2, &peaks.figures, |figure, notes| cells(figure, peaks, notes))
}

fn cells(figure: &Peak, peaks: &Peaks, notes: &mut Notes) -> Vec<String> {
    let facts = figure.kind.facts();
    // The unit of a time follows from its size; a spread has the unit of its median.
    let size_ns = figure.median.value().copied().unwrap_or(0.0);
    let (unit, divisor) = match facts.unit {
        Unit::Ns if size_ns >= 1e6 => ("ms", 1e6),
        Unit::Ns if size_ns >= 1e3 => ("us", 1e3),
        unit => (unit.symbol(), 1.0),
    };
    let number = |value: f64| three_digits(value / divisor);
    vec![
        facts.name.to_owned(),
        working_set(figure, peaks),
        notes.or_mark(&figure.median, number),
        figure.deviation.value().map_or(String::new(), |deviation| format!("± {}", number(*deviation))),
        unit.to_owned(),
    ]
}

/// The working set; for storage with whether it fits into the caches.
fn working_set(figure: &Peak, peaks: &Peaks) -> String {
    let Some(&bytes) = figure.bytes.value() else { return String::new() };
    let storage = [PeakKind::StorageRead, PeakKind::StorageWrite, PeakKind::StorageCopy];
    let sizes = peaks.figures.iter().filter(|other| other.kind == figure.kind).filter_map(|other| other.bytes.value());
    let (smallest, largest) = sizes.fold((u64::MAX, 0), |(low, high), &size| (low.min(size), high.max(size)));
    let place = match bytes {
        _ if !storage.contains(&figure.kind) || smallest == largest => "",
        _ if bytes == smallest => ", in cache",
        _ if bytes == largest => ", out of cache",
        _ => "",
    };
    format!("{}{place}", binary(bytes))
}

/// A count of bytes in binary units, in which memory is measured.
fn binary(bytes: u64) -> String {
    match bytes {
        _ if bytes >= 1 << 20 => format!("{} MiB", bytes >> 20),
        _ if bytes >= 1 << 10 => format!("{} KiB", bytes >> 10),
        _ => format!("{bytes} B"),
    }
}

fn meanings(peaks: &Peaks) -> impl Iterator<Item = (&'static str, String)> {
    let measured = PEAK_FACTS.iter().filter(|facts| peaks.figures.iter().any(|figure| figure.kind == facts.kind));
    measured.map(|facts| (facts.name, facts.sentence.to_owned()))
}

/// How and when the peaks were measured.
pub(super) fn about(peaks: &Peaks) -> Facts {
    let spread = "median absolute deviation of the samples, all of which are in the JSON";
    vec![
        ("clock", peaks.clock.clone()),
        ("spread", spread.to_owned()),
        ("driver", peaks.subject.driver.clone()),
        (
            if peaks.cached { "kept from" } else { "measured" },
            format!("{}, in {} s", peaks.measured_utc, fixed(peaks.duration_s, 1)),
        ),
    ]
}

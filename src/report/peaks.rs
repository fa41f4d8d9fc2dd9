//! What an adapter reaches at best, as a table.

use super::numbers::{Notes, three_digits};
use super::table::{grid, list, note_list};
use crate::result::{PEAK_FACTS, Peak, PeakKind, Peaks, Unit};

const HEADINGS: [&str; 5] = ["figure", "working set", "median", "spread", "unit"];
/// Number of leading columns that hold text.
const TEXT_COLUMNS: usize = 2;
const GAP: u16 = 2;

/// Peaks for a terminal of `width` columns; with what each kind means if `explain`.
pub fn text(peaks: &Peaks, explain: bool, width: u16) -> String {
    let subject = &peaks.subject;
    let headline = format!("Peaks of {} ({})", subject.adapter, subject.backend);
    let mut notes = Notes::default();
    let rows = peaks.figures.iter().map(|figure| cells(figure, peaks, &mut notes)).collect();
    let table = grid(&HEADINGS, rows, TEXT_COLUMNS, GAP, width);
    let meanings = if explain { meanings(peaks, width) } else { String::new() };
    let parts = [headline, table, note_list(&notes, width), meanings, list(about(peaks), width)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n") + "\n"
}

fn cells(figure: &Peak, peaks: &Peaks, notes: &mut Notes) -> Vec<String> {
    let facts = figure.kind.facts();
    // Times read best in the unit of their size; a spread stands in that of its median.
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

/// The working set, and for storage whether it is the one to be found in the caches or the one outside.
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

fn meanings(peaks: &Peaks, width: u16) -> String {
    let measured = PEAK_FACTS.iter().filter(|facts| peaks.figures.iter().any(|figure| figure.kind == facts.kind));
    list(measured.map(|facts| vec![facts.name.to_owned(), facts.sentence.to_owned()]), width)
}

fn about(peaks: &Peaks) -> Vec<Vec<String>> {
    let when = if peaks.cached { "kept from" } else { "measured" };
    let spread = "median absolute deviation of the samples, all of which are in the JSON";
    let rows = [
        ("clock", peaks.clock.clone()),
        ("spread", spread.to_owned()),
        ("driver", peaks.subject.driver.clone()),
        (when, format!("{}, in {:.1} s", peaks.measured_utc, peaks.duration_s)),
    ];
    rows.into_iter().map(|(name, text)| vec![name.to_owned(), text]).collect()
}

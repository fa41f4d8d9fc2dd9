//! The search for the fastest plan.

use super::layout::{Table, joined, paragraph};
use super::numbers::{fixed, minute, percent_of, ratio, three_digits};
use crate::result::Tuning;

/// The step time of every plan, with the fastest marked, for a terminal of `width` columns.
pub fn tuning_text(tuning: &Tuning, width: u16) -> String {
    let fastest = tuning.candidates.iter().filter_map(|one| one.step_s.value()).copied().fold(f64::INFINITY, f64::min);
    let headings = ["plan", "step\n[ms]", "spread\n%", "vs\nfastest"];
    let table = Table::of(&headings, 1, &tuning.candidates, |one, notes| {
        let mark = if tuning.best() == Some(one.plan.as_str()) { " (fastest)" } else { "" };
        vec![
            format!("{}{mark}", one.plan),
            notes.or_mark(&one.step_s, |step_s| three_digits(1e3 * step_s)),
            notes.or_mark(&percent_of(&one.deviation_s, &one.step_s), |spread| fixed(spread, 1)),
            notes.or_mark(&one.step_s, |step_s| ratio(step_s / fastest)),
        ]
    });
    let line = format!(
        "{}, batch {}, {} {} in {} s; each plan passed its check first.",
        tuning.subject.adapter,
        tuning.batch,
        if tuning.cached { "from the cache, measured" } else { "measured" },
        minute(&tuning.measured_utc),
        three_digits(tuning.duration_s)
    );
    joined([table.text(2, width), paragraph(line, width)]) + "\n"
}

//! Which plan is the fastest.

use super::numbers::{Notes, fixed, ratio, three_digits};
use super::table::{grid, list, note_list};
use crate::result::{Measured, Tuning};

/// Every plan with its step time, the fastest marked, for a terminal of `width` columns.
pub fn tuning_text(tuning: &Tuning, width: u16) -> String {
    let best = tuning.best();
    let fastest = tuning.candidates.iter().filter_map(|one| one.step_s.value()).copied().fold(f64::INFINITY, f64::min);
    let mut notes = Notes::default();
    let rows = tuning
        .candidates
        .iter()
        .map(|one| {
            let spread = match (&one.deviation_s, &one.step_s) {
                (Measured::Value(deviation_s), Measured::Value(step_s)) => (100.0 * deviation_s / step_s).into(),
                (missing, _) => missing.clone(),
            };
            vec![
                if best == Some(one.plan.as_str()) { format!("{} (fastest)", one.plan) } else { one.plan.clone() },
                notes.or_mark(&one.step_s, |step_s| three_digits(1e3 * step_s)),
                notes.or_mark(&spread, |spread| fixed(spread, 1)),
                notes.or_mark(&one.step_s, |step_s| ratio(step_s / fastest)),
            ]
        })
        .collect();
    let table = grid(&["plan", "step\n[ms]", "spread\n%", "vs\nfastest"], rows, 1, 2, width);
    let source = if tuning.cached { "from the cache, measured" } else { "measured" };
    let when = tuning.measured_utc.get(..16).unwrap_or(&tuning.measured_utc).replace('T', " ");
    let line = format!(
        "{}, batch {}, {source} {when} in {} s; each plan passed its check first.",
        tuning.subject.adapter,
        tuning.batch,
        three_digits(tuning.duration_s)
    );
    let parts = [table, note_list(&notes, width), list([vec![line]], width)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n") + "\n"
}

//! The answer of a run on one screen: at most [`LINES`] lines.

use super::answer::{Answer, Place};
use super::layout::{self, Facts};
use super::numbers::{finite, fixed, ratio, three_digits};
use super::summary;
use super::sweep;
use crate::escape;
use crate::result::{Measured, RunResult};
use crate::stats::MIN_SAMPLES_FOR_INTERVAL;

/// Most lines of a card.
pub const LINES: usize = 10;

/// The card of `result` for a terminal of `width` columns: headline, what ails it, device, spread, check, peak and
/// limit, kernels, place among the published rows, and `file`, where it is kept. No line is wrapped: what is too long
/// ends in dots.
pub fn card(result: &RunResult, file: Option<&str>, width: u16) -> String {
    let answer = Answer::of(result);
    let mut lines = vec![headline(result, width)];
    let mut facts: Facts = problem(result).into_iter().collect();
    facts.extend(summary::other_tool(result));
    facts.push((
        "device",
        [answer.device.as_str(), &answer.driver].map(str::trim).join(", ").trim_end_matches(", ").to_owned(),
    ));
    if sweep::without_training(result).is_none() {
        facts.extend([("spread", spread(&answer, result)), ("error", error(&answer))]);
        match (answer.verdict.reason(), answer.heaviest.reason()) {
            (Some(_), Some(reason)) => facts.push(("profile", format!("n/a ({reason})"))),
            _ => facts.extend([("bound by", bound(&answer)), ("kernels", kernels(&answer))]),
        }
        facts.push(("compare", place(&answer.place)));
    }
    facts.extend(file.map(|file| ("result", file.to_owned())));
    let name_width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let shown = |(name, text): (&str, String)| match name {
        // A path is of use only as a whole.
        "result" => format!("{name:name_width$}  {}", escape::line(&text)),
        _ => layout::shortened(&format!("{name:name_width$}  {}", escape::line(&text)), width),
    };
    lines.extend(facts.into_iter().map(shown));
    lines.join("\n") + "\n"
}

/// The card's first line.
pub fn headline(result: &RunResult, width: u16) -> String {
    layout::shortened(&escape::line(&summary::headline_line(result)), width)
}

/// What a reader has to know before any figure: why the result is not complete, or its warnings.
fn problem(result: &RunResult) -> Option<(&'static str, String)> {
    let more = |texts: &[String]| match texts {
        [] => None,
        [only] => Some(only.clone()),
        [first, rest @ ..] => Some(format!("{first} (and {} more: -v)", rest.len())),
    };
    let status = result.status.stamp().zip(more(&result.reasons));
    let warnings = || more(&result.warnings).map(|text| ("warning", text));
    let other = || more(&result.non_standard).map(|_| ("task", result.non_standard.join("; ")));
    status.or_else(warnings).or_else(other)
}

/// "median of 7 trainings, 98 % interval 12.4 to 12.8 s, deviation 1.6 %".
fn spread(answer: &Answer<'_>, result: &RunResult) -> String {
    let trainings = match answer.trainings {
        0 => return finite(answer.train_s, three_digits),
        1 => return "one training has none: --repeat 7 gives an interval".to_owned(),
        count => format!("median of {count} trainings"),
    };
    let deviation = finite(&answer.spread_pct, |pct| format!("deviation {} %", fixed(pct, 1)));
    let interval = result.summary.train_interval.value();
    match interval.filter(|interval| interval.samples as usize >= MIN_SAMPLES_FOR_INTERVAL) {
        Some(_) => format!("{trainings}, {}, {deviation}", summary::interval(&result.summary.train_interval)),
        None => format!("{trainings}, {deviation}"),
    }
}

/// "0.92 %, check passed: kernels and training steps agree with the reference".
fn error(answer: &Answer<'_>) -> String {
    let on = answer.other_data.map_or_else(String::new, |data| format!(" ({data})"));
    let error = finite(answer.test_error_pct, |rate| format!("{rate:.2} % of the test images{on}"));
    let check = match &answer.check {
        Measured::Value(true) => "check passed".to_owned(),
        Measured::Value(false) => "check FAILED (-v)".to_owned(),
        Measured::Missing { reason } => format!("check n/a ({reason})"),
    };
    format!("{error}, {check}")
}

fn bound(answer: &Answer<'_>) -> String {
    let verdict = match &answer.verdict {
        Measured::Value(verdict) => verdict.bound.phrase().to_owned(),
        Measured::Missing { reason } => return format!("n/a ({reason})"),
    };
    match (&answer.peak_flop_pct, &answer.peak_bandwidth_pct) {
        (Measured::Value(flop), Measured::Value(bandwidth)) => {
            let [flop, bandwidth] = [flop, bandwidth].map(|pct| fixed(*pct, 0));
            format!("{verdict}; kernels reach {flop} % of peak arithmetic, {bandwidth} % of peak bandwidth")
        }
        (Measured::Missing { reason }, _) | (_, Measured::Missing { reason }) => {
            format!("{verdict}; share of peak n/a ({reason})")
        }
    }
}

fn kernels(answer: &Answer<'_>) -> String {
    match &answer.heaviest {
        Measured::Value(kernels) => {
            let share = |pct: &Measured<f64>| finite(pct, |pct| format!("{} %", fixed(pct, 0)));
            let named: Vec<String> =
                kernels.iter().map(|time| format!("{} {}", time.kernel, share(&time.share_pct))).collect();
            named.join(", ")
        }
        Measured::Missing { reason } => format!("n/a ({reason})"),
    }
}

/// "2.0 times as fast as Keras (tensorflow) on a Tesla V100 (20 s)".
pub(super) fn place(place: &Measured<Place>) -> String {
    match place {
        Measured::Missing { reason } => reason.clone(),
        Measured::Value(Place { published, published_s, speedup }) => {
            let how = match *speedup {
                speedup if speedup >= 1.0 => format!("{} times as fast as", ratio(speedup)),
                speedup => format!("takes {} times as long as", ratio(1.0 / speedup)),
            };
            format!("{how} {published} ({} s, 2016-17)", three_digits(*published_s))
        }
    }
}

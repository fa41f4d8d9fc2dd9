//! The first screen of a report: what a reader must know before any figure, and the figures asked for first.

use super::table;
use crate::report::answer::Answer;
use crate::report::explain;
use crate::report::numbers::{fixed, or_reason, three_digits};
use crate::report::summary;
use crate::report::sweep as sweeps;
use crate::result::{Measured, RunResult, Status, Sweep, SweepVariable, Verdict};
use maud::{Markup, html};

/// A figure in large type.
struct Tile {
    /// The name of its explanation.
    figure: &'static str,
    label: &'static str,
    /// Number and unit, or why there is none.
    value: Measured<(String, &'static str)>,
    /// What qualifies it, a line each.
    notes: Vec<String>,
    class: &'static str,
}

/// The stamp of a result that must not be taken for a complete one, what makes it non-standard, and its warnings.
pub(super) fn banners(result: &RunResult) -> Markup {
    html! {
        @if let Some(stamp) = result.status.stamp() {
            // The stamp stays in sight while the figures below are read.
            p class="banner alarm" role="alert" { strong class="stamp" { (stamp) } " " (meaning(result.status)) }
            @if !result.reasons.is_empty() {
                ul class="reasons" { @for reason in &result.reasons { li { (reason) } } }
            }
        }
        @if !result.standard {
            p class="banner other-task" {
                strong class="stamp" { "non-standard" } " "
                @if result.non_standard.is_empty() { "not the pinned task" } @else { (result.non_standard.join("; ")) }
            }
        }
        @if !result.warnings.is_empty() {
            ul class="warnings" { @for warning in &result.warnings { li { (warning) } } }
        }
    }
}

const fn meaning(status: Status) -> &'static str {
    match status {
        Status::Invalid => "Do not use these figures.",
        Status::Partial => "The run was interrupted: this is what it measured.",
        Status::Failed => "An error ended the run: this is what it measured.",
        Status::Complete => "",
    }
}

/// The figures of a training, and whether it was checked.
pub(super) fn figures(result: &RunResult) -> Markup {
    let answer = Answer::of(result);
    let mut tiles = vec![time(&answer, result), rate(&answer), error(&answer, result)];
    match (answer.peak_flop_pct.reason(), answer.verdict.reason()) {
        // One reason is told once.
        (Some(one), Some(other)) if one == other => {
            tiles.push(Tile { label: "Share of peak, and what limits it", ..verdict(&answer) });
        }
        _ => tiles.extend([peak(&answer), verdict(&answer)]),
    }
    let (_, headline) = summary::headline_parts(result);
    let class = if result.status.stamp().is_some() { "hero stamped" } else { "hero" };
    html! {
        div class=(class) role="group" aria-label=(headline) { @for tile in &tiles { (draw(tile)) } }
        (check(result))
    }
}

/// The figures of a sweep.
pub(super) fn figures_of_sweep(result: &RunResult, sweep: &Sweep) -> Markup {
    let fit = |get: fn(&crate::result::SweepFit) -> f64| sweep.fit.and_then(|fit| get(fit).into());
    let number = |value: Measured<f64>, unit| value.map(|value| (three_digits(value), unit));
    let half = sweep.fit.and_then(|fit| fit.half_rate_at.clone());
    let (size, larger) = match sweep.variable {
        SweepVariable::Batch => ("Half of it at batch", "Rate of ever larger batches"),
        SweepVariable::Width => ("Half of it at width", "Rate of ever wider networks"),
    };
    let tile = |figure, label, value| Tile { figure, label, value, notes: Vec::new(), class: "" };
    let tiles = [
        tile("overhead", "Step without work", number(fit(|fit| 1e3 * fit.overhead_s), "ms")),
        tile("asymptotic rate", larger, number(fit(|fit| fit.asymptotic_gflop_per_s), "GFLOP/s")),
        tile("asymptotic rate", size, number(half, "")),
    ];
    html! {
        p class="lead" { (sweeps::headline(result, sweep)) }
        div class="hero" { @for tile in &tiles { (draw(tile)) } }
        (check(result))
    }
}

fn check(result: &RunResult) -> Markup {
    let check = or_reason(&result.check, summary::check);
    html! { p class="check" { (table::explained("check", "Check")) " " (check) } }
}

fn draw(tile: &Tile) -> Markup {
    let title = explain::figure(tile.figure).map(explain::tooltip);
    html! {
        div class={ "tile " (tile.class) } title=[title] {
            p class="label" { (tile.label) }
            @match &tile.value {
                Measured::Value((number, unit)) => p class="value" {
                    (number)
                    @if !unit.is_empty() { span class="unit" { " " (unit) } }
                },
                Measured::Missing { reason } => {
                    p class="value none" { "n/a" }
                    p class="qualifier" { (reason) }
                }
            }
            @for note in &tile.notes { p class="qualifier" { (note) } }
        }
    }
}

/// A number that is finite with its unit.
fn number(
    value: &Measured<f64>,
    unit: &'static str,
    write: impl Fn(f64) -> String,
) -> Measured<(String, &'static str)> {
    value.and_then(|value| match value.is_finite() {
        true => Measured::Value((write(*value), unit)),
        false => Measured::missing("not a finite number"),
    })
}

fn time(answer: &Answer<'_>, result: &RunResult) -> Tile {
    let cut = result.cut_short_after_s().map(|_| "cut short by the time limit".to_owned());
    let notes = [answer.work.clone()].into_iter().chain(cut).collect();
    Tile { figure: "time", label: "Time", value: number(answer.train_s, "s", three_digits), notes, class: "first" }
}

fn rate(answer: &Answer<'_>) -> Tile {
    let notes = match (answer.trainings, &answer.spread_pct) {
        (0, _) => Vec::new(),
        (1, _) => vec!["one training: no spread".to_owned()],
        (count, Measured::Value(pct)) => vec![format!("± {} %, {count} trainings", fixed(*pct, 1))],
        (count, Measured::Missing { .. }) => vec![format!("{count} trainings")],
    };
    Tile {
        figure: "images/s",
        label: "Images/s",
        value: number(answer.images_per_s, "", three_digits),
        notes,
        class: "",
    }
}

fn error(answer: &Answer<'_>, result: &RunResult) -> Tile {
    let accepted = result.summary.accepted_test_error_pct.value();
    let accepted = accepted.map(|[low, high]| format!("accepted: {low} to {high} %"));
    let notes = answer.other_data.map(|data| format!("on {data} images")).or(accepted).into_iter().collect();
    let value = number(answer.test_error_pct, "%", |rate| fixed(rate, 2));
    Tile { figure: "error", label: "Test error", value, notes, class: "" }
}

/// The nearer of the two peaks.
fn peak(answer: &Answer<'_>) -> Tile {
    let [flop, bandwidth] = [&answer.peak_flop_pct, &answer.peak_bandwidth_pct];
    let share = |pct: &Measured<f64>| number(pct, "%", |pct| fixed(pct, 0));
    let is_bandwidth = bandwidth.value() > flop.value();
    let (nearer, name, other, other_name) = match is_bandwidth {
        true => (bandwidth, "of peak bandwidth", flop, "of peak arithmetic"),
        false => (flop, "of peak arithmetic", bandwidth, "of peak bandwidth"),
    };
    let value = share(nearer);
    let notes = match (&value, other.value()) {
        (Measured::Value(_), Some(pct)) => vec![name.to_owned(), format!("{} % {other_name}", fixed(*pct, 0))],
        (Measured::Value(_), None) => vec![name.to_owned()],
        (Measured::Missing { .. }, _) => Vec::new(),
    };
    Tile { figure: "share of peak", label: "Share of peak", value, notes, class: "" }
}

fn verdict(answer: &Answer<'_>) -> Tile {
    let word = |verdict: &Verdict| Measured::Value((verdict.bound.phrase().to_owned(), ""));
    let notes = answer.verdict.value().map(|verdict| shares(&verdict.words)).into_iter().collect();
    Tile { figure: "verdict", label: "Bound by", value: answer.verdict.and_then(word), notes, class: "words" }
}

/// The shares of the time in a verdict, without its name and without the shares of the peaks, which have their place.
fn shares(words: &str) -> String {
    let end = words.split("; ").next().unwrap_or(words);
    end.split_once(": ").map_or(end, |(_, shares)| shares).to_owned()
}

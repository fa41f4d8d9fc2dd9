//! Comparisons as a page: the trainings of both sides as dots, and the ratio of every figure with its interval.

use super::plot::{self, Axis, PlotArea, Range, percent, px};
use super::table::{self, Column, number, text, words};
use super::{page, spread};
use crate::report::compare::{ComparedFigure, ResultComparison};
use crate::report::compare_text::ratio_text;
use crate::report::numbers::{Notes, three_digits};
use crate::stats;
use maud::{Markup, html};

/// Height of the drawing of both sides' trainings, in pixels.
const DOTS_HEIGHT: f64 = 190.0;
/// Ratios beyond these are drawn at the edge.
const MOST_RATIO: f64 = 3.0;

const COLUMNS: [Column; 6] = [
    words("figure"),
    number("first"),
    number("second"),
    number("ratio"),
    Column { heading: "interval of the ratio", class: "bars" },
    words("verdict"),
];

/// The comparisons as a page that needs nothing else.
pub fn comparisons(comparisons: &[ResultComparison<'_>]) -> String {
    let words = comparisons.iter().filter_map(verdict_word).collect::<Vec<_>>().join(", ");
    let title = format!("gpubench: comparison: {}", if words.is_empty() { "no verdict" } else { &words });
    let several = comparisons.len() > 1;
    let head = html! { p class="tool" { "gpubench " (env!("CARGO_PKG_VERSION")) } h1 { "Comparison" } };
    let body = html! {
        @for (index, comparison) in comparisons.iter().enumerate() {
            @let id = format!("comparison-{}", index + 1);
            section class="comparison" aria-labelledby=(id) {
                h2 id=(id) { @if several { (index + 1) ". " } (heading(comparison)) }
                (of(comparison, index + 1))
            }
        }
    };
    page(&title, head, body, "How verdicts are made: docs/METHOD.md, Verdicts and Turns")
}

/// The verdict on the timed step in a word.
fn verdict_word<'a>(comparison: &'a ResultComparison<'_>) -> Option<&'a str> {
    comparison.steps.first()?.judged.value().map(|judged| judged.verdict.word())
}

/// "slower: 1.050 times as long".
fn heading(comparison: &ResultComparison<'_>) -> String {
    let judged = comparison.steps.first().and_then(|step| step.judged.value());
    judged.map_or_else(
        || "no verdict".to_owned(),
        |judged| format!("{}: {} times as long", judged.verdict.word(), ratio_text(judged.estimate.ratio)),
    )
}

fn of(comparison: &ResultComparison<'_>, number: usize) -> Markup {
    let kinds = [
        (&comparison.steps, "Steps", "us", 1.0),
        (&comparison.kernels, "Kernels", "us", 1.0),
        (&comparison.phases, "Phases", "s", 1e6),
    ];
    let axis = ratios(comparison);
    html! {
        (table::facts(comparison.about()))
        @if let Some(drawing) = trainings(comparison, number) { (drawing) }
        @for (figures, caption, unit, us) in kinds.into_iter().filter(|(figures, ..)| !figures.is_empty()) {
            (figures_table(figures, &format!("{caption}, in {unit}"), us, &axis, comparison.margin))
        }
        p class="note" {
            "In the drawings of ratios the line is 1, above which the second takes longer, the band is the margin within which times are \
             the same, and the bar is the interval around the ratio's dot."
        }
    }
}

/// The trainings of both sides as dots on one axis; `None` for fewer than two on each.
fn trainings(comparison: &ResultComparison<'_>, number: usize) -> Option<Markup> {
    let samples = &comparison.steps.first()?.samples;
    if samples.iter().any(|side| side.len() < 2) {
        return None;
    }
    let range = Range::around(samples.iter().flatten().copied())?;
    let medians = [stats::median(&samples[0])?, stats::median(&samples[1])?];
    let words = format!(
        "Time of a step in each training: first {} trainings, median {} us; second {}, median {} us",
        samples[0].len(),
        three_digits(medians[0]),
        samples[1].len(),
        three_digits(medians[1])
    );
    let areas = plot::FULL.map(|area| PlotArea { height: DOTS_HEIGHT, ..area });
    Some(html! {
        figure {
            p class="caption" { (words) "." }
            (plot::figure(&format!("sides-{number}"), "Trainings of both sides", &words, &areas, |area| {
                let x = area.x(range);
                let middle = |side: usize| {
                    PlotArea::TOP + (area.bottom() - PlotArea::TOP) * (0.27 + 0.46 * side as f64)
                };
                html! {
                    (plot::horizontal(area, &x, "time of a step [us]"))
                    @for (side, name, class) in [(0, "first", "dots"), (1, "second", "dots second")] {
                        text x="2" y=(px(middle(side) + 4.0)) { (name) }
                        g class=(class) { (spread::dots(&x, &samples[side], middle(side))) }
                        @if let Some(at) = x.at(medians[side]) {
                            line class="median" x1=(px(at)) x2=(px(at)) y1=(px(middle(side) - 22.0))
                                y2=(px(middle(side) + 22.0)) {}
                        }
                    }
                }
            }))
        }
    })
}

/// An axis of percents that holds all intervals, or those within [`MOST_RATIO`], around 1.
fn ratios(comparison: &ResultComparison<'_>) -> Option<Axis> {
    let figures = [&comparison.steps, &comparison.kernels, &comparison.phases].into_iter().flatten();
    let estimates = figures.filter_map(|figure| Some(figure.judged.value()?.estimate));
    let ends = estimates.flat_map(|estimate| {
        let ends = estimate.test.map_or([estimate.ratio; 2], |test| [test.low, test.high]);
        ends.map(|end| end.clamp(1.0 / MOST_RATIO, MOST_RATIO))
    });
    let margin = 1.0 + comparison.margin;
    let farthest = ends.map(|end| end.max(1.0 / end)).fold(margin.max(1.01), f64::max).powf(1.1);
    Range::between_ratios(1.0 / farthest, farthest).map(|range| Axis::over(range, 100.0))
}

fn figures_table(figures: &[ComparedFigure], caption: &str, us: f64, axis: &Option<Axis>, margin: f64) -> Markup {
    let mut notes = Notes::default();
    let rows: Vec<Markup> = figures
        .iter()
        .map(|figure| {
            let judged = figure.judged.value();
            let time = |value: f64| three_digits(value / us);
            let ratio = judged.map_or_else(|| figure.ratio(), |judged| judged.estimate.ratio.into());
            let remark = figure.remark.as_ref().map_or_else(String::new, |remark| notes.mark(remark));
            let mark = judged.map_or_else(String::new, |judged| notes.mark(&judged.reason));
            let verdict = judged.map_or("", |judged| judged.verdict.word());
            let cells = [
                text(&figure.name),
                text(notes.or_mark(&figure.first_us, time)),
                text(notes.or_mark(&figure.second_us, time)),
                text(notes.or_mark(&ratio, ratio_text) + &remark),
                html! { @if let Some(axis) = axis { (interval(figure, axis, margin)) } },
                html! { span class={ "word " (verdict) } { (verdict) } (mark) },
            ];
            table::row("", &COLUMNS, &cells)
        })
        .collect();
    html! {
        (table::with_rows(caption, "cards ratios", &COLUMNS, rows))
        @for (mark, note) in notes.iter() { p class="note" { (mark) " " (note) } }
    }
}

/// The interval of a ratio as a bar on an axis around 1.
fn interval(figure: &ComparedFigure, axis: &Axis, margin: f64) -> Markup {
    let Some(judged) = figure.judged.value() else { return html! {} };
    let at = |ratio: f64| percent(axis.near(ratio).unwrap_or(50.0), 100.0);
    let wide =
        |low: f64, high: f64| percent((axis.near(high).unwrap_or(0.0) - axis.near(low).unwrap_or(0.0)).max(0.6), 100.0);
    let (low, high) = (1.0 / (1.0 + margin), 1.0 + margin);
    html! {
        svg class="bar ratio" width="100%" height="16" aria-hidden="true" {
            rect class="margin" x=(at(low)) width=(wide(low, high)) y="0" height="16" {}
            line class="one" x1=(at(1.0)) x2=(at(1.0)) y1="0" y2="16" {}
            @if let Some(test) = judged.estimate.test {
                rect class=(judged.verdict.word()) x=(at(test.low)) width=(wide(test.low, test.high)) y="5" height="6"
                    rx="2" {}
            }
            circle class=(judged.verdict.word()) cx=(at(judged.estimate.ratio)) cy="8" r="4" {}
        }
    }
}

//! The distribution of the trainings' times and of the times of their steps.

use super::plot::{self, Axis, PlotArea, Range, px};
use crate::report::numbers::{thousands, three_digits};
use crate::report::summary;
use crate::result::{Interval, Measured, Repeat, RunResult};
use crate::stats;
use maud::{Markup, html};

/// Fewer samples have no shape to look at.
const LEAST_SAMPLES: usize = 20;
/// The distribution is drawn between these shares of the samples; the note below tells how far the slowest lies.
const SHOWN: [f64; 2] = [0.002, 0.99];
/// Number of classes of the distribution, and of stretches of the training in the course.
const CLASSES: usize = 48;
/// Height of the drawing of the trainings' times, in pixels.
const DOTS_HEIGHT: f64 = 132.0;

/// The time of a step in one sample: where it begins and how many steps it stands for.
struct StepTime {
    first_step: f64,
    steps: u32,
    ms: f64,
}

/// The drawings for which `result` has samples; `None` without any.
pub(super) fn section(result: &RunResult) -> Option<Markup> {
    let times: Vec<f64> = result.repeats.iter().filter_map(|repeat| repeat.train_s.value().copied()).collect();
    let trainings = trainings(&times, &result.summary.train_interval);
    let steps = result.repeats.iter().rev().find_map(steps);
    if trainings.is_none() && steps.is_none() {
        return None;
    }
    Some(html! {
        @if let Some(drawing) = trainings { (drawing) }
        @if let Some(drawing) = steps { (drawing) }
        @if steps_note(result) { p class="note" {
            "Steps are submitted in groups, so that a step's time is that of its group divided by its steps. Of "
            (result.repeats.len()) " trainings the last one is shown."
        } }
    })
}

fn steps_note(result: &RunResult) -> bool {
    result.repeats.len() > 1 && result.repeats.iter().any(|repeat| steps(repeat).is_some())
}

/// The time of each training as a dot, with the median and its deviation; `None` for fewer than two.
fn trainings(times: &[f64], interval: &Measured<Interval>) -> Option<Markup> {
    let range = Range::around(times.iter().copied()).filter(|_| times.len() > 1)?;
    let (median, deviation) = (stats::median(times)?, stats::median_absolute_deviation(times)?);
    let words = format!(
        "{} trainings, median {} s, half of them within {} s of it; {}",
        times.len(),
        three_digits(median),
        three_digits(deviation),
        summary::interval(interval)
    );
    let areas = plot::FULL.map(|area| PlotArea { height: DOTS_HEIGHT, ..area });
    Some(html! {
        figure {
            p class="caption" { (words) "." }
            (plot::figure("trainings", "Time of each training", &words, &areas, |area| {
                let x = area.x(range);
                let middle = (PlotArea::TOP + area.bottom()) / 2.0;
                html! {
                    (plot::horizontal(area, &x, "time of a training [s]"))
                    @if let (Some(from), Some(to)) = (x.near(median - deviation), x.near(median + deviation)) {
                        rect class="band" x=(px(from)) y=(px(PlotArea::TOP)) width=(px((to - from).max(1.0)))
                            height=(px(area.bottom() - PlotArea::TOP)) {}
                    }
                    (mark_line(area, &x, median, "median"))
                    g class="dots" { (dots(&x, times, middle)) }
                }
            }))
        }
    })
}

/// Dots on a line, those that would hide each other above and below it.
pub(super) fn dots(x: &Axis, times: &[f64], middle: f64) -> Markup {
    const RADIUS: f64 = 5.0;
    let mut placed: Vec<(f64, f64)> = Vec::new();
    for at in times.iter().filter_map(|time| x.at(*time)) {
        let free = |y: f64| placed.iter().all(|(px, py)| (px - at).hypot(py - y) >= 2.0 * RADIUS);
        let rows = [0.0, -1.0, 1.0, -2.0, 2.0].map(|row| middle + row * 2.0 * RADIUS);
        placed.push((at, rows.into_iter().find(|y| free(*y)).unwrap_or(middle)));
    }
    html! { @for (at, y) in placed { circle cx=(px(at)) cy=(px(y)) r=(px(RADIUS)) {} } }
}

/// A vertical line at `value` with its name above the plot.
fn mark_line(area: &PlotArea, x: &Axis, value: f64, name: &str) -> Markup {
    html! {
        @if let Some(at) = x.at(value) {
            @let half = plot::width_px(name) / 2.0;
            line class="median" x1=(px(at)) x2=(px(at)) y1=(px(PlotArea::TOP - 4.0)) y2=(px(area.bottom())) {}
            text class="mark-name" x=(px(area.inside(at, half))) y=(px(PlotArea::TOP - 9.0))
                text-anchor="middle" { (name) }
        }
    }
}

/// The distribution of the step times of a training, and their course; `None` with too few samples.
fn steps(repeat: &Repeat) -> Option<Markup> {
    let mut times: Vec<StepTime> = repeat
        .samples
        .iter()
        .map(|sample| StepTime {
            first_step: f64::from(sample.first_step),
            steps: sample.steps,
            ms: 1e3 * sample.duration_s / f64::from(sample.steps),
        })
        .filter(|time| time.ms.is_finite() && time.ms > 0.0)
        .collect();
    if times.len() < LEAST_SAMPLES {
        return None;
    }
    times.sort_by(|a, b| a.first_step.total_cmp(&b.first_step));
    let all: Vec<f64> = times.iter().map(|time| time.ms).collect();
    let at = |share: f64| stats::quantile(&all, share);
    let (median, p95, slowest) = (at(0.5)?, at(0.95)?, at(1.0)?);
    let range = Range::around([at(SHOWN[0])?, at(SHOWN[1])?, median])?;
    let words = format!(
        "Time of a step: median {} ms, 95th percentile {} ms, slowest {} ms, from {} samples",
        three_digits(median),
        three_digits(p95),
        three_digits(slowest),
        thousands(&times.len().to_string())
    );
    Some(html! {
        div class="pair" {
            figure {
                p class="caption" { (words) "." }
                (plot::figure("step-times", "Distribution of the time of a step", &words, &plot::HALF, |area| {
                    violin(area, range, &times, median, p95)
                }))
            }
            figure {
                p class="caption" {
                    "The course of it: the median of each stretch of the training, and 5 to 95 % of its steps."
                }
                (plot::figure("step-course", "Time of a step over the training", &words, &plot::HALF, |area| {
                    course(area, range, &times)
                }))
            }
        }
    })
}

/// The number of steps by their time as a figure symmetric to a horizontal line.
fn violin(area: &PlotArea, range: Range, times: &[StepTime], median: f64, p95: f64) -> Markup {
    let x = area.x(range);
    let (left, right) = (PlotArea::LEFT, area.right());
    let mut counts = [0_u32; CLASSES];
    for time in times {
        if let Some(at) = x.at(time.ms) {
            let class = (CLASSES as f64 * (at - left) / (right - left)) as usize;
            counts[class.min(CLASSES - 1)] += time.steps;
        }
    }
    let most = f64::from(counts.into_iter().max().unwrap_or(0).max(1));
    let (middle, reach) = ((PlotArea::TOP + area.bottom()) / 2.0, (area.bottom() - PlotArea::TOP) / 2.0 - 6.0);
    let place = |class: usize| left + (class as f64 + 0.5) * (right - left) / CLASSES as f64;
    let side = |sign: f64| {
        let points = counts.iter().enumerate();
        points.map(move |(class, count)| (place(class), middle + sign * reach * f64::from(*count) / most))
    };
    let outline: Vec<String> = side(-1.0)
        .chain(side(1.0).collect::<Vec<_>>().into_iter().rev())
        .map(|(x, y)| format!("{},{}", px(x), px(y)))
        .collect();
    let names_px = plot::width_px("median") / 2.0 + plot::width_px("p95");
    let has_room = x.at(p95).zip(x.at(median)).is_some_and(|(p95, median)| p95 - median > names_px);
    html! {
        (plot::horizontal(area, &x, "time of a step [ms]"))
        polygon class="violin" points=(outline.join(" ")) {}
        (mark_line(area, &x, median, "median"))
        @if has_room {
            (mark_line(area, &x, p95, "p95"))
        }
    }
}

/// The median step time of each stretch of the training as a line, with a band for 5 to 95 % of its samples.
fn course(area: &PlotArea, range: Range, times: &[StepTime]) -> Markup {
    let last = times.last().map_or(1.0, |time| time.first_step + f64::from(time.steps));
    let Some(steps) = Range::to_largest([last]) else { return html! {} };
    let (x, y) = (area.x(steps), area.y(range));
    let stretches: Vec<[f64; 4]> = times
        .chunks(times.len().div_ceil(CLASSES))
        .map(|chunk| {
            let ms: Vec<f64> = chunk.iter().map(|time| time.ms).collect();
            let at =
                |share: f64| stats::quantile(&ms, share).map_or(f64::NAN, |ms| ms.clamp(range.low(), range.high()));
            let (first, end) = (&chunk[0], &chunk[chunk.len() - 1]);
            [(first.first_step + end.first_step + f64::from(end.steps)) / 2.0, at(0.05), at(0.5), at(0.95)]
        })
        .collect();
    let line = |index: usize| stretches.iter().map(move |stretch| (stretch[0], stretch[index]));
    let band = line(1).chain(line(3).collect::<Vec<_>>().into_iter().rev());
    html! {
        (plot::axes(area, &x, &y, "training step", "time of a step [ms]"))
        polygon class="violin" points=(plot::points(&x, &y, band)) {}
        g class="series forward" { polyline points=(plot::points(&x, &y, line(2))) {} }
    }
}

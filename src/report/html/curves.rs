//! The loss curve, and step time against size.

use super::plot::{self, Axis, PlotArea, Range, px};
use super::table;
use crate::report::numbers::three_digits;
use crate::report::summary;
use crate::report::sweep::{line as fit_line, size, table as sizes};
use crate::result::{Epoch, Measured, Repeat, RunResult, Sweep, SweepFit, SweepPoint, SweepVariable};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// Series with more points are drawn without dots.
const MOST_DOTS: usize = 40;
/// Number of points of the fitted curve between two sizes.
const PLACES_BETWEEN: u32 = 12;
/// A curve: its CSS class, its name and its points.
struct Series {
    class: &'static str,
    name: &'static str,
    points: Vec<(f64, f64)>,
}

/// The steps of a training: the horizontal axis of its curves.
struct Progress<'a> {
    repeat: &'a Repeat,
    /// For each epoch the steps done before it, and in it.
    steps: Vec<(f64, f64)>,
}

impl<'a> Progress<'a> {
    /// The steps of `repeat`. In a file without samples an epoch counts as whole.
    fn of(repeat: &'a Repeat, steps_per_epoch: u32) -> Self {
        let whole = f64::from(steps_per_epoch);
        let mut in_epochs: BTreeMap<u32, f64> = BTreeMap::new();
        for sample in &repeat.samples {
            *in_epochs.entry(sample.epoch).or_default() += f64::from(sample.steps);
        }
        let is_thinned = repeat.thinned.value().is_some();
        let mut before = 0.0;
        let of_epoch = |epoch: &Epoch| {
            let done = in_epochs.get(&epoch.epoch).copied().filter(|steps| *steps > 0.0).unwrap_or(whole);
            if is_thinned {
                before = whole * f64::from(epoch.epoch.saturating_sub(1));
            }
            before += done;
            (before - done, done)
        };
        let steps = repeat.epochs.iter().map(of_epoch).collect();
        Self { repeat, steps }
    }

    /// The epochs, each with the steps before it and in it.
    fn epochs(&self) -> impl Iterator<Item = (&'a Epoch, f64, f64)> {
        self.repeat.epochs.iter().zip(&self.steps).map(|(epoch, (before, done))| (epoch, *before, *done))
    }

    /// All steps that were done.
    fn end(&self) -> f64 {
        self.steps.iter().map(|(before, done)| before + done).fold(0.0, f64::max)
    }

    fn of_epochs(&self, class: &'static str, name: &'static str, value: fn(&Epoch) -> &Measured<f64>) -> Series {
        let point = |(epoch, before, done)| Some((before + done, *value(epoch).value()?));
        Series { class, name, points: self.epochs().filter_map(point).collect() }
    }

    /// Training loss within the epochs, each part of an epoch at its middle; by whole epochs in files without such
    /// parts.
    fn training_loss(&self) -> Series {
        let (class, name) = ("forward", "training loss (with dropout)");
        let of_epoch = |(epoch, before, done): (&'a Epoch, f64, f64)| {
            let parts = epoch.loss_curve.len() as f64;
            let points = epoch.loss_curve.iter().enumerate();
            points.map(move |(part, loss)| (before + done * (part as f64 + 0.5) / parts, *loss))
        };
        let points: Vec<(f64, f64)> = self.epochs().flat_map(of_epoch).filter(|(_, loss)| loss.is_finite()).collect();
        match points.len() > self.steps.len() {
            true => Series { class, name, points },
            false => self.of_epochs(class, name, |epoch| &epoch.train_loss),
        }
    }
}

/// Loss and error of the first training by its steps; a curve needs two points.
pub(super) fn loss(repeat: &Repeat, result: &RunResult) -> Markup {
    let progress = Progress::of(repeat, result.steps_per_epoch());
    let loss = [progress.training_loss(), progress.of_epochs("backward", "test loss", |epoch| &epoch.test_loss)];
    let error = [
        progress.of_epochs("forward", "training error", |epoch| &epoch.train_error_pct),
        progress.of_epochs("backward", "test error", |epoch| &epoch.test_error_pct),
    ];
    let has_curve = |series: &[Series]| series.iter().any(|series| series.points.len() > 1);
    let table = table::of(&summary::epochs(repeat, result.steps_per_epoch()), "Epochs", "cards");
    let end = progress.end();
    html! {
        div class="pair" {
            @if has_curve(&loss) { (curve("loss", "Loss by step", "loss", end, &loss)) }
            @if has_curve(&error) { (curve("error", "Error by step", "error %", end, &error)) }
        }
        @if result.repeats.len() > 1 { p class="note" { "The first of " (result.repeats.len()) " trainings." } }
        @if let Some(words) = summary::thinned(repeat) { p class="note" { (words) "." } }
        @match repeat.epochs.len() {
            1 => (table),
            _ => (table::behind("The figures of every epoch", &table)),
        }
    }
}

/// Series over the steps from 0 to `end`.
fn curve(id: &str, title: &str, y_title: &str, end: f64, series: &[Series]) -> Markup {
    let values = || series.iter().flat_map(|series| &series.points).map(|(_, value)| *value);
    // A curve over more than a decade needs a logarithmic axis.
    let spread = |range: Range| range.high() / range.low() > 20.0;
    let range = Range::logarithmic(values()).filter(|range| spread(*range)).or_else(|| Range::from_zero(values()));
    let words: Vec<String> = series.iter().filter_map(ends).collect();
    html! {
        figure {
            p class="key" {
                @for series in series {
                    span { span class={ "swatch " (series.class) } aria-hidden="true" {} (series.name) }
                }
            }
            @if let (Some(x), Some(y)) = (Range::to_largest([end]), range) {
                (plot::figure(id, title, &words.join("; "), &plot::HALF, |area| {
                    let (x, y) = (area.x(x), area.y(y));
                    html! {
                        (plot::axes(area, &x, &y, "training step", y_title))
                        @for series in series { (line(&x, &y, series)) }
                    }
                }))
            } @else {
                p class="missing" { "n/a (no epoch has a figure above 0)" }
            }
        }
    }
}

/// A series in words: where it begins and ends.
fn ends(series: &Series) -> Option<String> {
    let (first, last) = (series.points.first()?, series.points.last()?);
    Some(format!("{} from {} to {}", series.name, three_digits(first.1), three_digits(last.1)))
}

fn line(x: &Axis, y: &Axis, series: &Series) -> Markup {
    html! {
        g class={ "series " (series.class) } {
            @if series.points.len() > 1 { polyline points=(plot::points(x, y, series.points.iter().copied())) {} }
            (dots(x, y, series, 3.0))
        }
    }
}

/// A dot at each point, unless they are so many that they hide the line.
fn dots(x: &Axis, y: &Axis, series: &Series, radius: f64) -> Markup {
    let few = series.points.iter().filter(|_| series.points.len() <= MOST_DOTS);
    let places = few.filter_map(|(at_x, at_y)| Some((x.at(*at_x)?, y.at(*at_y)?)));
    html! {
        @for (at_x, at_y) in places { circle cx=(px(at_x)) cy=(px(at_y)) r=(px(radius)) {} }
    }
}

/// Step time against batch or width, with the fitted line where there is one.
pub(super) fn sweep(sweep: &Sweep) -> Markup {
    let size = |point: &SweepPoint| size(sweep.variable, point);
    let title = match sweep.variable {
        SweepVariable::Batch => "images in a step",
        SweepVariable::Width => "factor on channels and units",
    };
    let mut measured: Vec<(f64, f64)> =
        sweep.points.iter().filter_map(|point| Some((size(point), point.step_s.value()? * 1e3))).collect();
    measured.sort_by(|a, b| a.0.total_cmp(&b.0));
    let fitted = sweep.fit.value().map_or(Vec::new(), |fit| fitted_line(sweep, fit, size));
    let overhead_ms = sweep.fit.value().map(|fit| fit.overhead_s * 1e3);
    let ranges = Range::logarithmic(measured.iter().map(|(size, _)| *size))
        .zip(Range::logarithmic(measured.iter().chain(&fitted).map(|(_, step_ms)| *step_ms).chain(overhead_ms)));
    let series = Series { class: "forward", name: "step time", points: measured };
    let words = ends(&series).unwrap_or_default();
    html! {
        div class="pair" {
            figure {
                @if let Some((x, y)) = ranges {
                    p class="key" {
                        span { span class="swatch forward" aria-hidden="true" {} "measured" }
                        @if !fitted.is_empty() {
                            span { span class="swatch whisker" aria-hidden="true" {} "fitted line" }
                        }
                    }
                    (plot::figure("sweep", "Step time against size", &words, &plot::HALF, |area| {
                        draw_sweep(area, (&area.x(x), &area.y(y)), title, &series, &fitted, overhead_ms)
                    }))
                } @else {
                    p class="missing" { "n/a (no size could be measured)" }
                }
            }
            p { (fit_line(sweep)) }
        }
        (table::of(&sizes(sweep), "Every size", "cards"))
    }
}

fn draw_sweep(
    area: &PlotArea,
    (x, y): (&Axis, &Axis),
    title: &str,
    series: &Series,
    fitted: &[(f64, f64)],
    overhead_ms: Option<f64>,
) -> Markup {
    html! {
        (plot::axes(area, x, y, title, "step [ms]"))
        g class="fit" {
            polyline points=(plot::points(x, y, fitted.iter().copied())) {}
            @if let Some(overhead_ms) = overhead_ms && let Some(at_y) = y.at(overhead_ms) {
                line class="dotted" x1=(px(PlotArea::LEFT)) x2=(px(area.right())) y1=(px(at_y)) y2=(px(at_y)) {}
                text x=(px(area.right())) y=(px(at_y - 5.0)) text-anchor="end" {
                    "overhead " (three_digits(overhead_ms)) " ms"
                }
            }
        }
        g class={ "series dots " (series.class) } {
            (dots(x, y, series, 4.5))
        }
    }
}

/// The line step = overhead + operations / rate, in milliseconds.
///
/// Between two sizes the operations are assumed to be a power of the size, which is exact for batches.
fn fitted_line(sweep: &Sweep, fit: &SweepFit, size: impl Fn(&SweepPoint) -> f64) -> Vec<(f64, f64)> {
    let known = |point: &SweepPoint| point.step_s.value().and(point.flop_per_step.value()).map(|flop| *flop as f64);
    let mut places: Vec<(f64, f64)> =
        sweep.points.iter().filter_map(|point| Some((size(point), known(point)?))).collect();
    places.retain(|(size, flop)| *size > 0.0 && *flop > 0.0);
    places.sort_by(|a, b| a.0.total_cmp(&b.0));
    let step_ms = |flop: f64| 1e3 * (fit.overhead_s + flop / (fit.asymptotic_gflop_per_s * 1e9));
    let mut line = Vec::new();
    for pair in places.windows(2) {
        let ((from, from_flop), (to, to_flop)) = (pair[0], pair[1]);
        for place in 0..PLACES_BETWEEN {
            let share = f64::from(place) / f64::from(PLACES_BETWEEN);
            let between = |a: f64, b: f64| a * (b / a).powf(share);
            line.push((between(from, to), step_ms(between(from_flop, to_flop))));
        }
    }
    line.extend(places.last().map(|(size, flop)| (*size, step_ms(*flop))));
    line
}

//! The loss curve, and step time against size.

use super::super::numbers::{Notes, as_given, finite, fixed, three_digits};
use super::plot::{self, Axis, Frame, Range, px};
use super::table::{self, Column, number, text};
use crate::result::{Epoch, Measured, Repeat, Sweep, SweepFit, SweepPoint, SweepVariable};
use maud::{Markup, html};

/// Series with more points are drawn without dots.
const MOST_DOTS: usize = 40;
/// A curve goes through so many places between two sizes.
const PLACES_BETWEEN: u32 = 12;
const EPOCH_COLUMNS: [Column; 6] = [
    number("epoch"),
    number("time [s]"),
    number("training loss"),
    number("training error %"),
    number("test loss"),
    number("test error %"),
];
const SWEEP_COLUMNS: [Column; 6] = [
    number("size"),
    number("step [ms]"),
    number("deviation [ms]"),
    number("image [us]"),
    number("GFLOP/s"),
    number("parameters"),
];

/// A line through points: how it looks, what it is called, where it goes.
struct Series {
    class: &'static str,
    name: &'static str,
    points: Vec<(f64, f64)>,
}

impl Series {
    fn of_epochs(
        class: &'static str,
        name: &'static str,
        epochs: &[Epoch],
        value: fn(&Epoch) -> &Measured<f64>,
    ) -> Self {
        let point = |epoch: &Epoch| Some((f64::from(epoch.epoch), *value(epoch).value()?));
        Self { class, name, points: epochs.iter().filter_map(point).collect() }
    }

    /// Training loss within the epochs, each part of an epoch at its middle; by whole epochs in files that do not hold more.
    fn of_training_loss(epochs: &[Epoch]) -> Self {
        let (class, name) = ("forward", "training loss (with dropout)");
        let of_epoch = |epoch: &Epoch| {
            let (begin, parts) = (f64::from(epoch.epoch) - 1.0, epoch.loss_curve.len() as f64);
            let points = epoch.loss_curve.iter().enumerate();
            points.map(|(part, loss)| (begin + (part as f64 + 0.5) / parts, *loss)).collect::<Vec<_>>()
        };
        let points: Vec<(f64, f64)> = epochs.iter().flat_map(of_epoch).filter(|(_, loss)| loss.is_finite()).collect();
        match points.len() > epochs.len() {
            true => Self { class, name, points },
            false => Self::of_epochs(class, name, epochs, |epoch| &epoch.train_loss),
        }
    }
}

/// Loss and error of the first training; what has less than two points is no curve to draw.
pub(super) fn loss(repeats: &[Repeat]) -> Markup {
    let epochs = repeats.first().map_or(&[][..], |repeat| &repeat.epochs);
    let loss = [
        Series::of_training_loss(epochs),
        Series::of_epochs("backward", "test loss", epochs, |epoch| &epoch.test_loss),
    ];
    let error = [
        Series::of_epochs("forward", "training error", epochs, |epoch| &epoch.train_error_pct),
        Series::of_epochs("backward", "test error", epochs, |epoch| &epoch.test_error_pct),
    ];
    html! {
        @match epochs.len() {
            0 => p class="missing" { "n/a (no epoch was finished)" },
            1 if loss[0].points.len() > 1 => (by_epoch("loss", "Loss by epoch", "loss", &loss)),
            1 => p class="missing" { "curve: n/a (one epoch makes none; its figures are below)" },
            _ => div class="pair" {
                (by_epoch("loss", "Loss by epoch", "loss", &loss))
                (by_epoch("error", "Error by epoch", "error %", &error))
            },
        }
        @if repeats.len() > 1 { p class="note" { "The first of " (repeats.len()) " trainings." } }
        @match epochs.len() {
            0 => {},
            1 => (epoch_table(epochs)),
            _ => (table::behind("The figures of every epoch", &epoch_table(epochs))),
        }
    }
}

fn by_epoch(id: &str, title: &str, y_title: &str, series: &[Series]) -> Markup {
    let values = || series.iter().flat_map(|series| &series.points).map(|(_, value)| *value);
    let epochs = series.iter().flat_map(|series| &series.points).map(|(epoch, _)| *epoch);
    // A curve that falls by much is seen whole on a logarithmic axis only.
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
            @if let (Some(x), Some(y)) = (Range::from_zero(epochs), range) {
                (plot::figure(id, title, &words.join("; "), &plot::HALF, |frame| {
                    let (x, y) = (frame.x(x), frame.y(y));
                    html! {
                        (plot::axes(frame, &x, &y, "epoch", y_title))
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
            polyline points=(plot::points(x, y, series.points.iter().copied())) {}
            // So many dots would only hide the line.
            @for (at_x, at_y) in series.points.iter().filter(|_| series.points.len() <= MOST_DOTS).filter_map(|(a, b)| Some((x.at(*a)?, y.at(*b)?))) {
                circle cx=(px(at_x)) cy=(px(at_y)) r="3" {}
            }
        }
    }
}

fn epoch_table(epochs: &[Epoch]) -> Markup {
    let mut notes = Notes::default();
    let mut rows = Vec::new();
    for epoch in epochs {
        rows.push(vec![
            text(epoch.epoch.to_string()),
            text(three_digits(epoch.train_s)),
            text(notes.or_mark(&epoch.train_loss, |loss| fixed(loss, 4))),
            text(notes.or_mark(&epoch.train_error_pct, |rate| fixed(rate, 2))),
            text(notes.or_mark(&epoch.test_loss, |loss| fixed(loss, 4))),
            text(notes.or_mark(&epoch.test_error_pct, |rate| fixed(rate, 2))),
        ]);
    }
    html! {
        (table::table("Epochs", "cards", &EPOCH_COLUMNS, &rows))
        (table::notes(&notes))
    }
}

/// Step time against batch or width, with the fitted line where there is one.
pub(super) fn sweep(sweep: &Sweep) -> Markup {
    let size = |point: &SweepPoint| match sweep.variable {
        SweepVariable::Batch => f64::from(point.batch),
        SweepVariable::Width => point.width,
    };
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
                    (plot::figure("sweep", "Step time against size", &words, &plot::HALF, |frame| {
                        draw_sweep(frame, (&frame.x(x), &frame.y(y)), title, &series, &fitted, overhead_ms)
                    }))
                } @else {
                    p class="missing" { "n/a (no size could be measured)" }
                }
            }
            (table::facts(fit_facts(sweep)))
        }
        (sweep_table(sweep, size))
    }
}

fn draw_sweep(
    frame: &Frame,
    (x, y): (&Axis, &Axis),
    title: &str,
    series: &Series,
    fitted: &[(f64, f64)],
    overhead_ms: Option<f64>,
) -> Markup {
    html! {
        (plot::axes(frame, x, y, title, "step [ms]"))
        g class="fit" {
            polyline points=(plot::points(x, y, fitted.iter().copied())) {}
            @if let Some(overhead_ms) = overhead_ms && let Some(at_y) = y.at(overhead_ms) {
                line class="dotted" x1=(px(Frame::LEFT)) x2=(px(frame.right())) y1=(px(at_y)) y2=(px(at_y)) {}
                text x=(px(frame.right())) y=(px(at_y - 5.0)) text-anchor="end" {
                    "overhead " (three_digits(overhead_ms)) " ms"
                }
            }
        }
        g class={ "series dots " (series.class) } {
            // So many dots would only hide the line.
            @for (at_x, at_y) in series.points.iter().filter(|_| series.points.len() <= MOST_DOTS).filter_map(|(a, b)| Some((x.at(*a)?, y.at(*b)?))) {
                circle cx=(px(at_x)) cy=(px(at_y)) r="4.5" {}
            }
        }
    }
}

/// The line step = overhead + operations / rate in milliseconds. Between two sizes operations are taken to grow as a power
/// of the size, which is exact for batches.
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

fn fit_facts(sweep: &Sweep) -> Vec<(String, String)> {
    let name = |name: &str| name.to_owned();
    let fit = match &sweep.fit {
        Measured::Value(fit) => fit,
        Measured::Missing { reason } => return vec![(name("fit"), format!("n/a ({reason})"))],
    };
    vec![
        (name("overhead"), format!("{} ms a step, whatever its size", three_digits(fit.overhead_s * 1e3))),
        (name("rate approached"), format!("{} GFLOP/s (dense count)", three_digits(fit.asymptotic_gflop_per_s))),
        (name("half of it at"), finite(&fit.half_rate_at, three_digits)),
        (
            name("fit"),
            format!(
                "{} points, none further than {} % from the line",
                fit.points,
                three_digits(fit.largest_residual_pct)
            ),
        ),
    ]
}

fn sweep_table(sweep: &Sweep, size: impl Fn(&SweepPoint) -> f64) -> Markup {
    let mut notes = Notes::default();
    let mut rows = Vec::new();
    for point in &sweep.points {
        let parameters = point.parameters.clone().map(|count| count as f64);
        rows.push(vec![
            text(finite(&size(point).into(), as_given)),
            text(notes.or_mark(&point.step_s, |step_s| three_digits(step_s * 1e3))),
            text(notes.or_mark(&point.deviation_s, |deviation_s| three_digits(deviation_s * 1e3))),
            text(notes.or_mark(&point.image_s(), |image_s| three_digits(image_s * 1e6))),
            text(notes.or_mark(&point.gflop_per_s(), three_digits)),
            text(notes.or_mark(&parameters, three_digits)),
        ]);
    }
    html! {
        (table::table("Every size", "cards", &SWEEP_COLUMNS, &rows))
        (table::notes(&notes))
    }
}

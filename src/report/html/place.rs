//! The time of a run among the published ones, as bars on a logarithmic scale.

use super::plot::{self, Axis, Range, percent};
use crate::report::answer::{Answer, places};
use crate::report::card;
use crate::report::numbers::{as_given, three_digits};
use crate::result::{Measured, RunResult};
use maud::{Markup, html};

/// The length of an axis on a phone in pixels, for which the labels of its ticks have room.
const LENGTH_PX: f64 = 300.0;

/// A bar: its name, its seconds, and whether it is this run's.
struct Bar {
    name: String,
    seconds: f64,
    text: String,
    is_this: bool,
}

/// The bars, or why the run has no place among them.
pub(super) fn section(result: &RunResult) -> Markup {
    let answer = Answer::of(result);
    let train_s = answer.train_s.value().copied().unwrap_or(f64::NAN);
    if let Measured::Missing { reason } = &answer.place {
        return html! { p class="missing" { (reason) } };
    }
    let bars = bars(&answer, train_s);
    let Some(range) = Range::logarithmic(bars.iter().map(|bar| bar.seconds)).filter(|_| train_s > 0.0) else {
        return html! { p class="missing" { "n/a (the time is not above 0)" } };
    };
    let axis = Axis::over(range, LENGTH_PX);
    html! {
        p class="lead" { "This run: " (card::place(&answer.place)) "." }
        ol class="places" {
            @for bar in &bars {
                li class=(if bar.is_this { "this" } else { "" }) {
                    span class="name" { (bar.name) }
                    (draw(bar, &axis))
                    span class="time" { (bar.text) }
                }
            }
        }
        div class="places scale" aria-hidden="true" {
            svg class="bar" width="100%" height="18" aria-hidden="true" {
                @for (tick, at) in axis.ticks(plot::width_px) {
                    text x=(percent(at, LENGTH_PX)) y="13" text-anchor="middle" { (plot::tick_text(tick)) }
                }
            }
        }
        p class="note" {
            "Seconds of training on a logarithmic scale. All other rows are single runs of 2016-17 published by "
            "szilard/benchm-dl."
        }
    }
}

/// This run and every published tool on each device, the fastest first.
fn bars(answer: &Answer<'_>, train_s: f64) -> Vec<Bar> {
    let published = places(train_s).into_iter().map(|place| Bar {
        text: format!("{} s", as_given(place.published_s)),
        name: place.published,
        seconds: place.published_s,
        is_this: false,
    });
    let this = Bar {
        name: format!("This run: {}", answer.device),
        seconds: train_s,
        text: format!("{} s", three_digits(train_s)),
        is_this: true,
    };
    let mut bars: Vec<Bar> = published.chain([this]).collect();
    bars.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    bars
}

fn draw(bar: &Bar, axis: &Axis) -> Markup {
    html! {
        svg class="bar" width="100%" height="14" aria-hidden="true" {
            @for (_, at) in axis.ticks(plot::width_px) {
                line class="scale" x1=(percent(at, LENGTH_PX)) x2=(percent(at, LENGTH_PX)) y1="0" y2="14" {}
            }
            rect y="2" height="10" rx="2" width=(percent(axis.near(bar.seconds).unwrap_or(0.0), LENGTH_PX)) {}
        }
    }
}

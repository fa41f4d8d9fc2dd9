//! A prediction for many devices as a page: efficiency against their number, and the table.

use super::plot::{self, PlotArea, Range};
use super::{page, table};
use crate::report::scaling::{Scaling, ScalingRow, facts, meaning, measured_table, prediction_table};
use maud::{Markup, html};

/// The prediction as a page that needs nothing else.
pub fn scaling(scaling: &Scaling) -> String {
    let head = html! {
        p class="tool" { "gpubench " (env!("CARGO_PKG_VERSION")) ", predicted, not measured" }
        h1 { "Efficiency on many devices: " (scaling.device) }
    };
    let body = html! {
        section aria-labelledby="efficiency" {
            h2 id="efficiency" { "Efficiency against devices" }
            (efficiency(scaling))
            p { (meaning(scaling)) }
        }
        section aria-labelledby="basis" {
            h2 id="basis" { "What it rests on" }
            dl { @for (name, words) in facts(scaling) { dt { (name) } dd { (words) } } }
        }
        section aria-labelledby="devices" {
            h2 id="devices" { "Every number of devices" }
            (table::of(&prediction_table(scaling), "Predicted times and efficiencies", "cards"))
        }
        section aria-labelledby="measured" {
            h2 id="measured" { "Against measurements" }
            @if scaling.measured.is_empty() {
                p class="missing" { "n/a (no result of several devices was given)" }
            } @else {
                (table::of(&measured_table(scaling), "Measured on several devices", "cards"))
            }
        }
    };
    page("gpubench: scaling", head, body, "How it is predicted: docs/METHOD.md, Many devices")
}

fn efficiency(scaling: &Scaling) -> Markup {
    let strong = |row: &ScalingRow| row.strong.value().map(|step| (f64::from(row.devices), step.efficiency_pct));
    let weak = |row: &ScalingRow| (f64::from(row.devices), row.weak.efficiency_pct);
    let strong: Vec<(f64, f64)> = scaling.rows.iter().filter_map(strong).collect();
    let weak: Vec<(f64, f64)> = scaling.rows.iter().map(weak).collect();
    let ranges = Range::logarithmic(weak.iter().map(|(devices, _)| *devices)).zip(Range::from_zero([100.0]));
    let (batch, words) = (scaling.batch, meaning(scaling));
    html! {
        @if let Some((x, y)) = ranges {
            figure {
                p class="key" {
                    span { span class="swatch forward" aria-hidden="true" {} "batch " (batch) " over all" }
                    span { span class="swatch backward" aria-hidden="true" {} "batch " (batch) " on each" }
                }
                (plot::figure("scaling", "Efficiency against the number of devices", &words, &plot::FULL, |area| {
                    let (x, y) = (area.x(x), area.y(y));
                    draw(area, &x, &y, &strong, &weak)
                }))
            }
        }
    }
}

fn draw(area: &PlotArea, x: &plot::Axis, y: &plot::Axis, strong: &[(f64, f64)], weak: &[(f64, f64)]) -> Markup {
    html! {
        (plot::axes(area, x, y, "devices", "efficiency [%]"))
        g class="series forward" { polyline points=(plot::points(x, y, strong.iter().copied())) {} }
        g class="series backward" { polyline points=(plot::points(x, y, weak.iter().copied())) {} }
    }
}

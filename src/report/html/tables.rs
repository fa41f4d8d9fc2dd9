//! Tables of many results as a page: each as bars on a logarithmic scale, with its figures.

use super::plot::{self, Axis, Range, percent};
use super::{page, table};
use crate::report::layout;
use crate::report::published::{Bar, Medium, TableView, Tables};
use maud::{Markup, html};

/// The length of an axis on a phone in pixels, for which the labels of its ticks have room.
const LENGTH_PX: f64 = 300.0;

/// The tables among `views` as a page that needs nothing else, and the results that no table shows if asked for.
pub fn tables(tables: &Tables<'_>, views: &[TableView]) -> String {
    let shown: Vec<TableView> = TableView::TABLES.into_iter().filter(|view| views.contains(view)).collect();
    let excluded = Some(TableView::Excluded).filter(|view| views.contains(view) && !tables.excluded.is_empty());
    let head = html! {
        p class="tool" { "gpubench " (env!("CARGO_PKG_VERSION")) }
        h1 { "Results among the published ones" }
        p class="key" {
            span { span class="swatch live" {} "measured live" }
            span { span class="swatch published" {} "published 2016-17" }
        }
    };
    let body = html! {
        nav aria-label="Contents" {
            ul {
                @for view in shown.iter().chain(&excluded) { li { a href={ "#" (view.id()) } { (tables.title(*view)) } } }
            }
        }
        @for view in &shown {
            section aria-labelledby=(view.id()) {
                h2 id=(view.id()) { (tables.title(*view)) }
                (chart(&tables.bars(*view)))
                @let none = tables.no_row(*view);
                @if !none.is_empty() { p class="missing" { (none) } }
                (table::behind("All figures", &figures(&tables.table(*view, Medium::Page), &tables.title(*view))))
            }
        }
        @if let Some(view) = excluded {
            section aria-labelledby=(view.id()) {
                h2 id=(view.id()) { (tables.title(view)) }
                (figures(&tables.excluded_table(), &tables.title(view)))
            }
        }
        @for sentence in tables.legend(&shown, Medium::Page) { p class="note" { (sentence) } }
    };
    page("gpubench: tables", head, body, "Sources and caveats of the published rows: results/README.md")
}

/// A table and what its marks refer to.
fn figures(figures: &layout::Table, caption: &str) -> Markup {
    html! {
        (table::without_notes(figures, caption, "cards"))
        @for (mark, note) in figures.notes.iter() { p class="note" { (mark) " " (note) } }
    }
}

/// Bars, each with its name and time; in place of a bar the reason why there is none.
fn chart(bars: &[Bar]) -> Markup {
    let seconds = bars.iter().filter_map(|bar| bar.seconds.value().copied());
    let Some(range) = Range::logarithmic(seconds) else { return html! {} };
    let axis = Axis::over(range, LENGTH_PX);
    html! {
        ol class="places rows" {
            @for bar in bars {
                li class=(if bar.is_live { "live" } else { "published" }) {
                    span class="name" { (bar.device) " · " (bar.tool) }
                    @match bar.seconds.reason() {
                        None => {
                            (draw(bar, &axis))
                            span class="time" { (bar.text) }
                        }
                        Some(reason) => span class="missing" { "n/a (" (reason) ")" },
                    }
                }
            }
        }
        div class="places rows scale" aria-hidden="true" {
            svg class="bar" width="100%" height="18" aria-hidden="true" {
                @for (tick, at) in axis.ticks(plot::width_px) {
                    text x=(percent(at, LENGTH_PX)) y="13" text-anchor="middle" { (plot::tick_text(tick)) }
                }
            }
        }
        p class="caption" { "Seconds of training on a logarithmic scale." }
    }
}

fn draw(bar: &Bar, axis: &Axis) -> Markup {
    let end = bar.seconds.value().and_then(|&seconds| axis.near(seconds)).unwrap_or(0.0);
    html! {
        svg class="bar" width="100%" height="14" aria-hidden="true" {
            @for (_, at) in axis.ticks(plot::width_px) {
                line class="scale" x1=(percent(at, LENGTH_PX)) x2=(percent(at, LENGTH_PX)) y1="0" y2="14" {}
            }
            rect y="2" height="10" rx="2" width=(percent(end, LENGTH_PX)) {}
        }
    }
}

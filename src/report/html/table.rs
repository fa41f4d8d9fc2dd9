//! Tables of the page. On narrow screens rows become small blocks, whose cells carry the names of their columns.

use super::super::numbers::Notes;
use maud::{Markup, html};

/// A column: its heading, and the class of its cells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) heading: &'static str,
    pub(super) class: &'static str,
}

/// A column of text.
pub(super) const fn words(heading: &'static str) -> Column {
    Column { heading, class: "words" }
}

/// A column of numbers.
pub(super) const fn number(heading: &'static str) -> Column {
    Column { heading, class: "number" }
}

/// Text as the content of a cell.
pub(super) fn text(text: impl AsRef<str>) -> Markup {
    html! { (text.as_ref()) }
}

/// A table of `rows`, whose first cells are headings of their rows. `class` says how it looks.
///
/// The roles repeat what the elements say, as browsers forget it once style sheets lay rows out otherwise.
pub(super) fn table(caption: &str, class: &str, columns: &[Column], rows: &[Vec<Markup>]) -> Markup {
    html! {
        table role="table" class=(class) {
            caption { (caption) }
            (head(columns))
            tbody role="rowgroup" {
                @for cells in rows { (row("", columns, cells)) }
            }
        }
    }
}

/// The headings of a table.
pub(super) fn head(columns: &[Column]) -> Markup {
    html! {
        thead role="rowgroup" {
            tr role="row" {
                @for column in columns {
                    th role="columnheader" scope="col" class=(column.class) { (column.heading) }
                }
            }
        }
    }
}

/// A row of a table.
pub(super) fn row(class: &str, columns: &[Column], cells: &[Markup]) -> Markup {
    html! {
        tr role="row" class=(class) {
            @for (index, (column, cell)) in columns.iter().zip(cells).enumerate() {
                @if index == 0 {
                    th role="rowheader" scope="row" class=(column.class) { (cell) }
                } @else {
                    td role="cell" class=(column.class) data-label=(column.heading) { (cell) }
                }
            }
        }
    }
}

/// Two columns without headings: a name and what there is to say of it.
pub(super) fn facts(rows: impl IntoIterator<Item = (String, String)>) -> Markup {
    html! {
        dl {
            @for (name, text) in rows {
                dt { (name) }
                dd { (text) }
            }
        }
    }
}

/// What the marks in a table stand for.
pub(super) fn notes(notes: &Notes) -> Markup {
    html! {
        @for (mark, reason) in notes.iter() {
            p class="note" { (mark) " n/a (" (reason) ")" }
        }
    }
}

/// A table that opens on demand: the figures behind a plot.
pub(super) fn behind(summary: &str, table: &Markup) -> Markup {
    html! {
        details {
            summary { (summary) }
            (table)
        }
    }
}

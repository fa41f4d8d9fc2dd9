//! Tables of the page. On narrow screens each row becomes a block whose cells show the headings of their columns.

use crate::report::explain;
use crate::report::layout;
use crate::report::numbers::Notes;
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

/// A cell of plain text.
pub(super) fn text(text: impl AsRef<str>) -> Markup {
    html! { (text.as_ref()) }
}

/// A table of text cells with its emphasised rows and its notes.
pub(super) fn of(table: &layout::Table, caption: &str, class: &str) -> Markup {
    html! { (without_notes(table, caption, class)) (notes(&table.notes)) }
}

/// A table of text cells without the columns in which no row has a value; why stands in a line below it.
pub(super) fn with_values(table: &layout::Table, caption: &str, class: &str) -> Markup {
    let is_empty = |column: &usize| {
        !table.rows.is_empty()
            && table.rows.iter().all(|row| row.get(*column).is_none_or(|cell| cell.starts_with("n/a")))
    };
    let (without, with): (Vec<usize>, Vec<usize>) = (0..table.columns.len()).partition(is_empty);
    let kept = layout::Table {
        columns: with.iter().map(|column| table.columns[*column]).collect(),
        rows: table.rows.iter().map(|row| with.iter().map(|column| row[*column].clone()).collect()).collect(),
        emphasised: table.emphasised,
        notes: Notes::default(),
    };
    // A reason that no cell refers to any more stands with the names of its columns.
    let refers = |rows: &[Vec<String>], mark: &str| rows.iter().flatten().any(|cell| cell.ends_with(mark));
    let columns_of = |mark: &str| -> Vec<String> {
        let of_mark = without.iter().filter(|column| table.rows[0][**column].strip_prefix("n/a") == Some(mark));
        of_mark.map(|column| table.columns[*column].0.replace('\n', " ")).collect()
    };
    html! {
        @if !with.is_empty() { (without_notes(&kept, caption, class)) }
        @for (mark, reason) in table.notes.iter() {
            @let columns = if table.rows.is_empty() { Vec::new() } else { columns_of(&mark) };
            @if refers(&kept.rows, &mark) { p class="note" { (mark) " n/a (" (reason) ")" } }
            @if !columns.is_empty() { p class="note" { (columns.join(", ")) ": n/a (" (reason) ")" } }
        }
    }
}

/// A table of text cells with its emphasised rows.
pub(super) fn without_notes(table: &layout::Table, caption: &str, class: &str) -> Markup {
    let column = |&(heading, is_text): &(&'static str, bool)| if is_text { words(heading) } else { number(heading) };
    let columns: Vec<Column> = table.columns.iter().map(column).collect();
    let rows = table.rows.iter().enumerate().map(|(index, cells)| {
        let class = if index < table.emphasised { "this" } else { "" };
        row(class, &columns, &cells.iter().map(text).collect::<Vec<_>>())
    });
    with_rows(caption, class, &columns, rows)
}

/// A table of rows made by [`row`]. `class` selects the style.
///
/// The roles repeat the meaning of the elements, which browsers drop if style sheets change the display of rows.
pub(super) fn with_rows(
    caption: &str,
    class: &str,
    columns: &[Column],
    rows: impl IntoIterator<Item = Markup>,
) -> Markup {
    html! {
        table role="table" class=(class) {
            caption { (caption) }
            (head(columns))
            tbody role="rowgroup" { @for row in rows { (row) } }
        }
    }
}

/// The headings of a table.
fn head(columns: &[Column]) -> Markup {
    html! {
        thead role="rowgroup" {
            tr role="row" {
                @for column in columns {
                    th role="columnheader" scope="col" class=(column.class) {
                        (explained(column.heading, column.heading))
                    }
                }
            }
        }
    }
}

/// `text` with the explanation of `figure` as its tooltip, if there is one.
pub(super) fn explained(figure: &str, text: &str) -> Markup {
    html! {
        @match explain::figure(figure) {
            Some(figure) => abbr title=(explain::tooltip(figure)) { (text) },
            None => (text),
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

/// Names with what there is to say about each.
pub(super) fn facts(rows: impl IntoIterator<Item = (&'static str, String)>) -> Markup {
    html! {
        dl {
            @for (name, text) in rows {
                dt { (explained(name, name)) }
                dd { (text) }
            }
        }
    }
}

/// The reasons that the marks in a table refer to.
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

//! Tables, lists of facts and paragraphs as plain text of a given width.

use super::numbers::Notes;
use crate::escape;
use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table as Grid};

/// Extra spaces between the columns of a wide table.
pub(super) const GAP: u16 = 1;
/// Long lists show this many of their first and of their last rows.
const ROWS_AT_EACH_END: usize = 10;

/// The most letters of a cell.
const MOST_LETTERS: usize = 2000;

/// Names with what there is to say about each.
pub(super) type Facts = Vec<(&'static str, String)>;

/// The cells of a table, as both the terminal and the HTML page show them.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Heading of each column, with line breaks for narrow terminals, and whether the column holds text. Text is
    /// aligned to the left, numbers to the right.
    pub columns: Vec<(&'static str, bool)>,
    /// The rows, with one cell per column.
    pub rows: Vec<Vec<String>>,
    /// Number of leading rows that the page emphasises.
    pub emphasised: usize,
    /// What the marks in the cells refer to.
    pub notes: Notes,
}

impl Table {
    /// A table with a row for each of `values`, whose first `text_columns` columns hold text and all others numbers.
    /// `cells` adds the reasons for missing values to the notes. Hidden characters and line breaks are escaped.
    pub fn of<T>(
        headings: &[&'static str],
        text_columns: usize,
        values: impl IntoIterator<Item = T>,
        mut cells: impl FnMut(T, &mut Notes) -> Vec<String>,
    ) -> Self {
        let columns = headings.iter().enumerate().map(|(index, heading)| (*heading, index < text_columns)).collect();
        let mut notes = Notes::default();
        let shown_all = |cells: Vec<String>| cells.iter().map(|cell| shown(cell)).collect();
        let rows = values.into_iter().map(|value| shown_all(cells(value, &mut notes))).collect();
        Self { columns, rows, emphasised: 0, notes }
    }

    /// The same table with the middle of a long list of rows replaced by dots.
    pub fn shortened(mut self) -> Self {
        let end = self.rows.len().saturating_sub(ROWS_AT_EACH_END);
        if end > ROWS_AT_EACH_END {
            let dots = vec!["...".to_owned(); self.columns.len()];
            self.rows.splice(ROWS_AT_EACH_END..end, [dots]);
        }
        self
    }

    /// The table for a terminal of `width` columns, with `gap` extra spaces between columns and its notes below.
    pub fn text(&self, gap: u16, width: u16) -> String {
        joined([self.grid(gap, width), self.note_list(width)])
    }

    /// The heading, a rule and the rows, without borders.
    pub fn grid(&self, gap: u16, width: u16) -> String {
        let mut grid = Grid::new();
        grid.load_style(NOTHING.header_separator(LineStyle::none().fill('─').junction('─')))
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width)
            .set_header(self.columns.iter().map(|(heading, _)| Cell::new(heading)))
            .add_rows(self.rows.iter().map(|row| row.iter().map(|cell| limited(&escape::lines(cell)))));
        set_gap(&mut grid, |column| self.columns[column].1, gap);
        trimmed(&grid)
    }

    /// The notes, one or more lines each.
    pub fn note_list(&self, width: u16) -> String {
        notes(&self.notes, width)
    }
}

/// A cell on one line, without hidden characters.
fn shown(cell: &str) -> String {
    limited(&escape::line(cell))
}

/// A text that is no longer than people read: breaking it into lines takes a time that grows with the square of its
/// length.
fn limited(text: &str) -> String {
    match text.char_indices().nth(MOST_LETTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Rows of text without a heading; cells that need several lines are wrapped within their column.
fn list(rows: impl IntoIterator<Item = Vec<String>>, width: u16) -> String {
    let mut grid = Grid::new();
    let shown_all = |row: Vec<String>| row.iter().map(|cell| shown(cell)).collect::<Vec<_>>();
    grid.load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width)
        .add_rows(rows.into_iter().map(shown_all));
    set_gap(&mut grid, |_| true, GAP + 1);
    trimmed(&grid)
}

/// Notes for a terminal of `width` columns, one or more lines each.
pub(super) fn notes(notes: &Notes, width: u16) -> String {
    list(notes.iter().map(|(mark, text)| vec![mark, text.to_owned()]), width)
}

/// Facts for a terminal of `width` columns, the names in a column of their own.
pub(super) fn facts(facts: impl IntoIterator<Item = (&'static str, String)>, width: u16) -> String {
    list(facts.into_iter().map(|(name, text)| vec![name.to_owned(), text]), width)
}

/// A text wrapped to `width` columns.
pub(super) fn paragraph(text: impl Into<String>, width: u16) -> String {
    list([vec![text.into()]], width)
}

/// The first `width` characters of a line; one that is longer ends in dots.
pub(super) fn shortened(line: &str, width: u16) -> String {
    let width = usize::from(width);
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let kept: String = line.chars().take(width.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// The texts that are not empty, separated by blank lines.
pub(super) fn joined(texts: impl IntoIterator<Item = String>) -> String {
    texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// Puts `gap` spaces between columns, and none before the first or after the last.
fn set_gap(grid: &mut Grid, is_text: impl Fn(usize) -> bool, gap: u16) {
    for (index, column) in grid.column_iter_mut().enumerate() {
        column.set_padding((if index == 0 { 0 } else { gap }, 0));
        if !is_text(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

fn trimmed(grid: &Grid) -> String {
    let lines: Vec<String> = grid.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_table_keeps_its_first_and_last_rows() {
        let table = |count: u32| Table::of(&["n"], 0, 1..=count, |n, _| vec![n.to_string()]);
        assert_eq!(table(20).shortened().rows.len(), 20);
        let rows = table(100).shortened().rows.concat();
        assert_eq!((rows.len(), rows[9].as_str(), rows[10].as_str(), rows[11].as_str()), (21, "10", "...", "91"));
        assert!(table(0).shortened().rows.is_empty());
    }
}

//! The tables laid out for a terminal or a Markdown page.

use super::group::{Excluded, device, tool};
use super::history::PublishedTable;
use super::tables::{Medium, Tables};
use super::view::TableView;
use crate::escape;
use crate::report::layout::{GAP, Table, joined, paragraph};

/// Narrower terminals go without some columns.
const ALL_FROM_WIDTH: u16 = 100;
/// Narrower terminals have one space between columns instead of two.
const WIDE_GAP_FROM_WIDTH: u16 = 120;
/// Columns of a file's name before it is broken.
const FILE_WIDTH: usize = 20;

impl Tables<'_> {
    /// Views for a terminal of `width` columns, with a title each.
    ///
    /// No line is wider than `width`, from 80 columns on. There are no colours in it.
    pub fn text(&self, views: &[TableView], width: u16) -> String {
        let tables = tables(views).map(|view| self.table_text(view, width));
        let legend: Vec<String> =
            self.legend(views, medium(width)).into_iter().map(|sentence| paragraph(sentence, width)).collect();
        let excluded = match views.contains(&TableView::Excluded) && !self.excluded.is_empty() {
            true => {
                let mut table = self.excluded_table();
                table.rows.iter_mut().for_each(|row| row[0] = folded(&row[0]));
                format!("{}\n\n{}", self.title(TableView::Excluded), table.grid(GAP, width))
            }
            false => String::new(),
        };
        joined(tables.chain([legend.join("\n"), excluded])) + "\n"
    }

    /// Views as Markdown; with a title each if there are several.
    pub fn markdown(&self, views: &[TableView]) -> String {
        let titled = |view: TableView, body: String| match views.len() {
            1 => body,
            _ => format!("### {}\n\n{body}", self.title(view)),
        };
        let tables = tables(views).map(|view| {
            let table = self.table(view, Medium::Page);
            let note = |(mark, note): (String, &str)| format!("{mark} {}", cell(note));
            let notes: Vec<String> = table.notes.iter().map(note).collect();
            titled(view, joined([pipes(&table), notes.join("  \n"), self.no_row(view).to_owned()]))
        });
        let excluded = views.contains(&TableView::Excluded).then(|| match self.excluded.is_empty() {
            true => titled(TableView::Excluded, "No result is left out.".to_owned()),
            false => titled(TableView::Excluded, pipes(&self.excluded_table())),
        });
        joined(tables.chain([self.legend(views, Medium::Page).join("  \n")]).chain(excluded)) + "\n"
    }

    fn table_text(&self, view: TableView, width: u16) -> String {
        let table = self.table(view, medium(width));
        let gap = if width < WIDE_GAP_FROM_WIDTH { 0 } else { GAP };
        let below = [table.note_list(width), self.no_row(view).to_owned()];
        let below: Vec<String> = below.into_iter().filter(|part| !part.is_empty()).collect();
        joined([self.title(view), table.grid(gap, width), below.join("\n")])
    }

    /// A sentence for a table without a row of this program, else empty.
    pub(in crate::report) fn no_row(&self, view: TableView) -> &'static str {
        match (self.rows(view).groups.is_empty(), view) {
            (false, _) => "",
            (true, TableView::Published(PublishedTable::GpuAgainstCpu)) => {
                "There is no result of gpubench among these rows."
            }
            (true, TableView::Progress) => "No published tool was timed live; `gpubench frameworks` does that.",
            (true, _) => "No result of gpubench was measured on a GPU.",
        }
    }

    /// The results that no table shows.
    pub(in crate::report) fn excluded_table(&self) -> Table {
        Table::of(&["file", "device", "tool", "why"], 4, &self.excluded, |Excluded { loaded, reason }, _| {
            vec![loaded.file.clone(), device(&loaded.result), tool(&loaded.result), reason.clone()]
        })
    }
}

const fn medium(width: u16) -> Medium {
    if width < ALL_FROM_WIDTH { Medium::NarrowTerminal } else { Medium::Terminal }
}

/// The tables among views, in the order in which they are shown.
fn tables(views: &[TableView]) -> impl Iterator<Item = TableView> {
    TableView::TABLES.into_iter().filter(|table| views.contains(table))
}

/// A table in GitHub's Markdown; numbers are aligned to the right.
fn pipes(table: &Table) -> String {
    let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let headings = table.columns.iter().map(|(heading, _)| heading.replace('\n', " ")).collect();
    let rule = table.columns.iter().map(|(_, is_text)| if *is_text { "---" } else { "---:" }.to_owned()).collect();
    let rows = table.rows.iter().map(|row| row.iter().map(|text| cell(text)).collect());
    [headings, rule].into_iter().chain(rows).map(line).collect::<Vec<_>>().join("\n")
}

/// Text as Markdown shows it: no HTML, no link or picture, no further cell, no hidden character.
fn cell(text: &str) -> String {
    let mut shown = String::new();
    for letter in escape::line(&text.replace('\n', " ")).chars() {
        match letter {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '\\' | '|' | '[' | ']' => shown.extend(['\\', letter]),
            letter => shown.push(letter),
        }
    }
    shown
}

/// Names of files, broken after dashes and spaces so that a line exceeds [`FILE_WIDTH`] only where one word does.
fn folded(names: &str) -> String {
    let mut lines = vec![String::new()];
    for word in names.split_inclusive(['-', ' ']) {
        let last = lines.last().map_or(0, |line| line.chars().count());
        if last > 0 && last + word.trim_end().chars().count() > FILE_WIDTH {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(word);
        }
    }
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

//! The tables laid out for a terminal or a Markdown page.

use super::columns::{COLUMNS, Cell, Column, SOURCE};
use super::{Frame, Line, Part, Table, Tables};
use crate::report::numbers::Notes;
use crate::report::table::{CAVEAT, GAP, aligned, list, note_list};

/// Terminals narrower than this go without the column of sources; the names of files stand below the table in all.
const SOURCE_FROM_WIDTH: u16 = 100;
/// Terminals narrower than this have one space between columns in place of two.
const WIDE_GAP_FROM_WIDTH: u16 = 120;
/// Columns of a file's name before it is broken.
const FILE_WIDTH: usize = 20;
const LEFT_OUT_HEADINGS: [&str; 4] = ["file", "device", "tool", "why"];

impl Tables<'_> {
    /// Parts for a terminal of `width` columns, with a title each.
    ///
    /// No line is wider than `width`, from 80 columns on. There are no colours in it.
    pub fn text(&self, parts: &[Part], width: u16) -> String {
        let tables = tables(parts).map(|part| format!("{}\n\n{}", title(part), text(&self.table(part), width)));
        let legend = list(legend(parts).into_iter().map(|sentence| vec![sentence.to_owned()]), width);
        let left_out = match parts.contains(&Part::LeftOut) && !self.left_out.is_empty() {
            true => format!("{}\n\n{}", title(Part::LeftOut), self.left_out_text(width)),
            false => String::new(),
        };
        joined(tables.chain([legend, left_out]))
    }

    /// Parts as Markdown; with a title each where there are several.
    pub fn markdown(&self, parts: &[Part]) -> String {
        let titled = |part: Part, body: String| match parts.len() {
            1 => body,
            _ => format!("### {}\n\n{body}", title(part)),
        };
        let tables = tables(parts).map(|part| titled(part, markdown(&self.table(part))));
        let legend = legend(parts).join("  \n");
        let left_out = parts.contains(&Part::LeftOut).then(|| titled(Part::LeftOut, self.left_out_markdown()));
        joined(tables.chain([legend]).chain(left_out))
    }

    fn left_out_rows(&self) -> Vec<Vec<String>> {
        let row =
            |one: &super::LeftOut<'_>| vec![one.stored.file.clone(), one.device(), one.tool(), one.reason.clone()];
        self.left_out.iter().map(row).collect()
    }

    fn left_out_text(&self, width: u16) -> String {
        let mut rows = self.left_out_rows();
        rows.iter_mut().for_each(|row| row[0] = folded(&row[0]));
        aligned(&LEFT_OUT_HEADINGS, rows, &|_| true, GAP, width)
    }

    fn left_out_markdown(&self) -> String {
        if self.left_out.is_empty() {
            return "No result is left out.".to_owned();
        }
        pipes(&LEFT_OUT_HEADINGS, &self.left_out_rows(), |_| true)
    }
}

/// The tables among parts.
fn tables(parts: &[Part]) -> impl Iterator<Item = Part> {
    Part::TABLES.into_iter().filter(|table| parts.contains(table))
}

/// Texts with a blank line between them, without those that are empty.
fn joined(texts: impl Iterator<Item = String>) -> String {
    texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n") + "\n"
}

/// The name of a part with a capital letter.
fn title(part: Part) -> String {
    let mut letters = part.name().chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What the columns of these parts mean and what the published rows are, a sentence or two each.
fn legend(parts: &[Part]) -> Vec<&'static str> {
    let shown = |column: &&Column| tables(parts).any(|table| column.tables.contains(&table));
    let meanings = COLUMNS.iter().filter(shown).map(|column| column.meaning);
    let meanings = meanings.filter(|meaning| !meaning.is_empty());
    meanings.chain(tables(parts).next().map(|_| CAVEAT)).collect()
}

/// What stands in the place of rows of this program where a table has none.
fn no_row(table: &Table<'_>) -> Option<&'static str> {
    let none = match table.part {
        Part::Frame(Frame::GpuAgainstCpu) => "There is no result of gpubench among these rows.",
        _ => "None of the results of gpubench was measured on a GPU.",
    };
    table.groups.is_empty().then_some(none)
}

fn text(table: &Table<'_>, width: u16) -> String {
    let with_source = width >= SOURCE_FROM_WIDTH;
    let columns: Vec<&Column> = table.columns().filter(|column| with_source || column.key != SOURCE).collect();
    let mut notes = Notes::default();
    let row = |line: Line<'_>| {
        let mut cells = cells(table, &columns, &line, &mut notes);
        if let Line::Ours(group) = line {
            let files = group.files();
            let mark = notes.mark(&files.join(", "));
            let count = if files.len() == 1 { "1 file".to_owned() } else { format!("{} files", files.len()) };
            match cells.last_mut().filter(|_| with_source) {
                Some(source) => *source = count + &mark,
                None => cells[1] += &mark,
            }
        }
        cells
    };
    let rows = table.lines().map(row).collect();
    let headings: Vec<&str> = columns.iter().map(|column| column.heading).collect();
    let gap = if width < WIDE_GAP_FROM_WIDTH { 0 } else { GAP };
    let grid = aligned(&headings, rows, &|index| columns[index].is_text, gap, width);
    let below = [note_list(&notes, width), no_row(table).unwrap_or_default().to_owned()];
    let below: Vec<String> = below.into_iter().filter(|part| !part.is_empty()).collect();
    let below = below.join("\n");
    format!("{grid}\n\n{below}").trim_end().to_owned()
}

fn markdown(table: &Table<'_>) -> String {
    let columns: Vec<&Column> = table.columns().collect();
    let mut notes = Notes::default();
    let rows: Vec<Vec<String>> = table.lines().map(|line| cells(table, &columns, &line, &mut notes)).collect();
    let headings: Vec<String> = columns.iter().map(|column| column.heading.replace('\n', " ")).collect();
    let mut page = pipes(&headings, &rows, |index| columns[index].is_text);
    page += "\n";
    for (mark, note) in notes.iter() {
        page += &format!("\n{mark} {note}  ");
    }
    format!("{}\n\n{}", page.trim_end(), no_row(table).unwrap_or_default()).trim_end().to_owned()
}

/// The cells of a row; what must be known of it or of a number is a note.
fn cells(table: &Table<'_>, columns: &[&Column], line: &Line<'_>, notes: &mut Notes) -> Vec<String> {
    let published = matches!(line, Line::Published(_));
    let cell = |column: &&Column| match table.cell(column, line) {
        Cell::Text(text) => text,
        Cell::Number(number) => notes.or_mark(&number, |value| (column.write)(value, published)),
        Cell::Noted(value, note) => (column.write)(value, published) + &notes.mark(&note),
    };
    let mut cells: Vec<String> = columns.iter().map(cell).collect();
    for remark in Table::remarks(line) {
        cells[0] += &notes.mark(&remark);
    }
    cells
}

/// A table of GitHub's Markdown; columns of numbers stand to the right.
fn pipes(headings: &[impl AsRef<str>], rows: &[Vec<String>], is_text: impl Fn(usize) -> bool) -> String {
    let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let escaped =
        |cell: &str| cell.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace(['\n', '\r'], " ");
    let rule = (0..headings.len()).map(|index| if is_text(index) { "---" } else { "---:" }.to_owned());
    let mut lines =
        vec![line(headings.iter().map(|heading| escaped(heading.as_ref())).collect()), line(rule.collect())];
    lines.extend(rows.iter().map(|row| line(row.iter().map(|cell| escaped(cell)).collect())));
    lines.join("\n")
}

/// Names of files, broken after dashes so that no line but that of a long word is wider than [`FILE_WIDTH`].
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

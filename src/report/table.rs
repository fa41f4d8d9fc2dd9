//! The table in the published frame, laid out for a terminal or a page.

use super::numbers::{Notes, as_given, ratio, three_digits};
use super::rows::{Comparison, Row};
use comfy_table::presets::{ASCII_MARKDOWN, NOTHING};
use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table};

pub(super) const CAVEAT: &str = "The rows of 2016-17 are single runs published by szilard/benchm-dl. Their tools differed in \
    initialisation, decay and loss, and their times are those of whole fit calls.";
/// Terminals narrower than this go without the column of dates.
const DATE_FROM_WIDTH: u16 = 100;
/// Padding of columns, beside the space that a table with a rule puts between them.
pub(super) const GAP: u16 = 1;
/// Number of leading columns that hold text; the others hold numbers and stand to the right.
pub(super) const TEXT_COLUMNS: usize = 2;
pub(super) const HEADINGS: [&str; 10] =
    ["device", "tool", "time\n[s]", "vs\nbest", "vs\nTF", "GPU\n%", "CPUs", "busiest\nCPU %", "error\n%", "date"];

/// The comparison for a terminal of `width` columns.
pub(super) fn text(comparison: &Comparison, width: u16) -> String {
    let mut notes = Notes::default();
    let columns = if width < DATE_FROM_WIDTH { HEADINGS.len() - 1 } else { HEADINGS.len() };
    let rows = comparison.rows.iter().map(|row| cells(row, &mut notes, "\n")[..columns].to_vec()).collect();
    let gap = if width < DATE_FROM_WIDTH { 0 } else { GAP };
    let table = grid(&HEADINGS[..columns], rows, TEXT_COLUMNS, gap, width);
    let title = format!("This run among the published ones, {}", comparison.frame.name());
    format!("{title}\n\n{table}\n\n{}", footer(comparison, &notes, width))
}

/// The comparison as Markdown.
pub(super) fn markdown(comparison: &Comparison) -> String {
    let mut notes = Notes::default();
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(HEADINGS.map(|heading| heading.replace('\n', " ")));
    for row in &comparison.rows {
        table.add_row(cells(row, &mut notes, " ").map(|cell| cell.replace('|', "\\|")));
    }
    let mut page = format!("{table}\n");
    for (mark, text) in notes.iter() {
        page += &format!("\n{mark} {text}  ");
    }
    page + &format!("\n{}\n\n{CAVEAT}\n", ratios(comparison))
}

/// A table without borders: a heading, a rule, and rows; columns from `text_columns` on stand to the right.
pub(super) fn grid(headings: &[&str], rows: Vec<Vec<String>>, text_columns: usize, gap: u16, width: u16) -> String {
    aligned(headings, rows, &|column| column < text_columns, gap, width)
}

/// The same with columns of text anywhere: those for whose index `is_text`.
pub(super) fn aligned(
    headings: &[&str],
    rows: Vec<Vec<String>>,
    is_text: &dyn Fn(usize) -> bool,
    gap: u16,
    width: u16,
) -> String {
    let mut table = Table::new();
    table
        .load_style(NOTHING.header_separator(LineStyle::none().fill('─').junction('─')))
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width);
    table.set_header(headings.iter().map(Cell::new));
    table.add_rows(rows);
    close_up(&mut table, is_text, gap);
    trimmed(&table)
}

/// Rows of text that may take several lines, without a heading; what follows the first column hangs beside it.
pub(super) fn list(rows: impl IntoIterator<Item = Vec<String>>, width: u16) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    table.add_rows(rows);
    close_up(&mut table, &|_| true, GAP + 1);
    trimmed(&table)
}

/// A padding of `gap` spaces between columns, none before the first and after the last.
fn close_up(table: &mut Table, is_text: &dyn Fn(usize) -> bool, gap: u16) {
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if index == 0 { 0 } else { gap }, 0));
        if !is_text(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

fn trimmed(table: &Table) -> String {
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// The cells of a row in the order of [`HEADINGS`]; `line_break` separates stamps from what they stamp.
pub(super) fn cells(row: &Row, notes: &mut Notes, line_break: &str) -> [String; 10] {
    let number = if row.published { as_given } else { three_digits };
    let mut device = row.device.clone();
    if !row.note.is_empty() {
        device += &notes.mark(&row.note);
    }
    let stamps: String = row.stamps.iter().map(|stamp| format!("{line_break}{stamp}")).collect();
    let error_on = row.error_on.as_ref().map(|data| format!("{line_break}({data})")).unwrap_or_default();
    [
        device,
        format!("{}{stamps}", row.tool),
        notes.or_mark(&row.train_s, number),
        notes.or_mark(&row.ratio_to_best, ratio),
        notes.or_mark(&row.ratio_to_tensorflow, ratio),
        notes.or_mark(&row.gpu_busy_pct, number),
        notes.or_mark(&row.cpus_used, number),
        notes.or_mark(&row.busiest_cpu_pct, number),
        notes.or_mark(
            &row.error_pct,
            |error| {
                if row.published { format!("{error:.1}") } else { format!("{error:.2}") }
            },
        ) + &error_on,
        row.date.clone(),
    ]
}

fn footer(comparison: &Comparison, notes: &Notes, width: u16) -> String {
    let plain = list([vec![ratios(comparison)], vec![CAVEAT.to_owned()]], width);
    [note_list(notes, width), plain].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The notes below a table, a line or more each.
pub(super) fn note_list(notes: &Notes, width: u16) -> String {
    list(notes.iter().map(|(mark, text)| vec![mark, text.to_owned()]), width)
}

/// What the two ratios refer to.
pub(super) fn ratios(comparison: &Comparison) -> String {
    let this = match comparison.tensorflow {
        Some(row) => format!("; for this run, by the {} s of {} on {}", as_given(row.train_s), row.tool, row.device),
        None => String::new(),
    };
    format!(
        "vs best: time divided by the best of this table. vs TF: by that of Keras (tensorflow) on the same device{this}."
    )
}

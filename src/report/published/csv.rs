//! The tables as comma-separated values: every column, as measured, and why values are missing.

use super::columns::{COLUMNS, Cell, SOURCE};
use super::group::{Excluded, device, tool};
use super::tables::Tables;
use super::view::{TableRows, TableView};
use crate::escape;
use crate::result::Measured;
use crate::{Error, Result};

/// Columns beside those of the tables: the first, and the last two.
const FRAME: &str = "frame";
const NOTE: &str = "note";
const MISSING: &str = "missing";

impl Tables<'_> {
    /// Views as comma-separated values with one heading. A missing value is an empty field, and its reason stands in
    /// the last column as `key: reason; key: reason`. Excluded results have only the reason for their exclusion there.
    ///
    /// # Errors
    /// [`Error::Output`] if they cannot be written, which does not happen in memory.
    pub fn csv(&self, views: &[TableView]) -> Result<String> {
        let mut writer = ::csv::Writer::from_writer(Vec::new());
        let keys = COLUMNS.iter().map(|column| column.key);
        let heading: Vec<&str> = [FRAME].into_iter().chain(keys).chain([NOTE, MISSING]).collect();
        let mut records = vec![heading.into_iter().map(str::to_owned).collect()];
        for view in views {
            match view {
                TableView::Excluded => records.extend(self.excluded_records()),
                table => records.extend(records_of(&self.rows(*table))),
            }
        }
        let wrong = |error: &dyn std::fmt::Display| Error::Output(format!("the tables cannot be written: {error}"));
        for record in records {
            writer.write_record(record.iter().map(|field| field_text(field))).map_err(|error| wrong(&error))?;
        }
        let bytes = writer.into_inner().map_err(|error| wrong(&error))?;
        String::from_utf8(bytes).map_err(|error| wrong(&error))
    }

    fn excluded_records(&self) -> Vec<Vec<String>> {
        let record = |one: &Excluded<'_>| {
            let known = |key: &str| match key {
                "device" => device(&one.loaded.result),
                "tool" => tool(&one.loaded.result),
                SOURCE => one.loaded.file.clone(),
                _ => String::new(),
            };
            let cells = COLUMNS.iter().map(|column| known(column.key));
            let ends = [String::new(), one.reason.clone()];
            [TableView::Excluded.id().to_owned()].into_iter().chain(cells).chain(ends).collect()
        };
        self.excluded.iter().map(record).collect()
    }
}

/// A field without hidden characters. Text that a spreadsheet would take for a formula gets an apostrophe before it.
fn field_text(field: &str) -> String {
    let is_formula = field.starts_with(['=', '+', '-', '@', '\t', '\r']) && field.parse::<f64>().is_err();
    format!("{}{}", if is_formula { "'" } else { "" }, escape::line(field))
}

fn records_of(table: &TableRows<'_>) -> Vec<Vec<String>> {
    let mut records = Vec::new();
    for row in table.rows() {
        let mut record = vec![table.view.id().to_owned()];
        let (mut notes, mut missing) = (row.remarks(), Vec::new());
        for column in &COLUMNS {
            let (value, note) = match column.cell(&row, table) {
                Cell::Text(text) => {
                    record.push(text.replace('\n', " "));
                    continue;
                }
                Cell::Number(value) => (value, None),
                Cell::Noted(value, note) => (Measured::Value(value), Some(note)),
                Cell::Labelled(value, label) => (value, Some(label)),
            };
            notes.extend(note.map(|note| format!("{}: {note}", column.key)));
            missing.extend(value.reason().map(|reason| format!("{}: {reason}", column.key)));
            record.push(value.value().map_or_else(String::new, f64::to_string));
        }
        record.extend([notes.join("; "), missing.join("; ")]);
        records.push(record);
    }
    records
}

//! The tables as comma-separated values: every column, as measured, and why values are missing.

use super::columns::{COLUMNS, Cell};
use super::{Part, Table, Tables};
use crate::{Error, Result};

/// Columns beside those of the tables: the first, and the last two.
const FRAME: &str = "frame";
const NOTE: &str = "note";
const MISSING: &str = "missing";

impl Tables<'_> {
    /// Parts as comma-separated values with one heading: an empty field is a missing value, for the reason that stands in
    /// the last column as `key: reason; key: reason`. Results that no table holds have the reason alone.
    ///
    /// # Errors
    /// [`Error::Output`] if they cannot be written, which does not happen in memory.
    pub fn csv(&self, parts: &[Part]) -> Result<String> {
        let mut writer = ::csv::Writer::from_writer(Vec::new());
        let keys = COLUMNS.iter().map(|column| column.key);
        let heading: Vec<&str> = [FRAME].into_iter().chain(keys).chain([NOTE, MISSING]).collect();
        let mut records = vec![heading.into_iter().map(str::to_owned).collect()];
        for part in parts {
            match part {
                Part::LeftOut => records.extend(self.left_out()),
                table => records.extend(lines(&self.table(*table))),
            }
        }
        let wrong = |error: &dyn std::fmt::Display| Error::Output(format!("the tables cannot be written: {error}"));
        for record in records {
            writer.write_record(&record).map_err(|error| wrong(&error))?;
        }
        let bytes = writer.into_inner().map_err(|error| wrong(&error))?;
        String::from_utf8(bytes).map_err(|error| wrong(&error))
    }

    fn left_out(&self) -> Vec<Vec<String>> {
        let record = |one: &super::LeftOut<'_>| {
            let known = |key: &str| match key {
                "device" => one.device(),
                "tool" => one.tool(),
                super::columns::SOURCE => one.stored.file.clone(),
                _ => String::new(),
            };
            let cells = COLUMNS.iter().map(|column| known(column.key));
            let ends = [String::new(), one.reason.clone()];
            [Part::LeftOut.id().to_owned()].into_iter().chain(cells).chain(ends).collect()
        };
        self.left_out.iter().map(record).collect()
    }
}

fn lines(table: &Table<'_>) -> Vec<Vec<String>> {
    let mut records = Vec::new();
    for line in table.lines() {
        let mut record = vec![table.part.id().to_owned()];
        let (mut notes, mut missing) = (Table::remarks(&line), Vec::new());
        for column in &COLUMNS {
            record.push(match table.cell(column, &line) {
                Cell::Text(text) => text,
                Cell::Number(crate::result::Measured::Value(value)) => value.to_string(),
                Cell::Number(crate::result::Measured::Missing { reason }) => {
                    missing.push(format!("{}: {reason}", column.key));
                    String::new()
                }
                Cell::Noted(value, note) => {
                    notes.push(format!("{}: {note}", column.key));
                    value.to_string()
                }
            });
        }
        record.extend([notes.join("; "), missing.join("; ")]);
        records.push(record);
    }
    records
}

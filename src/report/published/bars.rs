//! The rows of a table as bars.

use super::tables::Tables;
use super::view::{Row, TableView};
use crate::report::numbers::{as_given, three_digits};
use crate::result::Measured;

/// A row of a table: what it is, and how long it took.
pub(in crate::report) struct Bar {
    /// Its device.
    pub device: String,
    /// Its tool.
    pub tool: String,
    /// Seconds, or why there are none.
    pub seconds: Measured<f64>,
    /// The seconds for people, with what was done if it was not the whole training.
    pub text: String,
    /// Whether it was measured by this program; else it was published.
    pub is_live: bool,
}

impl Tables<'_> {
    /// The rows of a table, the shortest time first; in the table of the tools since 2016-17 those of a tool together,
    /// the published one first.
    pub(in crate::report) fn bars(&self, view: TableView) -> Vec<Bar> {
        let rows = self.rows(view);
        let mut bars: Vec<(String, Bar)> = rows.rows().map(|row| bar(&row)).collect();
        let seconds = |bar: &Bar| bar.seconds.value().copied().unwrap_or(f64::INFINITY);
        bars.sort_by(|(tool, a), (other, b)| match view {
            TableView::Progress => (tool, a.is_live).cmp(&(other, b.is_live)).then(seconds(a).total_cmp(&seconds(b))),
            _ => seconds(a).total_cmp(&seconds(b)),
        });
        bars.into_iter().map(|(_, bar)| bar).collect()
    }
}

/// A row with the name under which its tool was published.
fn bar(row: &Row<'_>) -> (String, Bar) {
    match row {
        Row::Ours(group) => {
            let work = group.other_work().map_or_else(String::new, |work| format!(", {work}"));
            let bar = Bar {
                device: group.device(),
                tool: group.tool().replace('\n', ", "),
                seconds: group.train_s(),
                text: group
                    .train_s()
                    .value()
                    .map_or_else(String::new, |&time| format!("{} s{work}", three_digits(time))),
                is_live: true,
            };
            (group.other_tool().unwrap_or_default().to_owned(), bar)
        }
        Row::Published(row) => {
            let device = match row.device_count {
                0 | 1 => row.device.clone(),
                count => format!("{count} x {}", row.device),
            };
            let bar = Bar {
                device,
                tool: row.tool.clone(),
                seconds: Measured::Value(row.train_s),
                text: format!("{} s", as_given(row.train_s)),
                is_live: false,
            };
            (row.tool.clone(), bar)
        }
    }
}

//! Results among the published rows, in the four tables of the published comparison.
//!
//! [`Tables::of`] sorts results into rows and into those that no table may hold; [`Tables::text`], [`Tables::markdown`] and
//! [`Tables::csv`] show them. What a column holds stands in one table of columns.

mod columns;
mod csv;
mod group;
mod layout;

pub use group::{Group, LeftOut, Stored};

use super::published::{Frame, Published, on_cpu};
use super::rows::best_of_tensorflow;
use crate::{Error, Result};
use columns::{COLUMNS, Cell, Column};

/// The name that stands for every part on a command line.
const ALL: &str = "all";

/// What can be shown by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// One of the tables.
    Frame(Frame),
    /// The list of results that no table holds.
    LeftOut,
}

impl Part {
    /// Everything, in the order in which it is shown.
    pub fn all() -> Vec<Part> {
        Frame::ALL.into_iter().map(Part::Frame).chain([Part::LeftOut]).collect()
    }

    /// The name on a command line.
    pub const fn id(self) -> &'static str {
        match self {
            Part::Frame(frame) => frame.id(),
            Part::LeftOut => "left-out",
        }
    }

    /// The part called `name` on a command line, or every part for `all`.
    ///
    /// # Errors
    /// [`Error::Usage`], with the names there are.
    pub fn named(name: &str) -> Result<Vec<Part>> {
        let all = Part::all();
        if name == ALL {
            return Ok(all);
        }
        let ids: Vec<&str> = all.iter().map(|part| part.id()).collect();
        let unknown = || Error::Usage(format!("there is no table {name:?}; choose one of {ALL}, {}", ids.join(", ")));
        all.iter().find(|part| part.id() == name).map(|part| vec![*part]).ok_or_else(unknown)
    }
}

/// Results, sorted for the tables.
#[derive(Debug, Clone, PartialEq)]
pub struct Tables<'a> {
    /// The rows, the shortest time first.
    pub groups: Vec<Group<'a>>,
    /// What no table holds.
    pub left_out: Vec<LeftOut<'a>>,
}

impl<'a> Tables<'a> {
    /// Makes a row of every group of complete standard results that are alike, and leaves out all others.
    pub fn of(stored: &'a [Stored]) -> Self {
        let mut left_out = Vec::new();
        let mut groups: Vec<Group<'a>> = Vec::new();
        for one in stored {
            match group::reason_to_leave_out(&one.result) {
                Some(reason) => left_out.push(LeftOut { stored: one, reason }),
                None => group::insert(&mut groups, one),
            }
        }
        groups.sort_by(|a, b| a.train_s().total_cmp(&b.train_s()));
        group::tell_apart(&mut groups);
        Self { groups, left_out }
    }

    /// The rows of one table.
    fn table(&'a self, frame: Frame) -> Table<'a> {
        // Beside CPUs stands the fastest GPU; the other tables have them all.
        let fastest_gpu = self.groups.iter().position(|group| !group.on_cpu());
        let stands = |(index, group): &(usize, &Group<'_>)| match frame {
            Frame::GpuAgainstCpu => group.on_cpu() || fastest_gpu == Some(*index),
            Frame::ByTool | Frame::ByGpu | Frame::Generations => !group.on_cpu(),
        };
        let groups = self.groups.iter().enumerate().filter(stands).map(|(_, group)| group).collect();
        Table::new(frame, groups)
    }
}

/// A row of a table.
enum Line<'a> {
    Ours(&'a Group<'a>),
    Published(&'static Published),
}

/// One of the tables, and what its ratios refer to.
struct Table<'a> {
    frame: Frame,
    /// Rows of this program, the shortest time first.
    groups: Vec<&'a Group<'a>>,
    /// Published rows.
    published: Vec<&'static Published>,
    /// Shortest time of all rows, seconds.
    best_s: f64,
}

impl<'a> Table<'a> {
    fn new(frame: Frame, groups: Vec<&'a Group<'a>>) -> Self {
        let published = frame.rows();
        let times = published.iter().map(|row| row.train_s).chain(groups.iter().map(|group| group.train_s()));
        let best_s = times.fold(f64::INFINITY, f64::min);
        Self { frame, groups, published, best_s }
    }

    fn lines(&self) -> impl Iterator<Item = Line<'a>> {
        let ours = self.groups.iter().map(|group| Line::Ours(group));
        ours.chain(self.published.iter().map(|row| Line::Published(row)))
    }

    fn columns(&self) -> impl Iterator<Item = &'static Column> {
        COLUMNS.iter().filter(|column| column.frames.contains(&self.frame))
    }

    fn cell(&self, column: &Column, line: &Line<'_>) -> Cell {
        match line {
            Line::Ours(group) => (column.ours)(group, self),
            Line::Published(row) => (column.published)(row, self),
        }
    }

    /// What must be known about a row as a whole.
    fn remarks(line: &Line<'_>) -> Vec<String> {
        match line {
            Line::Ours(group) => group.remarks(),
            Line::Published(row) => Some(row.note.clone()).into_iter().filter(|note| !note.is_empty()).collect(),
        }
    }

    /// The time of the published row with which a row of this program is compared.
    fn tensorflow_s(&self, group: &Group<'_>) -> Option<f64> {
        best_of_tensorflow(&self.published, group.on_cpu()).map(|row| row.train_s)
    }
}

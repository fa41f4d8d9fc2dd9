//! Results among the published rows, in the four tables of the published comparison.
//!
//! [`Tables::of`] sorts results into rows and into those that no table may hold; [`Tables::text`], [`Tables::markdown`] and
//! [`Tables::csv`] show them. What a column holds stands in one table of columns.

mod columns;
mod csv;
mod group;
mod history;
mod layout;

pub use group::{Group, LeftOut, LoadedResult};
pub use history::{Frame, Published, parse, published};
pub(in crate::report) use history::{NOT_PUBLISHED, on_cpu};

use crate::report::rows::best_of_tensorflow;
use crate::{Error, Result};
use columns::{COLUMNS, Cell, Column};

/// The name that stands for every part on a command line.
const ALL: &str = "all";

/// What can be shown by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A table as it was published.
    Frame(Frame),
    /// Tools that were timed on several generations of GPUs: a table made of the rows by tool.
    Generations,
    /// The list of results that no table holds.
    LeftOut,
}

impl Part {
    /// The tables, in the order in which they are shown.
    pub const TABLES: [Part; 4] =
        [Part::Frame(Frame::ByTool), Part::Frame(Frame::ByGpu), Part::Frame(Frame::GpuAgainstCpu), Part::Generations];

    /// Everything, in the order in which it is shown.
    pub fn all() -> Vec<Part> {
        Part::TABLES.into_iter().chain([Part::LeftOut]).collect()
    }

    /// The name on a command line.
    pub const fn id(self) -> &'static str {
        match self {
            Part::Frame(Frame::ByTool) => "by-tool",
            Part::Frame(Frame::ByGpu) => "by-gpu",
            Part::Frame(Frame::GpuAgainstCpu) => "gpu-against-cpu",
            Part::Generations => "generations",
            Part::LeftOut => "left-out",
        }
    }

    /// The name for people.
    const fn name(self) -> &'static str {
        match self {
            Part::Frame(frame) => frame.name(),
            Part::Generations => "GPU generations",
            Part::LeftOut => "results that no table holds",
        }
    }

    /// Its published rows, in the order of publication; of the generations those of a tool stand together.
    fn published(self) -> Vec<&'static Published> {
        match self {
            Part::Frame(frame) => published().iter().filter(|row| row.frame == frame).collect(),
            Part::Generations => generations(),
            Part::LeftOut => Vec::new(),
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
    pub fn of(stored: &'a [LoadedResult]) -> Self {
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
    fn table(&'a self, part: Part) -> Table<'a> {
        // Beside CPUs stands the fastest GPU; the other tables have them all.
        let fastest_gpu = self.groups.iter().position(|group| !group.on_cpu());
        let stands = |(index, group): &(usize, &Group<'_>)| match part {
            Part::Frame(Frame::GpuAgainstCpu) => group.on_cpu() || fastest_gpu == Some(*index),
            Part::Frame(Frame::ByGpu) => !group.on_cpu() || group.devices() > 1,
            Part::Frame(Frame::ByTool) | Part::Generations => !group.on_cpu(),
            Part::LeftOut => false,
        };
        let groups = self.groups.iter().enumerate().filter(stands).map(|(_, group)| group).collect();
        Table::new(part, groups)
    }
}

/// The rows of tools that were published for several GPUs.
fn generations() -> Vec<&'static Published> {
    let on_gpus = Part::Frame(Frame::ByTool).published().into_iter().filter(|row| row.device_count > 0);
    let mut rows: Vec<&Published> = Vec::new();
    for first in on_gpus.clone() {
        let of_tool = on_gpus.clone().filter(|row| row.tool == first.tool);
        let is_new = rows.iter().all(|row| row.tool != first.tool);
        if is_new && of_tool.clone().any(|row| row.device != first.device) {
            rows.extend(of_tool);
        }
    }
    rows
}

/// A row of a table.
enum Line<'a> {
    Ours(&'a Group<'a>),
    Published(&'static Published),
}

/// One of the tables, and what its ratios refer to.
struct Table<'a> {
    part: Part,
    /// Rows of this program, the shortest time first.
    groups: Vec<&'a Group<'a>>,
    /// Published rows.
    published: Vec<&'static Published>,
    /// Shortest time of all rows, seconds.
    best_s: f64,
}

impl<'a> Table<'a> {
    fn new(part: Part, groups: Vec<&'a Group<'a>>) -> Self {
        let published = part.published();
        let times = published.iter().map(|row| row.train_s).chain(groups.iter().map(|group| group.train_s()));
        let best_s = times.fold(f64::INFINITY, f64::min);
        Self { part, groups, published, best_s }
    }

    fn lines(&self) -> impl Iterator<Item = Line<'a>> {
        let ours = self.groups.iter().map(|group| Line::Ours(group));
        ours.chain(self.published.iter().map(|row| Line::Published(row)))
    }

    fn columns(&self) -> impl Iterator<Item = &'static Column> {
        COLUMNS.iter().filter(|column| column.tables.contains(&self.part))
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

//! The views that `gpubench table` offers, and the rows of each table.

use super::group::Group;
use super::history::{PublishedRow, PublishedTable, published_rows};
use crate::result::RunResult;
use crate::{Error, Result};

/// The name of all views together on a command line.
const ALL: &str = "all";
/// The tool whose times the column `vs TF` refers to.
const TENSORFLOW: &str = "Keras (tensorflow)";

/// A view of the results: a table, or the list of results that no table shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableView {
    /// One of the published tables.
    Published(PublishedTable),
    /// The published tools that were timed on several generations of GPUs: a subset of the table by tool.
    Generations,
    /// The published tools that were timed live too, each beside its published row on the nearest device.
    Progress,
    /// The results that no table shows.
    Excluded,
}

impl TableView {
    /// The tables, in the order in which they are shown.
    pub const TABLES: [Self; 5] = [
        Self::Published(PublishedTable::ByTool),
        Self::Published(PublishedTable::ByGpu),
        Self::Published(PublishedTable::GpuAgainstCpu),
        Self::Generations,
        Self::Progress,
    ];

    /// All views, in the order in which they are shown.
    pub fn all() -> Vec<Self> {
        Self::TABLES.into_iter().chain([Self::Excluded]).collect()
    }

    /// The published table that shows `result`.
    pub fn of(result: &RunResult) -> Self {
        Self::Published(PublishedTable::of(&result.environment.adapter))
    }

    /// The name on a command line.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Published(PublishedTable::ByTool) => "by-tool",
            Self::Published(PublishedTable::ByGpu) => "by-gpu",
            Self::Published(PublishedTable::GpuAgainstCpu) => "gpu-against-cpu",
            Self::Generations => "generations",
            Self::Progress => "since-2016",
            Self::Excluded => "left-out",
        }
    }

    /// The title, in lower case.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Published(table) => table.name(),
            Self::Generations => "GPU generations",
            Self::Progress => "the tools since 2016-17",
            Self::Excluded => "results that no table holds",
        }
    }

    /// The view called `name` on a command line, or every view for `all`.
    ///
    /// # Errors
    /// [`Error::Usage`], with the valid names.
    pub fn named(name: &str) -> Result<Vec<Self>> {
        let all = Self::all();
        if name == ALL {
            return Ok(all);
        }
        let ids: Vec<&str> = all.iter().map(|view| view.id()).collect();
        let unknown = || Error::Usage(format!("there is no table {name:?}; choose one of {ALL}, {}", ids.join(", ")));
        all.iter().find(|view| view.id() == name).map(|view| vec![*view]).ok_or_else(unknown)
    }

    /// The published rows, in the order of publication; rows of one tool stand together in the table of generations.
    fn published(self) -> Vec<&'static PublishedRow> {
        match self {
            Self::Published(table) => published_rows().iter().filter(|row| row.table == table).collect(),
            Self::Generations => generations(),
            Self::Progress | Self::Excluded => Vec::new(),
        }
    }
}

/// The rows of the tools that were published for several GPUs.
fn generations() -> Vec<&'static PublishedRow> {
    let by_tool = TableView::Published(PublishedTable::ByTool).published();
    let on_gpus = by_tool.into_iter().filter(|row| row.device_count > 0);
    let mut rows: Vec<&PublishedRow> = Vec::new();
    for first in on_gpus.clone() {
        let of_tool = on_gpus.clone().filter(|row| row.tool == first.tool);
        let is_new = rows.iter().all(|row| row.tool != first.tool);
        if is_new && of_tool.clone().any(|row| row.device != first.device) {
            rows.extend(of_tool);
        }
    }
    rows
}

/// The published row of a live tool on the nearest device: one of the same kind where there is one, of GPUs the newest;
/// for a CPU without such a row the oldest GPU.
pub(super) fn nearest_published(group: &Group<'_>) -> Option<&'static PublishedRow> {
    let tool = group.other_tool()?;
    let rows = || published_rows().iter().filter(|row| row.tool == tool && row.device_count <= 1);
    let same_kind = rows().filter(|row| (row.device_count == 0) == group.on_cpu());
    match group.on_cpu() {
        // The smallest of the published processors took the longest.
        true => same_kind.min_by(|a, b| b.train_s.total_cmp(&a.train_s)).or_else(|| rows().next()),
        false => same_kind.min_by(|a, b| a.train_s.total_cmp(&b.train_s)),
    }
}

/// A row of a table.
pub(super) enum Row<'a> {
    Ours(&'a Group<'a>),
    Published(&'static PublishedRow),
}

impl Row<'_> {
    /// Remarks about the row as a whole.
    pub fn remarks(&self) -> Vec<String> {
        match self {
            Self::Ours(group) => group.remarks(),
            Self::Published(row) => Some(row.note.clone()).into_iter().filter(|note| !note.is_empty()).collect(),
        }
    }
}

/// The shortest time of rows that can be compared; infinite if there are none.
fn shortest<'a>(groups: impl Iterator<Item = &'a Group<'a>>) -> f64 {
    groups.filter_map(|group| group.comparable_s().value().copied()).fold(f64::INFINITY, f64::min)
}

/// The rows of one table, and the times that its ratios refer to.
pub(super) struct TableRows<'a> {
    pub view: TableView,
    /// Rows of this program, the shortest time first.
    pub groups: Vec<&'a Group<'a>>,
    /// Published rows.
    pub published: Vec<&'static PublishedRow>,
    /// Shortest time of all rows that can be compared, in seconds; without those measured on CPUs where these may be
    /// of several hosts.
    pub best_s: f64,
    /// Whether rows measured on CPUs are compared with those of the same host alone.
    by_host: bool,
}

impl<'a> TableRows<'a> {
    pub fn new(view: TableView, groups: Vec<&'a Group<'a>>, by_host: bool) -> Self {
        let mut published = view.published();
        if view == TableView::Progress {
            for row in groups.iter().filter_map(|group| nearest_published(group)) {
                if !published.iter().any(|other| std::ptr::eq(*other, row)) {
                    published.push(row);
                }
            }
        }
        let ours = shortest(groups.iter().copied().filter(|group| !by_host || !group.on_cpu()));
        let best_s = published.iter().map(|row| row.train_s).fold(ours, f64::min);
        Self { view, groups, published, best_s, by_host }
    }

    /// The shortest time that `group`, which is a row of this table, is compared with.
    pub fn best_beside(&self, group: &Group<'_>) -> f64 {
        match self.by_host && group.on_cpu() {
            true => shortest(self.groups.iter().copied().filter(|other| other.shares_host(group))),
            false => self.best_s,
        }
    }

    /// The rows in order: those of this program, then the published ones.
    pub fn rows(&self) -> impl Iterator<Item = Row<'a>> {
        let ours = self.groups.iter().map(|group| Row::Ours(group));
        ours.chain(self.published.iter().map(|row| Row::Published(row)))
    }

    /// The live row of TensorFlow on the device of `group`, or on its host if both compute on the CPU.
    pub fn live_tensorflow(&self, group: &Group<'_>) -> Option<&'a Group<'a>> {
        let is_tensorflow = |other: &&&Group<'_>| other.other_tool() == Some(TENSORFLOW);
        let same = |other: &&&Group<'_>| other.device() == group.device() || other.shares_host(group);
        let rows = self.groups.iter().filter(is_tensorflow).filter(same);
        rows.copied().find(|other| other.comparable_s().value().is_some())
    }

    /// The published row that the column `vs TF` compares a group with: TensorFlow's shortest time on the same kind of
    /// device.
    pub fn tensorflow(&self, group: &Group<'_>) -> Option<&'static PublishedRow> {
        let same_kind = |row: &&&PublishedRow| row.tool == TENSORFLOW && (row.device_count == 0) == group.on_cpu();
        let rows = self.published.iter().filter(same_kind);
        rows.min_by(|a, b| a.train_s.total_cmp(&b.train_s)).copied()
    }

    /// The published row that the column `vs TF` compares a published row with: TensorFlow on the same device.
    pub fn tensorflow_beside(&self, row: &PublishedRow) -> Option<&'static PublishedRow> {
        let same_device = |other: &&&PublishedRow| {
            other.tool == TENSORFLOW && other.device == row.device && other.device_count == row.device_count
        };
        self.published.iter().find(same_device).copied()
    }
}

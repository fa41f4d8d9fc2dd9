//! The columns of all tables, one entry each in [`COLUMNS`]. To add a column, add an entry.

use super::group::{Group, ON_A_GPU, ON_THE_CPU};
use super::history::{NOT_PUBLISHED, PUBLISHED_IN, PublishedRow, PublishedTable};
use super::view::{Row, TableRows, TableView, nearest_published};
use crate::report::numbers::{as_given, ratio, three_digits};
use crate::result::{Measured, Parallel, Repeat, RunResult};
use crate::stats;

/// The GPU whose times the generations are compared with.
const FIRST_GENERATION: &str = "Tesla K80";
const ONE_DEVICE: &str = "one device trained";

/// The contents of a cell.
pub(super) enum Cell {
    /// Text; what follows a line break qualifies the first line.
    Text(String),
    /// A number, or why there is none.
    Number(Measured<f64>),
    /// A number and a note about it.
    Noted(f64, String),
    /// A number, or why there is none, and a label that stands beside it.
    Labelled(Measured<f64>, String),
}

/// A column of the tables.
pub(super) struct Column {
    /// Its name in CSV, with its unit.
    pub key: &'static str,
    /// Its heading, with line breaks for narrow terminals.
    pub heading: &'static str,
    /// The tables that show it; CSV has every column.
    pub tables: &'static [TableView],
    /// Whether it holds text, which is aligned to the left.
    pub is_text: bool,
    /// A sentence about it for the legend, or empty.
    pub meaning: &'static str,
    /// The cell of a published row.
    pub published: fn(&PublishedRow, &TableRows<'_>) -> Cell,
    /// The cell of a row of this program.
    pub ours: fn(&Group<'_>, &TableRows<'_>) -> Cell,
    /// Formats a number; the second argument says whether it is a published one.
    pub write: fn(f64, bool) -> String,
}

impl Column {
    /// The cell of `row`, which is a row of `table`.
    pub fn cell(&self, row: &Row<'_>, table: &TableRows<'_>) -> Cell {
        match row {
            Row::Ours(group) => (self.ours)(group, table),
            Row::Published(row) => (self.published)(row, table),
        }
    }
}

const BY_TOOL: TableView = TableView::Published(PublishedTable::ByTool);
const BY_GPU: TableView = TableView::Published(PublishedTable::ByGpu);
const GPU_AGAINST_CPU: TableView = TableView::Published(PublishedTable::GpuAgainstCpu);
const GENERATIONS: TableView = TableView::Generations;
const ALL_BUT_BY_GPU: &[TableView] = &[BY_TOOL, GPU_AGAINST_CPU, GENERATIONS, TableView::Progress];

/// Key of the column with the ratio to the best time.
pub(super) const RATIO_TO_BEST: &str = "ratio_to_best";
/// What that column means where all rows but the published ones are of one host.
pub(super) const BEST_OF_TABLE: &str = "vs best: time divided by the best of this table.";

/// Key of the column that names each row's source.
pub(super) const SOURCE: &str = "source";

/// Key of the column with the time to an error rate of 1 %.
pub(super) const TIME_TO_GOOD_ERROR: &str = "time_to_1pct_error_s";

/// The fields that most columns share.
const PLAIN: Column = Column {
    key: "",
    heading: "",
    tables: &TableView::TABLES,
    is_text: false,
    meaning: "",
    published: |_, _| Cell::Text(String::new()),
    ours: |_, _| Cell::Text(String::new()),
    write: |value, published| if published { as_given(value) } else { three_digits(value) },
};

/// Every column, in order.
pub(super) const COLUMNS: [Column; 19] = [
    Column {
        key: "device",
        heading: "device",
        is_text: true,
        published: |row, _| Cell::Text(row.device.clone()),
        ours: |group, _| Cell::Text(group.device()),
        ..PLAIN
    },
    Column {
        key: "tool",
        heading: "tool",
        is_text: true,
        published: |row, _| Cell::Text(row.tool.clone()),
        ours: |group, _| Cell::Text(group.tool()),
        ..PLAIN
    },
    Column {
        key: "device_count",
        heading: "devices",
        tables: &[BY_GPU],
        published: |row, _| number(f64::from(row.device_count)),
        ours: |group, _| number(group.devices() as f64),
        write: |value, _| as_given(value),
        ..PLAIN
    },
    Column {
        key: "threads",
        heading: "threads",
        tables: &[GPU_AGAINST_CPU],
        published: |row, _| {
            Cell::Number(if row.device_count == 0 { row.cpus_used.clone() } else { Measured::missing(ON_A_GPU) })
        },
        ours: |group, _| Cell::Number(group.threads()),
        write: |value, _| as_given(value),
        ..PLAIN
    },
    Column {
        key: "train_s",
        heading: "time\n[s]",
        published: |row, _| number(row.train_s),
        ours: |group, _| match group.other_work() {
            None => Cell::Number(group.train_s()),
            Some(work) => Cell::Labelled(group.train_s(), work),
        },
        ..PLAIN
    },
    Column {
        key: "trainings",
        heading: "runs",
        meaning: "runs: number of timed trainings, of which time and error are the medians.",
        published: |_, _| number(1.0),
        ours: |group, _| number(group.trainings() as f64),
        write: |value, _| as_given(value),
        ..PLAIN
    },
    Column {
        key: RATIO_TO_BEST,
        heading: "vs\nbest",
        meaning: "vs best: time divided by the best of this table; of rows measured on a CPU, by the best of the \
            same host.",
        published: |row, table| number(row.train_s / table.best_s),
        ours: |group, table| Cell::Number(group.comparable_s().map(|seconds| seconds / table.best_beside(group))),
        write: |value, _| ratio(value),
        ..PLAIN
    },
    Column {
        key: "ratio_to_tensorflow",
        heading: "vs\nTF",
        tables: &[BY_TOOL, BY_GPU, GPU_AGAINST_CPU],
        meaning: "vs TF: time divided by that of Keras (tensorflow) on the same device; where it was not timed there, \
            that of gpubench on a GPU by its shortest published on a GPU, on a CPU by its shortest on a CPU.",
        published: |row, table| {
            let ratio = table.tensorflow_beside(row).map(|other| row.train_s / other.train_s);
            Cell::Number(Measured::or_missing(ratio, "no row of TensorFlow on this device"))
        },
        ours: |group, table| Cell::Number(ours_beside_tensorflow(group, table)),
        write: |value, _| ratio(value),
        ..PLAIN
    },
    Column {
        key: "ratio_to_first_generation",
        heading: "vs\nK80",
        tables: &[GENERATIONS],
        meaning: "vs K80: time divided by the same tool's on a Tesla K80.",
        published: |row, table| Cell::Number(beside_first_generation(row, &table.published)),
        ours: |group, table| Cell::Number(ours_beside_first_generation(group, table)),
        write: |value, _| ratio(value),
        ..PLAIN
    },
    Column {
        key: "ratio_to_2016",
        heading: "vs\n2016-17",
        tables: &[TableView::Progress],
        meaning: "vs 2016-17: time divided by the published one of the same tool on the nearest device of its kind; for a \
            CPU without one, on the oldest GPU.",
        published: |_, _| number(1.0),
        ours: |group, _| Cell::Number(ours_beside_published(group)),
        write: |value, _| ratio(value),
        ..PLAIN
    },
    Column {
        key: "scaling_efficiency_pct",
        heading: "scaling\n%",
        tables: &[BY_GPU],
        meaning: "scaling: speed of all devices together, divided by the sum of what each reaches alone.",
        published: |row, table| Cell::Number(scaling_pct(row, &table.published)),
        ours: |group, _| median(group, |result| of_parallel(result, |parallel| &parallel.scaling_efficiency_pct)),
        write: |value, _| three_digits(value),
        ..PLAIN
    },
    Column {
        key: "exchange_pct",
        heading: "exchange\n%",
        tables: &[BY_GPU],
        meaning: "exchange: share of the time in which gradients or parameters went between devices.",
        published: |_, _| Cell::Number(Measured::missing(NOT_PUBLISHED)),
        ours: |group, _| median(group, |result| of_parallel(result, |parallel| &parallel.exchange_pct)),
        write: |value, _| three_digits(value),
        ..PLAIN
    },
    Column {
        key: "gpu_busy_pct",
        heading: "GPU\n%",
        published: |row, _| Cell::Number(row.gpu_busy_pct.clone()),
        ours: |group, _| match group.is_of_cpu_target() {
            true => Cell::Number(Measured::missing(ON_THE_CPU)),
            false => median(group, |result| result.summary.gpu_busy().clone()),
        },
        ..PLAIN
    },
    Column {
        key: "cpus_used",
        heading: "CPUs",
        tables: ALL_BUT_BY_GPU,
        published: |row, _| Cell::Number(row.cpus_used.clone()),
        ours: |group, _| median(group, |result| result.summary.cpus_used.clone()),
        ..PLAIN
    },
    Column {
        key: "busiest_cpu_pct",
        heading: "busiest\nCPU %",
        tables: ALL_BUT_BY_GPU,
        published: |row, _| Cell::Number(row.busiest_cpu_pct.clone()),
        ours: |group, _| median(group, |result| result.summary.busiest_cpu_pct.clone()),
        ..PLAIN
    },
    Column {
        key: "error_pct",
        heading: "error\n%",
        published: |row, _| Cell::Number(row.error_pct.clone()),
        ours: |group, _| match group.other_data() {
            None => Cell::Number(group.error_pct()),
            Some(data) => Cell::Labelled(group.error_pct(), data.to_owned()),
        },
        write: |value, published| if published { format!("{value:.1}") } else { format!("{value:.2}") },
        ..PLAIN
    },
    Column {
        key: TIME_TO_GOOD_ERROR,
        heading: "time to\n1 % [s]",
        tables: &[BY_TOOL, GPU_AGAINST_CPU],
        meaning: "time to 1 %: training until the test error was at most 1.0 % for the first time, in whole epochs.",
        published: |_, _| Cell::Number(Measured::missing(NOT_PUBLISHED)),
        ours: |group, _| Cell::Number(group.to_good_error(Repeat::seconds_to_error)),
        ..PLAIN
    },
    Column {
        key: "energy_to_1pct_error_j",
        heading: "energy to\n1 % [J]",
        tables: &[],
        published: |_, _| Cell::Number(Measured::missing(NOT_PUBLISHED)),
        ours: |group, _| Cell::Number(group.to_good_error(Repeat::joules_to_error)),
        ..PLAIN
    },
    Column {
        key: SOURCE,
        heading: "from",
        is_text: true,
        published: |_, _| Cell::Text(PUBLISHED_IN.to_owned()),
        ours: |group, _| Cell::Text(group.sources().join(", ")),
        ..PLAIN
    },
];

fn number(value: f64) -> Cell {
    Cell::Number(Measured::Value(value))
}

/// Median of a figure over the results that have it, or why the first result has none.
fn median(group: &Group<'_>, figure: impl Fn(&RunResult) -> Measured<f64>) -> Cell {
    let figures: Vec<Measured<f64>> = group.results().map(figure).collect();
    let values: Vec<f64> = figures.iter().filter_map(|figure| figure.value()).copied().collect();
    match stats::median(&values) {
        Some(median) if values.len() == figures.len() => number(median),
        Some(median) => Cell::Noted(median, format!("known of {} of {} results", values.len(), figures.len())),
        None => Cell::Number(figures.into_iter().next().unwrap_or_else(|| Measured::missing("there is no result"))),
    }
}

/// A figure of a data-parallel training, or why there is none.
fn of_parallel(result: &RunResult, figure: impl Fn(&Parallel) -> &Measured<f64>) -> Measured<f64> {
    match &result.parallel {
        Measured::Value(parallel) => figure(parallel).clone(),
        Measured::Missing { reason } => Measured::missing(reason.clone()),
    }
}

/// Scaling efficiency in percent: the time on one device, divided by the number of devices times the time on all of
/// them.
fn scaling_pct(row: &PublishedRow, others: &[&PublishedRow]) -> Measured<f64> {
    if row.device_count <= 1 {
        return Measured::missing(ONE_DEVICE);
    }
    let single =
        others.iter().find(|other| other.device_count == 1 && (&other.tool, &other.device) == (&row.tool, &row.device));
    let share = single.map(|single| 100.0 * single.train_s / (f64::from(row.device_count) * row.train_s));
    Measured::or_missing(share, "no row of one such device")
}

fn beside_first_generation(row: &PublishedRow, others: &[&PublishedRow]) -> Measured<f64> {
    let first = others.iter().find(|other| other.tool == row.tool && other.device == FIRST_GENERATION);
    Measured::or_missing(first.map(|first| row.train_s / first.train_s), "no row of this tool on a Tesla K80")
}

fn ours_beside_first_generation(group: &Group<'_>, table: &TableRows<'_>) -> Measured<f64> {
    let first = table.groups.iter().find(|other| other.device().contains(FIRST_GENERATION));
    let first_s = first.map_or(Measured::missing("no result of gpubench on a Tesla K80"), |first| first.comparable_s());
    ratio_of(group.comparable_s(), first_s)
}

fn ours_beside_tensorflow(group: &Group<'_>, table: &TableRows<'_>) -> Measured<f64> {
    if let Some(live) = table.live_tensorflow(group) {
        return ratio_of(group.comparable_s(), live.comparable_s());
    }
    let other_s = table.tensorflow(group).map(|other| other.train_s);
    ratio_of(group.comparable_s(), Measured::or_missing(other_s, "no row of TensorFlow on a device of this kind"))
}

fn ours_beside_published(group: &Group<'_>) -> Measured<f64> {
    let before = nearest_published(group).map(|row| row.train_s);
    ratio_of(group.comparable_s(), Measured::or_missing(before, "this tool was not published"))
}

/// The ratio of two figures, or why the first missing one is missing.
fn ratio_of(part: Measured<f64>, whole: Measured<f64>) -> Measured<f64> {
    match (part, whole) {
        (Measured::Value(part), Measured::Value(whole)) => Measured::Value(part / whole),
        (missing @ Measured::Missing { .. }, _) | (_, missing) => missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::explain;

    #[test]
    fn every_column_is_explained_by_its_heading_and_by_its_key() {
        for column in &COLUMNS {
            let by_heading = explain::figure(column.heading);
            assert!(by_heading.is_some() && by_heading == explain::figure(column.key), "{:?}", column.heading);
        }
    }
}

//! The columns: one row each of one table. A new column is a new row there.

use super::group::Group;
use super::{Frame, Part, Table};
use crate::report::numbers::{as_given, ratio, three_digits};
use crate::report::published::{NOT_PUBLISHED, Published};
use crate::report::rows::beside_tensorflow;
use crate::result::{Measured, Parallel, RunResult};
use crate::stats;

/// The GPU whose times the generations are compared with.
const FIRST_GENERATION: &str = "Tesla K80";
const ONE_DEVICE: &str = "one device trained";
/// Why a row of a GPU has no number of threads.
pub(super) const ON_A_GPU: &str = "it computes on a GPU";

/// What stands in a row of a column.
pub(super) enum Cell {
    /// Words.
    Text(String),
    /// A number, or why there is none.
    Number(Measured<f64>),
    /// A number and what must be known of it.
    Noted(f64, String),
}

/// A column of the tables.
pub(super) struct Column {
    /// Its name in CSV, with its unit.
    pub key: &'static str,
    /// Its heading, with line breaks for narrow terminals.
    pub heading: &'static str,
    /// The tables that show it; CSV has every column.
    pub tables: &'static [Part],
    /// Whether it holds words, and so stands to the left.
    pub is_text: bool,
    /// A sentence about it below the table, empty where the heading is enough.
    pub meaning: &'static str,
    /// What it holds of a published row.
    pub published: fn(&Published, &Table<'_>) -> Cell,
    /// What it holds of a row of this program.
    pub ours: fn(&Group<'_>, &Table<'_>) -> Cell,
    /// How a number is shown; whether it is a published one.
    pub write: fn(f64, bool) -> String,
}

const EVERY: &[Part] = &Part::TABLES;
const GENERATIONS: &[Part] = &[Part::Generations];
const BY_GPU: &[Part] = &[Part::Frame(Frame::ByGpu)];
const ON_CPU: &[Part] = &[Part::Frame(Frame::GpuAgainstCpu)];
const ALL_BUT_BY_GPU: &[Part] = &[Part::Frame(Frame::ByTool), Part::Frame(Frame::GpuAgainstCpu), Part::Generations];
const ALL_BUT_GENERATIONS: &[Part] =
    &[Part::Frame(Frame::ByTool), Part::Frame(Frame::ByGpu), Part::Frame(Frame::GpuAgainstCpu)];

/// Name of the column that names each row's source.
pub(super) const SOURCE: &str = "source";

const PLAIN: Column = Column {
    key: "",
    heading: "",
    tables: EVERY,
    is_text: false,
    meaning: "",
    published: |_, _| Cell::Text(String::new()),
    ours: |_, _| Cell::Text(String::new()),
    write: |value, published| if published { as_given(value) } else { three_digits(value) },
};

/// Every column, in order.
pub(super) const COLUMNS: [Column; 16] = [
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
        tables: BY_GPU,
        published: |row, _| number(f64::from(row.device_count)),
        ours: |group, _| number(group.devices() as f64),
        write: |value, _| as_given(value),
        ..PLAIN
    },
    Column {
        key: "threads",
        heading: "threads",
        tables: ON_CPU,
        published: |row, _| Cell::Number(if row.device_count == 0 { row.cpus_used.clone() } else { on_a_gpu() }),
        ours: |group, _| Cell::Number(group.threads()),
        write: |value, _| as_given(value),
        ..PLAIN
    },
    Column {
        key: "train_s",
        heading: "time\n[s]",
        published: |row, _| number(row.train_s),
        ours: |group, _| number(group.train_s()),
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
        key: "ratio_to_best",
        heading: "vs\nbest",
        meaning: "vs best: time divided by the best of this table.",
        published: |row, table| number(row.train_s / table.best_s),
        ours: |group, table| number(group.train_s() / table.best_s),
        write: |value, _| ratio(value),
        ..PLAIN
    },
    Column {
        key: "ratio_to_tensorflow",
        heading: "vs\nTF",
        tables: ALL_BUT_GENERATIONS,
        meaning: "vs TF: time divided by that of Keras (tensorflow) on the same device; that of gpubench on a GPU by its \
            shortest on a GPU, on a CPU by its shortest on a CPU.",
        published: |row, table| Cell::Number(beside_tensorflow(row, &table.published)),
        ours: |group, table| {
            let ratio = table.tensorflow_s(group).map(|seconds| group.train_s() / seconds);
            Cell::Number(Measured::or_missing(ratio, "no row of TensorFlow on a device of this kind"))
        },
        write: |value, _| ratio(value),
        ..PLAIN
    },
    Column {
        key: "ratio_to_first_generation",
        heading: "vs\nK80",
        tables: GENERATIONS,
        meaning: "vs K80: time divided by the same tool's on a Tesla K80.",
        published: |row, table| Cell::Number(beside_first_generation(row, &table.published)),
        ours: |group, table| Cell::Number(ours_beside_first_generation(group, table)),
        write: |value, _| ratio(value),
        ..PLAIN
    },
    Column {
        key: "scaling_efficiency_pct",
        heading: "scaling\n%",
        tables: BY_GPU,
        meaning: "scaling: speed of all devices together, divided by the sum of what each reaches alone.",
        published: |row, table| Cell::Number(scaling_pct(row, &table.published)),
        ours: |group, _| median(group, |result| of_several(result, |several| &several.scaling_efficiency_pct)),
        write: |value, _| three_digits(value),
        ..PLAIN
    },
    Column {
        key: "exchange_pct",
        heading: "exchange\n%",
        tables: BY_GPU,
        meaning: "exchange: share of the time in which gradients or parameters went between devices.",
        published: |_, _| Cell::Number(Measured::missing(NOT_PUBLISHED)),
        ours: |group, _| median(group, |result| of_several(result, |several| &several.exchange_pct)),
        write: |value, _| three_digits(value),
        ..PLAIN
    },
    Column {
        key: "gpu_busy_pct",
        heading: "GPU\n%",
        published: |row, _| Cell::Number(row.gpu_busy_pct.clone()),
        ours: |group, _| median(group, |result| result.summary.gpu_busy().clone()),
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
        ours: |group, _| Cell::Number(group.error_pct()),
        write: |value, published| if published { format!("{value:.1}") } else { format!("{value:.2}") },
        ..PLAIN
    },
    Column {
        key: SOURCE,
        heading: "from",
        is_text: true,
        published: |_, _| Cell::Text("published 2016-17".to_owned()),
        ours: |group, _| Cell::Text(group.files().join(", ")),
        ..PLAIN
    },
];

fn number(value: f64) -> Cell {
    Cell::Number(Measured::Value(value))
}

fn on_a_gpu() -> Measured<f64> {
    Measured::missing(ON_A_GPU)
}

/// Median of a figure over the results that have it; where none has, the first one's reason.
fn median(group: &Group<'_>, figure: impl Fn(&RunResult) -> Measured<f64>) -> Cell {
    let figures: Vec<Measured<f64>> = group.results().map(figure).collect();
    let values: Vec<f64> = figures.iter().filter_map(|figure| figure.value()).copied().collect();
    match stats::median(&values) {
        Some(median) if values.len() == figures.len() => number(median),
        Some(median) => Cell::Noted(median, format!("known of {} of {} results", values.len(), figures.len())),
        None => Cell::Number(figures.into_iter().next().unwrap_or_else(|| Measured::missing("there is no result"))),
    }
}

/// A figure of a training on several devices, or why there is none.
fn of_several(result: &RunResult, figure: impl Fn(&Parallel) -> &Measured<f64>) -> Measured<f64> {
    match &result.parallel {
        Measured::Value(parallel) => figure(parallel).clone(),
        Measured::Missing { reason } => Measured::missing(reason.clone()),
    }
}

/// The time on one device as a share of the number of devices times the time on all, in percent: their speed together as a
/// share of that many times the speed of one.
fn scaling_pct(row: &Published, others: &[&Published]) -> Measured<f64> {
    if row.device_count <= 1 {
        return Measured::missing(ONE_DEVICE);
    }
    let single =
        others.iter().find(|other| other.device_count == 1 && (&other.tool, &other.device) == (&row.tool, &row.device));
    let share = single.map(|single| 100.0 * single.train_s / (f64::from(row.device_count) * row.train_s));
    Measured::or_missing(share, "no row of one such device")
}

fn beside_first_generation(row: &Published, others: &[&Published]) -> Measured<f64> {
    let first = others.iter().find(|other| other.tool == row.tool && other.device == FIRST_GENERATION);
    Measured::or_missing(first.map(|first| row.train_s / first.train_s), "no row of this tool on a Tesla K80")
}

fn ours_beside_first_generation(group: &Group<'_>, table: &Table<'_>) -> Measured<f64> {
    let first = table.groups.iter().find(|other| other.device().contains(FIRST_GENERATION));
    let ratio = first.map(|first| group.train_s() / first.train_s());
    Measured::or_missing(ratio, "no result of gpubench on a Tesla K80")
}

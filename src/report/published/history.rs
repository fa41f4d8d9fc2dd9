//! The comparison that was published in 2016-17, as data: `results/published.csv`.
//!
//! `results/README.md` names its source and its caveats.

use crate::result::{Adapter, Measured};
use crate::{Error, Result};
use serde::{Deserialize, Deserializer};
use std::sync::LazyLock;

/// `results/published.csv` as JSON, which the build script makes of it.
const ROWS_JSON: &str = include_str!(concat!(env!("OUT_DIR"), "/published.json"));
/// Why a published row lacks a value.
pub(super) const NOT_PUBLISHED: &str = "not published";
/// When the rows were published.
pub(super) const PUBLISHED_IN: &str = "published 2016-17";

/// The tables of the published comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum PublishedTable {
    /// Different tools on GPUs.
    #[serde(rename = "by tool")]
    ByTool,
    /// One tool on different kinds and numbers of GPUs.
    #[serde(rename = "by GPU number and type")]
    ByGpu,
    /// One tool on a GPU and on CPUs.
    #[serde(rename = "GPU against CPU")]
    GpuAgainstCpu,
}

impl PublishedTable {
    /// All tables, in the order of publication.
    pub const ALL: [Self; 3] = [Self::ByTool, Self::ByGpu, Self::GpuAgainstCpu];

    /// The name of the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ByTool => "by tool",
            Self::ByGpu => "by GPU number and type",
            Self::GpuAgainstCpu => "GPU against CPU",
        }
    }

    /// The table that shows a run on `adapter`: the one with CPUs if the adapter computes on the CPU, else the one by
    /// tool.
    pub fn of(adapter: &Adapter) -> Self {
        if on_cpu(adapter) { Self::GpuAgainstCpu } else { Self::ByTool }
    }
}

/// Whether an adapter computes on the CPU.
pub(super) fn on_cpu(adapter: &Adapter) -> bool {
    adapter.is_on_cores()
}

/// Whether it is the CPU target, which computes without a driver.
pub(in crate::report) fn is_cpu_target(adapter: &Adapter) -> bool {
    on_cpu(adapter) && !adapter.software
}

/// One published row: a single run. Values that the source leaves blank are missing.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct PublishedRow {
    /// The table that contains it.
    #[serde(rename = "frame")]
    pub table: PublishedTable,
    /// Name of the rented machine.
    #[serde(deserialize_with = "or_not_published")]
    pub instance: Measured<String>,
    /// Name of the GPU, or the CPU and its number of cores.
    pub device: String,
    /// Number of GPUs; 0 for a CPU.
    pub device_count: u32,
    /// Name of the tool.
    pub tool: String,
    /// Seconds of the whole training.
    pub train_s: f64,
    /// Utilisation of the GPU, in percent.
    #[serde(deserialize_with = "or_not_published")]
    pub gpu_busy_pct: Measured<f64>,
    /// Mean number of CPU cores in use.
    #[serde(deserialize_with = "or_not_published")]
    pub cpus_used: Measured<f64>,
    /// Utilisation of the busiest CPU core, in percent.
    #[serde(deserialize_with = "or_not_published")]
    pub busiest_cpu_pct: Measured<f64>,
    /// Error rate on the test images, in percent.
    #[serde(deserialize_with = "or_not_published")]
    pub error_pct: Measured<f64>,
    /// A remark of the source about the row, or empty.
    pub note: String,
}

fn or_not_published<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    value: D,
) -> std::result::Result<Measured<T>, D::Error> {
    Ok(Measured::or_missing(Option::deserialize(value)?, NOT_PUBLISHED))
}

/// The published rows, in the order of publication.
pub fn published_rows() -> &'static [PublishedRow] {
    static ROWS: LazyLock<Vec<PublishedRow>> =
        LazyLock::new(|| serde_json::from_str(ROWS_JSON).expect("the build script writes them, which a test proves"));
    &ROWS
}

/// Reads published rows from the text of a file like `results/published.csv`.
///
/// # Errors
/// [`Error::Data`], with the line, if a column is missing, unknown or misplaced, or a value has the wrong type or is
/// out of range.
pub fn parse_published(text: &str) -> Result<Vec<PublishedRow>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let wrong =
        |error: &dyn std::fmt::Display| Error::Data(format!("the table of published results is wrong: {error}"));
    let header = reader.headers().map_err(|error| wrong(&error))?;
    if header != COLUMNS.as_slice() {
        return Err(wrong(&format!("its columns must be {}", COLUMNS.join(","))));
    }
    let mut rows = Vec::new();
    for (index, record) in reader.deserialize().enumerate() {
        let row: PublishedRow = record.map_err(|error| wrong(&error))?;
        if let Some(problem) = problem(&row) {
            return Err(wrong(&format!("line {}: {problem}", index + 2)));
        }
        rows.push(row);
    }
    Ok(rows)
}

const COLUMNS: [&str; 11] = [
    "frame",
    "instance",
    "device",
    "device_count",
    "tool",
    "train_s",
    "gpu_busy_pct",
    "cpus_used",
    "busiest_cpu_pct",
    "error_pct",
    "note",
];

/// What is wrong with the values of a row, if anything.
fn problem(row: &PublishedRow) -> Option<&'static str> {
    let mut percentages =
        [&row.gpu_busy_pct, &row.busiest_cpu_pct, &row.error_pct].into_iter().filter_map(Measured::value);
    let is_positive = |value: &f64| value.is_finite() && *value > 0.0;
    match row {
        _ if !percentages.all(|share| (0.0..=100.0).contains(share)) => Some("a percentage lies from 0 to 100"),
        _ if !is_positive(&row.train_s) => Some("a time is above 0"),
        _ if !row.cpus_used.value().is_none_or(is_positive) => Some("a number of CPUs is above 0"),
        _ if row.device.is_empty() || row.tool.is_empty() => Some("device and tool must be named"),
        _ => None,
    }
}

//! The published comparison of 2016-17, as data: `results/published.csv`. Its source and caveats are in
//! `results/README.md`.

use crate::result::{Adapter, AdapterKind, Measured};
use crate::{Error, Result};
use serde::Deserialize;
use std::sync::LazyLock;

const FILE: &str = include_str!("../../../results/published.csv");

/// The tables of the published comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Frame {
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

impl Frame {
    /// All tables, in the order of publication.
    pub const ALL: [Frame; 3] = [Frame::ByTool, Frame::ByGpu, Frame::GpuAgainstCpu];

    /// The name of the table.
    pub const fn name(self) -> &'static str {
        match self {
            Frame::ByTool => "by tool",
            Frame::ByGpu => "by GPU number and type",
            Frame::GpuAgainstCpu => "GPU against CPU",
        }
    }

    /// The table in which a run on `adapter` belongs: among the CPUs if it computes on one, else among the tools.
    pub fn of(adapter: &Adapter) -> Self {
        if on_cpu(adapter) { Frame::GpuAgainstCpu } else { Frame::ByTool }
    }
}

/// Whether an adapter computes on the CPU.
pub(in crate::report) fn on_cpu(adapter: &Adapter) -> bool {
    adapter.software || adapter.kind == AdapterKind::Cpu
}

/// One published row: a single run. What the source leaves blank is missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// The table it stands in.
    pub frame: Frame,
    /// Name of the rented machine.
    pub instance: Measured<String>,
    /// Name of the GPU, or the CPU and its number of cores.
    pub device: String,
    /// Number of GPUs; 0 for a CPU.
    pub device_count: u32,
    /// Name of the tool.
    pub tool: String,
    /// Seconds of the whole training.
    pub train_s: f64,
    /// Load of the GPU, in percent.
    pub gpu_busy_pct: Measured<f64>,
    /// Mean number of CPU cores in use.
    pub cpus_used: Measured<f64>,
    /// Load of the busiest CPU core, in percent.
    pub busiest_cpu_pct: Measured<f64>,
    /// Error rate on the test images, in percent.
    pub error_pct: Measured<f64>,
    /// What the source remarks about the row; empty if nothing.
    pub note: String,
}

/// The published rows that come with the program, in the order of publication.
pub fn published() -> &'static [Published] {
    static ROWS: LazyLock<Vec<Published>> =
        LazyLock::new(|| parse(FILE).expect("results/published.csv is correct, which a test proves"));
    &ROWS
}

/// Reads published rows from the text of a file like `results/published.csv`.
///
/// # Errors
/// [`Error::Data`], with the line, if a column is missing, unknown or out of place, or a value is not of its kind.
pub fn parse(text: &str) -> Result<Vec<Published>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let wrong =
        |error: &dyn std::fmt::Display| Error::Data(format!("the table of published results is wrong: {error}"));
    let header = reader.headers().map_err(|error| wrong(&error))?;
    if header != COLUMNS.as_slice() {
        return Err(wrong(&format!("its columns must be {}", COLUMNS.join(","))));
    }
    let mut rows = Vec::new();
    for (index, record) in reader.deserialize().enumerate() {
        let record: Record = record.map_err(|error| wrong(&error))?;
        rows.push(record.check().map_err(|problem| wrong(&format!("line {}: {problem}", index + 2)))?);
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

/// A line of the file, before its values are checked.
#[derive(Deserialize)]
struct Record {
    frame: Frame,
    instance: Option<String>,
    device: String,
    device_count: u32,
    tool: String,
    train_s: f64,
    gpu_busy_pct: Option<f64>,
    cpus_used: Option<f64>,
    busiest_cpu_pct: Option<f64>,
    error_pct: Option<f64>,
    note: Option<String>,
}

impl Record {
    fn check(self) -> std::result::Result<Published, String> {
        let percentages = [self.gpu_busy_pct, self.busiest_cpu_pct, self.error_pct];
        if !percentages.iter().flatten().all(|share| (0.0..=100.0).contains(share)) {
            return Err("a percentage lies from 0 to 100".into());
        }
        if !(self.train_s.is_finite() && self.train_s > 0.0) {
            return Err("a time is above 0".into());
        }
        if self.cpus_used.is_some_and(|cpus| !(cpus.is_finite() && cpus > 0.0)) {
            return Err("a number of CPUs is above 0".into());
        }
        if self.device.is_empty() || self.tool.is_empty() {
            return Err("device and tool must be named".into());
        }
        let known = |value| Measured::or_missing(value, NOT_PUBLISHED);
        Ok(Published {
            frame: self.frame,
            instance: Measured::or_missing(self.instance, NOT_PUBLISHED),
            device: self.device,
            device_count: self.device_count,
            tool: self.tool,
            train_s: self.train_s,
            gpu_busy_pct: known(self.gpu_busy_pct),
            cpus_used: known(self.cpus_used),
            busiest_cpu_pct: known(self.busiest_cpu_pct),
            error_pct: known(self.error_pct),
            note: self.note.unwrap_or_default(),
        })
    }
}

/// Why a published row lacks a value.
pub(in crate::report) const NOT_PUBLISHED: &str = "not published";

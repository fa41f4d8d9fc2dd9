//! A run among published rows, as data.

use super::published::{Frame, Published, on_cpu, published};
use crate::data::Identity;
use crate::model::Training;
use crate::result::{Measured, RunResult, Status};

/// The tool whose times `vs TF` refers to.
const TENSORFLOW: &str = "Keras (tensorflow)";
/// Training images of the pinned task.
const STANDARD_IMAGES: u32 = 60_000;

/// A run among the published rows of one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The table.
    pub frame: Frame,
    /// This run first, then the published rows in their order.
    pub rows: Vec<Row>,
    /// The published row to which this run's `vs TF` refers.
    pub tensorflow: Option<&'static Published>,
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The device, and how many there are if more than one; a software adapter is called one.
    pub device: String,
    /// The tool.
    pub tool: String,
    /// What must be known before a figure of this row is used, `INVALID` first; none for a published row.
    pub stamps: Vec<String>,
    /// Seconds of the whole training.
    pub train_s: Measured<f64>,
    /// That time as a multiple of the best of the table.
    pub ratio_to_best: Measured<f64>,
    /// That time as a multiple of TensorFlow's on the same device; for this run, of [`Comparison::tensorflow`].
    pub ratio_to_tensorflow: Measured<f64>,
    /// Load of the GPU, in percent.
    pub gpu_busy_pct: Measured<f64>,
    /// Mean number of CPU cores in use.
    pub cpus_used: Measured<f64>,
    /// Load of the busiest CPU core, in percent.
    pub busiest_cpu_pct: Measured<f64>,
    /// Error rate on the test images, in percent.
    pub error_pct: Measured<f64>,
    /// What the error rate was measured on, if not on MNIST.
    pub error_on: Option<String>,
    /// The day of this run, or the years of the published ones.
    pub date: String,
    /// A remark, empty if there is none.
    pub note: String,
    /// Whether this is a published row.
    pub published: bool,
}

/// `result` among the published rows of `frame`.
pub fn comparison(result: &RunResult, frame: Frame) -> Comparison {
    let others: Vec<&Published> = published().iter().filter(|row| row.frame == frame).collect();
    let this_s = comparable_time(result);
    let best = others.iter().map(|row| row.train_s).chain(this_s.value().copied()).fold(f64::INFINITY, f64::min);
    let tensorflow = best_of_tensorflow(&others, on_cpu(&result.environment.adapter));
    let mut rows = vec![Row {
        ratio_to_best: this_s.clone().map(|time| time / best),
        ratio_to_tensorflow: match tensorflow {
            Some(row) => this_s.map(|time| time / row.train_s),
            None => Measured::missing("no such row of TensorFlow in this table"),
        },
        ..this_run(result)
    }];
    rows.extend(others.iter().map(|row| published_row(row, best, &others)));
    Comparison { frame, rows, tensorflow }
}

/// The fastest row of TensorFlow on CPUs or on GPUs: what `vs TF` refers to for a run of this program.
pub(super) fn best_of_tensorflow(rows: &[&'static Published], on_cpu: bool) -> Option<&'static Published> {
    let of_kind = rows.iter().filter(|row| row.tool == TENSORFLOW && (row.device_count == 0) == on_cpu);
    of_kind.min_by(|a, b| a.train_s.total_cmp(&b.train_s)).copied()
}

/// The time of a published row as a multiple of TensorFlow's on the same device.
pub(super) fn beside_tensorflow(row: &Published, others: &[&Published]) -> Measured<f64> {
    let same_device = |other: &&&Published| {
        other.tool == TENSORFLOW && other.device == row.device && other.device_count == row.device_count
    };
    let ratio = others.iter().find(same_device).map(|other| row.train_s / other.train_s);
    Measured::or_missing(ratio, "no row of TensorFlow on this device")
}

/// This run's row without its ratios.
fn this_run(result: &RunResult) -> Row {
    let summary = &result.summary;
    Row {
        device: device(result),
        tool: format!("gpubench {} {}", result.environment.tool.version, result.plan.name),
        stamps: stamps(result),
        train_s: summary.train_s.clone(),
        ratio_to_best: Measured::missing("not compared"),
        ratio_to_tensorflow: Measured::missing("not compared"),
        gpu_busy_pct: summary.gpu_busy().clone(),
        cpus_used: summary.cpus_used.clone(),
        busiest_cpu_pct: summary.busiest_cpu_pct.clone(),
        error_pct: summary.test_error_pct.clone(),
        error_on: error_on(result),
        date: result.started_utc.get(..10).unwrap_or("this run").to_owned(),
        note: String::new(),
        published: false,
    }
}

/// The device of a run; threads tell runs on one processor apart.
pub(super) fn device(result: &RunResult) -> String {
    let label = result.environment.adapter.label();
    match result.plan.tuning.get("threads").map(String::as_str) {
        None => label,
        Some("1") => format!("{label}, 1 thread"),
        Some(threads) => format!("{label}, {threads} threads"),
    }
}

/// What a reader must know of a result wherever one of its figures stands.
pub(super) fn stamps(result: &RunResult) -> Vec<String> {
    let status = result.status.stamp().map(str::to_owned);
    status.into_iter().chain((!result.standard).then(|| "non-standard".to_owned())).collect()
}

/// What the error rate was measured on, in a word, if not on MNIST.
pub(super) fn error_on(result: &RunResult) -> Option<String> {
    match result.data.identity {
        Identity::Mnist => None,
        Identity::Synthetic => Some("synthetic".to_owned()),
        Identity::Other => Some("other data".to_owned()),
    }
}

/// The time of a run that did the same work as the published ones, or why it cannot be compared.
///
/// The pixels' values do not change the work, so that other data of the same size can be compared.
fn comparable_time(result: &RunResult) -> Measured<f64> {
    let settings = &result.settings;
    let standard = Training::STANDARD;
    if result.status != Status::Complete {
        let stamp = result.status.stamp().unwrap_or_default();
        return Measured::missing(format!("not compared: the run is {stamp}"));
    }
    let same_work = settings.epochs.value == standard.epochs
        && settings.batch.value == standard.batch
        && settings.steps.value.value().is_none()
        && !settings.quick.value
        && settings.stopping.soak_min.value.value().is_none()
        && result.data.train_images == STANDARD_IMAGES;
    if same_work {
        result.summary.train_s.clone()
    } else {
        Measured::missing("not compared: the run did other work than the published ones")
    }
}

fn published_row(row: &Published, best: f64, others: &[&Published]) -> Row {
    Row {
        device: match row.device_count {
            0 | 1 => row.device.clone(),
            count => format!("{count} x {}", row.device),
        },
        tool: row.tool.clone(),
        stamps: Vec::new(),
        train_s: Measured::Value(row.train_s),
        ratio_to_best: Measured::Value(row.train_s / best),
        ratio_to_tensorflow: beside_tensorflow(row, others),
        gpu_busy_pct: row.gpu_busy_pct.clone(),
        cpus_used: row.cpus_used.clone(),
        busiest_cpu_pct: row.busiest_cpu_pct.clone(),
        error_pct: row.error_pct.clone(),
        error_on: None,
        date: "2016-17".to_owned(),
        note: row.note.clone(),
        published: true,
    }
}

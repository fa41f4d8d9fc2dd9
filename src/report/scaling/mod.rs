//! What many devices would do: the efficiency of data-parallel training against their number, from measured steps and
//! the cost of a message, with what was measured on several devices beside it.

mod model;

pub use model::{AllReduce, Cluster, Link, StepTime};

use super::layout::{self, Facts, Table};
use super::numbers::{as_given, fixed, or_reason, thousands, three_digits};
use crate::error::{Error, Result};
use crate::result::{Measured, RunResult, Status, SweepVariable, Synchronisation};
use crate::stats;
use model::GOOD;
use serde::Serialize;

/// The numbers of devices in the table: powers of two up to this one's.
const LARGEST: u32 = 4096;

/// A prediction for many devices like one that was measured.
#[derive(Debug, Serialize)]
pub struct Scaling {
    /// The device whose steps were measured, with its plan.
    pub device: String,
    /// The measured steps: images, and seconds.
    pub steps: Vec<(u32, f64)>,
    /// The line through them.
    pub step: StepTime,
    /// Bytes of the gradient.
    pub bytes: u64,
    /// The links between devices.
    pub cluster: Cluster,
    /// Images of a step: over all devices, or on each.
    pub batch: u32,
    /// One row for each number of devices.
    pub rows: Vec<ScalingRow>,
    /// What was measured on several devices.
    pub measured: Vec<MeasuredScaling>,
}

/// A number of devices.
#[derive(Debug, Serialize)]
pub struct ScalingRow {
    /// How many.
    pub devices: u32,
    /// Seconds of an all-reduce, in the order of [`AllReduce::ALL`].
    pub all_reduce_s: [f64; 3],
    /// The fastest of them.
    pub fastest: AllReduce,
    /// The batch over all devices; missing where there are more devices than images.
    pub strong: Measured<PredictedStep>,
    /// The batch on each device.
    pub weak: PredictedStep,
    /// The smallest batch over all with an efficiency of at least 80 %.
    pub good_batch: Measured<u32>,
}

/// A predicted step.
#[derive(Debug, Clone, Serialize)]
pub struct PredictedStep {
    /// Its seconds.
    pub step_s: f64,
    /// The speed as a share of that of so many single devices, in percent.
    pub efficiency_pct: f64,
}

/// A training on several devices beside its prediction.
#[derive(Debug, Serialize)]
pub struct MeasuredScaling {
    /// The file of the result.
    pub file: String,
    /// How many devices.
    pub devices: u32,
    /// Images of a step.
    pub batch: u32,
    /// Measured seconds of a step.
    pub step_s: f64,
    /// Predicted seconds.
    pub predicted_s: f64,
    /// By how much the prediction is off, in percent of what was measured.
    pub error_pct: f64,
}

/// Predicts from results: those of one device give the time of a step, those of several are compared with.
///
/// # Errors
/// [`Error::Data`] if no result, or those of different devices or plans, give the time of a step.
pub fn scaling(results: &[(String, RunResult)], cluster: Cluster, batch: Option<u32>) -> Result<Scaling> {
    let usable = || results.iter().filter(|(_, one)| one.status == Status::Complete && one.tool.is_none());
    let single: Vec<&RunResult> =
        usable().map(|(_, result)| result).filter(|result| result.parallel.value().is_none()).collect();
    let name = |result: &RunResult| format!("{}, plan {}", result.environment.adapter.name, result.plan.name);
    let Some(first) = single.first() else {
        return Err(Error::Data(
            "no complete result of one device is among them: `gpubench sweep` times its steps at several batches"
                .into(),
        ));
    };
    if let Some(other) = single.iter().find(|result| name(result) != name(first)) {
        return Err(Error::Data(format!(
            "the results are of {} and of {}: give those of one device with one plan",
            name(first),
            name(other)
        )));
    }
    let mut steps: Vec<(u32, f64)> = single.iter().flat_map(|result| steps_of(result)).collect();
    steps.sort_by_key(|(images, _)| *images);
    let points: Vec<(f64, f64)> = steps.iter().map(|&(images, step_s)| (f64::from(images), step_s)).collect();
    let Some(step) = StepTime::through(&points) else {
        return Err(Error::Data(format!("the results of {} hold no time of a step", name(first))));
    };
    let bytes = 4 * first.model.parameters;
    let batch = batch.unwrap_or(first.settings.batch.value);
    let counts = (1..).map(|power| 1_u32 << power).take_while(|devices| *devices <= LARGEST);
    let row = |devices| row(devices, &step, bytes as f64, &cluster, batch);
    let measured = usable().filter_map(|(file, result)| {
        let devices = result.parallel.value().filter(|parallel| parallel.sync == Synchronisation::Step)?.members.len();
        let (devices, batch) = (u32::try_from(devices).ok()?, result.settings.batch.value);
        let step_s = mean_step_s(result)?;
        let exchange_s = AllReduce::fastest(devices, bytes as f64, &cluster).1;
        let predicted_s = step.shared_s(batch, devices, exchange_s)?;
        let error_pct = 100.0 * (predicted_s / step_s - 1.0);
        Some(MeasuredScaling { file: file.clone(), devices, batch, step_s, predicted_s, error_pct })
    });
    let (measured, rows) = (measured.collect(), counts.map(row).collect());
    Ok(Scaling { device: name(first), steps, step, bytes, cluster, batch, rows, measured })
}

/// The steps that a result of one device timed.
fn steps_of(result: &RunResult) -> Vec<(u32, f64)> {
    let swept = result.sweep.value().filter(|sweep| sweep.variable == SweepVariable::Batch);
    let points = swept.into_iter().flat_map(|sweep| &sweep.points);
    let points = points.filter_map(|point| Some((point.batch, *point.step_s.value()?)));
    points.chain(mean_step_s(result).map(|step_s| (result.settings.batch.value, step_s))).collect()
}

/// The mean step of a result's trainings: the median over them.
fn mean_step_s(result: &RunResult) -> Option<f64> {
    let mean = |repeat: &crate::result::Repeat| Some(*repeat.train_s.value()? / f64::from(repeat.steps().max(1)));
    stats::median(&result.repeats.iter().filter_map(mean).collect::<Vec<_>>())
}

fn row(devices: u32, step: &StepTime, bytes: f64, cluster: &Cluster, batch: u32) -> ScalingRow {
    let (fastest, exchange_s) = AllReduce::fastest(devices, bytes, cluster);
    let (n, alone_s) = (f64::from(devices), step.seconds(f64::from(batch)));
    let shared = step.shared_s(batch, devices, exchange_s);
    let strong = shared.map(|step_s| PredictedStep { step_s, efficiency_pct: 100.0 * alone_s / (n * step_s) });
    let weak_s = alone_s + exchange_s;
    let good = step.batch_for(GOOD, devices, exchange_s);
    ScalingRow {
        devices,
        all_reduce_s: AllReduce::ALL.map(|way| way.seconds(devices, bytes, cluster)),
        fastest,
        strong: Measured::or_missing(strong, "more devices than images in the batch"),
        weak: PredictedStep { step_s: weak_s, efficiency_pct: 100.0 * alone_s / weak_s },
        good_batch: Measured::or_missing(good, "no batch below 2^32 images reaches 80 %"),
    }
}

/// The prediction as text: what it rests on, the table, what it means, and what was measured.
pub fn scaling_text(scaling: &Scaling, width: u16) -> String {
    let measured = match scaling.measured.is_empty() {
        true => "No result of several devices was given: nothing here is checked against a measurement.".to_owned(),
        false => measured_table(scaling).text(2, width),
    };
    layout::joined([
        format!("Predicted, not measured\n\n{}", layout::facts(facts(scaling), width)),
        prediction_table(scaling).text(1, width),
        layout::paragraph(meaning(scaling), width),
        measured,
    ])
}

/// What the prediction rests on.
pub(super) fn facts(scaling: &Scaling) -> Facts {
    let Scaling { step, cluster, .. } = scaling;
    let us = |seconds: f64| three_digits(1e6 * seconds);
    let link = |link: &Link| format!("{} us and {} GB/s", us(link.latency_s), as_given(link.bytes_per_s / 1e9));
    let (inside, between) = (link(&cluster.inside), link(&cluster.between));
    let links = match cluster.devices_per_machine {
        1 => between,
        devices => format!("{inside} within a machine of {devices} devices, {between} between machines"),
    };
    let mut sizes: Vec<String> = scaling.steps.iter().map(|(images, _)| images.to_string()).collect();
    sizes.dedup();
    let proportional = "; one size alone: taken as proportional, which favours many devices";
    let basis = if sizes.len() > 1 { "" } else { proportional };
    let step = format!("{} us and {} us an image", us(step.overhead_s), us(step.image_s));
    vec![
        ("device", scaling.device.clone()),
        ("step", format!("{step}, from batches of {}{basis}", sizes.join(", "))),
        ("gradient", format!("{} bytes, all-reduced in every step", thousands(&scaling.bytes.to_string()))),
        ("links", links),
    ]
}

/// One row for each number of devices.
pub(super) fn prediction_table(scaling: &Scaling) -> Table {
    let headings = [
        "devices",
        "ring\n[us]",
        "tree\n[us]",
        "hierarch.\n[us]",
        "over all\n[us/step]",
        "eff.\n%",
        "on each\n[us/step]",
        "eff.\n%",
        "batch\nfor 80 %",
    ];
    Table::of(&headings, 0, &scaling.rows, |row, notes| {
        let us = |seconds: f64| three_digits(1e6 * seconds);
        let [ring, tree, hierarchical] = row.all_reduce_s.map(us);
        let strong = |figure: fn(&PredictedStep) -> f64| row.strong.clone().map(|step| figure(&step));
        let good = row.good_batch.clone().map(f64::from);
        vec![
            thousands(&row.devices.to_string()),
            ring,
            tree,
            hierarchical,
            notes.or_mark(&strong(|step| step.step_s), us),
            notes.or_mark(&strong(|step| step.efficiency_pct), |share| fixed(share, 1)),
            us(row.weak.step_s),
            fixed(row.weak.efficiency_pct, 1),
            notes.or_mark(&good, |batch| thousands(&fixed(batch, 0))),
        ]
    })
}

/// What the table says, in words.
pub(super) fn meaning(scaling: &Scaling) -> String {
    let good = |step: &Measured<PredictedStep>| step.value().is_some_and(|step| step.efficiency_pct >= 100.0 * GOOD);
    let most = scaling.rows.iter().take_while(|row| good(&row.strong)).last();
    let batch = thousands(&scaling.batch.to_string());
    let strong = match most {
        Some(row) if row.devices == LARGEST => {
            format!("A batch of {batch} over all devices has an efficiency of at least 80 % on each number of them.")
        }
        Some(row) => {
            let devices = thousands(&row.devices.to_string());
            format!(
                "A batch of {batch} over all has an efficiency of at least 80 % up to {devices} devices, and not beyond."
            )
        }
        None => format!(
            "A batch of {batch} over all devices does not scale: two devices already have an efficiency below 80 %."
        ),
    };
    let largest = scaling.rows.last().map(|row| {
        let needed = or_reason(&row.good_batch, |batch| format!("a batch of {}", thousands(&batch.to_string())));
        let devices = thousands(&row.devices.to_string());
        format!(" {devices} devices need {needed}: with it an epoch has fewer steps, and training another course.")
    });
    format!("{strong}{}", largest.unwrap_or_default())
}

/// One row for each result of several devices.
pub(super) fn measured_table(scaling: &Scaling) -> Table {
    let headings = ["measured", "devices", "batch", "step\n[us]", "predicted\n[us]", "error\n%"];
    Table::of(&headings, 1, &scaling.measured, |one, _| {
        let us = |seconds: f64| three_digits(1e6 * seconds);
        vec![
            one.file.clone(),
            one.devices.to_string(),
            one.batch.to_string(),
            us(one.step_s),
            us(one.predicted_s),
            format!("{:+.1}", one.error_pct),
        ]
    })
}

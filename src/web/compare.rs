//! Two results side by side, as rows for a page's table.

use crate::error::{Error, Result};
use crate::report::{self, ComparedFigure, Role};
use crate::result::{Measured, RunResult};
use serde::Serialize;

/// One of the two results.
#[derive(Serialize)]
struct Side {
    device: String,
    backend: String,
    started_utc: String,
    stamps: Vec<&'static str>,
}

/// A figure of both.
#[derive(Serialize)]
struct Row {
    name: String,
    unit: &'static str,
    first: Measured<f64>,
    second: Measured<f64>,
    ratio: Measured<f64>,
    remark: Option<String>,
    /// In a word.
    verdict: Measured<&'static str>,
    /// Why.
    reason: String,
}

/// A difference besides the figures.
#[derive(Serialize)]
struct Differing {
    name: &'static str,
    /// Whether the two did different work.
    work: bool,
    first: String,
    second: String,
}

#[derive(Serialize)]
struct Comparison {
    sides: [Side; 2],
    rows: Vec<Row>,
    differences: Vec<Differing>,
}

fn side(result: &RunResult) -> Side {
    let adapter = &result.environment.adapter;
    Side {
        device: adapter.label(),
        backend: adapter.backend.clone(),
        started_utc: result.started_utc.clone(),
        stamps: result.stamps(),
    }
}

fn figure_row(figure: &ComparedFigure) -> Row {
    let judged = &figure.judged;
    let reason = judged.value().map_or_else(|| judged.reason().unwrap_or_default(), |judged| judged.reason.as_str());
    Row {
        verdict: judged.clone().map(|judged| judged.verdict.word()),
        reason: reason.to_owned(),
        name: figure.name.clone(),
        unit: "us",
        first: figure.first_us.clone(),
        second: figure.second_us.clone(),
        ratio: figure.ratio(),
        remark: figure.remark.clone(),
    }
}

/// The row of a figure of the summary, whose ratio `obstacle` may forbid.
fn summary_row(
    name: &str,
    unit: &'static str,
    figures: [&Measured<f64>; 2],
    ratio: impl FnOnce(f64, f64) -> Measured<f64>,
) -> Row {
    let [first, second] = figures.map(Clone::clone);
    let ratio = match (&first, &second) {
        (Measured::Value(first), Measured::Value(second)) => ratio(*first, *second),
        (Measured::Missing { reason }, _) | (_, Measured::Missing { reason }) => Measured::missing(reason.clone()),
    };
    let none = "only times of steps and kernels are judged";
    Row {
        name: name.to_owned(),
        unit,
        first,
        second,
        ratio,
        remark: None,
        verdict: Measured::missing(none),
        reason: none.to_owned(),
    }
}

/// The comparison of `second` with `first`, as JSON.
///
/// # Errors
/// [`Error::Output`] if it cannot be written, which does not happen in memory.
pub fn comparison(first: &RunResult, second: &RunResult) -> Result<String> {
    let compared = report::compare(first, second);
    let other_work = compared.differences.iter().any(|difference| difference.role != Role::Circumstance);
    let divided = |first: f64, second: f64| match other_work {
        true => Measured::missing("the two did different work"),
        false => Measured::Value(second / first),
    };
    let (one, other) = (&first.summary, &second.summary);
    let mut rows = vec![
        summary_row("training", "s", [&one.train_s, &other.train_s], divided),
        summary_row("throughput", "images/s", [&one.images_per_s, &other.images_per_s], divided),
        summary_row("test error", "%", [&one.test_error_pct, &other.test_error_pct], |_, _| {
            Measured::missing("an error is no time")
        }),
    ];
    rows.extend(compared.steps.iter().chain(&compared.kernels).map(figure_row));
    let differing = |difference: &report::Difference| Differing {
        name: difference.name,
        work: difference.role != Role::Circumstance,
        first: difference.first.clone(),
        second: difference.second.clone(),
    };
    let comparison = Comparison {
        sides: [side(first), side(second)],
        rows,
        differences: compared.differences.iter().map(differing).collect(),
    };
    serde_json::to_string(&comparison)
        .map_err(|error| Error::Output(format!("the comparison cannot be written: {error}")))
}

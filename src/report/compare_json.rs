//! Comparisons as JSON.

use super::compare::{ComparedFigure, ResultComparison};
use super::differences::Role;
use crate::error::{Error, Result};
use crate::escape;
use crate::result::{Measured, RunResult};
use crate::turns::LOOKS;
use crate::verdict;
use serde_json::{Value, json};

/// The value of `schema` in a comparison.
const SCHEMA: &str = "gpubench.comparison";
/// The version of that schema.
const SCHEMA_VERSION: u32 = 1;

/// The document of several comparisons.
///
/// # Errors
/// [`Error::Output`] if it cannot be written, which does not happen in memory.
pub fn comparisons_json(comparisons: &[ResultComparison<'_>]) -> Result<String> {
    let document = json!({
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "alpha": (1e6 * verdict::ALPHA).round() / 1e6,
        "comparisons": comparisons.iter().map(comparison).collect::<Vec<_>>(),
    });
    let text = serde_json::to_string_pretty(&document)
        .map_err(|error| Error::Output(format!("the comparison cannot be written: {error}")))?;
    Ok(escape::json(&text).into_owned())
}

fn comparison(comparison: &ResultComparison<'_>) -> Value {
    let [first, second] = &comparison.sides;
    let kinds = [("step", &comparison.steps), ("kernel", &comparison.kernels), ("phase", &comparison.phases)];
    let figures = kinds.into_iter().flat_map(|(kind, figures)| figures.iter().map(move |one| figure(kind, one)));
    json!({
        "margin": comparison.margin,
        "first": side(first),
        "second": side(second),
        "turns": turns(comparison),
        "different_work": comparison.other_work(),
        "differences": comparison.differences.iter().map(|difference| json!({
            "name": difference.name,
            "work": difference.role != Role::Circumstance,
            "first": difference.first,
            "second": difference.second,
        })).collect::<Vec<_>>(),
        "figures": figures.collect::<Vec<_>>(),
    })
}

/// The turns that both sides took.
fn turns(comparison: &ResultComparison<'_>) -> Value {
    let Some([first, second]) = comparison.turns() else {
        return json!({ "missing": "the results took no turns with each other" });
    };
    json!({
        "option": first.option,
        "first": first.value,
        "second": second.value,
        "order": first.order,
        "ended": first.ended,
        "looks": LOOKS,
    })
}

fn side(runs: &[&RunResult]) -> Value {
    let run = |run: &&RunResult| {
        let adapter = &run.environment.adapter;
        json!({
            "adapter": adapter.label(),
            "backend": adapter.backend,
            "started_utc": run.started_utc,
            "git": run.environment.tool.git,
            "stamps": run.stamps(),
            "trainings": run.repeats.len(),
        })
    };
    json!({ "runs": runs.iter().map(run).collect::<Vec<_>>() })
}

fn figure(kind: &str, figure: &ComparedFigure) -> Value {
    let mut row = json!({
        "name": figure.name,
        "kind": kind,
        "first_us": figure.first_us,
        "second_us": figure.second_us,
        "remark": figure.remark,
    });
    let judged = match &figure.judged {
        Measured::Missing { reason } => {
            let missing = json!({ "missing": reason });
            json!({ "ratio": figure.ratio(), "interval": missing, "verdict": missing, "reason": reason })
        }
        Measured::Value(judged) => {
            let interval = judged.estimate.test.map(|test| {
                json!({
                    "low": test.low,
                    "high": test.high,
                    "confidence": test.confidence,
                    "p": test.p,
                    "p_corrected": judged.p_corrected,
                })
            });
            json!({
                "ratio": judged.estimate.ratio,
                "interval": interval.unwrap_or_else(|| json!({ "missing": judged.reason })),
                "samples": judged.estimate.samples,
                "verdict": judged.verdict.word(),
                "reason": judged.reason,
            })
        }
    };
    if let (Value::Object(row), Value::Object(judged)) = (&mut row, judged) {
        row.extend(judged);
    }
    row
}

//! Results for benchmark-action/github-action-benchmark, which draws their course over commits.
//!
//! Source of the format: the action's README, section "customSmallerIsBetter".

use super::compare::{ResultComparison, kernel_name, kernel_time, timed_steps_s};
use super::numbers::three_digits;
use crate::error::{Error, Result};
use crate::escape;
use crate::result::RunResult;
use crate::stats;
use serde_json::json;
use std::collections::BTreeMap;

/// The second side of each comparison, as [`action_benchmark`] writes it.
///
/// # Errors
/// As [`action_benchmark`].
pub fn action_benchmark_of(comparisons: &[ResultComparison<'_>]) -> Result<String> {
    let mut runs: Vec<&RunResult> = Vec::new();
    for run in comparisons.iter().flat_map(|comparison| &comparison.sides[1]) {
        if !runs.iter().any(|other| std::ptr::eq(*other, *run)) {
            runs.push(run);
        }
    }
    action_benchmark(&runs)
}

/// The medians of `runs` as a list of `name`, `unit`, `value`, `range` and `extra`: seconds of a training and of
/// nothing else but its steps, microseconds of each profiled kernel. Runs of the same device and plan are taken
/// together.
///
/// # Errors
/// [`Error::Data`] for a result whose figures must not be used, or if there is nothing timed.
pub fn action_benchmark(runs: &[&RunResult]) -> Result<String> {
    if let Some(stamp) = runs.iter().find_map(|run| run.status.stamp()) {
        return Err(Error::Data(format!("a result is {stamp}, and such times belong in no chart: measure again")));
    }
    let mut figures: BTreeMap<(String, &str), (Vec<f64>, String)> = BTreeMap::new();
    for run in runs {
        let adapter = &run.environment.adapter;
        let device = format!("{}, {}, plan {}", adapter.label(), adapter.backend, run.plan.name);
        let mut add = |name: &str, unit, samples: Vec<f64>| {
            let figure = figures.entry((format!("{name} ({device})"), unit)).or_default();
            figure.0.extend(samples);
            figure.1 = format!("commit {}", run.environment.tool.git.value().map_or("unknown", String::as_str));
        };
        add("training", "s", run.repeats.iter().filter_map(|repeat| repeat.train_s.value().copied()).collect());
        add("step", "us", timed_steps_s(run).into_iter().map(|seconds| 1e6 * seconds).collect());
        for time in run.profile.value().into_iter().flat_map(|profile| &profile.kernels) {
            let samples = kernel_time(run, &time.kernel, &time.layer).samples;
            add(&kernel_name(&time.kernel, &time.layer), "us", samples);
        }
    }
    let rows: Vec<_> = figures
        .into_iter()
        .filter_map(|((name, unit), (samples, extra))| {
            let range = stats::median_absolute_deviation(&samples).filter(|_| samples.len() > 1);
            Some(json!({
                "name": name,
                "unit": unit,
                "value": stats::median(&samples)?,
                "range": range.map_or_else(|| "one sample".to_owned(), |mad| format!("± {}", three_digits(mad))),
                "extra": format!("median of {}; {extra}", samples.len()),
            }))
        })
        .collect();
    if rows.is_empty() {
        return Err(Error::Data("no training was timed; a chart needs one".to_owned()));
    }
    let text = serde_json::to_string_pretty(&rows)
        .map_err(|error| Error::Output(format!("the figures cannot be written: {error}")))?;
    Ok(escape::json(&text).into_owned())
}

//! Two results side by side: native against browser, one driver against another, one card against another.

use super::layout::{Facts, Table, facts, joined};
use super::numbers::{ratio, three_digits};
use crate::result::{KernelTime, Measured, RunResult};

/// One figure of two results.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparedFigure {
    /// What it is: "step, timed", or a kernel and its layer.
    pub name: String,
    /// Of the first result, in microseconds.
    pub first_us: Measured<f64>,
    /// Of the second.
    pub second_us: Measured<f64>,
}

impl ComparedFigure {
    /// The second time divided by the first.
    pub fn ratio(&self) -> Measured<f64> {
        match (&self.first_us, &self.second_us) {
            (Measured::Value(first), Measured::Value(second)) => (second / first).into(),
            (Measured::Missing { reason }, _) | (_, Measured::Missing { reason }) => Measured::missing(reason.clone()),
        }
    }
}

/// Two results, figure by figure.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultComparison {
    /// Whole steps.
    pub steps: Vec<ComparedFigure>,
    /// Kernels, in the order of the first result's profile, then those that only the second has.
    pub kernels: Vec<ComparedFigure>,
    /// Differences between the two set-ups that limit the comparison, a sentence each.
    pub differences: Vec<String>,
}

/// Compares `second` with `first`.
pub fn compare(first: &RunResult, second: &RunResult) -> ResultComparison {
    let figure = |name: &str, of: &dyn Fn(&RunResult) -> Measured<f64>| ComparedFigure {
        name: name.to_owned(),
        first_us: of(first),
        second_us: of(second),
    };
    let profiled = |result: &RunResult, value: &dyn Fn(&crate::result::Profile) -> Measured<f64>| match &result.profile
    {
        Measured::Value(profile) => value(profile),
        Measured::Missing { reason } => Measured::missing(reason.clone()),
    };
    let steps = vec![
        figure("step, timed", &|result| timed_step_us(result)),
        figure("step on the device, undisturbed", &|result| {
            profiled(result, &|profile| profile.undisturbed_step_ns.clone().map(|ns| ns / 1e3))
        }),
        figure("step, sum of its kernels", &|result| profiled(result, &|profile| kernels_us(&profile.kernels))),
    ];
    ResultComparison { steps, kernels: kernels(first, second), differences: differences(first, second) }
}

/// Mean time of a step in the first timed training, its uploads and readbacks included.
fn timed_step_us(result: &RunResult) -> Measured<f64> {
    let Some(repeat) = result.repeats.first() else { return Measured::missing("nothing was trained") };
    let steps: u32 = repeat.samples.iter().map(|sample| sample.steps).sum();
    let seconds: f64 = repeat.samples.iter().map(|sample| sample.duration_s).sum();
    Measured::or_missing((steps > 0).then(|| 1e6 * seconds / f64::from(steps)), "no step was timed")
}

fn kernels_us(kernels: &[KernelTime]) -> Measured<f64> {
    let known = kernels.iter().map(|time| Some(f64::from(time.calls_per_step) * time.median_ns.value()? / 1e3));
    Measured::or_missing(known.sum::<Option<f64>>(), "not every kernel could be timed")
}

fn kernels(first: &RunResult, second: &RunResult) -> Vec<ComparedFigure> {
    let of = |result: &RunResult| match &result.profile {
        Measured::Value(profile) => profile.kernels.clone(),
        Measured::Missing { .. } => Vec::new(),
    };
    let (first, second) = (of(first), of(second));
    let same = |a: &KernelTime, b: &KernelTime| a.kernel == b.kernel && a.layer == b.layer;
    let us = |time: Option<&KernelTime>| match time {
        Some(time) => time.median_ns.clone().map(|ns| ns / 1e3),
        None => Measured::missing("this kernel is not in that result's profile"),
    };
    let only_second = second.iter().filter(|time| !first.iter().any(|other| same(time, other)));
    first
        .iter()
        .chain(only_second)
        .map(|time| ComparedFigure {
            name: format!("{} {}", time.kernel, time.layer),
            first_us: us(first.iter().find(|other| same(time, other))),
            second_us: us(second.iter().find(|other| same(time, other))),
        })
        .collect()
}

fn differences(first: &RunResult, second: &RunResult) -> Vec<String> {
    let mut differences = Vec::new();
    let mut note = |what: &str, a: String, b: String| {
        if a != b {
            differences.push(format!("{what}: {a} against {b}"));
        }
    };
    note("adapter", first.environment.adapter.label(), second.environment.adapter.label());
    note("plan", first.plan.name.clone(), second.plan.name.clone());
    note("batch", first.settings.batch.value.to_string(), second.settings.batch.value.to_string());
    let shaders = |result: &RunResult| result.environment.tool.shader_hash.get(..12).unwrap_or("unknown").to_owned();
    note("shaders", shaders(first), shaders(second));
    for (which, result) in [("first", first), ("second", second)] {
        let stamps = result.stamps().into_iter().filter(|stamp| *stamp != "non-standard").collect::<Vec<_>>();
        if !stamps.is_empty() {
            differences.push(format!("the {which} result is {}", stamps.join(", ")));
        }
    }
    differences
}

/// The comparison for a terminal of `width` columns.
pub fn compare_text(first: &RunResult, second: &RunResult, width: u16) -> String {
    let comparison = compare(first, second);
    let headings = ["", "first\n[us]", "second\n[us]", "second\n/ first"];
    let table = Table::of(&headings, 1, comparison.steps.iter().chain(&comparison.kernels), |figure, notes| {
        vec![
            figure.name.clone(),
            notes.or_mark(&figure.first_us, three_digits),
            notes.or_mark(&figure.second_us, three_digits),
            notes.or_mark(&figure.ratio(), ratio),
        ]
    });
    let describe = |result: &RunResult| {
        let adapter = &result.environment.adapter;
        format!("{}, {}, {}", adapter.label(), adapter.backend, result.started_utc)
    };
    let mut about: Facts = vec![("first", describe(first)), ("second", describe(second))];
    about.extend(comparison.differences.into_iter().map(|difference| ("differs", difference)));
    joined([facts(about, width), table.text(2, width)]) + "\n"
}

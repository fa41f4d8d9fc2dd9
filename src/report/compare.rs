//! Two results side by side: native against browser, one driver against another, one card against another.

use super::differences::{Difference, Role, differences};
use super::layout::{Facts, Table, facts, joined};
use super::numbers::{or_reason, ratio, three_digits};
use super::summary;
use crate::result::{Interval, KernelTime, Measured, Profile, RunResult};
use crate::stats;

/// One figure of two results.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparedFigure {
    /// What it is: "step, timed", or a kernel and its layer.
    pub name: String,
    /// Of the first result, in microseconds.
    pub first_us: Measured<f64>,
    /// Of the second.
    pub second_us: Measured<f64>,
    /// Why the two cannot be divided, if so.
    pub obstacle: Option<String>,
    /// What else than the devices may explain their ratio, if anything.
    pub remark: Option<String>,
}

impl ComparedFigure {
    /// The second time divided by the first.
    pub fn ratio(&self) -> Measured<f64> {
        match (&self.first_us, &self.second_us, &self.obstacle) {
            (Measured::Missing { reason }, ..) | (_, Measured::Missing { reason }, _) => {
                Measured::missing(reason.clone())
            }
            (.., Some(obstacle)) => Measured::missing(obstacle.clone()),
            (Measured::Value(first), Measured::Value(second), None) => (second / first).into(),
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
    /// The intervals of the first figure of `steps`: seconds of a step over all trainings of each result.
    pub intervals: [Measured<Interval>; 2],
    /// All that differs between the two besides their figures.
    pub differences: Vec<Difference>,
}

/// Compares `second` with `first`.
pub fn compare(first: &RunResult, second: &RunResult) -> ResultComparison {
    let differences = differences(first, second);
    let different = |roles: &[Role]| {
        let found = differences.iter().filter(|difference| roles.contains(&difference.role));
        let found: Vec<String> = found.map(Difference::words).collect();
        (!found.is_empty()).then(|| format!("different work: {}", found.join("; ")))
    };
    let obstacle = different(&[Role::Step]);
    let figure = |name: &str, remark: Option<String>, of: &dyn Fn(&RunResult) -> Measured<f64>| ComparedFigure {
        name: name.to_owned(),
        first_us: of(first),
        second_us: of(second),
        obstacle: obstacle.clone(),
        remark,
    };
    let profiled = |result: &RunResult, value: fn(&Profile) -> Measured<f64>| result.profile.and_then(value);
    let steps = vec![
        figure("step, timed", different(&[Role::Work]), &|result| {
            let median = stats::median(&timed_steps_s(result)).map(|seconds| 1e6 * seconds);
            Measured::or_missing(median, "no step was timed")
        }),
        figure("step on the device, undisturbed", None, &|result| {
            profiled(result, |profile| profile.undisturbed_step_ns.clone().map(|ns| ns / 1e3))
        }),
        figure("step, sum of its kernels", None, &|result| profiled(result, |profile| kernels_us(&profile.kernels))),
    ];
    let kernels = kernels(first, second, obstacle.as_ref());
    let intervals = [first, second].map(|result| Interval::of(&timed_steps_s(result)));
    ResultComparison { steps, kernels, intervals, differences }
}

/// The mean time of a step in each timed training, its readbacks included.
fn timed_steps_s(result: &RunResult) -> Vec<f64> {
    let mean = |repeat: &crate::result::Repeat| {
        let seconds: f64 = repeat.samples.iter().map(|sample| sample.duration_s).sum();
        (repeat.steps() > 0).then(|| seconds / f64::from(repeat.steps()))
    };
    result.repeats.iter().filter_map(mean).collect()
}

fn kernels_us(kernels: &[KernelTime]) -> Measured<f64> {
    let known = kernels.iter().map(|time| Some(f64::from(time.calls_per_step) * time.median_ns.value()? / 1e3));
    Measured::or_missing(known.sum::<Option<f64>>(), "not every kernel could be timed")
}

fn kernels(first: &RunResult, second: &RunResult, obstacle: Option<&String>) -> Vec<ComparedFigure> {
    let [first, second] = [first, second].map(|result| {
        result.profile.value().map_or_else(Vec::new, |profile| profile.kernels.iter().collect::<Vec<_>>())
    });
    let same = |a: &KernelTime, b: &KernelTime| a.kernel == b.kernel && a.layer == b.layer;
    let us = |times: &[&KernelTime], time: &KernelTime| match times.iter().find(|other| same(time, other)) {
        Some(time) => time.median_ns.clone().map(|ns| ns / 1e3),
        None => Measured::missing("this kernel is not in that result's profile"),
    };
    let only_second = second.iter().filter(|time| !first.iter().any(|other| same(time, other)));
    let figure = |time: &&KernelTime| ComparedFigure {
        name: format!("{} {}", time.kernel, time.layer),
        first_us: us(&first, time),
        second_us: us(&second, time),
        obstacle: obstacle.cloned(),
        remark: None,
    };
    first.iter().chain(only_second).map(figure).collect()
}

/// The comparison for a terminal of `width` columns.
pub fn compare_text(first: &RunResult, second: &RunResult, width: u16) -> String {
    let comparison = compare(first, second);
    let headings = ["", "first\n[us]", "second\n[us]", "second\n/ first"];
    let table = Table::of(&headings, 1, comparison.steps.iter().chain(&comparison.kernels), |figure, notes| {
        let remark = figure.remark.as_ref().filter(|_| figure.ratio().value().is_some());
        let mark = remark.map_or_else(String::new, |remark| notes.mark(remark));
        vec![
            figure.name.clone(),
            notes.or_mark(&figure.first_us, three_digits),
            notes.or_mark(&figure.second_us, three_digits),
            notes.or_mark(&figure.ratio(), ratio) + &mark,
        ]
    });
    let describe = |result: &RunResult| {
        let adapter = &result.environment.adapter;
        let (stamps, line) = summary::headline_parts(result);
        let stamps = if stamps.is_empty() { String::new() } else { format!("{}: ", stamps.join(", ")) };
        format!("{}, {}, {}; {stamps}{line}", adapter.label(), adapter.backend, result.started_utc)
    };
    let steps = |result: &RunResult, interval: &Measured<Interval>| {
        let us = |seconds: f64| three_digits(1e6 * seconds);
        let trainings = match timed_steps_s(result).len() {
            1 => "1 training".to_owned(),
            count => format!("{count} trainings"),
        };
        let interval = or_reason(interval, |interval| {
            format!("{} % interval {} to {} us", interval.confidence_pct, us(interval.low_s), us(interval.high_s))
        });
        format!("step, timed: median of {trainings}, {interval}")
    };
    let [first_interval, second_interval] = &comparison.intervals;
    let mut about: Facts = vec![
        ("first", describe(first)),
        ("", steps(first, first_interval)),
        ("second", describe(second)),
        ("", steps(second, second_interval)),
    ];
    about.extend(comparison.differences.iter().map(|difference| match difference.role {
        Role::Step | Role::Work => ("DIFFERENT WORK", difference.words()),
        Role::Circumstance => ("differs", difference.words()),
    }));
    joined([facts(about, width), table.text(2, width)]) + "\n"
}

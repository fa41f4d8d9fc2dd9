//! Rows of this program: groups of results of the same device, plan and build.

use super::history::{is_cpu_target, on_cpu};
use crate::data::Identity;
use crate::escape;
use crate::model::Training;
use crate::report::numbers::or_reason;
use crate::report::work;
use crate::result::{Measured, Member, Repeat, RunResult, Status};
use crate::stats;
use std::collections::BTreeSet;

/// The key in a plan's tuning for the number of threads of a training on the host's CPU.
const THREADS: &str = "threads";
/// The error rate, in percent, that the published tools reached at worst.
pub(super) const GOOD_ERROR_PCT: f64 = 1.0;
/// Why a row of the CPU target has no load of a GPU.
pub(super) const ON_THE_CPU: &str = "it computes on the CPU, without a GPU";
/// Why a row of a GPU has no number of threads.
pub(super) const ON_A_GPU: &str = "it computes on a GPU";
/// Training images of the pinned task.
const STANDARD_IMAGES: u32 = 60_000;

/// A result and the name of its file.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedResult {
    /// Name of the file, without its folder.
    pub file: String,
    /// The contents of the file.
    pub result: RunResult,
}

/// A result that no table shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Excluded<'a> {
    /// The result.
    pub loaded: &'a LoadedResult,
    /// Why: "non-standard: 3 epochs instead of 10".
    pub reason: String,
}

/// Results of one device, plan, build and tuning, with any seed: one row of the tables.
#[derive(Debug, Clone, PartialEq)]
pub struct Group<'a> {
    /// The properties that all results share, each with its name.
    identity: Vec<(&'static str, String)>,
    /// The results in the order they were given, each with its source; never empty.
    results: Vec<(String, &'a RunResult)>,
    /// The properties that distinguish this row from others with the same cells.
    distinctions: Vec<String>,
    /// The SIMD level of a host that computes, or empty: hosts of one name may differ in it.
    simd: String,
    /// Why the row is shown but not compared with others.
    not_compared: Option<String>,
}

/// Why no table of many results shows `result`, if so.
pub(super) fn reason_to_exclude(result: &RunResult) -> Option<String> {
    if result.tool.is_some() && is_row_of_another_tool(result) {
        return None;
    }
    let reasons = match (result.status, result.standard) {
        (Status::Complete, true) if times(result).next().is_none() => return Some("it holds no timed training".into()),
        (Status::Complete, true) => {
            let part = result.repeats.iter().any(|repeat| repeat.steps() < result.planned_steps());
            return part.then(|| format!("it holds a part of the training alone: {}", work::of(result)));
        }
        (Status::Complete, false) => &result.non_standard,
        _ => &result.reasons,
    };
    let stamps = result.stamps().join(", ");
    Some(if reasons.is_empty() { stamps } else { format!("{stamps}: {}", reasons.join("; ")) })
}

/// Whether another tool's result is a row: one that failed is, with its reason, and so is one of fewer epochs.
fn is_row_of_another_tool(result: &RunResult) -> bool {
    result.status != Status::Partial
        && result.data.identity == Identity::Mnist
        && result.settings.steps.value.value().is_none()
}

/// Why the time of `result` cannot be compared with the published ones, if so.
///
/// The values of the pixels do not change the amount of work, so that other data of the same size can be compared.
fn reason_not_to_compare(result: &RunResult) -> Option<String> {
    if let Some(stamp) = result.status.stamp() {
        return Some(format!("not compared: the run is {stamp}"));
    }
    let settings = &result.settings;
    let same_work = result.repeats.iter().all(|repeat| repeat.steps() == result.planned_steps())
        && settings.epochs.value == Training::STANDARD.epochs
        && settings.batch.value == Training::STANDARD.batch
        && settings.steps.value.value().is_none()
        && !settings.quick.value
        && settings.stopping.soak_min.value.value().is_none()
        && result.data.train_images == STANDARD_IMAGES;
    (!same_work).then(|| "not compared: the run did other work than the published ones".to_owned())
}

/// What the error rate was measured on, if not on MNIST.
pub(in crate::report) fn other_data(result: &RunResult) -> Option<&'static str> {
    match result.data.identity {
        Identity::Mnist => None,
        Identity::Synthetic => Some("synthetic"),
        Identity::Other => Some("other data"),
    }
}

/// Seconds of each timed training of a result.
fn times(result: &RunResult) -> impl Iterator<Item = f64> {
    result.repeats.iter().filter_map(|repeat| repeat.train_s.value()).copied()
}

/// Adds a result of a host with the SIMD level `simd` to the group with the same identity, or to a new one.
pub(super) fn insert<'a>(groups: &mut Vec<Group<'a>>, loaded: &'a LoadedResult, simd: String) {
    let mut new = Group::new(loaded.file.clone(), &loaded.result);
    new.identity.push(("SIMD level", simd.clone()));
    new.simd = simd;
    new.not_compared = loaded.result.tool.as_ref().and_then(|_| reason_not_to_compare(&loaded.result));
    match groups.iter_mut().find(|group| group.identity == new.identity) {
        Some(group) => group.results.extend(new.results),
        None => groups.push(new),
    }
}

/// The properties by which results are grouped, each with its name.
fn identity(result: &RunResult) -> Vec<(&'static str, String)> {
    let tool = &result.environment.tool;
    let tuning = result.plan.tuning.iter().filter(|(name, _)| *name != THREADS);
    let tuning: Vec<String> = tuning.map(|(name, value)| format!("{name} {value}")).collect();
    let parts = |member: &Member| format!("{} {} {}", member.name, member.plan, member.images_per_batch);
    let parts = result.parallel.value().map(|parallel| parallel.members.iter().map(parts).collect::<Vec<_>>());
    let other = result.tool.as_ref().map_or_else(String::new, |other| {
        let (epochs, stamps) = (result.settings.epochs.value, result.stamps().join(", "));
        format!("{} {} {}, {epochs} epochs {stamps}", other.name, other.version, other.backend)
    });
    vec![
        ("other tool", other.trim_end().to_owned()),
        ("parts", parts.map_or_else(String::new, |parts| parts.join(", "))),
        ("adapter", result.environment.adapter.label()),
        ("backend", result.environment.adapter.backend.clone()),
        ("machine", machine(result)),
        ("version", tool.version.clone()),
        ("build", tool.profile.clone()),
        ("plan", result.plan.name.clone()),
        ("threads", result.plan.tuning.get(THREADS).cloned().unwrap_or_default()),
        ("tuning", if tuning.is_empty() { "unknown".to_owned() } else { tuning.join(", ") }),
    ]
}

/// The device or devices on one line; with the machine if they compute on the CPU.
pub(super) fn device(result: &RunResult) -> String {
    escape::line(&device_name(result)).into_owned()
}

fn device_name(result: &RunResult) -> String {
    let adapter = &result.environment.adapter;
    let machine = machine(result);
    let name = match &result.parallel {
        Measured::Value(parallel) => names(&parallel.members),
        Measured::Missing { .. } if adapter.software => short(&adapter.name).to_owned(),
        Measured::Missing { .. } => adapter.name.clone(),
    };
    match (on_cpu(adapter), adapter.software) {
        (false, _) => name,
        (true, true) => format!("{name} (software), {machine}"),
        // The adapter of a training on the host's CPU has the name of the processor.
        (true, false) if machine.starts_with(&name) => machine,
        (true, false) => format!("{name}, {machine}"),
    }
}

/// A device's name without its number and without the build details that software drivers append.
fn short(name: &str) -> &str {
    let end = [" (", " #"].iter().filter_map(|mark| name.find(mark)).min().unwrap_or(name.len());
    &name[..end]
}

/// The names of devices that train together: "2 x Tesla K80", or "GPU 1 + GPU 2".
fn names(members: &[Member]) -> String {
    let mut names: Vec<&str> = members.iter().map(|member| short(&member.name)).collect();
    names.dedup();
    match names[..] {
        [name] if members[0].name.contains(" #") => format!("{} devices on {name}", members.len()),
        [name] => format!("{} x {name}", members.len()),
        _ => names.join(" + "),
    }
}

/// This program, its version and plan, and its build profile unless that is `release`; or the framework that trained in
/// its place.
pub fn tool(result: &RunResult) -> String {
    if let Some(other) = &result.tool {
        let on = match other.backend.contains(|letter: char| letter.is_ascii_digit()) {
            true => format!(" on {}", other.backend),
            false => String::new(),
        };
        return escape::line(format!("{} {}{on}", other.name, other.version).trim_end()).into_owned();
    }
    let tool = &result.environment.tool;
    let build = if tool.profile == "release" { String::new() } else { format!(" ({} build)", tool.profile) };
    escape::line(&format!("gpubench {} {}{build}", tool.version, result.plan.name)).into_owned()
}

/// The host's processor and its cores, as far as they are known.
fn machine(result: &RunResult) -> String {
    let cpu = &result.environment.cpu;
    let cores = cpu.logical_cores.value().map(|cores| format!("{cores} cores"));
    let known: Vec<String> = cpu.name.value().cloned().into_iter().chain(cores).collect();
    if known.is_empty() { "unknown CPU".to_owned() } else { known.join(", ") }
}

/// A machine with the SIMD level that its CPU has.
fn with_simd(machine: String, simd: &str) -> String {
    if simd.is_empty() { machine } else { format!("{machine}, {simd}") }
}

/// Adds to groups whose cells are equal the properties in which they differ.
pub(super) fn distinguish(groups: &mut [Group<'_>]) {
    for index in 0..groups.len() {
        let this = &groups[index];
        let shown = |group: &Group<'_>| (group.device(), group.tool(), group.threads());
        let alike = |other: &&Group<'_>| other.identity != this.identity && shown(other) == shown(this);
        let others: Vec<&Group<'_>> = groups.iter().filter(alike).collect();
        let differs = |property: &&(&'static str, String)| others.iter().any(|o| !o.identity.contains(property));
        let properties = this.identity.iter().filter(differs);
        groups[index].distinctions = properties.map(|(name, value)| format!("{name}: {value}")).collect();
    }
}

impl<'a> Group<'a> {
    fn new(source: String, result: &'a RunResult) -> Self {
        let identity = identity(result);
        let (distinctions, simd) = (Vec::new(), String::new());
        Self { identity, results: vec![(source, result)], distinctions, simd, not_compared: None }
    }

    /// A single run, whatever its status; its source is its date.
    pub(in crate::report) fn of_run(result: &'a RunResult) -> Self {
        let date = result.started_utc.get(..10).unwrap_or("this run").to_owned();
        Self { not_compared: reason_not_to_compare(result), ..Self::new(date, result) }
    }

    fn first(&self) -> &'a RunResult {
        self.results[0].1
    }

    /// Whether its device computes on the CPU.
    pub fn on_cpu(&self) -> bool {
        on_cpu(&self.first().environment.adapter)
    }

    /// Whether it was trained by the CPU target.
    pub fn is_of_cpu_target(&self) -> bool {
        is_cpu_target(&self.first().environment.adapter)
    }

    /// The device or devices; with the machine if they compute on the CPU, and its SIMD level if that is known.
    pub fn device(&self) -> String {
        with_simd(device(self.first()), &self.simd)
    }

    /// The host: its processor, cores and SIMD level.
    pub(super) fn host(&self) -> String {
        with_simd(machine(self.first()), &self.simd)
    }

    /// Whether both compute on the same host.
    pub(super) fn shares_host(&self, other: &Self) -> bool {
        self.on_cpu() && other.on_cpu() && self.host() == other.host()
    }

    /// This program, its version and plan; then, on lines of their own, the stamps of results that are not standard.
    pub fn tool(&self) -> String {
        [vec![tool(self.first())], self.first().stamps().into_iter().map(str::to_owned).collect()].concat().join("\n")
    }

    /// The name of the tool that trained, if it is not this program.
    pub(super) fn other_tool(&self) -> Option<&'a str> {
        self.first().tool.as_ref().map(|other| other.name.as_str())
    }

    /// Number of devices that train together.
    pub fn devices(&self) -> usize {
        self.first().parallel.value().map_or(1, |parallel| parallel.members.len())
    }

    /// Number of threads of a training on the host's CPU.
    pub fn threads(&self) -> Measured<f64> {
        if !self.on_cpu() {
            return Measured::missing(ON_A_GPU);
        }
        if self.other_tool().is_some() {
            return Measured::missing("the tool chooses its threads");
        }
        let threads = self.first().plan.tuning.get(THREADS).and_then(|threads| threads.parse().ok());
        Measured::or_missing(threads, "the driver chooses its threads")
    }

    /// The results, in the order they were given.
    pub(super) fn results(&self) -> impl Iterator<Item = &'a RunResult> {
        self.results.iter().map(|(_, result)| *result)
    }

    fn times(&self) -> Vec<f64> {
        self.results().flat_map(times).collect()
    }

    /// Number of timed trainings.
    pub fn trainings(&self) -> usize {
        self.times().len()
    }

    /// Median time of the trainings, in seconds.
    pub fn train_s(&self) -> Measured<f64> {
        stats::median(&self.times()).map_or_else(|| self.first().summary.train_s.clone(), Measured::Value)
    }

    /// [`Group::train_s`], or why it cannot be compared with other rows.
    pub fn comparable_s(&self) -> Measured<f64> {
        self.not_compared.as_ref().map_or_else(|| self.train_s(), Measured::missing)
    }

    /// Median error rate of the trainings on the test images, in percent.
    pub fn error_pct(&self) -> Measured<f64> {
        let repeats = self.results().flat_map(|result| &result.repeats);
        let rates: Vec<f64> = repeats.filter_map(|repeat| repeat.final_test_error_pct.value()).copied().collect();
        stats::median(&rates).map_or_else(|| self.first().summary.test_error_pct.clone(), Measured::Value)
    }

    /// Median over the trainings of a figure about the way to an error rate of 1 % on MNIST.
    pub fn to_good_error(&self, figure: impl Fn(&Repeat, f64) -> Measured<f64>) -> Measured<f64> {
        if let Some(data) = self.other_data() {
            return Measured::missing(data);
        }
        let figures: Vec<Measured<f64>> =
            self.results().flat_map(|result| &result.repeats).map(|repeat| figure(repeat, GOOD_ERROR_PCT)).collect();
        let values: Vec<f64> = figures.iter().filter_map(Measured::value).copied().collect();
        // One training that did not get there makes the median of the others too good.
        let missing = figures.into_iter().find(|figure| figure.value().is_none());
        let median = || Measured::or_missing(stats::median(&values), "nothing was trained");
        missing.unwrap_or_else(median)
    }

    /// What the error rate was measured on, if not on MNIST.
    pub fn other_data(&self) -> Option<&'static str> {
        other_data(self.first())
    }

    /// What the trainings did, if not ten epochs.
    pub fn other_work(&self) -> Option<String> {
        let result = self.first();
        let standard = Training::STANDARD.epochs * result.steps_per_epoch();
        let is_other = |repeat: &Repeat| repeat.steps() != standard;
        (result.repeats.is_empty() || result.repeats.iter().any(is_other)).then(|| work::of(result))
    }

    /// Where the results come from: the names of their files, or the date of a single run.
    pub fn sources(&self) -> Vec<&str> {
        self.results.iter().map(|(source, _)| source.as_str()).collect()
    }

    /// Remarks about the row as a whole.
    pub(super) fn remarks(&self) -> Vec<String> {
        let mut remarks = self.distinctions.clone();
        let mut count = |what: &str, version: fn(&RunResult) -> String| {
            let versions: BTreeSet<String> = self.results().map(version).collect();
            if versions.len() > 1 {
                remarks.push(format!("runs of {} {what}", versions.len()));
            }
        };
        count("drivers", |result| or_reason(&result.environment.adapter.driver_info, String::clone));
        count("versions of the kernels", |result| result.environment.tool.shader_hash.clone());
        remarks
    }
}

//! Results that are alike, as one row.

use super::columns::ON_A_GPU;
use super::on_cpu;
use crate::report::numbers::or_reason;
use crate::report::rows::stamps;
use crate::result::{Measured, Member, RunResult, Status};
use crate::stats;
use std::collections::BTreeSet;

/// The key of a plan's tuning under which the threads of a training on the host's cores stand.
const THREADS: &str = "threads";

/// A result and the name of its file.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedResult {
    /// Name of the file, without its folder.
    pub file: String,
    /// What it holds.
    pub result: RunResult,
}

/// A result that no table holds.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftOut<'a> {
    /// The result.
    pub stored: &'a LoadedResult,
    /// Why: "non-standard: 3 epochs instead of 10".
    pub reason: String,
}

impl LeftOut<'_> {
    /// Its device.
    pub fn device(&self) -> String {
        device(&self.stored.result)
    }

    /// This program, its version and the plan.
    pub fn tool(&self) -> String {
        tool(&self.stored.result)
    }
}

/// Results of one device, plan, build and tuning, of any seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Group<'a> {
    /// What they have in common, each with its name.
    identity: Vec<(&'static str, String)>,
    /// The results, in the order they were given; never none.
    runs: Vec<&'a LoadedResult>,
    /// What tells this row from others that would look like it.
    apart: Vec<String>,
}

/// Why a result stands in no table; nothing if it may.
pub(super) fn reason_to_leave_out(result: &RunResult) -> Option<String> {
    let reasons = match (result.status, result.standard) {
        (Status::Complete, true) if trained(result).next().is_none() => {
            return Some("it holds no timed training".into());
        }
        (Status::Complete, true) => return None,
        (Status::Complete, false) => &result.non_standard,
        _ => &result.reasons,
    };
    let stamps = stamps(result).join(", ");
    Some(if reasons.is_empty() { stamps } else { format!("{stamps}: {}", reasons.join("; ")) })
}

/// Seconds of each timed training of a result.
fn trained(result: &RunResult) -> impl Iterator<Item = f64> {
    result.repeats.iter().filter_map(|repeat| repeat.train_s.value()).copied()
}

/// Puts a result into the group of its like, or into one of its own.
pub(super) fn insert<'a>(groups: &mut Vec<Group<'a>>, stored: &'a LoadedResult) {
    let identity = identity(&stored.result);
    match groups.iter_mut().find(|group| group.identity == identity) {
        Some(group) => group.runs.push(stored),
        None => groups.push(Group { identity, runs: vec![stored], apart: Vec::new() }),
    }
}

/// What makes results alike.
fn identity(result: &RunResult) -> Vec<(&'static str, String)> {
    let tool = &result.environment.tool;
    let tuning = result.plan.tuning.iter().filter(|(name, _)| *name != THREADS);
    let tuning: Vec<String> = tuning.map(|(name, value)| format!("{name} {value}")).collect();
    let parts = |member: &Member| format!("{} {} {}", member.name, member.plan, member.images_per_batch);
    let parts = result.parallel.value().map(|parallel| parallel.members.iter().map(parts).collect::<Vec<_>>());
    vec![
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

/// The device of a result, or devices; for one that computes on the CPU the machine too.
fn device(result: &RunResult) -> String {
    let adapter = &result.environment.adapter;
    let machine = machine(result);
    let name = match &result.parallel {
        Measured::Value(parallel) => together(&parallel.members),
        Measured::Missing { .. } if adapter.software => short(&adapter.name).to_owned(),
        Measured::Missing { .. } => adapter.name.clone(),
    };
    match (on_cpu(adapter), adapter.software) {
        (false, _) => name,
        (true, true) => format!("{name} (software), {machine}"),
        // On the host's cores the adapter bears the processor's name.
        (true, false) if machine.starts_with(&name) => machine,
        (true, false) => format!("{name}, {machine}"),
    }
}

/// A name without what software drivers append of how they were built, and without the number of a device.
fn short(name: &str) -> &str {
    let end = [" (", " #"].iter().filter_map(|mark| name.find(mark)).min().unwrap_or(name.len());
    &name[..end]
}

/// Devices that train together: "2 x Tesla K80", or all names.
fn together(members: &[Member]) -> String {
    let mut names: Vec<&str> = members.iter().map(|member| short(&member.name)).collect();
    names.dedup();
    match names[..] {
        [name] if members[0].name.contains(" #") => format!("{} devices on {name}", members.len()),
        [name] => format!("{} x {name}", members.len()),
        _ => names.join(" + "),
    }
}

/// This program, its version and the plan of a result; a build that is not a release is called so.
fn tool(result: &RunResult) -> String {
    let tool = &result.environment.tool;
    let build = if tool.profile == "release" { String::new() } else { format!(" ({} build)", tool.profile) };
    format!("gpubench {} {}{build}", tool.version, result.plan.name)
}

/// The host's processor and its cores, as far as they are known.
fn machine(result: &RunResult) -> String {
    let cpu = &result.environment.cpu;
    let cores = cpu.logical_cores.value().map(|cores| format!("{cores} cores"));
    let known: Vec<String> = cpu.name.value().cloned().into_iter().chain(cores).collect();
    if known.is_empty() { "unknown CPU".to_owned() } else { known.join(", ") }
}

/// Gives rows that look alike what tells them apart.
pub(super) fn tell_apart(groups: &mut [Group<'_>]) {
    for index in 0..groups.len() {
        let this = &groups[index];
        let shown = |group: &Group<'_>| (group.device(), group.tool(), group.threads());
        let alike = |other: &&Group<'_>| other.identity != this.identity && shown(other) == shown(this);
        let others: Vec<&Group<'_>> = groups.iter().filter(alike).collect();
        let differs = |part: &&(&'static str, String)| others.iter().any(|other| !other.identity.contains(part));
        let parts = this.identity.iter().filter(differs);
        groups[index].apart = parts.map(|(name, value)| format!("{name}: {value}")).collect();
    }
}

impl Group<'_> {
    fn first(&self) -> &RunResult {
        &self.runs[0].result
    }

    /// Whether its device computes on the CPU.
    pub fn on_cpu(&self) -> bool {
        on_cpu(&self.first().environment.adapter)
    }

    /// The device; for one that computes on the CPU the machine too.
    pub fn device(&self) -> String {
        device(self.first())
    }

    /// This program, its version and the plan; a build that is not a release is called so.
    pub fn tool(&self) -> String {
        tool(self.first())
    }

    /// Number of devices that train together.
    pub fn devices(&self) -> usize {
        self.first().parallel.value().map_or(1, |parallel| parallel.members.len())
    }

    /// Threads of a training on the host's cores.
    pub fn threads(&self) -> Measured<f64> {
        if !self.on_cpu() {
            return Measured::missing(ON_A_GPU);
        }
        let threads = self.first().plan.tuning.get(THREADS).and_then(|threads| threads.parse().ok());
        Measured::or_missing(threads, "the driver chooses its threads")
    }

    /// The results, in the order they were given.
    pub(super) fn results(&self) -> impl Iterator<Item = &RunResult> {
        self.runs.iter().map(|stored| &stored.result)
    }

    /// Seconds of every timed training.
    fn times(&self) -> Vec<f64> {
        self.results().flat_map(trained).collect()
    }

    /// Number of timed trainings.
    pub fn trainings(&self) -> usize {
        self.times().len()
    }

    /// Median of their times, seconds.
    pub fn train_s(&self) -> f64 {
        stats::median(&self.times()).unwrap_or(f64::INFINITY)
    }

    /// Median of their error rates on the test images, percent.
    pub fn error_pct(&self) -> Measured<f64> {
        let repeats = self.results().flat_map(|result| &result.repeats);
        let rates: Vec<f64> = repeats.filter_map(|repeat| repeat.final_test_error_pct.value()).copied().collect();
        Measured::or_missing(stats::median(&rates), "no training was evaluated")
    }

    /// Names of the files, in order.
    pub fn files(&self) -> Vec<&str> {
        self.runs.iter().map(|stored| stored.file.as_str()).collect()
    }

    /// What a reader must know of the row.
    pub(super) fn remarks(&self) -> Vec<String> {
        let mut remarks = self.apart.clone();
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

//! What differs between two results besides their figures.

use super::work;
use crate::result::RunResult;
use serde::Serialize;
use serde_json::Value;

/// What a difference means for a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A step is another step: no time is divided by another.
    Step,
    /// The trainings did other work with the same steps.
    Work,
    /// The same work under other circumstances.
    Circumstance,
}

/// Something in which two results differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it is: "batch", "driver version".
    pub name: &'static str,
    /// What it means.
    pub role: Role,
    /// Its value in the first result.
    pub first: String,
    /// Its value in the second result.
    pub second: String,
}

impl Difference {
    /// "batch: 128 against 64".
    pub fn words(&self) -> String {
        format!("{}: {} against {}", self.name, self.first, self.second)
    }
}

/// Something that is compared: its name, what a difference means, and its value.
type Compared = (&'static str, Role, fn(&RunResult) -> Value);

macro_rules! compared {
    ($($role:ident: $($name:literal $result:ident => $value:expr,)*)*) => {
        &[$($(($name, Role::$role, |$result| json(&$value)),)*)*]
    };
}

/// Everything that is compared, in the order in which it is shown.
const COMPARED: &[Compared] = compared! {
    Step:
    "batch" result => result.settings.batch.value,
    "network" result => result.model.parameters,
    "dropout" result => result.settings.dropout.value,
    Work:
    "work of a training" result => work::of(result),
    "data set" result => result.data.identity,
    "data" result => result.data.name,
    "training images" result => result.data.train_images,
    "test images" result => result.data.test_images,
    Circumstance:
    "epochs" result => result.settings.epochs.value,
    "steps" result => result.settings.steps.value,
    "quick" result => result.settings.quick.value,
    "strict" result => result.settings.strict.value,
    "trainings asked for" result => result.settings.repeat.value,
    "trainings" result => result.repeats.len(),
    "stopping rule" result => stopping(result),
    "seed" result => result.settings.seed.value,
    "shuffle" result => result.settings.shuffle.value,
    "initial weights" result => result.settings.init.value,
    "data asked for" result => result.settings.data.value,
    "data from" result => result.data.source,
    "adapter asked for" result => result.settings.adapter.value,
    "backend asked for" result => result.settings.backend.value,
    "plan asked for" result => result.settings.plan.value,
    "plan" result => result.plan.name,
    "tuning" result => result.plan.tuning,
    "adapter" result => result.environment.adapter.label(),
    "kind" result => result.environment.adapter.kind,
    "backend" result => result.environment.adapter.backend,
    "driver" result => result.environment.adapter.driver,
    "driver version" result => result.environment.adapter.driver_info,
    "vendor id" result => result.environment.adapter.vendor_id,
    "device id" result => result.environment.adapter.device_id,
    "PCI bus id" result => result.environment.adapter.pci_bus_id,
    "timestamps" result => result.environment.adapter.timestamps,
    "limits" result => result.environment.adapter.limits,
    "features" result => result.environment.adapter.features,
    "devices" result => devices(result),
    "hosts" result => hosts(result),
    "scaling mode" result => result.parallel.value().map(|parallel| &parallel.scaling_mode),
    "system" result => result.environment.os,
    "processor" result => result.environment.cpu.name,
    "physical cores" result => result.environment.cpu.physical_cores,
    "logical cores" result => result.environment.cpu.logical_cores,
    "memory" result => result.environment.cpu.memory_bytes,
    "gpubench" result => result.environment.tool.version,
    "commit" result => result.environment.tool.git,
    "build" result => result.environment.tool.profile,
    "compiler" result => result.environment.tool.rustc,
    "shaders" result => result.environment.tool.shader_hash.get(..12).map(str::to_owned),
    "status" result => result.status,
};

/// Every difference between two results.
pub fn differences(first: &RunResult, second: &RunResult) -> Vec<Difference> {
    let difference = |&(name, role, of): &Compared| {
        let (first, second) = distinct(of(first), of(second))?;
        Some(Difference { name, role, first, second })
    };
    COMPARED.iter().filter_map(difference).collect()
}

/// Both values as text if they differ; of maps only the entries that differ.
fn distinct(first: Value, second: Value) -> Option<(String, String)> {
    match (first, second) {
        (first, second) if first == second => None,
        (Value::Object(mut first), Value::Object(mut second)) => {
            let whole = first.clone();
            first.retain(|key, value| second.get(key) != Some(value));
            second.retain(|key, value| whole.get(key) != Some(value));
            Some((words(&Value::Object(first)), words(&Value::Object(second))))
        }
        (first, second) => Some((words(&first), words(&second))),
    }
}

/// A value for people.
fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(set) => if *set { "yes" } else { "no" }.to_owned(),
        Value::Null => "unknown".to_owned(),
        Value::Array(values) if values.is_empty() => "none".to_owned(),
        Value::Array(values) => values.iter().map(words).collect::<Vec<_>>().join(", "),
        Value::Object(entries) => match entries.get("missing") {
            Some(reason) if entries.len() == 1 => format!("n/a ({})", words(reason)),
            _ if entries.is_empty() => "none".to_owned(),
            _ => {
                let entry = |(name, value): (&String, &Value)| format!("{name} {}", words(value));
                entries.iter().map(entry).collect::<Vec<_>>().join(", ")
            }
        },
        Value::Number(number) => number.to_string(),
    }
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

/// The values of the stopping rule by name.
fn stopping(result: &RunResult) -> Value {
    let mut rule = json(&result.settings.stopping);
    if let Value::Object(settings) = &mut rule {
        settings.values_mut().for_each(|setting| *setting = setting["value"].take());
    }
    rule
}

/// The hosts whose processes trained together, in the order of the ranks.
fn hosts(result: &RunResult) -> Vec<String> {
    let ranks = result.parallel.value().and_then(|parallel| parallel.ranks.value());
    ranks.into_iter().flatten().map(|rank| rank.host.clone()).collect()
}

/// The devices that trained together, with their parts of a batch.
fn devices(result: &RunResult) -> Vec<String> {
    let members = result.parallel.value().map(|parallel| &parallel.members);
    let part = |member: &crate::result::Member| format!("{} {} {}", member.name, member.plan, member.images_per_batch);
    members.into_iter().flatten().map(part).collect()
}

//! The SIMD levels of hosts that computed: clouds give processors of one name with and without AVX-512.

use super::group::LoadedResult;
use super::history::on_cpu;
use crate::escape;
use crate::result::RunResult;
use std::collections::{BTreeMap, BTreeSet};

/// The key in a plan's tuning for the SIMD level of the host.
const SIMD: &str = "simd";

/// SIMD levels that results tell, by what else they tell of their host.
pub(super) struct Hosts(BTreeMap<String, BTreeSet<String>>);

impl Hosts {
    /// The hosts of all results.
    pub fn of(loaded: &[LoadedResult]) -> Self {
        let mut hosts = BTreeMap::<String, BTreeSet<String>>::new();
        for result in loaded.iter().map(|loaded| &loaded.result) {
            if let Some(level) = told(result) {
                hosts.entry(description(result)).or_default().insert(level);
            }
        }
        Self(hosts)
    }

    /// The SIMD level of the host on which `result` was computed; empty for a GPU, and if neither it nor the results
    /// of hosts that are described alike (processor, cores, bytes of memory, system) tell one.
    pub fn level(&self, result: &RunResult) -> String {
        if !on_cpu(&result.environment.adapter) {
            return String::new();
        }
        let of_alike = || match self.0.get(&description(result)) {
            Some(levels) if levels.len() == 1 => levels.first().cloned(),
            _ => None,
        };
        told(result).or_else(of_alike).unwrap_or_default()
    }
}

/// The SIMD level that a result tells.
fn told(result: &RunResult) -> Option<String> {
    let level = result.plan.tuning.get(SIMD)?;
    Some(match level.as_str() {
        "avx512" => "AVX-512".to_owned(),
        "avx2" => "AVX2".to_owned(),
        "neon" => "NEON".to_owned(),
        "portable" => "no SIMD".to_owned(),
        other => escape::line(other).into_owned(),
    })
}

fn description(result: &RunResult) -> String {
    format!("{:?} {:?}", result.environment.cpu, result.environment.os)
}

//! The identity of what was measured, which cached measurements are valid for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The adapter, driver and program that a measurement belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subject {
    /// Name of the adapter.
    pub adapter: String,
    /// PCI bus id, empty if it is not reported.
    pub pci_bus_id: String,
    /// Backend.
    pub backend: String,
    /// Name and version of the driver.
    pub driver: String,
    /// Version of this program.
    pub version: String,
    /// SHA-256 of the shaders that were used.
    pub shader_hash: String,
}

impl Subject {
    /// The first difference from `other`, for people: "driver (X, now Y)"; `None` if both are equal.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let pairs = [
            ("adapter", &self.adapter, &other.adapter),
            ("device at", &self.pci_bus_id, &other.pci_bus_id),
            ("backend", &self.backend, &other.backend),
            ("driver", &self.driver, &other.driver),
            ("version", &self.version, &other.version),
            ("set of shaders", &self.shader_hash, &other.shader_hash),
        ];
        let (name, before, now) = pairs.into_iter().find(|(_, before, now)| before != now)?;
        let short = |text: &str| text.chars().take(60).collect::<String>();
        Some(format!("{name} ({}, now {})", short(before), short(now)))
    }
}

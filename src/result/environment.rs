//! What a run ran on: the adapter, the machine around it and the program itself.

use super::measured::Measured;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a run ran on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// The adapter that was used.
    pub adapter: Adapter,
    /// Operating system and its version, one line.
    pub os: Measured<String>,
    /// The host's processor and memory.
    pub cpu: Cpu,
    /// This program.
    pub tool: Tool,
}

/// The kind of device behind an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AdapterKind {
    /// A GPU with its own memory.
    DiscreteGpu,
    /// A GPU that shares the host's memory.
    IntegratedGpu,
    /// A GPU inside a virtual machine.
    VirtualGpu,
    /// No GPU: the driver computes on the CPU.
    Cpu,
    /// Not reported by the driver.
    Other,
}

/// The granularity of an adapter's timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimestampGrade {
    /// No timestamps at all.
    None,
    /// At the boundaries of passes.
    Passes,
    /// Between the commands of an encoder, but not inside a pass.
    InsideEncoders,
    /// Inside passes, between dispatches.
    InsidePasses,
}

/// An adapter: a device and its driver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Adapter {
    /// Name of the device as the driver reports it.
    pub name: String,
    /// Kind of the device.
    pub kind: AdapterKind,
    /// Whether the driver computes on the CPU: its times say nothing about a GPU.
    pub software: bool,
    /// The backend: `vulkan`, `metal`, `dx12` or `webgpu`.
    pub backend: String,
    /// Name of the driver.
    pub driver: Measured<String>,
    /// Version of the driver as it reports it.
    pub driver_info: Measured<String>,
    /// PCI vendor id.
    pub vendor_id: Measured<u32>,
    /// PCI device id.
    pub device_id: Measured<u32>,
    /// PCI bus id, such as `0000:01:00.0`.
    pub pci_bus_id: Measured<String>,
    /// Supported timestamps.
    pub timestamps: TimestampGrade,
    /// Limits the device was opened with, by name.
    pub limits: BTreeMap<String, u64>,
    /// Optional features the device was opened with, by name.
    pub features: Vec<String>,
}

impl Adapter {
    /// Whether it computes on the host's cores.
    pub fn is_on_cores(&self) -> bool {
        self.software || self.kind == AdapterKind::Cpu
    }

    /// The name for people, which marks software adapters.
    pub fn label(&self) -> String {
        if self.software { format!("{} (software)", self.name) } else { self.name.clone() }
    }
}

/// The host's processor and memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cpu {
    /// Name of the processor.
    pub name: Measured<String>,
    /// Physical cores.
    pub physical_cores: Measured<u32>,
    /// Logical cores of the operating system.
    pub logical_cores: Measured<u32>,
    /// Main memory in bytes.
    pub memory_bytes: Measured<u64>,
}

/// The program that wrote a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// Its version.
    pub version: String,
    /// Its commit, with `-dirty` if files differ from it; missing if it was not built from a repository.
    pub git: Measured<String>,
    /// SHA-256 of all shaders, in hexadecimal.
    pub shader_hash: String,
    /// Version of the compiler.
    pub rustc: Measured<String>,
    /// Build profile, `release` or `debug`.
    pub profile: String,
}

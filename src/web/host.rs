//! What the page tells of its browser and of the machine below it.

use crate::bench::describe_tool;
use crate::error::{Error, Result};
use crate::gpu::AdapterInfo;
use crate::result::{Adapter, Cpu, Environment, Measured};
use serde::Deserialize;

/// Words of an adapter that computes on the CPU.
const SOFTWARE: [&str; 4] = ["swiftshader", "llvmpipe", "lavapipe", "basic render"];

/// The browser and its machine, as far as a page is told.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Host {
    /// `navigator.userAgent`.
    pub user_agent: String,
    /// `navigator.hardwareConcurrency`.
    pub logical_cores: Option<u32>,
    /// Whether the page is isolated from other origins, which gives it finer clocks.
    pub cross_origin_isolated: bool,
    /// The smallest step of `performance.now()`, nanoseconds.
    pub clock_step_ns: Option<f64>,
    /// The time, RFC 3339 in UTC.
    pub now_utc: String,
    /// What the visitor calls the device.
    pub device: String,
    /// `GPUAdapterInfo.vendor`.
    pub vendor: String,
    /// `GPUAdapterInfo.architecture`.
    pub architecture: String,
    /// `GPUAdapterInfo.description`.
    pub description: String,
    /// `GPUAdapterInfo.isFallbackAdapter`.
    pub is_fallback: bool,
}

impl Host {
    /// Reads what a page tells.
    ///
    /// # Errors
    /// [`Error::Usage`] if it cannot be read.
    pub fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text)
            .map_err(|error| Error::Usage(format!("what the page tells of its browser cannot be read: {error}")))
    }

    /// The adapter with the best name that is known for it.
    pub fn name_adapter(&self, info: &AdapterInfo) -> AdapterInfo {
        let words = [self.vendor.as_str(), self.architecture.as_str()].join(" ");
        let told =
            [self.description.as_str(), info.name.as_str(), words.trim(), "an adapter the browser does not name"]
                .into_iter()
                .find(|name| !name.trim().is_empty())
                .unwrap_or_default();
        let name =
            if self.device.trim().is_empty() { told.to_owned() } else { format!("{} ({told})", self.device.trim()) };
        let all = format!("{words} {} {}", self.description, info.name).to_lowercase();
        let software = info.software || self.is_fallback || SOFTWARE.iter().any(|word| all.contains(word));
        let vendor = if self.vendor.is_empty() { info.vendor.clone() } else { self.vendor.clone() };
        let kind = if software { "cpu".to_owned() } else { info.kind.clone() };
        AdapterInfo { name, vendor, software, kind, ..info.clone() }
    }

    /// The environment of a result.
    pub fn environment(&self, mut adapter: Adapter) -> Environment {
        let untold = "browsers do not tell";
        adapter.vendor_id = Measured::missing(untold);
        adapter.device_id = Measured::missing(untold);
        Environment {
            adapter,
            os: Measured::or_missing(Some(self.user_agent.clone()).filter(|agent| !agent.is_empty()), untold),
            cpu: Cpu {
                name: Measured::missing(untold),
                physical_cores: Measured::missing(untold),
                logical_cores: Measured::or_missing(self.logical_cores, untold),
                memory_bytes: Measured::missing(untold),
            },
            tool: describe_tool(),
        }
    }

    /// What a reader of the figures should know of the browser.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(step_ns) = self.clock_step_ns.filter(|step_ns| *step_ns >= 1e3) {
            let why =
                if self.cross_origin_isolated { "" } else { "; pages isolated from other origins get a finer one" };
            warnings.push(format!("the browser's clock ticks every {:.0} us{why}", step_ns / 1e3));
        }
        warnings
    }
}

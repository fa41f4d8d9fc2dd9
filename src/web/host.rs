//! The browser and its machine, as the page reports them.

use crate::bench::describe_tool;
use crate::error::{Error, Result};
use crate::gpu::AdapterInfo;
use crate::result::{Adapter, Cpu, Environment, Measured};
use serde::Deserialize;

/// Substrings in the names of software adapters.
const SOFTWARE: [&str; 4] = ["swiftshader", "llvmpipe", "lavapipe", "basic render"];

/// The browser and its machine, as far as browsers expose them.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Host {
    /// `navigator.userAgent`.
    pub user_agent: String,
    /// `navigator.hardwareConcurrency`.
    pub logical_cores: Option<u32>,
    /// Whether the page is cross-origin isolated, which gives it finer clocks.
    pub cross_origin_isolated: bool,
    /// Resolution of `performance.now()`, nanoseconds.
    pub clock_step_ns: Option<f64>,
    /// Current time, RFC 3339 in UTC.
    pub now_utc: String,
    /// The visitor's name for the device.
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
    /// Parses the JSON that a page passes.
    ///
    /// # Errors
    /// [`Error::Usage`] if it is invalid.
    pub fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text)
            .map_err(|error| Error::Usage(format!("the page's description of its browser cannot be read: {error}")))
    }

    /// `reported`, after the visitor's name for the device if there is one.
    fn named(&self, reported: &str) -> String {
        match self.device.trim() {
            "" => reported.to_owned(),
            device => format!("{device} ({reported})"),
        }
    }

    /// The name of the processor.
    pub fn processor(&self) -> String {
        self.named("this device's processor, in WebAssembly")
    }

    /// Completes `info` with the page's information: the most specific name, vendor, and whether it is a software
    /// adapter.
    pub fn name_adapter(&self, info: &AdapterInfo) -> AdapterInfo {
        let words = [self.vendor.as_str(), self.architecture.as_str()].join(" ");
        let reported =
            [self.description.as_str(), info.name.as_str(), words.trim(), "an adapter the browser does not name"]
                .into_iter()
                .find(|name| !name.trim().is_empty())
                .unwrap_or_default();
        let name = self.named(reported);
        let all = format!("{words} {} {}", self.description, info.name).to_ascii_lowercase();
        let software = info.software || self.is_fallback || SOFTWARE.iter().any(|word| all.contains(word));
        let vendor = if self.vendor.is_empty() { info.vendor.clone() } else { self.vendor.clone() };
        let kind = if software { "cpu".to_owned() } else { info.kind.clone() };
        AdapterInfo { name, vendor, software, kind, ..info.clone() }
    }

    /// The environment of a result.
    pub fn environment(&self, mut adapter: Adapter) -> Environment {
        let not_exposed = "browsers do not expose it";
        adapter.vendor_id = Measured::missing(not_exposed);
        adapter.device_id = Measured::missing(not_exposed);
        Environment {
            adapter,
            os: Measured::or_missing(Some(self.user_agent.clone()).filter(|agent| !agent.is_empty()), not_exposed),
            cpu: Cpu {
                name: Measured::missing(not_exposed),
                physical_cores: Measured::missing(not_exposed),
                logical_cores: Measured::or_missing(self.logical_cores, not_exposed),
                memory_bytes: Measured::missing(not_exposed),
            },
            tool: describe_tool(),
        }
    }

    /// Warnings about the browser for the result.
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

//! The description of an adapter, and the choice of one from a list.

use crate::error::{Error, Result};
use crate::escape;
use serde::{Deserialize, Serialize};

/// The finest granularity at which an adapter writes timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timestamps {
    /// Between any two dispatches of a pass.
    InsidePasses,
    /// Between any two commands of an encoder, but not inside a pass.
    InsideEncoders,
    /// At the beginning and the end of a pass.
    PassBoundaries,
    /// No timestamps at all.
    Unsupported,
}

impl Timestamps {
    /// The wgpu features that this granularity needs.
    pub(super) fn features(self) -> wgpu::Features {
        let and = |feature| wgpu::Features::TIMESTAMP_QUERY | feature;
        match self {
            Timestamps::InsidePasses => and(wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES),
            Timestamps::InsideEncoders => and(wgpu::Features::TIMESTAMP_QUERY_INSIDE_ENCODERS),
            Timestamps::PassBoundaries => wgpu::Features::TIMESTAMP_QUERY,
            Timestamps::Unsupported => wgpu::Features::empty(),
        }
    }

    /// The finest granularity that `features` allow.
    pub(super) fn finest(features: wgpu::Features) -> Self {
        let supported = [Timestamps::InsidePasses, Timestamps::InsideEncoders, Timestamps::PassBoundaries];
        let finest = supported.into_iter().find(|timestamps| features.contains(timestamps.features()));
        finest.unwrap_or(Timestamps::Unsupported)
    }
}

impl std::fmt::Display for Timestamps {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Timestamps::InsidePasses => "inside passes",
            Timestamps::InsideEncoders => "inside encoders",
            Timestamps::PassBoundaries => "pass boundaries",
            Timestamps::Unsupported => "none",
        })
    }
}

/// What the driver reports about an adapter before a device is opened on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdapterInfo {
    /// Index in the list of adapters, by which it can be chosen.
    pub index: usize,
    /// Name as the driver reports it.
    pub name: String,
    /// Name of the vendor, or its id where the name is not known.
    pub vendor: String,
    /// PCI vendor id, or a number above 0xffff for vendors without one.
    pub vendor_id: u32,
    /// PCI device id.
    pub device_id: u32,
    /// `discrete`, `integrated`, `virtual`, `other` or `cpu`.
    pub kind: String,
    /// Whether it is a software adapter, which computes on the CPU.
    pub software: bool,
    /// `vulkan`, `metal`, `dx12` or `webgpu`.
    pub backend: String,
    /// Name of the driver; empty if it is not reported.
    pub driver: String,
    /// Version of the driver; empty if it is not reported.
    pub driver_info: String,
    /// PCI bus id such as `0000:01:00.0`; empty if there is none.
    pub pci_bus_id: String,
    /// The timestamps it supports.
    pub timestamps: Timestamps,
    /// Whether shaders may use subgroup operations; wgpu does not support them in browsers.
    pub subgroups: bool,
}

impl AdapterInfo {
    pub(super) fn new(index: usize, info: &wgpu::AdapterInfo, features: wgpu::Features) -> Self {
        Self {
            index,
            name: info.name.clone(),
            vendor: vendor_name(info.vendor),
            vendor_id: info.vendor,
            device_id: info.device,
            kind: match info.device_type {
                wgpu::DeviceType::DiscreteGpu => "discrete",
                wgpu::DeviceType::IntegratedGpu => "integrated",
                wgpu::DeviceType::VirtualGpu => "virtual",
                wgpu::DeviceType::Cpu => "cpu",
                wgpu::DeviceType::Other => "other",
            }
            .to_owned(),
            software: is_software(info),
            backend: info.backend.to_string(),
            driver: info.driver.clone(),
            driver_info: info.driver_info.clone(),
            pci_bus_id: info.device_pci_bus_id.clone(),
            timestamps: Timestamps::finest(features),
            subgroups: features.contains(wgpu::Features::SUBGROUP) && info.backend != wgpu::Backend::BrowserWebGpu,
        }
    }

    /// The sort key of preference: discrete GPUs before integrated, virtual, unknown and software ones.
    pub(super) fn rank(&self) -> usize {
        const ORDER: [&str; 4] = ["discrete", "integrated", "virtual", "other"];
        if self.software {
            ORDER.len()
        } else {
            ORDER.iter().position(|kind| *kind == self.kind).unwrap_or(ORDER.len())
        }
    }

    /// One line for people, which a run prints first.
    pub fn line(&self) -> String {
        let driver = [self.driver.as_str(), self.driver_info.as_str()].join(" ");
        let kind = if self.software { "software adapter: it computes on the CPU" } else { self.kind.as_str() };
        let bus = if self.pci_bus_id.is_empty() { String::new() } else { format!(", {}", self.pci_bus_id) };
        escape::line(&format!("{} ({}, {}{bus}, {kind})", self.name, self.backend, driver.trim())).into_owned()
    }

    /// Whether nothing can run on it: Mesa makes such a device up where RADV_FORCE_FAMILY names a family, to compile
    /// for it. It cannot be opened.
    pub fn is_null_device(&self) -> bool {
        self.name.to_ascii_lowercase().starts_with("null hardware")
    }

    /// The first word of the name in lower case, by which it can be requested.
    pub fn short_name(&self) -> String {
        self.name.split_whitespace().next().unwrap_or_default().to_ascii_lowercase()
    }

    fn matches(&self, request: &str) -> bool {
        let request = request.to_ascii_lowercase();
        self.pci_bus_id.to_ascii_lowercase() == request
            || [&self.name, &self.vendor, &self.driver].iter().any(|text| text.to_ascii_lowercase().contains(&request))
    }
}

fn is_software(info: &wgpu::AdapterInfo) -> bool {
    const NAMES: [&str; 4] = ["llvmpipe", "swiftshader", "microsoft basic render", "warp"];
    let name = info.name.to_ascii_lowercase();
    info.device_type == wgpu::DeviceType::Cpu || NAMES.iter().any(|software| name.contains(software))
}

/// The names of PCI vendors, and of vendors with an id that Khronos assigned.
fn vendor_name(id: u32) -> String {
    const VENDORS: [(u32, &str); 13] = [
        (0x10de, "NVIDIA"),
        (0x1002, "AMD"),
        (0x8086, "Intel"),
        (0x106b, "Apple"),
        (0x13b5, "Arm"),
        (0x5143, "Qualcomm"),
        (0x1010, "Imagination"),
        (0x14e4, "Broadcom"),
        (0x144d, "Samsung"),
        (0x1414, "Microsoft"),
        (0x1ae0, "Google"),
        (0x15ad, "VMware"),
        (0x10005, "Mesa"),
    ];
    let known = VENDORS.iter().find(|(vendor, _)| *vendor == id).map(|(_, name)| (*name).to_owned());
    known.unwrap_or_else(|| format!("{id:#06x}"))
}

/// The adapters as a list for messages, one per line.
fn listing(adapters: &[AdapterInfo]) -> String {
    adapters.iter().map(|adapter| format!("\n  {}: {}", adapter.index, adapter.line())).collect()
}

/// What to do about a machine without an adapter.
pub const NONE_FOUND: &str = "install a Vulkan driver for the GPU, or Mesa's software driver (Debian and Ubuntu: apt-get \
                              install libvulkan1 mesa-vulkan-drivers)";

/// What stands before the family of a device that Mesa makes up to compile for, as `gpubench kernels` takes it.
pub const NULL_DEVICE: &str = "radv:";

/// Chooses one of `adapters`, which are in the order of preference.
///
/// Without a request the first one is chosen. A request is an index, a PCI bus id, or a part of the name, vendor or
/// driver, regardless of case. If several match, only those of the best kind and backend are considered.
///
/// # Errors
/// [`Error::Adapter`], with the list, if there is no adapter, none matches, or several match equally well.
pub fn choose<'a>(adapters: &'a [AdapterInfo], request: Option<&str>) -> Result<&'a AdapterInfo> {
    let Some(first) = adapters.first() else {
        return Err(Error::Adapter(format!("no adapter found: {NONE_FOUND}")));
    };
    let Some(request) = request.map(str::trim).filter(|request| !request.is_empty()) else {
        return Ok(first);
    };
    if let Ok(index) = request.parse::<usize>() {
        return adapters.get(index).ok_or_else(|| {
            Error::Adapter(format!(
                "there is no adapter {index}; choose one of these with --adapter:{}",
                listing(adapters)
            ))
        });
    }
    let matching: Vec<&AdapterInfo> = adapters.iter().filter(|adapter| adapter.matches(request)).collect();
    let Some(best) = matching.first() else {
        let hint = match request.to_ascii_lowercase().starts_with(NULL_DEVICE) {
            true => ", and one without its GPU compiles alone: `gpubench kernels`",
            false => "",
        };
        return Err(Error::Adapter(format!(
            "no adapter matches '{request}'{hint}; choose one of these with --adapter:{}",
            listing(adapters)
        )));
    };
    let equal = |other: &&&AdapterInfo| other.rank() == best.rank() && other.backend == best.backend;
    if matching.iter().filter(equal).count() > 1 {
        return Err(Error::Adapter(format!(
            "several adapters match '{request}' equally well; choose one by its index or PCI bus id:{}",
            listing(adapters)
        )));
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(index: usize, name: &str, vendor: &str, kind: &str, bus: &str) -> AdapterInfo {
        AdapterInfo {
            index,
            name: name.into(),
            vendor: vendor.into(),
            vendor_id: 0,
            device_id: 0,
            kind: kind.into(),
            software: kind == "cpu",
            backend: "vulkan".into(),
            driver: String::new(),
            driver_info: String::new(),
            pci_bus_id: bus.into(),
            timestamps: Timestamps::Unsupported,
            subgroups: false,
        }
    }

    fn machine() -> Vec<AdapterInfo> {
        vec![
            adapter(0, "Tesla K80", "NVIDIA", "discrete", "0000:01:00.0"),
            adapter(1, "Tesla K80", "NVIDIA", "discrete", "0000:02:00.0"),
            adapter(2, "UHD 630", "Intel", "integrated", "0000:00:02.0"),
            adapter(3, "llvmpipe", "Mesa", "cpu", ""),
        ]
    }

    #[test]
    fn the_finest_granularity_of_the_features_is_found() {
        for timestamps in
            [Timestamps::InsidePasses, Timestamps::InsideEncoders, Timestamps::PassBoundaries, Timestamps::Unsupported]
        {
            assert_eq!(Timestamps::finest(timestamps.features()), timestamps);
        }
    }

    #[test]
    fn adapters_are_chosen_by_index_name_vendor_or_bus() {
        let machine = machine();
        let chosen = |request| choose(&machine, request).map(|adapter| adapter.index);
        assert_eq!(chosen(None), Ok(0));
        assert_eq!(chosen(Some("1")), Ok(1));
        assert_eq!(chosen(Some("uhd")), Ok(2));
        assert_eq!(chosen(Some("INTEL")), Ok(2));
        assert_eq!(chosen(Some("0000:02:00.0")), Ok(1));
        assert_eq!(chosen(Some("LLVM")), Ok(3));
    }

    #[test]
    fn no_match_and_equal_matches_are_errors_that_list_the_adapters() {
        let machine = machine();
        for (request, says) in [("nvidia", "several"), ("voodoo", "no adapter matches"), ("7", "no adapter 7")] {
            let error = choose(&machine, Some(request)).expect_err(request);
            assert_eq!(error.exit_code(), 4);
            let text = error.to_string();
            assert!(text.contains(says) && text.contains("UHD 630"), "{text}");
        }
        assert!(choose(&[], None).expect_err("none").to_string().contains("install a Vulkan driver"));
    }

    #[test]
    fn a_better_kind_wins_over_a_worse_one_of_the_same_name() {
        let machine = [adapter(0, "GeForce", "NVIDIA", "discrete", ""), adapter(1, "GeForce", "NVIDIA", "virtual", "")];
        assert_eq!(choose(&machine, Some("geforce")).map(|adapter| adapter.index), Ok(0));
    }
}

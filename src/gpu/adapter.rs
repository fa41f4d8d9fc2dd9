//! Which adapters there are, in the order of preference, and the choice of one.

use super::pipeline_cache::{PipelineCacheData, PipelineCacheStore};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// What timestamps an adapter can take, the finest grade it offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timestamps {
    /// Between any two dispatches of a pass.
    InsidePasses,
    /// Between any two commands of an encoder, but not inside a pass.
    InsideEncoders,
    /// At the beginning and the end of a pass.
    PassBoundaries,
    /// None.
    Unsupported,
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

/// What is known of an adapter before it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdapterInfo {
    /// Place in the list, by which it can be chosen.
    pub index: usize,
    /// Name as the driver gives it.
    pub name: String,
    /// Name of the vendor, or its number where that is not known.
    pub vendor: String,
    /// PCI vendor id, or a number above 0xffff for vendors without one.
    pub vendor_id: u32,
    /// PCI device id.
    pub device_id: u32,
    /// `discrete`, `integrated`, `virtual`, `other` or `cpu`.
    pub kind: String,
    /// Whether it computes on the CPU.
    pub software: bool,
    /// `vulkan`, `metal`, `dx12` or `webgpu`.
    pub backend: String,
    /// Name of the driver; empty where it is not told.
    pub driver: String,
    /// Version of the driver; empty where it is not told.
    pub driver_info: String,
    /// PCI bus id such as `0000:01:00.0`; empty where there is none.
    pub pci_bus_id: String,
    /// What timestamps it can take.
    pub timestamps: Timestamps,
    /// Whether invocations of a subgroup may exchange values; wgpu has no shaders for that in browsers.
    pub subgroups: bool,
}

impl AdapterInfo {
    fn new(index: usize, info: &wgpu::AdapterInfo, features: wgpu::Features) -> Self {
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
            timestamps: if features.contains(wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES) {
                Timestamps::InsidePasses
            } else if features.contains(wgpu::Features::TIMESTAMP_QUERY_INSIDE_ENCODERS) {
                Timestamps::InsideEncoders
            } else if features.contains(wgpu::Features::TIMESTAMP_QUERY) {
                Timestamps::PassBoundaries
            } else {
                Timestamps::Unsupported
            },
            subgroups: features.contains(wgpu::Features::SUBGROUP) && info.backend != wgpu::Backend::BrowserWebGpu,
        }
    }

    /// Real GPUs before integrated, virtual, unknown and software ones.
    fn rank(&self) -> usize {
        const ORDER: [&str; 4] = ["discrete", "integrated", "virtual", "other"];
        if self.software {
            ORDER.len()
        } else {
            ORDER.iter().position(|kind| *kind == self.kind).unwrap_or(ORDER.len())
        }
    }

    /// One line: what a run begins with.
    pub fn line(&self) -> String {
        let driver = [self.driver.as_str(), self.driver_info.as_str()].join(" ");
        let kind = if self.software { "software adapter: it computes on the CPU" } else { self.kind.as_str() };
        let bus = if self.pci_bus_id.is_empty() { String::new() } else { format!(", {}", self.pci_bus_id) };
        format!("{} ({}, {}{bus}, {kind})", self.name, self.backend, driver.trim())
    }

    fn matches(&self, request: &str) -> bool {
        let request = request.to_lowercase();
        self.pci_bus_id.to_lowercase() == request
            || [&self.name, &self.vendor, &self.driver].iter().any(|text| text.to_lowercase().contains(&request))
    }
}

fn is_software(info: &wgpu::AdapterInfo) -> bool {
    const NAMES: [&str; 4] = ["llvmpipe", "swiftshader", "microsoft basic render", "warp"];
    let name = info.name.to_lowercase();
    info.device_type == wgpu::DeviceType::Cpu || NAMES.iter().any(|software| name.contains(software))
}

/// Names of PCI vendors, and of the numbers that Khronos gave to others.
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

/// A table of adapters for messages, one a line.
fn listing(adapters: &[AdapterInfo]) -> String {
    adapters.iter().map(|adapter| format!("\n  {}: {}", adapter.index, adapter.line())).collect()
}

/// What to say where there is no adapter.
pub const NONE_FOUND: &str = "no adapter found: install a Vulkan driver for the GPU, or Mesa's software driver (Debian and \
                              Ubuntu: apt-get install libvulkan1 mesa-vulkan-drivers)";

/// Chooses from `adapters`, which are in the order of preference.
///
/// Without a request the first is taken. A request is an index, a PCI bus id, or a part of the name, vendor or driver in
/// any case. Where several match, those of the best kind and backend are looked at.
///
/// # Errors
/// [`Error::Adapter`], with the list, if there is no adapter, none matches, or several match equally well.
pub fn choose<'a>(adapters: &'a [AdapterInfo], request: Option<&str>) -> Result<&'a AdapterInfo> {
    let Some(first) = adapters.first() else {
        return Err(Error::Adapter(NONE_FOUND.into()));
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
        return Err(Error::Adapter(format!(
            "no adapter matches '{request}'; choose one of these with --adapter:{}",
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

/// The adapters of this machine, in the order of preference.
pub struct Adapters {
    infos: Vec<AdapterInfo>,
    handles: Vec<wgpu::Adapter>,
    instance: wgpu::Instance,
    pub(super) store: PipelineCacheStore,
}

impl Adapters {
    /// Looks for adapters on one backend (`vulkan`, `metal`, `dx12`, `webgpu`), or on all. `noop` is the one that computes nothing.
    ///
    /// # Errors
    /// [`Error::Usage`] if the backend is not known or cannot exist on this system.
    pub async fn find(backend: Option<&str>) -> Result<Self> {
        let backends = parse_backend(backend)?;
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends,
            flags: wgpu::InstanceFlags::from_build_config().with_env(),
            backend_options: backend_options(backends),
            ..wgpu::InstanceDescriptor::new_without_display_handle()
        });
        let mut handles = super::wait::adapters(&instance, backends).await;
        let backend_order = |backend: wgpu::Backend| match backend {
            wgpu::Backend::Vulkan => 0,
            wgpu::Backend::Metal => 1,
            wgpu::Backend::Dx12 => 2,
            _ => 3,
        };
        handles.sort_by_key(|handle| {
            let info = handle.get_info();
            (AdapterInfo::new(0, &info, handle.features()).rank(), backend_order(info.backend))
        });
        let describe =
            |(index, handle): (usize, &wgpu::Adapter)| AdapterInfo::new(index, &handle.get_info(), handle.features());
        Ok(Self {
            infos: handles.iter().enumerate().map(describe).collect(),
            handles,
            instance,
            store: PipelineCacheStore::default(),
        })
    }

    /// What is known of each.
    pub fn infos(&self) -> &[AdapterInfo] {
        &self.infos
    }

    /// How many buffers and bind groups there are on all devices opened from this list; `None` in a browser, which does not tell.
    pub fn live_buffers_and_groups(&self) -> Option<[usize; 2]> {
        super::wait::live_buffers_and_groups(&self.instance)
    }

    /// From now on, devices opened on `adapter` find pipelines that others have compiled, and those of `kept` to begin with.
    pub fn keep_pipelines(&self, adapter: &AdapterInfo, kept: PipelineCacheData) {
        self.store.put(adapter, kept);
    }

    /// All that was compiled on `adapter` and those it began with; `None` without [`Adapters::keep_pipelines`].
    pub fn kept_pipelines(&self, adapter: &AdapterInfo) -> Option<PipelineCacheData> {
        self.store.get(adapter)
    }

    /// The handle of an adapter of this list, to open a device on: a browser's serves for one device only.
    ///
    /// # Errors
    /// [`Error::Adapter`] if the browser does not give the adapter again.
    pub(super) async fn handle(&self, info: &AdapterInfo) -> Result<wgpu::Adapter> {
        let again = super::wait::fresh(&self.instance, &self.handles[info.index]).await;
        again.ok_or_else(|| Error::Adapter(format!("the adapter {} is no longer there: reload the page", info.name)))
    }
}

/// wgpu keeps a backend that computes nothing from being taken by accident; whoever asks for it by name means it.
fn backend_options(backends: wgpu::Backends) -> wgpu::BackendOptions {
    let mut options = wgpu::BackendOptions::default();
    options.noop.enable = backends == wgpu::Backends::NOOP;
    options
}

fn parse_backend(name: Option<&str>) -> Result<wgpu::Backends> {
    let Some(name) = name.map(str::trim).filter(|name| !name.is_empty()) else {
        return Ok(wgpu::Backends::PRIMARY);
    };
    match name.to_lowercase().as_str() {
        "vulkan" | "vk" => Ok(wgpu::Backends::VULKAN),
        "metal" | "mtl" => Ok(wgpu::Backends::METAL),
        "dx12" | "d3d12" => Ok(wgpu::Backends::DX12),
        "webgpu" => Ok(wgpu::Backends::BROWSER_WEBGPU),
        // Computes nothing; only benchmarks of the host's work are built with it.
        "noop" => Ok(wgpu::Backends::NOOP),
        "auto" | "primary" => Ok(wgpu::Backends::PRIMARY),
        _ => Err(Error::Usage(format!(
            "unknown backend '{name}': use vulkan, metal, dx12 or auto (--backend or WGPU_BACKEND)"
        ))),
    }
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

    #[test]
    fn an_unknown_backend_is_refused() {
        assert_eq!(parse_backend(Some("glide")).expect_err("unknown").exit_code(), 2);
        assert_eq!(parse_backend(Some("Vulkan")), Ok(wgpu::Backends::VULKAN));
    }
}

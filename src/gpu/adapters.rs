//! The enumeration of this machine's adapters.

use super::adapter::AdapterInfo;
use super::pipeline_cache::{PipelineCacheData, PipelineCacheStore};
use super::platform;
use crate::error::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The adapters of this machine, in the order of preference, and the wgpu instance behind them.
pub struct Adapters {
    infos: Vec<AdapterInfo>,
    handles: Vec<wgpu::Adapter>,
    instance: wgpu::Instance,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) pipeline_caches: PipelineCacheStore,
}

impl Adapters {
    /// Finds the adapters of the first of some backends (`vulkan`, `metal`, `dx12`, `webgpu`, with commas between) that
    /// this system has, or of all. The backend `noop` executes nothing.
    ///
    /// # Errors
    /// [`Error::Usage`] if a backend is unknown, or this system has none of them.
    pub async fn find(backends: Option<&str>) -> Result<Self> {
        let backends = parse_backends(backends, wgpu::Instance::enabled_backend_features())?;
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends,
            flags: wgpu::InstanceFlags::from_build_config().with_env(),
            backend_options: backend_options(backends),
            ..wgpu::InstanceDescriptor::new_without_display_handle()
        });
        let mut handles = platform::adapters(&instance, backends).await;
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
            stop: Arc::default(),
            pipeline_caches: PipelineCacheStore::default(),
        })
    }

    /// Makes a device that is opened from now on refuse to compile or check further kernels once `flag` is set.
    pub fn stopped_by(self, flag: Arc<AtomicBool>) -> Self {
        Self { stop: flag, ..self }
    }

    /// The descriptions of the adapters.
    pub fn infos(&self) -> &[AdapterInfo] {
        &self.infos
    }

    /// Whether an adapter of this list offers 16-bit arithmetic in shaders.
    pub fn offers_f16(&self, info: &AdapterInfo) -> bool {
        self.handles[info.index].features().contains(wgpu::Features::SHADER_F16)
    }

    /// The numbers of live buffers and bind groups on all devices opened from this list; `None` in browsers, which do
    /// not report them.
    pub fn live_buffers_and_groups(&self) -> Option<[usize; 2]> {
        platform::live_buffers_and_groups(&self.instance)
    }

    /// Gives the devices that are opened on `adapter` from now on a shared pipeline cache, with `data` as its initial
    /// contents.
    pub fn enable_pipeline_cache(&self, adapter: &AdapterInfo, data: PipelineCacheData) {
        self.pipeline_caches.put(adapter, data);
    }

    /// The contents of the adapter's pipeline cache; `None` without [`Adapters::enable_pipeline_cache`].
    pub fn pipeline_cache_data(&self, adapter: &AdapterInfo) -> Option<PipelineCacheData> {
        self.pipeline_caches.get(adapter)
    }

    /// A handle of an adapter of this list, to open a device on. In browsers, each device needs a new handle.
    ///
    /// # Errors
    /// [`Error::Adapter`] if the browser no longer offers the adapter.
    pub(super) async fn handle(&self, info: &AdapterInfo) -> Result<wgpu::Adapter> {
        let handle = platform::reacquire(&self.instance, &self.handles[info.index]).await;
        handle.ok_or_else(|| Error::Adapter(format!("the adapter {} is no longer there: reload the page", info.name)))
    }
}

/// wgpu disables its `noop` backend by default, so that it is not used by accident; a request by name enables it.
fn backend_options(backends: wgpu::Backends) -> wgpu::BackendOptions {
    let mut options = wgpu::BackendOptions::default();
    options.noop.enable = backends == wgpu::Backends::NOOP;
    options
}

/// The first of the named backends that is `served`.
fn parse_backends(names: Option<&str>, served: wgpu::Backends) -> Result<wgpu::Backends> {
    let Some(names) = names.map(str::trim).filter(|names| !names.is_empty()) else {
        return Ok(wgpu::Backends::PRIMARY);
    };
    let mut known = Vec::new();
    for name in names.split(',').map(str::trim) {
        known.push(match name.to_ascii_lowercase().as_str() {
            "auto" | "primary" => wgpu::Backends::PRIMARY,
            name => wgpu::Backends::from_comma_list(name),
        });
        if known.last().is_some_and(wgpu::Backends::is_empty) {
            return Err(Error::Usage(format!(
                "unknown backend '{name}': use vulkan, metal, dx12 or auto (--backend or WGPU_BACKEND)"
            )));
        }
    }
    known.into_iter().find(|backends| served.intersects(*backends)).ok_or_else(|| {
        let names_served =
            [("vulkan", wgpu::Backends::VULKAN), ("metal", wgpu::Backends::METAL), ("dx12", wgpu::Backends::DX12)];
        let have: Vec<&str> =
            names_served.iter().filter(|(_, one)| served.contains(*one)).map(|(name, _)| *name).collect();
        let have = have.join(", ");
        Error::Usage(format!(
            "gpubench has no backend {names} on this system, only {have}: leave --backend or WGPU_BACKEND out"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wgpu::Backends;

    #[test]
    fn an_unknown_backend_is_refused() {
        for names in ["glide", "vulkan,glide", "glide,vulkan"] {
            let error = parse_backends(Some(names), Backends::VULKAN).expect_err(names);
            assert!(error.exit_code() == 2 && error.to_string().contains("unknown backend 'glide'"), "{error}");
        }
    }

    #[test]
    fn the_first_backend_of_a_list_that_is_served_is_taken() {
        let linux = Backends::VULKAN | Backends::NOOP;
        for names in ["Vulkan", "gl,vulkan", "dx12, metal,vk"] {
            assert_eq!(parse_backends(Some(names), linux), Ok(Backends::VULKAN), "{names}");
        }
        assert_eq!(parse_backends(Some("gl,auto"), linux), Ok(Backends::PRIMARY));
        assert_eq!(parse_backends(Some("metal,vulkan"), Backends::METAL), Ok(Backends::METAL));
        let error = parse_backends(Some("metal"), linux).expect_err("not on Linux");
        assert!(error.to_string().contains("no backend metal on this system, only vulkan"), "{error}");
    }
}

//! The enumeration of this machine's adapters.

use super::adapter::AdapterInfo;
use super::pipeline_cache::{PipelineCacheData, PipelineCacheStore};
use super::platform;
use crate::error::{Error, Result};

/// The adapters of this machine, in the order of preference, and the wgpu instance behind them.
pub struct Adapters {
    infos: Vec<AdapterInfo>,
    handles: Vec<wgpu::Adapter>,
    instance: wgpu::Instance,
    pub(super) pipeline_caches: PipelineCacheStore,
}

impl Adapters {
    /// Finds the adapters of one backend (`vulkan`, `metal`, `dx12`, `webgpu`), or of all. The backend `noop` executes
    /// nothing.
    ///
    /// # Errors
    /// [`Error::Usage`] if the backend is unknown.
    pub async fn find(backend: Option<&str>) -> Result<Self> {
        let backends = parse_backend(backend)?;
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
            pipeline_caches: PipelineCacheStore::default(),
        })
    }

    /// The descriptions of the adapters.
    pub fn infos(&self) -> &[AdapterInfo] {
        &self.infos
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

fn parse_backend(name: Option<&str>) -> Result<wgpu::Backends> {
    let Some(name) = name.map(str::trim).filter(|name| !name.is_empty()) else {
        return Ok(wgpu::Backends::PRIMARY);
    };
    match name.to_lowercase().as_str() {
        "vulkan" | "vk" => Ok(wgpu::Backends::VULKAN),
        "metal" | "mtl" => Ok(wgpu::Backends::METAL),
        "dx12" | "d3d12" => Ok(wgpu::Backends::DX12),
        "webgpu" => Ok(wgpu::Backends::BROWSER_WEBGPU),
        // Executes nothing: benchmarks of the host's own work use it.
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

    #[test]
    fn an_unknown_backend_is_refused() {
        assert_eq!(parse_backend(Some("glide")).expect_err("unknown").exit_code(), 2);
        assert_eq!(parse_backend(Some("Vulkan")), Ok(wgpu::Backends::VULKAN));
    }
}

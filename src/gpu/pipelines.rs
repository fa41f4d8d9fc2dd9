//! The compiled kernels of a plan.

use super::buffers::Buffers;
use super::device::Gpu;
use super::pipeline_cache::PipelineCache;
use crate::error::{Error, Result};
use crate::hash::sha256_hex;
use crate::kernels::{Access, Binding, Dispatch, Kernel, Plan, Step};
use std::collections::{BTreeSet, HashMap};

/// Bytes of four values.
const VEC4_BYTES: u64 = 16;

/// A pipeline for each kernel and set of constants of a plan.
pub struct Pipelines {
    pipelines: HashMap<String, wgpu::ComputePipeline>,
}

/// A kernel with its buffers, ready to be dispatched.
pub struct Bound {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) group: wgpu::BindGroup,
}

/// What tells one pipeline from another.
fn key(dispatch: &Dispatch) -> String {
    format!("{} {:?}", dispatch.kernel.name, dispatch.constants)
}

/// What tells one pipeline from every other that this program ever had.
fn identity(gpu: &Gpu, dispatch: &Dispatch) -> String {
    sha256_hex(format!("{} {} {}", gpu.checked, key(dispatch), dispatch.kernel.wgsl()).as_bytes())
}

impl Pipelines {
    /// Compiles every kernel of `plan`, each once for each set of constants.
    ///
    /// # Errors
    /// [`Error::Adapter`] with the kernel's name and the compiler's words if one does not compile.
    pub async fn compile(gpu: &Gpu, plan: &Plan) -> Result<Self> {
        let mut modules: HashMap<&str, wgpu::ShaderModule> = HashMap::new();
        let mut pipelines = HashMap::new();
        let mut identities = BTreeSet::new();
        let bytes_before = gpu.cache.as_ref().map_or(0, PipelineCache::bytes);
        for dispatch in plan.training.iter().chain(&plan.evaluation) {
            let key = key(dispatch);
            if pipelines.contains_key(&key) {
                continue;
            }
            let made = gpu
                .attempt(|| {
                    let module = modules.entry(dispatch.kernel.name).or_insert_with(|| module(gpu, dispatch.kernel));
                    pipeline(gpu, dispatch, module)
                })
                .await;
            let pipeline = made.map_err(|words| {
                Error::Adapter(format!("{} does not compile on {}: {words}", dispatch.label(), gpu.adapter.name))
            })?;
            identities.insert(identity(gpu, dispatch));
            pipelines.insert(key, pipeline);
        }
        if let Ok(cache) = &gpu.cache {
            cache.keep(&gpu.adapter, &identities, bytes_before);
        }
        Ok(Self { pipelines })
    }

    /// Binds the buffers that `dispatch` names; its step records are in `steps`.
    pub fn bind(&self, gpu: &Gpu, dispatch: &Dispatch, buffers: &Buffers, steps: &str) -> Bound {
        let pipeline = &self.pipelines[&key(dispatch)];
        let mut named = dispatch.buffers.iter();
        let resource = |binding: &Binding| match binding.access {
            Access::Step => wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: buffers.buffer(steps),
                offset: 0,
                size: wgpu::BufferSize::new(size_of::<Step>() as u64),
            }),
            Access::Uniform => wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: buffers.buffer(named.next().expect("a dispatch names a buffer for each binding")),
                offset: 0,
                size: wgpu::BufferSize::new(VEC4_BYTES * u64::from(dispatch.kernel.tile_size(&binding.length_name()))),
            }),
            Access::Read | Access::Write => {
                let name = named.next().expect("a dispatch names a buffer for each binding");
                buffers.buffer(name).as_entire_binding()
            }
        };
        let resources: Vec<_> = dispatch.kernel.bindings.iter().map(resource).collect();
        let entries: Vec<_> =
            (0..).zip(resources).map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource }).collect();
        let group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(&dispatch.label()),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        Bound { pipeline: pipeline.clone(), group }
    }
}

fn module(gpu: &Gpu, kernel: &Kernel) -> wgpu::ShaderModule {
    let descriptor = wgpu::ShaderModuleDescriptor {
        label: Some(kernel.name),
        source: wgpu::ShaderSource::Wgsl(kernel.wgsl().into()),
    };
    if gpu.checked {
        return gpu.device.create_shader_module(descriptor);
    }
    trusted(&gpu.device, descriptor)
}

/// A module without tests of its indices and without bounds of its loops.
#[allow(unsafe_code, reason = "what the driver would otherwise test is proved by tests")]
fn trusted(device: &wgpu::Device, descriptor: wgpu::ShaderModuleDescriptor<'_>) -> wgpu::ShaderModule {
    // SAFETY: all shaders are this program's own. tests/indices.rs runs every kernel with each of its indices compared with the
    // length of its buffer; loops count up to constants, to the batch, or to the number of invocations.
    unsafe { device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) }
}

fn pipeline(gpu: &Gpu, dispatch: &Dispatch, module: &wgpu::ShaderModule) -> wgpu::ComputePipeline {
    let kernel = dispatch.kernel;
    let entry = |(binding, access): (u32, Access)| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty: match access {
                Access::Read => wgpu::BufferBindingType::Storage { read_only: true },
                Access::Write => wgpu::BufferBindingType::Storage { read_only: false },
                Access::Step | Access::Uniform => wgpu::BufferBindingType::Uniform,
            },
            has_dynamic_offset: access == Access::Step,
            min_binding_size: None,
        },
        count: None,
    };
    let entries: Vec<_> = (0..).zip(kernel.bindings.iter().map(|binding| binding.access)).map(entry).collect();
    let group = gpu
        .device
        .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(kernel.name), entries: &entries });
    let layout = gpu.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(kernel.name),
        bind_group_layouts: &[Some(&group)],
        immediate_size: 0,
    });
    gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(&dispatch.label()),
        layout: Some(&layout),
        module,
        entry_point: Some(kernel.name),
        compilation_options: wgpu::PipelineCompilationOptions {
            constants: &dispatch.constants,
            // Every kernel writes what it reads of its workgroup memory.
            zero_initialize_workgroup_memory: gpu.checked,
        },
        cache: gpu.cache.as_ref().ok().map(PipelineCache::handle),
    })
}

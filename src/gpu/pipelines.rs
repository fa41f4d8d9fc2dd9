//! The compiled kernels of a plan.

use super::buffers::Buffers;
use super::commands::BoundDispatch;
use super::device::Gpu;
use super::pipeline_cache::PipelineCache;
use crate::error::{Error, Result};
use crate::hash::sha256_hex;
use crate::kernels::{Access, Binding, Dispatch, Kernel, Plan, Step};
use std::collections::{BTreeSet, HashMap};

/// Size of a vec4 of 32-bit values.
const VEC4_BYTES: u64 = 16;

/// A pipeline for each kernel and set of constants of a plan.
pub struct Pipelines {
    pipelines: HashMap<String, wgpu::ComputePipeline>,
}

/// The key of a pipeline within a plan.
fn key(dispatch: &Dispatch) -> String {
    format!("{} {:?}", dispatch.kernel.name, dispatch.constants)
}

/// The identity of a pipeline across plans and versions of this program.
fn identity(gpu: &Gpu, dispatch: &Dispatch) -> String {
    sha256_hex(format!("{} {} {}", gpu.checked, key(dispatch), dispatch.kernel.wgsl()).as_bytes())
}

impl Pipelines {
    /// Compiles every kernel of `plan`, each once for each set of constants.
    ///
    /// # Errors
    /// [`Error::Adapter`] with the kernel's name and the compiler's message if one does not compile;
    /// [`Error::Interrupted`] if a stop was requested.
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
            gpu.expect_no_stop()?;
            let compiled = gpu
                .attempt(|| {
                    let module = modules.entry(dispatch.kernel.name).or_insert_with(|| module(gpu, dispatch.kernel));
                    pipeline(gpu, dispatch, module)
                })
                .await;
            let pipeline = compiled.map_err(|words| {
                Error::Adapter(format!("{} does not compile on {}: {words}", dispatch.label(), gpu.adapter.name))
            })?;
            identities.insert(identity(gpu, dispatch));
            pipelines.insert(key, pipeline);
        }
        if let Ok(cache) = &gpu.cache {
            cache.store(&gpu.adapter, &identities, bytes_before);
        }
        Ok(Self { pipelines })
    }

    /// Binds the buffers that `dispatch` names; the buffer `steps` holds its step records.
    pub fn bind(&self, gpu: &Gpu, dispatch: &Dispatch, buffers: &Buffers, steps: &str) -> BoundDispatch {
        let pipeline = &self.pipelines[&key(dispatch)];
        let mut named = dispatch.buffers.iter();
        let mut next = || buffers.buffer(named.next().expect("a dispatch names a buffer for each binding"));
        let start_of = |buffer, bytes| {
            let size = wgpu::BufferSize::new(bytes);
            wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset: 0, size })
        };
        let resource = |binding: &Binding| match binding.access {
            Access::Step => start_of(buffers.buffer(steps), size_of::<Step>() as u64),
            Access::Uniform => {
                start_of(next(), VEC4_BYTES * u64::from(dispatch.kernel.tile_size(&binding.length_name())))
            }
            Access::Read | Access::Write => next().as_entire_binding(),
        };
        let resources: Vec<_> = dispatch.kernel.bindings.iter().map(resource).collect();
        let entries: Vec<_> =
            (0..).zip(resources).map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource }).collect();
        let group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(&dispatch.label()),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        BoundDispatch { pipeline: pipeline.clone(), group }
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

/// A module without runtime checks.
#[allow(unsafe_code, reason = "tests prove what the runtime checks would test")]
fn trusted(device: &wgpu::Device, descriptor: wgpu::ShaderModuleDescriptor<'_>) -> wgpu::ShaderModule {
    // SAFETY: all shaders are this program's own. tests/device/indices.rs runs every kernel with each of its indices
    // compared with the length of its buffer; loops count up to constants, to the batch, or to the number of
    // invocations.
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

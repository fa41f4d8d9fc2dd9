//! Kernels in the languages that drivers compile, as wgpu translates them: SPIR-V, HLSL, Metal's language.
//!
//! Source of the options: wgpu-hal 30, `vulkan/adapter.rs` (`naga_options`) and `vulkan/device.rs` (`compile_stage`),
//! `dx12/device.rs`, `metal/device.rs`, each with the runtime checks that [`Pipelines`](super::Pipelines) turns off.

use crate::kernels::{Access, Kernel};
use naga::back::{hlsl, msl, pipeline_constants, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Module, ResourceBinding, ShaderStage};

/// The version of Vulkan that SPIR-V is written for where no device says which it has.
pub const VULKAN_1_3: (u32, u32) = (1, 3);

/// A kernel with its constants put in, from which each language is written.
pub struct Translation {
    entry_point: String,
    bindings: Vec<Access>,
    f16: bool,
    matrices: bool,
    module: Module,
    info: ModuleInfo,
}

impl Translation {
    /// Parses and checks `kernel`, and puts the values of its override constants in.
    ///
    /// # Errors
    /// What naga says, in words.
    pub fn of(kernel: &Kernel, constants: &[(&str, f64)]) -> Result<Self, String> {
        let wgsl = kernel.wgsl();
        let module = naga::front::wgsl::parse_str(&wgsl).map_err(|error| error.emit_to_string(&wgsl))?;
        // WGSL has the functions that pack 16-bit numbers without any extension.
        let mut capabilities = Capabilities::SHADER_FLOAT16_IN_FLOAT32;
        capabilities.set(Capabilities::SHADER_FLOAT16, kernel.needs_f16());
        capabilities.set(Capabilities::COOPERATIVE_MATRIX, kernel.needs_cooperative_matrices());
        capabilities.set(Capabilities::SUBGROUP, kernel.needs_subgroups());
        let info = Validator::new(ValidationFlags::all(), capabilities).validate(&module);
        let info = info.map_err(|error| error.emit_to_string(&wgsl))?;
        let constants = constants.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let stage = Some((ShaderStage::Compute, kernel.name));
        let (module, info) = pipeline_constants::process_overrides(&module, &info, stage, &constants)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            entry_point: kernel.name.to_owned(),
            bindings: kernel.bindings.iter().map(|binding| binding.access).collect(),
            f16: kernel.needs_f16(),
            matrices: kernel.needs_cooperative_matrices(),
            module: module.into_owned(),
            info: info.into_owned(),
        })
    }

    /// Bytes of memory that the invocations of a workgroup share.
    pub fn workgroup_bytes(&self) -> u32 {
        let shared = self.module.global_variables.iter().filter(|(_, one)| one.space == AddressSpace::WorkGroup);
        shared.map(|(_, variable)| self.module.types[variable.ty].inner.size(self.module.to_ctx())).sum()
    }

    /// SPIR-V for a device of a version of Vulkan, that has subgroups or not, with names if `debug`.
    ///
    /// # Errors
    /// What naga says, in words.
    pub fn spirv(&self, vulkan: (u32, u32), subgroups: bool, debug: bool) -> Result<Vec<u32>, String> {
        use spv::Capability::*;
        let mut capabilities =
            vec![Shader, Matrix, Sampled1D, Image1D, ImageQuery, DerivativeControl, StorageImageExtendedFormats];
        if subgroups {
            capabilities.extend([GroupNonUniform, GroupNonUniformVote, GroupNonUniformArithmetic]);
            capabilities.extend([GroupNonUniformBallot, GroupNonUniformShuffle, GroupNonUniformShuffleRelative]);
            capabilities.push(GroupNonUniformQuad);
        }
        if self.f16 {
            capabilities.extend([Float16, StorageBuffer16BitAccess, UniformAndStorageBuffer16BitAccess]);
        }
        if self.matrices {
            capabilities.extend([CooperativeMatrixKHR, VulkanMemoryModel]);
        }
        let mut flags = spv::WriterFlags::LABEL_VARYINGS | spv::WriterFlags::FORCE_POINT_SIZE;
        flags.set(spv::WriterFlags::DEBUG, debug);
        let options = spv::Options {
            lang_version: match vulkan {
                (1, 0) => (1, 0),
                (1, 1) => (1, 3),
                (1, 2) => (1, 5),
                _ => (1, 6),
            },
            flags,
            capabilities: Some(capabilities.into_iter().collect()),
            bounds_check_policies: unchecked(),
            zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
            force_loop_bounding: false,
            ray_query_initialization_tracking: false,
            task_dispatch_limits: None,
            mesh_shader_primitive_indices_clamp: false,
            emit_int_div_checks: false,
            ..Default::default()
        };
        let pipeline =
            spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: self.entry_point.clone() };
        spv::write_vec(&self.module, &self.info, &options, Some(&pipeline)).map_err(|error| error.to_string())
    }

    /// The text of shader model 6.0, with registers as DX12 gets them; 6.2 where a kernel computes with 16-bit numbers.
    ///
    /// # Errors
    /// What naga says, in words.
    pub fn hlsl(&self) -> Result<String, String> {
        let (mut uniforms, mut reads, mut writes) = (0, 0, 0);
        let binding = |(binding, access): (u32, &Access)| {
            let next = match access {
                Access::Uniform | Access::Step => &mut uniforms,
                Access::Read => &mut reads,
                Access::Write => &mut writes,
            };
            let register = *next;
            *next += 1;
            (ResourceBinding { group: 0, binding }, hlsl::BindTarget { register, ..Default::default() })
        };
        let binding_map = (0..).zip(&self.bindings).map(binding).collect();
        let options = hlsl::Options {
            shader_model: if self.f16 { hlsl::ShaderModel::V6_2 } else { hlsl::ShaderModel::V6_0 },
            binding_map,
            fake_missing_bindings: false,
            special_constants_binding: Some(hlsl::BindTarget { register: uniforms, ..Default::default() }),
            zero_initialize_workgroup_memory: false,
            restrict_indexing: false,
            force_loop_bounding: false,
            mesh_shader_primitive_indices_clamp: false,
            ray_query_initialization_tracking: false,
            ..Default::default()
        };
        let pipeline = hlsl::PipelineOptions { entry_point: Some((ShaderStage::Compute, self.entry_point.clone())) };
        let mut text = String::new();
        let written = hlsl::Writer::new(&mut text, &options, &pipeline).write(&self.module, &self.info, None);
        let mut names = written.map_err(|error| error.to_string())?.entry_point_names;
        names.pop().ok_or("it has no entry point")?.map_err(|error| error.to_string())?;
        Ok(text)
    }

    /// The text of Metal's shading language 2.4, with buffers in the order of the bindings.
    ///
    /// # Errors
    /// What naga says, in words.
    pub fn msl(&self) -> Result<String, String> {
        let resource = |(slot, access): (u8, &Access)| {
            let mutable = *access == Access::Write;
            let target = msl::BindTarget { buffer: Some(slot), mutable, ..Default::default() };
            (ResourceBinding { group: 0, binding: u32::from(slot) }, target)
        };
        let resources = msl::EntryPointResources {
            resources: (0..).zip(&self.bindings).map(resource).collect(),
            immediates_buffer: None,
            sizes_buffer: Some(self.bindings.len() as u8),
        };
        let options = msl::Options {
            lang_version: (2, 4),
            per_entry_point_map: [(self.entry_point.clone(), resources)].into(),
            fake_missing_bindings: false,
            bounds_check_policies: unchecked(),
            zero_initialize_workgroup_memory: false,
            force_loop_bounding: false,
            task_dispatch_limits: None,
            mesh_shader_primitive_indices_clamp: false,
            emit_int_div_checks: false,
            ray_query_initialization_tracking: false,
            ..Default::default()
        };
        let pipeline = msl::PipelineOptions {
            entry_point: Some((ShaderStage::Compute, self.entry_point.clone())),
            ..Default::default()
        };
        let written = msl::write_string(&self.module, &self.info, &options, &pipeline);
        written.map(|(text, _)| text).map_err(|error| error.to_string())
    }
}

/// A module of SPIR-V as text, an instruction a line.
///
/// # Errors
/// What rspirv says, in words.
pub fn disassembled(words: &[u32]) -> Result<String, String> {
    use rspirv::binary::Disassemble;
    let module = rspirv::dr::load_words(words).map_err(|error| error.to_string())?;
    Ok(module.disassemble())
}

fn unchecked() -> BoundsCheckPolicies {
    let policy = BoundsCheckPolicy::Unchecked;
    BoundsCheckPolicies { index: policy, buffer: policy, image_load: policy, binding_array: policy }
}

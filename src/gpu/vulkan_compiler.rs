//! A Vulkan device of its own that compiles kernels and asks the driver what became of them, by
//! VK_KHR_pipeline_executable_properties, which wgpu does not offer.
//!
//! Nothing is bound, recorded or submitted: a device whose GPU is not there, as Mesa's null devices, serves as well.
//! Pipelines are made as wgpu-hal 30 makes them (`vulkan/adapter.rs`, `vulkan/device.rs`), with the features that
//! change what a compiler does: robust buffer access, subgroups of varying size.

#![allow(unsafe_code, reason = "Vulkan's functions are foreign ones; each block says what it rests on")]

use super::executable::{CompilerDevice, Executable, Representation, Statistic};
use super::vulkan_device::{Instance, Physical, device, instance, physical, refused, words};
use crate::kernels::{Access, Kernel};
use ash::{khr, vk};
use std::ffi::CString;
use web_time::Instant;

/// Why a device's compiler cannot be asked, and the device if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable {
    /// The device.
    pub device: Option<CompilerDevice>,
    /// The reason.
    pub reason: String,
}

impl From<String> for Unavailable {
    fn from(reason: String) -> Self {
        Self { device: None, reason }
    }
}

/// A device whose driver compiles kernels.
pub struct VulkanCompiler {
    raw: ash::Device,
    executables: khr::pipeline_executable_properties::Device,
    physical: Physical,
    /// Dropped last.
    _instance: Instance,
}

impl Drop for VulkanCompiler {
    fn drop(&mut self) {
        // SAFETY: every object made on the device was destroyed by the function that made it.
        unsafe { self.raw.destroy_device(None) };
    }
}

impl VulkanCompiler {
    /// Opens the `wanted` device, or the first of the loader's.
    ///
    /// # Errors
    /// [`Unavailable`] without a loader, without such a device, or where its driver lacks the extension.
    pub fn open(wanted: Option<&CompilerDevice>) -> Result<Self, Unavailable> {
        let instance = instance()?;
        // SAFETY: the instance lives.
        let all = unsafe { instance.raw.enumerate_physical_devices() }.map_err(refused("listing Vulkan's devices"))?;
        let mut all = all.into_iter().filter_map(|raw| physical(&instance.raw, raw));
        let physical = all.find(|one| wanted.is_none_or(|wanted| one.device.is(wanted)));
        let physical = physical.ok_or_else(|| match wanted {
            Some(wanted) => format!("Vulkan 1.1 does not list {}", wanted.name),
            None => "Vulkan 1.1 lists no device".to_owned(),
        })?;
        let unavailable = |reason| Unavailable { device: Some(physical.device.clone()), reason };
        if !physical.has(khr::pipeline_executable_properties::NAME) {
            let driver = &physical.device.driver;
            let driver = if driver.is_empty() { "this driver" } else { driver };
            return Err(unavailable(format!("{driver} has no VK_KHR_pipeline_executable_properties")));
        }
        let raw = device(&instance.raw, &physical).map_err(unavailable)?;
        let executables = khr::pipeline_executable_properties::Device::new(&instance.raw, &raw);
        Ok(Self { raw, executables, physical, _instance: instance })
    }

    /// The device.
    pub fn device(&self) -> &CompilerDevice {
        &self.physical.device
    }

    /// The version of Vulkan that the device has: major and minor number.
    pub fn vulkan(&self) -> (u32, u32) {
        self.physical.vulkan
    }

    /// Compiles the SPIR-V of `kernel`, for a device with subgroups enabled or not, and asks for its figures, and for
    /// its texts if `texts`.
    ///
    /// # Errors
    /// The driver's error in words.
    pub fn compile(&self, spirv: &[u32], kernel: &Kernel, subgroups: bool, texts: bool) -> Result<Executable, String> {
        if subgroups && !self.physical.subgroups {
            return Err("the device has no subgroups".to_owned());
        }
        if kernel.needs_f16() && !self.physical.f16 {
            return Err("the device has no 16-bit arithmetic in shaders".to_owned());
        }
        let bindings: Vec<_> = (0..).zip(kernel.bindings).map(|(place, one)| layout_of(place, one.access)).collect();
        let create = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
        // SAFETY: the bindings live, and are numbered without a gap.
        let set = unsafe { self.raw.create_descriptor_set_layout(&create, None) }.map_err(refused("its layout"))?;
        let outcome = self.with_layout(set, spirv, kernel.name, subgroups, texts);
        // SAFETY: what was made of it is gone.
        unsafe { self.raw.destroy_descriptor_set_layout(set, None) };
        outcome
    }

    fn with_layout(
        &self,
        set: vk::DescriptorSetLayout,
        spirv: &[u32],
        name: &str,
        subgroups: bool,
        texts: bool,
    ) -> Result<Executable, String> {
        let sets = [set];
        let create = vk::PipelineLayoutCreateInfo::default().set_layouts(&sets);
        // SAFETY: the set's layout lives.
        let layout = unsafe { self.raw.create_pipeline_layout(&create, None) }.map_err(refused("its layout"))?;
        let create = vk::ShaderModuleCreateInfo::default().code(spirv);
        // SAFETY: the words are a module that naga wrote for this device's version of Vulkan.
        let module = unsafe { self.raw.create_shader_module(&create, None) }.map_err(refused("its SPIR-V"));
        let outcome = module.and_then(|module| {
            let outcome = self.pipeline(layout, module, name, subgroups, texts);
            // SAFETY: a pipeline does not need its module any more.
            unsafe { self.raw.destroy_shader_module(module, None) };
            outcome
        });
        // SAFETY: the pipeline is gone.
        unsafe { self.raw.destroy_pipeline_layout(layout, None) };
        outcome
    }

    fn pipeline(
        &self,
        layout: vk::PipelineLayout,
        module: vk::ShaderModule,
        name: &str,
        subgroups: bool,
        texts: bool,
    ) -> Result<Executable, String> {
        let name = CString::new(name).map_err(|error| error.to_string())?;
        let mut stage_flags = vk::PipelineShaderStageCreateFlags::empty();
        if subgroups {
            stage_flags |= vk::PipelineShaderStageCreateFlags::ALLOW_VARYING_SUBGROUP_SIZE;
        }
        let stage = vk::PipelineShaderStageCreateInfo::default()
            .flags(stage_flags)
            .stage(vk::ShaderStageFlags::COMPUTE)
            .module(module)
            .name(&name);
        let mut flags = vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR;
        if texts {
            flags |= vk::PipelineCreateFlags::CAPTURE_INTERNAL_REPRESENTATIONS_KHR;
        }
        let create = [vk::ComputePipelineCreateInfo::default().flags(flags).stage(stage).layout(layout)];
        let start = Instant::now();
        // SAFETY: module and layout live, and agree: a test compares each kernel's bindings with its row.
        let made = unsafe { self.raw.create_compute_pipelines(vk::PipelineCache::null(), &create, None) };
        let compile_s = start.elapsed().as_secs_f64();
        let pipeline = made.map_err(|(_, error)| refused("compiling it")(error))?;
        let outcome = self.executable(pipeline[0], texts);
        // SAFETY: it was never used by a command.
        unsafe { self.raw.destroy_pipeline(pipeline[0], None) };
        outcome.map(|executable| Executable { compile_s, ..executable })
    }

    /// The figures, and the texts, of a pipeline: of its first executable, since a compute pipeline has one.
    fn executable(&self, pipeline: vk::Pipeline, texts: bool) -> Result<Executable, String> {
        let of = vk::PipelineInfoKHR::default().pipeline(pipeline);
        // SAFETY: the pipeline lives, and its device has the extension.
        let all = unsafe { self.executables.get_pipeline_executable_properties(&of) }.map_err(refused("asking"))?;
        let first = all.first().ok_or("the driver lists no executable of the pipeline")?;
        let of = vk::PipelineExecutableInfoKHR::default().pipeline(pipeline).executable_index(0);
        // SAFETY: the pipeline was made to keep statistics, and has an executable.
        let figures = unsafe { self.executables.get_pipeline_executable_statistics(&of) };
        let figures = figures.map_err(refused("asking for figures"))?;
        let statistics = figures.iter().map(|one| Statistic { name: words(&one.name), value: value(one) }).collect();
        let representations = if texts { self.representations(&of)? } else { Vec::new() };
        Ok(Executable { subgroup_size: first.subgroup_size, compile_s: 0.0, statistics, representations })
    }

    fn representations(&self, of: &vk::PipelineExecutableInfoKHR<'_>) -> Result<Vec<Representation>, String> {
        let ask = refused("asking for texts");
        // SAFETY: the pipeline was made to keep representations.
        let mut all = unsafe { self.executables.get_pipeline_executable_internal_representations(of) }.map_err(&ask)?;
        // The first call gives sizes, the second fills in the texts.
        let mut data: Vec<Vec<u8>> = all.iter().map(|one| vec![0; one.data_size]).collect();
        for (one, data) in all.iter_mut().zip(&mut data) {
            one.p_data = data.as_mut_ptr().cast();
        }
        let get = self.executables.fp().get_pipeline_executable_internal_representations_khr;
        let mut count = all.len() as u32;
        // SAFETY: there are `count` rows, each with a buffer of as many bytes as its row says.
        let filled = unsafe { get(self.executables.device(), of, &mut count, all.as_mut_ptr()) };
        if filled != vk::Result::SUCCESS {
            return Err(ask(filled));
        }
        let text = |(one, data): (&vk::PipelineExecutableInternalRepresentationKHR<'_>, Vec<u8>)| {
            let data = &data[..one.data_size.min(data.len())];
            let text = if one.is_text == vk::TRUE { plain(data) } else { dump(data) };
            Representation { name: words(&one.name), text }
        };
        Ok(all.iter().take(count as usize).zip(data).map(text).collect())
    }
}

/// The layout of a binding, as [`Pipelines`](super::Pipelines) asks wgpu for it.
fn layout_of(place: u32, access: Access) -> vk::DescriptorSetLayoutBinding<'static> {
    let kind = match access {
        Access::Read | Access::Write => vk::DescriptorType::STORAGE_BUFFER,
        Access::Uniform => vk::DescriptorType::UNIFORM_BUFFER,
        Access::Step => vk::DescriptorType::UNIFORM_BUFFER_DYNAMIC,
    };
    vk::DescriptorSetLayoutBinding::default()
        .binding(place)
        .descriptor_type(kind)
        .descriptor_count(1)
        .stage_flags(vk::ShaderStageFlags::COMPUTE)
}

fn value(statistic: &vk::PipelineExecutableStatisticKHR<'_>) -> f64 {
    type Format = vk::PipelineExecutableStatisticFormatKHR;
    // SAFETY: the format says which of the union's fields the driver set.
    unsafe {
        match statistic.format {
            Format::BOOL32 => f64::from(statistic.value.b32),
            Format::INT64 => statistic.value.i64 as f64,
            Format::UINT64 => statistic.value.u64 as f64,
            Format::FLOAT64 => statistic.value.f64,
            _ => f64::NAN,
        }
    }
}

/// A text of a driver, which may end in a 0.
fn plain(data: &[u8]) -> String {
    String::from_utf8_lossy(data.split(|&byte| byte == 0).next().unwrap_or_default()).into_owned()
}

/// Bytes in hexadecimal, sixteen a line.
fn dump(data: &[u8]) -> String {
    let line = |(index, bytes): (usize, &[u8])| {
        let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{:08x}  {}\n", 16 * index, bytes.join(" "))
    };
    data.chunks(16).enumerate().map(line).collect()
}

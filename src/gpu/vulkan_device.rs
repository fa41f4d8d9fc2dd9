//! Vulkan's devices for [`vulkan_compiler`](super::vulkan_compiler), opened with the features that change what a
//! compiler does, as wgpu-hal 30 enables them (`vulkan/adapter.rs`).

#![allow(unsafe_code, reason = "Vulkan's functions are foreign ones; each block says what it rests on")]

use super::executable::CompilerDevice;
use ash::{ext, khr, vk};
use std::ffi::{CStr, CString};

/// The subgroup operations that wgpu's feature SUBGROUP promises.
const SUBGROUP_OPERATIONS: vk::SubgroupFeatureFlags = vk::SubgroupFeatureFlags::from_raw(
    vk::SubgroupFeatureFlags::BASIC.as_raw()
        | vk::SubgroupFeatureFlags::VOTE.as_raw()
        | vk::SubgroupFeatureFlags::ARITHMETIC.as_raw()
        | vk::SubgroupFeatureFlags::BALLOT.as_raw()
        | vk::SubgroupFeatureFlags::SHUFFLE.as_raw()
        | vk::SubgroupFeatureFlags::SHUFFLE_RELATIVE.as_raw()
        | vk::SubgroupFeatureFlags::QUAD.as_raw(),
);

/// A Vulkan instance, destroyed with this.
pub(super) struct Instance {
    pub raw: ash::Instance,
    /// The loader, which has to outlive the instance.
    _entry: ash::Entry,
}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: whoever holds objects of the instance holds it too, and drops it after them.
        unsafe { self.raw.destroy_instance(None) };
    }
}

/// What a physical device says of itself, as far as compiling is concerned.
pub(super) struct Physical {
    raw: vk::PhysicalDevice,
    pub device: CompilerDevice,
    pub vulkan: (u32, u32),
    extensions: Vec<CString>,
    robust_buffer_access: bool,
    pub subgroups: bool,
    /// Whether shaders compute with 16-bit numbers and store them.
    pub f16: bool,
}

impl Physical {
    /// Whether it has an extension.
    pub fn has(&self, extension: &CStr) -> bool {
        self.extensions.iter().any(|name| name.as_c_str() == extension)
    }
}

/// A driver's error in words.
pub(super) fn refused(what: &str) -> impl Fn(vk::Result) -> String {
    move |error| format!("{what} failed: {error}")
}

/// A string that Vulkan ends with 0.
pub(super) fn words(text: &[std::ffi::c_char]) -> String {
    let bytes: Vec<u8> = text.iter().map(|&letter| letter as u8).take_while(|&byte| byte != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Vulkan without layers or extensions.
pub(super) fn instance() -> Result<Instance, String> {
    // SAFETY: the system's Vulkan loader is loaded, as wgpu does; its initialisation has no other requirements.
    let entry = unsafe { ash::Entry::load() }.map_err(|_| "there is no Vulkan loader".to_owned())?;
    let version = vk::API_VERSION_1_3;
    let application = vk::ApplicationInfo::default().application_name(c"gpubench").api_version(version);
    let create = vk::InstanceCreateInfo::default().application_info(&application);
    // SAFETY: no layer and no extension is asked for, and what is referred to lives.
    let raw = unsafe { entry.create_instance(&create, None) }.map_err(refused("starting Vulkan"))?;
    Ok(Instance { raw, _entry: entry })
}

/// What a device says of itself; nothing of one without Vulkan 1.1, whose questions these are.
pub(super) fn physical(instance: &ash::Instance, raw: vk::PhysicalDevice) -> Option<Physical> {
    // SAFETY: the device is one of the instance's.
    let properties = unsafe { instance.get_physical_device_properties(raw) };
    let version = (vk::api_version_major(properties.api_version), vk::api_version_minor(properties.api_version));
    if version < (1, 1) {
        return None;
    }
    // SAFETY: as above.
    let extensions = unsafe { instance.enumerate_device_extension_properties(raw) }.unwrap_or_default();
    let name = |one: &vk::ExtensionProperties| one.extension_name_as_c_str().ok().map(CStr::to_owned);
    let extensions: Vec<CString> = extensions.iter().filter_map(name).collect();
    let has = |extension: &CStr| extensions.iter().any(|name| name.as_c_str() == extension);
    let mut driver = vk::PhysicalDeviceDriverProperties::default();
    let mut subgroups = vk::PhysicalDeviceSubgroupProperties::default();
    let mut ask = vk::PhysicalDeviceProperties2::default().push_next(&mut subgroups);
    let varying = version >= (1, 3) || has(ext::subgroup_size_control::NAME);
    if version >= (1, 2) || has(khr::driver_properties::NAME) {
        ask = ask.push_next(&mut driver);
    }
    // SAFETY: what is asked for is part of the device's version or of an extension that it has.
    unsafe { instance.get_physical_device_properties2(raw, &mut ask) };
    // SAFETY: as above.
    let features = unsafe { instance.get_physical_device_features(raw) };
    let mut arithmetic = vk::PhysicalDeviceShaderFloat16Int8Features::default();
    let mut storage = vk::PhysicalDevice16BitStorageFeatures::default();
    if version >= (1, 2) {
        let mut ask = vk::PhysicalDeviceFeatures2::default().push_next(&mut arithmetic).push_next(&mut storage);
        // SAFETY: both questions are part of Vulkan 1.2.
        unsafe { instance.get_physical_device_features2(raw, &mut ask) };
    }
    let stores = [storage.storage_buffer16_bit_access, storage.uniform_and_storage_buffer16_bit_access];
    let shuffles = subgroups.supported_operations.contains(SUBGROUP_OPERATIONS);
    Some(Physical {
        raw,
        device: CompilerDevice {
            name: words(&properties.device_name),
            vendor_id: properties.vendor_id,
            device_id: properties.device_id,
            driver: words(&driver.driver_name),
            driver_info: words(&driver.driver_info),
        },
        vulkan: version,
        extensions,
        robust_buffer_access: features.robust_buffer_access == vk::TRUE,
        subgroups: shuffles && varying && subgroups.supported_stages.contains(vk::ShaderStageFlags::COMPUTE),
        f16: arithmetic.shader_float16 == vk::TRUE && stores == [vk::TRUE; 2],
    })
}

/// A device with the features that change what a compiler does, as wgpu-hal enables them.
pub(super) fn device(instance: &ash::Instance, physical: &Physical) -> Result<ash::Device, String> {
    let robustness = physical.has(ext::robustness2::NAME);
    let mut names = vec![khr::pipeline_executable_properties::NAME.as_ptr()];
    if robustness {
        names.push(ext::robustness2::NAME.as_ptr());
    }
    if physical.subgroups && physical.vulkan < (1, 3) {
        names.push(ext::subgroup_size_control::NAME.as_ptr());
    }
    let mut executables =
        vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default().pipeline_executable_info(true);
    let mut robust = vk::PhysicalDeviceRobustness2FeaturesEXT::default();
    let mut varying = vk::PhysicalDeviceSubgroupSizeControlFeatures::default().subgroup_size_control(true);
    if robustness {
        let mut ask = vk::PhysicalDeviceFeatures2::default().push_next(&mut robust);
        // SAFETY: the device has the extension that the question belongs to.
        unsafe { instance.get_physical_device_features2(physical.raw, &mut ask) };
        robust.null_descriptor = vk::FALSE;
    }
    robust.p_next = std::ptr::null_mut();
    let mut features = vk::PhysicalDeviceFeatures2::default().push_next(&mut executables);
    if robustness {
        features = features.push_next(&mut robust);
    }
    if physical.subgroups {
        features = features.push_next(&mut varying);
    }
    let mut arithmetic = vk::PhysicalDeviceShaderFloat16Int8Features::default().shader_float16(true);
    let mut storage = vk::PhysicalDevice16BitStorageFeatures::default()
        .storage_buffer16_bit_access(true)
        .uniform_and_storage_buffer16_bit_access(true);
    if physical.f16 {
        features = features.push_next(&mut arithmetic).push_next(&mut storage);
    }
    features.features.robust_buffer_access = physical.robust_buffer_access.into();
    let priorities = [1.0];
    let family = family(instance, physical)?;
    let queues = [vk::DeviceQueueCreateInfo::default().queue_family_index(family).queue_priorities(&priorities)];
    let create = vk::DeviceCreateInfo::default()
        .queue_create_infos(&queues)
        .enabled_extension_names(&names)
        .push_next(&mut features);
    // SAFETY: extensions and features are the device's own, and what is referred to lives.
    unsafe { instance.create_device(physical.raw, &create, None) }.map_err(refused("opening the device"))
}

/// The first family of queues that computes.
fn family(instance: &ash::Instance, physical: &Physical) -> Result<u32, String> {
    // SAFETY: the device is one of the instance's.
    let families = unsafe { instance.get_physical_device_queue_family_properties(physical.raw) };
    let computes = |one: &vk::QueueFamilyProperties| one.queue_flags.contains(vk::QueueFlags::COMPUTE);
    let found = families.iter().position(computes);
    found.map(|index| index as u32).ok_or_else(|| "the device has no queue that computes".to_owned())
}

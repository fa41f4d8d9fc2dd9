//! The devices that frameworks train on: a GPU or several, the host's cores, or an adapter that computes on them.

use super::catalogue::Device;
use crate::cli::cpu;
use crate::cli::flags::find_adapters;
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, adapter};
use crate::result::Measured;
use std::fs;
use std::path::{Path, PathBuf};

/// Why a framework that trains on adapters has no row where the CPU is asked for.
pub const NO_SOFTWARE: &str = "there is no adapter of Vulkan in software: install Mesa's (Debian: mesa-vulkan-drivers)";

/// The device that is asked for, or a GPU where there is one, and the `gpus` GPUs that train together, the one that is
/// asked for first. For the CPU no adapter is looked for.
///
/// # Errors
/// [`Error::Adapter`] if a GPU is asked for and there is none, or fewer than `gpus`.
pub fn device(asked: Option<Device>, request: Option<&str>, gpus: u32) -> Result<(Device, Vec<AdapterInfo>)> {
    if asked == Some(Device::Cpu) || request == Some(cpu::NAME) {
        return match gpus {
            1 => Ok((Device::Cpu, Vec::new())),
            _ => Err(Error::Usage("--gpus is for GPUs, not for --device cpu".to_owned())),
        };
    }
    let adapters = find_adapters(&Measured::missing("any"))?;
    let is_gpu = |adapter: &&AdapterInfo| !adapter.software && !adapter.is_null_device();
    let mut found: Vec<&AdapterInfo> = adapters.infos().iter().filter(is_gpu).collect();
    if let Some(request) = request {
        let first = adapter::choose(adapters.infos(), Some(request))?;
        match found.iter().position(|gpu| gpu.index == first.index) {
            Some(place) => found[..=place].rotate_right(1),
            None => found.clear(),
        }
    }
    if gpus > 1 && found.len() < gpus as usize {
        return Err(Error::Adapter(format!("--gpus {gpus} needs as many GPUs, and there are {}", found.len())));
    }
    match (asked, found.is_empty()) {
        (_, false) => Ok((Device::Gpu, found.into_iter().take(gpus as usize).cloned().collect())),
        (Some(Device::Gpu), true) => Err(Error::Adapter(
            "there is no GPU here: `gpubench doctor` says why; --device cpu trains on the host's cores".to_owned(),
        )),
        (_, true) => Ok((Device::Cpu, Vec::new())),
    }
}

/// The adapter in software for frameworks that train on one where the CPU is asked for, and the file of its driver;
/// none is looked for where it is not needed.
///
/// # Errors
/// [`Error::Adapter`] if the adapter that is asked for is not there, [`Error::Interrupted`] on a signal.
pub fn software(
    device: Device,
    is_needed: bool,
    request: Option<&str>,
) -> Result<Option<(AdapterInfo, Option<PathBuf>)>> {
    if device == Device::Gpu || !is_needed {
        return Ok(None);
    }
    let adapters = match find_adapters(&Measured::missing("any")) {
        Ok(adapters) => adapters,
        Err(Error::Interrupted) => return Err(Error::Interrupted),
        // Its rows say so.
        Err(_) => return Ok(None),
    };
    let asked = request.filter(|request| *request != cpu::NAME);
    let chosen = asked.map(|request| adapter::choose(adapters.infos(), Some(request))).transpose()?;
    let found = chosen.into_iter().chain(adapters.infos()).find(|one| one.software && !one.is_null_device());
    Ok(found.map(|found| (found.clone(), software_driver())))
}

/// The file that names Mesa's software driver to Vulkan's loader, unless the user names drivers.
fn software_driver() -> Option<PathBuf> {
    if ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].into_iter().any(|name| std::env::var_os(name).is_some()) {
        return None;
    }
    let folders = ["/usr/share", "/usr/local/share", "/etc"].map(|root| Path::new(root).join("vulkan/icd.d"));
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("lvp_icd")).map(|entry| entry.path()).min()
}

//! Mesa's RADV without an AMD GPU: the null device that it makes up for a family, to compile for it.
//!
//! Source: Mesa, docs/envvars.rst (`RADV_FORCE_FAMILY`) and src/amd/common/amd_family.c.

use super::process::{Answer, LIMIT, ask, own};
use super::protocol::Request;
use crate::cli::doctor;
use crate::cli::nearest::nearest;
use crate::cli::system::System;
use crate::error::{Error, Result};
use crate::gpu::adapter::NULL_DEVICE as PREFIX;
use std::path::PathBuf;
use std::process::Command;

/// Families that a version of Mesa may know, the oldest first.
const FAMILIES: [&str; 60] = [
    "tahiti",
    "pitcairn",
    "verde",
    "oland",
    "hainan",
    "bonaire",
    "kaveri",
    "kabini",
    "hawaii",
    "tonga",
    "iceland",
    "carrizo",
    "fiji",
    "stoney",
    "polaris10",
    "polaris11",
    "polaris12",
    "vegam",
    "vega10",
    "vega12",
    "vega20",
    "raven",
    "raven2",
    "renoir",
    "arcturus",
    "mi100",
    "aldebaran",
    "mi200",
    "gfx940",
    "navi10",
    "navi12",
    "navi14",
    "gfx1013",
    "navi21",
    "navi22",
    "navi23",
    "navi24",
    "vangogh",
    "rembrandt",
    "raphael_mendocino",
    "gfx1036",
    "gfx1037",
    "navi31",
    "navi32",
    "navi33",
    "gfx1100",
    "gfx1101",
    "gfx1102",
    "gfx1103",
    "phoenix",
    "phoenix2",
    "gfx1103_r1",
    "gfx1103_r2",
    "gfx1150",
    "gfx1151",
    "gfx1152",
    "navi44",
    "navi48",
    "gfx1200",
    "gfx1201",
];

/// A family that every version of RADV with null devices knows.
const KNOWN_TO_ALL: &str = "polaris10";

/// The family that a request for an adapter names: `navi21` in `radv:navi21`.
pub fn family_of(request: &str) -> Option<&str> {
    let (prefix, family) = request.trim().split_at_checked(PREFIX.len())?;
    prefix.eq_ignore_ascii_case(PREFIX).then_some(family)
}

/// Makes `command` see Mesa's null device of `family` alone.
///
/// # Errors
/// [`Error::Adapter`] if RADV is not installed.
pub fn set_up(command: &mut Command, family: &str) -> Result<()> {
    let files = driver_files();
    if files.is_empty() {
        return Err(Error::Adapter(
            "Mesa's RADV is not installed, which compiles for AMD's GPUs without one: sudo apt-get install \
             libvulkan1 mesa-vulkan-drivers (on Linux alone)"
                .to_owned(),
        ));
    }
    set_up_with(command, &files, family);
    Ok(())
}

fn set_up_with(command: &mut Command, files: &[PathBuf], family: &str) {
    let files = std::env::join_paths(files).unwrap_or_default();
    command.env("VK_DRIVER_FILES", &files).env("VK_ICD_FILENAMES", &files).env("RADV_FORCE_FAMILY", family);
    for variable in ["VK_LOADER_DRIVERS_SELECT", "VK_LOADER_DRIVERS_DISABLE", "VK_ADD_DRIVER_FILES"] {
        command.env_remove(variable);
    }
}

fn driver_files() -> Vec<PathBuf> {
    doctor::drivers_of(&System::this(), "vulkan_radeon")
}

/// The sentence on a family that RADV made no device of, with the nearest names. One more process tells whether RADV
/// makes devices at all: asking for every family would take one for each.
pub fn unknown(family: &str, answer: &Answer) -> String {
    if !makes_a_device(KNOWN_TO_ALL) {
        let reason = answer.unavailable.as_deref().unwrap_or("it gives no reason");
        return format!("RADV makes no device of any family ({reason})");
    }
    let list = FAMILIES.join(", ");
    if FAMILIES.contains(&family) {
        return format!(
            "the installed RADV makes no device of the family {family}: update Mesa, or choose --adapter \
             {PREFIX}FAMILY from {list}, of which it may lack others too"
        );
    }
    let begins = |name: &&str| !family.is_empty() && name.starts_with(family);
    let like = FAMILIES.into_iter().find(begins).or_else(|| nearest(family, FAMILIES));
    let like = like.map(|name| format!("; the nearest is {name}")).unwrap_or_default();
    format!(
        "RADV knows no family {family:?}{like}: choose --adapter {PREFIX}FAMILY from {list}, of which the installed \
         version may lack some"
    )
}

/// Whether the installed Mesa makes a device of `family`. Mesa ends the process if it does not know it.
fn makes_a_device(family: &str) -> bool {
    let files = driver_files();
    let command = || {
        let mut command = own()?;
        set_up_with(&mut command, &files, family);
        Ok(command)
    };
    let request = Request { device: None, kernels: Vec::new(), texts: false };
    !files.is_empty() && ask(&command, request, LIMIT).is_ok_and(|answer| answer.device.is_some())
}

//! The Vulkan loader, and the drivers that it would load.
//!
//! Source of the search order: Vulkan-Loader, docs/LoaderDriverInterface.md, "Driver discovery on Linux".

use super::finding::Finding;
use crate::cli::system::System;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What findings about the loader are called.
const LOADER: &str = "Vulkan loader";
/// What findings about drivers are called.
const DRIVER: &str = "Vulkan driver";
/// Folders in which libraries lie, on the usual distributions.
const LIBRARY_FOLDERS: [&str; 8] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/usr/local/lib",
    "/run/opengl-driver/lib",
];
/// Parts of library names, and whose driver it is. The first that fits counts.
const OWNERS: [(&str, &str); 13] = [
    ("GLX_nvidia", "NVIDIA's own driver"),
    ("EGL_nvidia", "NVIDIA's own driver"),
    ("vulkan_nouveau", "Mesa's NVK, for NVIDIA GPUs"),
    ("vulkan_radeon", "Mesa's RADV, for AMD GPUs"),
    ("amdvlk", "AMD's AMDVLK"),
    ("vulkan_intel_hasvk", "Mesa's HASVK, for Intel GPUs before Skylake"),
    ("vulkan_intel", "Mesa's ANV, for Intel GPUs"),
    ("vulkan_lvp", "Mesa's lavapipe, a software driver"),
    ("vulkan_virtio", "Mesa's Venus, for GPUs of a virtual machine's host"),
    ("vulkan_dzn", "Mesa's Dozen, for WSL"),
    ("vulkan_swiftshader", "SwiftShader, a software driver"),
    ("vulkan_broadcom", "Mesa's V3DV, for Raspberry Pi"),
    ("vulkan_asahi", "Mesa's Honeykrisp, for Apple GPUs"),
];

/// The loader: without it no driver is found.
pub fn loader(system: &System) -> Finding {
    let folders = system.variable("LD_LIBRARY_PATH").map(std::env::split_paths).into_iter().flatten();
    let mut folders = folders.chain(LIBRARY_FOLDERS.iter().map(PathBuf::from));
    match folders.find_map(|folder| Some(folder.join("libvulkan.so.1")).filter(|path| system.has(path))) {
        Some(path) => Finding::ok(LOADER, path.display().to_string()),
        None => Finding::problem(
            LOADER,
            "libvulkan.so.1 is in none of the usual folders",
            "sudo apt-get install libvulkan1 (Fedora: dnf install vulkan-loader; Arch: pacman -S vulkan-icd-loader)",
        ),
    }
}

/// Each driver file that the loader reads, or would read without a variable that limits it.
pub fn drivers(system: &System) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    if let Some((name, found)) = system.loader_limit() {
        findings.push(Finding::problem(DRIVER, found, format!("unset {name}")));
    }
    let files = driver_files(system);
    if files.is_empty() {
        findings.push(Finding::problem(
            DRIVER,
            "no driver file (ICD) lies where the loader looks",
            "install the GPU's Vulkan driver: sudo apt-get install mesa-vulkan-drivers for AMD and Intel, \
             NVIDIA's driver with its graphics libraries for NVIDIA",
        ));
    }
    findings.extend(files.iter().map(|file| driver(system, file)));
    findings
}

/// The driver files: those that a variable names, else those of the loader's folders.
fn driver_files(system: &System) -> Vec<PathBuf> {
    let named = named_files(system);
    if named.is_empty() { files_in_folders(system) } else { named }
}

/// The driver files whose libraries' names have `part` in them, whether a variable hides them or not: one for each
/// architecture that programs may be built for.
pub fn drivers_of(system: &System, part: &str) -> Vec<PathBuf> {
    let fits = |file: &PathBuf| {
        let json: Option<Value> = system.read(file).and_then(|text| serde_json::from_str(&text).ok());
        json.is_some_and(|json| json["ICD"]["library_path"].as_str().is_some_and(|path| path.contains(part)))
    };
    named_files(system).into_iter().chain(files_in_folders(system)).filter(fits).collect()
}

/// The driver files that a variable names.
fn named_files(system: &System) -> Vec<PathBuf> {
    let named = system.variable("VK_DRIVER_FILES").or_else(|| system.variable("VK_ICD_FILENAMES"));
    named.map(|named| std::env::split_paths(named).collect()).unwrap_or_default()
}

/// The driver files of the loader's folders.
fn files_in_folders(system: &System) -> Vec<PathBuf> {
    let home = system.variable("HOME").map(PathBuf::from);
    let of_home = |below: &str| home.as_ref().map(|home| home.join(below));
    let list = |name: &str, otherwise: &str| -> Vec<PathBuf> {
        std::env::split_paths(system.variable(name).unwrap_or(otherwise)).collect()
    };
    let mut folders: Vec<PathBuf> = Vec::new();
    folders.extend(system.variable("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| of_home(".config")));
    folders.extend(list("XDG_CONFIG_DIRS", "/etc/xdg"));
    folders.extend(["/usr/local/etc", "/etc"].map(PathBuf::from));
    folders.extend(system.variable("XDG_DATA_HOME").map(PathBuf::from).or_else(|| of_home(".local/share")));
    folders.extend(list("XDG_DATA_DIRS", "/usr/local/share:/usr/share"));
    folders.extend(["/run/opengl-driver/share"].map(PathBuf::from));
    let is_json = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    folders.iter().flat_map(|folder| system.entries(folder.join("vulkan/icd.d"))).filter(is_json).collect()
}

/// A driver file, whose driver it is, and whether its library is there.
fn driver(system: &System, file: &Path) -> Finding {
    let shown = file.display();
    let Some(text) = system.read(file) else {
        return Finding::problem(DRIVER, format!("{shown} cannot be read"), format!("ls -l {shown}"));
    };
    let json: Option<Value> = serde_json::from_str(&text).ok();
    let library = json.as_ref().and_then(|json| json["ICD"]["library_path"].as_str());
    let Some(library) = library else {
        let fix = "install its package again";
        return Finding::problem(DRIVER, format!("{shown} is no driver file: it names no library"), fix);
    };
    let owner = OWNERS.iter().find(|(part, _)| library.contains(part)).map_or("an unknown driver", |(_, owner)| owner);
    let folder = file.parent().unwrap_or(Path::new("/"));
    let named = Path::new(library);
    // A name without a folder is looked for as any library is, a relative one beside the file.
    let places: Vec<PathBuf> = match named.components().count() {
        1 => LIBRARY_FOLDERS.iter().map(|folder| Path::new(folder).join(named)).collect(),
        _ => vec![folder.join(named)],
    };
    match places.iter().any(|place| system.has(place)) {
        true => Finding::ok(DRIVER, format!("{shown}: {owner}")),
        false => Finding::problem(
            DRIVER,
            format!("{shown}: {owner}; its library {library} is not found"),
            "install the driver's package again, or remove the file",
        ),
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::system;

    #[test]
    fn each_driver_file_is_named_with_its_owner_and_the_fault_it_has() {
        let icd =
            |library: &str| format!(r#"{{"file_format_version": "1.0.0", "ICD": {{"library_path": "{library}"}}}}"#);
        let (radeon, lost, nvidia) = (icd("/usr/lib/libvulkan_radeon.so"), icd("/gone.so"), icd("libGLX_nvidia.so.0"));
        let root = system::files(&[
            ("usr/share/vulkan/icd.d/a.json", &radeon),
            ("usr/share/vulkan/icd.d/b.json", &lost),
            ("etc/vulkan/icd.d/c.json", "{"),
            ("usr/share/vulkan/icd.d/d.json", &nvidia),
            ("usr/share/vulkan/icd.d/readme.txt", "text"),
            ("usr/lib/libvulkan_radeon.so", ""),
            ("usr/lib64/libGLX_nvidia.so.0", ""),
        ]);
        let found = drivers(&System::stand_in(root.path(), &[]));
        let problems: Vec<bool> = found.iter().map(Finding::is_problem).collect();
        assert_eq!(problems, [true, false, true, false], "{found:?}");
        assert!(found[0].found.contains("c.json is no driver file"), "{found:?}");
        assert!(found[1].found.ends_with("a.json: Mesa's RADV, for AMD GPUs"), "{found:?}");
        assert!(found[2].found.contains("/gone.so is not found") && found[2].fix.is_some(), "{found:?}");
        assert!(found[3].found.contains("NVIDIA's own driver"), "{found:?}");
    }

    #[test]
    fn a_variable_that_hides_drivers_is_a_problem_and_its_files_are_looked_at() {
        let root = system::files(&[("usr/share/vulkan/icd.d/a.json", "{}")]);
        let found = drivers(&System::stand_in(root.path(), &[("VK_ICD_FILENAMES", "/none.json")]));
        assert_eq!(found[0].fix.as_deref(), Some("unset VK_ICD_FILENAMES"));
        assert!(found[1].found.contains("/none.json cannot be read"), "{found:?}");
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn without_loader_and_drivers_both_are_told_of() {
        let root = system::files(&[]);
        let system = System::stand_in(root.path(), &[]);
        assert!(loader(&system).is_problem());
        assert!(drivers(&system)[0].found.contains("no driver file"));
        let root = system::files(&[("opt/libvulkan.so.1", "")]);
        let system = System::stand_in(root.path(), &[("LD_LIBRARY_PATH", "/x:/opt")]);
        assert_eq!(loader(&system).found, "/opt/libvulkan.so.1");
    }
}

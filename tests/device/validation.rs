//! Vulkan's validation layer, with synchronisation checks, over everything that reaches the driver; ignored where the
//! layer is not installed.

use crate::common::process::{DIGITS, with_kept_peaks};
use crate::common::trials::Outcome;
use gpubench::gpu::Adapters;
use gpubench::kernels::PLANS;
use libtest_mimic::{Completion, Trial};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

const LAYER: &str = "VK_LAYER_KHRONOS_validation";

/// The manifest of the layer in the folders in which Vulkan's loader looks for it.
fn installed() -> bool {
    let folders = ["/usr/share", "/usr/local/share", "/etc"];
    let manifest = |folder: &&str| Path::new(folder).join("vulkan/explicit_layer.d/VkLayer_khronos_validation.json");
    folders.iter().any(|folder| manifest(folder).is_file())
}

/// Runs the program under the layer, which has nothing to say.
fn is_silent(arguments: &[String]) -> Outcome {
    let folder = TempDir::new()?;
    let log = folder.path().join("validation.txt");
    let settings = [
        "khronos_validation.debug_action = VK_DBG_LAYER_ACTION_LOG_MSG".to_owned(),
        "khronos_validation.report_flags = error,warn".to_owned(),
        "khronos_validation.enables = VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT".to_owned(),
        format!("khronos_validation.log_filename = {}", log.display()),
    ];
    fs::write(folder.path().join("vk_layer_settings.txt"), settings.join("\n"))?;
    let mut command = with_kept_peaks(folder.path());
    command.env("VK_LAYER_SETTINGS_PATH", folder.path()).env("VK_INSTANCE_LAYERS", LAYER);
    // Debug builds name their shaders' language, which older layers do not know.
    command.env("WGPU_DEBUG", "0");
    // The loader tells what it inserts, which proves that the layer listens.
    command.env("VK_LOADER_DEBUG", "layer").env("WGPU_BACKEND", "vulkan");
    let output = command.args(arguments).args(["--data", DIGITS]).output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains(LAYER), "the layer was not loaded: {stderr}");
    let said = fs::read_to_string(&log).unwrap_or_default();
    assert!(said.trim().is_empty(), "{arguments:?}: {said}");
    Ok(())
}

pub fn trials(adapters: &Arc<Adapters>) -> Vec<Trial> {
    let Some(first) = adapters.infos().iter().find(|info| info.backend == "vulkan") else {
        return vec![Trial::test("validation_layer (no Vulkan adapter here)", || Ok(())).with_ignored_flag(true)];
    };
    let index = first.index.to_string();
    let plans = PLANS.iter().map(|plan| plan.name).filter(|name| first.subgroups || !name.contains("subgroups"));
    let plans = plans.map(|plan| format!("--plan {plan} --no-pipeline-cache --adapter {index}"));
    let profiles = ["inside-passes", "inside-encoders", "pass-boundaries"]
        .map(|grade| format!("profile --timestamps {grade} --plan fused_lanes --adapter {index}"));
    let together = format!("--adapters {index} --logical-devices 2 --plan fused_lanes");
    let trial = |options: String| {
        Trial::ignorable_test(format!("validation_layer_is_silent_over {options}"), move || {
            if !installed() {
                return Ok(Completion::ignored_with("the Vulkan validation layer is not installed"));
            }
            let arguments: Vec<String> = options.split(' ').chain(["--steps", "2"]).map(str::to_owned).collect();
            is_silent(&arguments).map(|()| Completion::Completed)
        })
    };
    plans.chain(profiles).chain([together]).map(trial).collect()
}

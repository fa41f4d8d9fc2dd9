//! `gpubench kernels` as a process, where no adapter matters.

use crate::common::process::{outcome_of, program, refused, without_adapters};
use gpubench::kernels::{KERNELS, PLANS};
use gpubench::report::kernels_text;
use gpubench::result::{KernelList, Stage};
use std::fs;
use tempfile::TempDir;

/// Runs `gpubench kernels` where there is no driver, and gives stdout.
fn without_driver(arguments: &[&str]) -> String {
    let folder = TempDir::new().unwrap();
    outcome_of(without_adapters(folder.path()).arg("kernels").args(arguments), 0).0
}

#[test]
fn without_a_driver_every_kernel_is_listed_with_what_its_plan_counts() {
    let list = KernelList::from_json(&without_driver(&["--json"])).unwrap();
    assert_eq!(list.plans.len(), PLANS.len());
    let listed = || list.plans.iter().flat_map(|plan| &plan.kernels);
    for kernel in KERNELS {
        let row =
            listed().find(|row| row.kernel == kernel.name).unwrap_or_else(|| panic!("{} is missing", kernel.name));
        assert_eq!(row.constants.len(), kernel.constants.len(), "{}", kernel.name);
        assert!(row.grid.value().is_some() && row.workgroup_bytes.value().is_some(), "{row:?}");
    }
    assert!(listed().all(|row| row.compiled.reason() == Some("there is no adapter")), "{:?}", list.compiler);
    assert!(listed().any(|row| row.stage == Stage::Evaluation), "evaluations have kernels of their own");
    let variants = KernelList::from_json(&without_driver(&["--json", "--variants", "--plan", "fused"])).unwrap();
    let plans: Vec<&str> = variants.plans.iter().map(|plan| plan.plan.as_str()).collect();
    assert!(plans.contains(&"fused") && plans.contains(&"fused:images=2"), "{plans:?}");
    assert!(plans.iter().all(|plan| !plan.starts_with("fused_")), "{plans:?}");
}

#[test]
fn the_list_fits_a_terminal_of_80_columns_with_every_name_whole() {
    let list = KernelList::from_json(&without_driver(&["--json"])).unwrap();
    for width in [80, 100, 160] {
        let text = kernels_text(&list, width);
        for line in text.lines() {
            assert!(line.chars().count() <= usize::from(width), "{line:?}");
        }
        for kernel in KERNELS {
            let is_row = |line: &str| line.strip_prefix(kernel.name).is_some_and(|rest| rest.starts_with([' ', '/']));
            assert!(text.lines().any(is_row), "{} is not whole in: {text}", kernel.name);
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        assert!(words.join(" ").ends_with("n/a (there is no adapter)"), "{text}");
    }
}

#[test]
fn a_kernel_is_shown_in_each_language() {
    let shown = |language| without_driver(&["sgd_update", "--show", language]);
    assert!(shown("wgsl").contains("fn sgd_update("));
    assert!(shown("msl").contains("kernel void sgd_update("));
    assert!(shown("hlsl").contains("void sgd_update("));
    assert!(shown("spirv").contains("OpEntryPoint GLCompute"));
    let folder = TempDir::new().unwrap();
    let write = ["kernels", "conv_forward/conv2", "--show", "spirv", "-o", "conv.spv"];
    let (stdout, stderr) = outcome_of(without_adapters(folder.path()).args(write), 0);
    assert!(stdout.is_empty() && stderr.contains("written: conv.spv"), "{stdout}{stderr}");
    let bytes = fs::read(folder.path().join("conv.spv")).unwrap();
    assert_eq!((&bytes[..4], bytes.len() % 4), (&0x0723_0203_u32.to_le_bytes()[..], 0));
}

#[test]
fn what_does_not_exist_is_refused_with_the_nearest_name() {
    refused(&["kernels", "conv_forwrd"], 2, &["no kernel \"conv_forwrd\"; the nearest is conv_forward;"]);
    refused(&["kernels", "xyzzy"], 2, &["no kernel \"xyzzy\"; `gpubench kernels` lists all"]);
    refused(&["kernels", "conv_forward/fc1"], 2, &["conv_forward/fc1 is in no such plan or layer"]);
    refused(&["kernels", "conv_forward", "--plan", "fused"], 2, &["conv_forward is in no such plan"]);
    refused(&["kernels", "--plan", "fusd"], 2, &["there is no plan fusd", "the nearest is fused"]);
    refused(&["kernels", "--plan", "fused:images=5"], 2, &["images=1, images=2, images=3, images=4"]);
    refused(&["kernels", "--show", "wgsl"], 2, &["--show needs the name of a KERNEL: batch_gather,"]);
    refused(&["kernels", "--show", "ptx", "sgd_update"], 2, &["wgsl, spirv, msl, hlsl, isa"]);
    refused(&["kernels", "--output", "x"], 2, &["--show"]);
    refused(&["kernels", "--adapter", "cpu"], 2, &["kernels works through the GPU API alone"]);
}

#[test]
fn machine_code_is_refused_where_there_is_no_driver() {
    let folder = TempDir::new().unwrap();
    let isa = ["kernels", "sgd_update", "--show", "isa"];
    let (stdout, stderr) = outcome_of(without_adapters(folder.path()).args(isa), 4);
    assert!(stdout.is_empty() && stderr.contains("there is no adapter"), "{stderr}");
}

#[test]
fn the_process_that_compiles_refuses_what_is_no_request() {
    let folder = TempDir::new().unwrap();
    let (_, stderr) = outcome_of(program(folder.path()).arg("compile-kernels").stdin(std::process::Stdio::null()), 3);
    assert!(stderr.contains("no kernels to compile"), "{stderr}");
    let (help, _) = outcome_of(program(folder.path()).arg("--help"), 0);
    assert!(help.contains("kernels ") && !help.contains("compile-kernels"), "{help}");
}

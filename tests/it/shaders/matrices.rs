//! The kernels of cooperative matrices: valid for naga, and in SPIR-V as many matrix instructions as their text has.

use super::*;
use gpubench::gpu::translate::{Translation, VULKAN_1_3, disassembled};
use gpubench::kernels::experimental::{CONV_FORWARD_MATRICES, DENSE_FORWARD_MATRICES};

/// Its SPIR-V for the constants of `layer`, as text.
fn spirv(kernel: &Kernel, layer: &str) -> String {
    let plan = plan();
    let baseline = kernel.name.strip_suffix("_matrices").unwrap();
    let dispatch = plan.training.iter().find(|one| one.kernel.name == baseline && one.layer == layer).unwrap();
    let own = |(name, value): &(&'static str, f64)| match *name {
        "WORKGROUP" => Some(("WORKGROUP", if kernel.name.starts_with("conv") { 256.0 } else { 32.0 })),
        name => kernel.constants.contains(&name).then_some((name, *value)),
    };
    let constants: Vec<(&str, f64)> = dispatch.constants.iter().filter_map(own).collect();
    let translation = Translation::of(kernel, &constants).unwrap();
    assert!(translation.workgroup_bytes() <= WORKGROUP_BYTES, "{}", kernel.name);
    disassembled(&translation.spirv(VULKAN_1_3, false, false).unwrap()).unwrap()
}

fn count(text: &str, instruction: &str) -> usize {
    text.lines().filter(|line| line.split_whitespace().any(|word| word == instruction)).count()
}

#[test]
fn matrix_instructions_of_spirv_are_those_of_the_text() {
    for (kernel, layer, products) in
        [(&DENSE_FORWARD_MATRICES, "fc1", 1), (&DENSE_FORWARD_MATRICES, "fc2", 1), (&CONV_FORWARD_MATRICES, "conv2", 3)]
    {
        let text = spirv(kernel, layer);
        assert!(text.contains("OpCapability CooperativeMatrixKHR") && text.contains("SPV_KHR_cooperative_matrix"));
        let found = ["MulAdd", "Load", "Store"].map(|name| count(&text, &format!("OpCooperativeMatrix{name}KHR")));
        assert_eq!(found, [products, 2 * products, 1], "{} of {layer}", kernel.name);
        // A and B in 16 bits, the sums in 32.
        assert_eq!(count(&text, "OpTypeCooperativeMatrixKHR"), 3, "{}", kernel.name);
    }
}

#[test]
fn no_plan_has_an_experimental_kernel() {
    for plan in plans() {
        for dispatch in plan.training.iter().chain(&plan.evaluation) {
            assert!(!dispatch.kernel.needs_cooperative_matrices(), "{}", dispatch.label());
        }
    }
}

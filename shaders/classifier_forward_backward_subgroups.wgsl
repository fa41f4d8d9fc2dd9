// As classifier_forward_backward, with sums over neighbours made by shuffles in place of workgroup memory and barriers.
// Source: classifier_forward_backward for adapters with subgroups; four neighbours must be in one subgroup

// naga 30 needs overrides before any array whose length is computed from them, so they stand here.
override WORKGROUP: u32;
override FEATURES: u32;
override UNITS1: u32;
override UNITS2: u32;
override CLASSES: u32;
override FC1_WEIGHT: u32;
override FC1_BIAS: u32;
override FC2_WEIGHT: u32;
override FC2_BIAS: u32;
override FC3_WEIGHT: u32;
override FC3_BIAS: u32;
override SCALE: f32;
override IMAGES: u32;

// The sum of `part` over the four invocations of which this is one. Each adds the same pairs, so that all get the same
// bits.
fn sum_of_four(invocation: u32, part: vec4<f32>) -> vec4<f32> {
    let pair = sum_of_two(invocation, part);
    return pair + subgroupShuffleXor(pair, 2u);
}

fn sum_of_two(invocation: u32, part: vec4<f32>) -> vec4<f32> {
    return part + subgroupShuffleXor(part, 1u);
}

// Invocations are numbered along their subgroups: WGSL does not say that the local index runs along them.
@compute @workgroup_size(WORKGROUP)
fn classifier_forward_backward_subgroups(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_size) size: u32,
    @builtin(subgroup_invocation_id) invocation: u32,
) {
    forward_backward(group.x * IMAGES, subgroup * size + invocation);
}

// As classifier_forward_backward, with sums of two neighbours made by shuffles, not by workgroup memory and barriers.
// Source: classifier_forward_backward for adapters with subgroups; two neighbours must be in one subgroup

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

// Adds the columns of two invocations, of which the first gets the first two and the second the others.
fn sum_of_neighbours(invocation: u32, columns: mat4x4<f32>) -> mat2x4<f32> {
    let is_second = invocation % 2u == 1u;
    let given = mat2x4<f32>(select(columns[2], columns[0], is_second), select(columns[3], columns[1], is_second));
    return mat2x4<f32>(select(columns[0], columns[2], is_second) + subgroupShuffleXor(given[0], 1u),
        select(columns[1], columns[3], is_second) + subgroupShuffleXor(given[1], 1u));
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

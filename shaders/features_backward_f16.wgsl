// Gradients of both convolutions' weights and biases for each image by itself, from values of pool1 in 16 bits; the
//   work is divided as in features_backward.
// Math: that of features_backward
// Shapes: those of features_backward; pool1 as features_forward_f16 leaves it
// Grid: as that of features_backward
// Cost: flop 2 * N * (9 CHANNELS1 CHANNELS2 (POOL2^2 + POOL1^2) + 16 CHANNELS1 POOL1^2); bytes N * (SIDE^2 + 2 *
//   |pool1| + 4 * (|argmax| + |dfeatures| + |partial| + 1)) + 4 * |conv2 weight|
// Source: features_backward

override WORKGROUP: u32;
override CHANNELS1: u32;
override CHANNELS2: u32;
override CONV2_WEIGHT: u32;
override PARTIAL: u32;

@group(0) @binding(3) var<storage, read> pool1: array<vec2<u32>>; // [N, CHANNELS1, POOL1, POOL1 / 4]

fn pool1_vec4(n: u32, i: u32) -> vec4<f32> {
    let words = pool1[n * (CHANNELS1 * POOL1 * POOL1 / 4u) + i];
    return vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y));
}

@compute @workgroup_size(WORKGROUP)
fn features_backward_f16(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) invocation: u32) {
    make_gradients(group, invocation);
}

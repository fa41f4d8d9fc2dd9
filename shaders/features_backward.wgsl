// Gradients of both convolutions' weights and biases for each image by itself: one workgroup makes conv1's, another
//   conv2's. A channel of pool1 has GROUP invocations; side by side are different channels, the same windows of conv2.
// Math: dweight2[o, i] = sum over windows of dfeatures[o] * pool1[i] around its maximum; dpool1 = conv2's adjoint of
//   dfeatures; dweight1[c] = sum over windows of [pool1 > 0] dpool1[c] * pixels around its maximum
// Shapes: argmax and pool1 as features_forward leaves them; dfeatures [N, CHANNELS2, POOL2, POOL2]; partial [N, weight
//   and bias of conv1, weight and bias of conv2]
// Grid: N workgroups in x, 2 in y: for conv1, for conv2; WORKGROUP = GROUP * CHANNELS1
// Cost: flop 2 * N * (9 CHANNELS1 CHANNELS2 (POOL2^2 + POOL1^2) + 16 CHANNELS1 POOL1^2); bytes N * (SIDE^2 + 4 *
//   (|argmax| + |dfeatures| + |pool1| + |partial| + 1)) + 4 * |conv2 weight|
// Source: max_pool_backward, conv_backward_input and conv_backward_weight in one; a window's gradient goes to one
//   position in four, and products are made only there: a branch that invocations side by side take together

override WORKGROUP: u32;
override CHANNELS1: u32;
override CHANNELS2: u32;
override CONV2_WEIGHT: u32;
override PARTIAL: u32;

@group(0) @binding(3) var<storage, read> pool1: array<vec4<f32>>; // [N, CHANNELS1, POOL1, POOL1 / 4]

fn pool1_vec4(n: u32, i: u32) -> vec4<f32> {
    return pool1[n * (CHANNELS1 * POOL1 * POOL1 / 4u) + i];
}

@compute @workgroup_size(WORKGROUP)
fn features_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) invocation: u32) {
    make_gradients(group, invocation);
}

// The three dense layers, the loss and the gradients back to the features; one workgroup makes IMAGES images, PARTS
//   invocations at a time a few units of a layer, each from its share of the inputs.
// Math: a1 = relu(W1 f + b1); a2 = relu(W2 a1 + b2); z = W3 a2 + b3; dz3 = (softmax(z) - onehot) / N; dz2 = [a2 > 0]
//   W3^T dz3; dz1 = [a1 > 0] W2^T dz2; dfeatures = [f > 0] SCALE W1^T dz1
// Shapes: features, dfeatures [N, FEATURES]; hidden [N, UNITS1 + UNITS2], a1 before a2; deltas [N, UNITS1 + UNITS2 +
//   CLASSES rounded up to 4s], dz1, dz2, dz3, then 0; outcome [N, 2], loss and 1 if right
// Grid: ceil(N / IMAGES) workgroups in x; IMAGES is 1 to 4, WORKGROUP four times UNITS2 and twice UNITS1
// Cost: flop 4 * N * |dense weights|; bytes 4 * (N * (2 FEATURES + |hidden| + |deltas| + 3) + |dense parameters|)
// Source: dense_forward, softmax_cross_entropy_forward, softmax_cross_entropy_backward, dense_backward_input and
//   dropout_backward in one

// Bindings and layers are in shared/classifier.wgsl, which the variants of this kernel share.
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
    let own = place(invocation / PARTS, invocation % PARTS);
    let neighbour = place(invocation / PARTS, (invocation % PARTS) ^ 1u);
    staged[own] = select(columns[2], columns[0], is_second);
    staged[WORKGROUP + own] = select(columns[3], columns[1], is_second);
    workgroupBarrier();
    return mat2x4<f32>(select(columns[0], columns[2], is_second) + staged[neighbour],
        select(columns[1], columns[3], is_second) + staged[WORKGROUP + neighbour]);
}

@compute @workgroup_size(WORKGROUP)
fn classifier_forward_backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
) {
    forward_backward(group.x * IMAGES, invocation);
}

// Both convolutions with ReLU and max pool, then dropout, as features_forward makes them; one workgroup makes one
//   image. What is kept of pool1 for the backward pass is rounded to 16 bits; the forward pass has it in 32.
// Math: that of features_forward; pool1 = 16-bit numbers next to maxpool(relu(conv1(pixels / 255)))
// Shapes: those of features_forward; pool1 [N, CHANNELS1, POOL1, POOL1 / 2], two values to a word
// Grid: as that of features_forward
// Cost: flop 2 * 4 * N * (16 CHANNELS1 POOL1^2 + 9 CHANNELS1 CHANNELS2 POOL2^2); bytes N * (SIDE^2 + 2 * |pool1| + 4 *
//   (|features| + |argmax| + 3)) + 4 * |conv parameters|
// Source: features_forward

override WORKGROUP: u32;
override CHANNELS1: u32;
override CHANNELS2: u32;
override CONV1_WEIGHT: u32;
override CONV1_BIAS: u32;
override CONV2_WEIGHT: u32;
override CONV2_BIAS: u32;
override KEY_LOW: u32;
override KEY_HIGH: u32;
override THRESHOLD: u32;
override SCALE: f32;

@group(0) @binding(4) var<storage, read_write> pool1: array<u32>; // [N, CHANNELS1, POOL1, POOL1 / 2]

// Copies the channels of pool1 that are in workgroup memory to where the backward pass reads them.
fn store_pool1(n: u32, first_channel: u32, invocation: u32) {
    for (var i = invocation; i < STAGED * POOL1 * POOL1 / 2u; i += WORKGROUP) {
        let at = staged(2u * i / (POOL1 * POOL1), 2u * i % (POOL1 * POOL1));
        pool1[(n * CHANNELS1 + first_channel) * POOL1 * POOL1 / 2u + i] =
            pack2x16float(vec2<f32>(scratch[at], scratch[at + 4u]));
    }
}

@compute @workgroup_size(WORKGROUP)
fn features_forward_f16(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) invocation: u32) {
    make_features(group.x, invocation);
}

// Both convolutions with ReLU and max pool, then dropout; one workgroup makes one image, each invocation blocks of
//   BLOCK1 x BLOCK1 windows of conv1 and of BLOCK2 x BLOCK2 positions of conv2.
// Math: pool1 = maxpool(relu(conv1(pixels / 255))); features = m * maxpool(relu(conv2(pool1))), m as in
//   dropout_forward; argmax = the index of each window's first maximum, in 2 bits
// Shapes: images [TOTAL, SIDE, SIDE] as four u8 to a word; pool1 [N, CHANNELS1, POOL1, POOL1]; features [N, CHANNELS2,
//   POOL2, POOL2]; argmax [N, CHANNELS1 * POOL1 + CHANNELS2 * POOL2], one word for each row of windows
// Grid: N workgroups in x; WORKGROUP = STAGED channels by BLOCKS1^2 blocks of windows = BLOCKS2^2 blocks of positions
//   by PARTS by CHANNELS2
// Cost: flop 2 * 4 * N * (16 CHANNELS1 POOL1^2 + 9 CHANNELS1 CHANNELS2 POOL2^2); bytes N * (SIDE^2 + 4 * (|pool1| +
//   |features| + |argmax| + 3)) + 4 * |conv parameters|
// Source: conv_forward, max_pool_forward and dropout_forward in one; register tiles as in matrix products, the sum over
//   conv2's inputs split in PARTS

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

@group(0) @binding(4) var<storage, read_write> pool1: array<f32>; // [N, CHANNELS1, POOL1, POOL1]

// Copies the channels of pool1 that are in workgroup memory to where the backward pass reads them.
fn store_pool1(n: u32, first_channel: u32, invocation: u32) {
    for (var i = invocation; i < STAGED * POOL1 * POOL1; i += WORKGROUP) {
        let value = scratch[staged(i / (POOL1 * POOL1), i % (POOL1 * POOL1))];
        pool1[(n * CHANNELS1 + first_channel) * POOL1 * POOL1 + i] = value;
    }
}

@compute @workgroup_size(WORKGROUP)
fn features_forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) invocation: u32) {
    make_features(group.x, invocation);
}

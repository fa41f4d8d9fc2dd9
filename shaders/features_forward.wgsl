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

@group(0) @binding(0) var<storage, read> images: array<u32>; // [TOTAL, SIDE * SIDE / 4]
@group(0) @binding(1) var<storage, read> labels: array<u32>; // [TOTAL]
@group(0) @binding(2) var<storage, read> order: array<u32>; // [TOTAL]
@group(0) @binding(3) var<storage, read> parameters: array<vec4<f32>>; // all
@group(0) @binding(4) var<storage, read_write> pool1: array<f32>; // [N, CHANNELS1, POOL1, POOL1]
@group(0) @binding(5) var<storage, read_write> argmax: array<u32>; // [N, CHANNELS1 * POOL1 + CHANNELS2 * POOL2]
@group(0) @binding(6) var<storage, read_write> features: array<f32>; // [N, CHANNELS2, POOL2, POOL2]
@group(0) @binding(7) var<storage, read_write> targets: array<u32>; // [N]
@group(0) @binding(8) var<uniform> step: Step; // this step

// The pixels; at the end the indices of pool2's maxima.
var<workgroup> image: array<f32, SIDE * SIDE>;
// STAGED channels of pool1, four side by side, then the indices of their maxima, BLOCK1 to a value; at the end sums of
// conv2, of half the channels at a time: [CHANNELS2 / 2, PARTS, BLOCKS2^2, BLOCK2, BLOCK2].
var<workgroup> scratch: array<f32, WORKGROUP / 2u * BLOCK2 * BLOCK2>;

fn store_pool1(n: u32, i: u32, value: f32) {
    pool1[n * CHANNELS1 * POOL1 * POOL1 + i] = value;
}

// Stores the indices of the maxima in row `row` of windows, conv2's after conv1's.
fn store_maxima(n: u32, row: u32, packed: f32) {
    argmax[n * (CHANNELS1 * POOL1 + CHANNELS2 * POOL2) + row] = u32(packed);
}

fn store_feature(n: u32, i: u32, value: f32) {
    features[n * CHANNELS2 * POOL2 * POOL2 + i] = value;
}

@compute @workgroup_size(WORKGROUP)
fn features_forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) invocation: u32) {
    let n = group.x;
    let source = order[step.first + n];
    forward_features(n, source, invocation);
    if invocation == 0u {
        targets[n] = labels[source];
    }
}

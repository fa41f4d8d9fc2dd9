// What features_forward and its variants bind, but pool1, and where they leave results.

@group(0) @binding(0) var<storage, read> images: array<u32>; // [TOTAL, SIDE * SIDE / 4]
@group(0) @binding(1) var<storage, read> labels: array<u32>; // [TOTAL]
@group(0) @binding(2) var<storage, read> order: array<u32>; // [TOTAL]
@group(0) @binding(3) var<storage, read> parameters: array<vec4<f32>>; // all
@group(0) @binding(5) var<storage, read_write> argmax: array<u32>; // [N, CHANNELS1 * POOL1 + CHANNELS2 * POOL2]
@group(0) @binding(6) var<storage, read_write> features: array<f32>; // [N, CHANNELS2, POOL2, POOL2]
@group(0) @binding(7) var<storage, read_write> targets: array<u32>; // [N]
@group(0) @binding(8) var<uniform> step: Step; // this step

// The pixels; at the end the indices of pool2's maxima.
var<workgroup> image: array<f32, SIDE * SIDE>;
// STAGED channels of pool1, four side by side, unless they have an array of their own, then the indices of their
// maxima, BLOCK1 to a value; at the end sums of conv2: [CHANNELS2 / ROUNDS2, PARTS, BLOCKS2^2, BLOCK2, BLOCK2].
var<workgroup> scratch: array<f32, WORKGROUP / ROUNDS2 * BLOCK2 * BLOCK2>;

// Stores the indices of the maxima in row `row` of windows, conv2's after conv1's.
fn store_maxima(n: u32, row: u32, packed: f32) {
    argmax[n * (CHANNELS1 * POOL1 + CHANNELS2 * POOL2) + row] = u32(packed);
}

fn store_feature(n: u32, i: u32, value: f32) {
    features[n * CHANNELS2 * POOL2 * POOL2 + i] = value;
}

// Makes image `n` of the batch.
fn make_features(n: u32, invocation: u32) {
    let source = order[step.first + n];
    forward_features(n, source, invocation);
    if invocation == 0u {
        targets[n] = labels[source];
    }
}

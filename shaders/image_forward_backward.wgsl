// Everything between an image's pixels and its gradients; one workgroup carries one image through both convolutions,
//   the dense layers, the loss and back. What a phase leaves for a later one is in the workgroup's memory or `state`.
// Math: features_forward, then classifier_forward_backward, then features_backward
// Shapes: state [N, |pool1| + CHANNELS1 POOL1 + CHANNELS2 POOL2 + FEATURES]: pool1, argmax (each word as a number) and
//   dfeatures; activations [N, FEATURES + UNITS1 + UNITS2]: features and hidden; deltas [N, UNITS1 + UNITS2 + CLASSES
//   + 2]: dz1, dz2, dz3, loss, 1 if right; partial as features_backward has it
// Grid: N workgroups in x; WORKGROUP as in features_forward and features_backward
// Cost: flop 2 * N * (4 * (16 CHANNELS1 POOL1^2 + 9 CHANNELS1 CHANNELS2 POOL2^2) + 2 * |dense weights| + 9 CHANNELS1
//   CHANNELS2 (POOL2^2 + POOL1^2) + 16 CHANNELS1 POOL1^2); bytes N * (SIDE^2 + 4 * (|state| + |activations| + |deltas|
//   + |partial| + 2)) + 4 * |parameters|
// Source: features_forward, classifier_forward_backward and features_backward in one: a launch less for each kernel,
//   and every image reads the weights of the dense layers from a cache

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
override PARTIAL: u32;

@group(0) @binding(0) var<storage, read> images: array<u32>; // [TOTAL, SIDE * SIDE / 4]
@group(0) @binding(1) var<storage, read> labels: array<u32>; // [TOTAL]
@group(0) @binding(2) var<storage, read> order: array<u32>; // [TOTAL]
@group(0) @binding(3) var<storage, read> parameters: array<vec4<f32>>; // all
@group(0) @binding(4) var<storage, read_write> state: array<vec4<f32>>; // [N, (pool1, argmax, dfeatures) / 4]
@group(0) @binding(5) var<storage, read_write> activations: array<f32>; // [N, FEATURES + UNITS1 + UNITS2]
@group(0) @binding(6) var<storage, read_write> deltas: array<f32>; // [N, UNITS1 + UNITS2 + CLASSES + 2]
@group(0) @binding(7) var<storage, read_write> partial: array<f32>; // [N, PARTIAL]
@group(0) @binding(8) var<uniform> step: Step; // this step

// The pixels; then the indices of pool2's maxima; then windows of conv2 as load_windows makes them.
var<workgroup> image: array<f32, SIDE * SIDE>;
// As in features_forward; then what image_classifier.wgsl says; then as in features_backward.
var<workgroup> scratch: array<f32, WORKGROUP / 2u * BLOCK2 * BLOCK2>;

// Where an image's words of argmax, and its dfeatures, begin in its row of state; the length of that.
fn state_argmax() -> u32 {
    return CHANNELS1 * POOL1 * POOL1;
}

fn state_dfeatures() -> u32 {
    return state_argmax() + CHANNELS1 * POOL1 + CHANNELS2 * POOL2;
}

fn state_length() -> u32 {
    return state_dfeatures() + FEATURES;
}

fn state_value(n: u32, i: u32) -> f32 {
    return state[(n * state_length() + i) / 4u][i % 4u];
}

fn store_state(n: u32, i: u32, value: f32) {
    state[(n * state_length() + i) / 4u][i % 4u] = value;
}

// Copies the channels of pool1 that are in workgroup memory to where the backward pass reads them.
fn store_pool1(n: u32, first_channel: u32, invocation: u32) {
    for (var i = invocation; i < STAGED * POOL1 * POOL1; i += WORKGROUP) {
        let value = scratch[staged(i / (POOL1 * POOL1), i % (POOL1 * POOL1))];
        store_state(n, first_channel * POOL1 * POOL1 + i, value);
    }
}

fn store_maxima(n: u32, row: u32, packed: f32) {
    store_state(n, state_argmax() + row, packed);
}

fn store_feature(n: u32, i: u32, value: f32) {
    activations[n * (FEATURES + UNITS1 + UNITS2) + i] = value;
}

fn store_dfeatures(n: u32, i: u32, values: vec4<f32>) {
    state[(n * state_length() + state_dfeatures()) / 4u + i] = values;
}

fn pool1_vec4(n: u32, i: u32) -> vec4<f32> {
    return state[n * (state_length() / 4u) + i];
}

fn maxima_of(n: u32, row: u32) -> u32 {
    return u32(state_value(n, state_argmax() + row));
}

fn dfeature(n: u32, i: u32) -> f32 {
    return state_value(n, state_dfeatures() + i);
}

fn conv2_weight(i: u32) -> f32 {
    return parameters[(CONV2_WEIGHT + i) / 4u][(CONV2_WEIGHT + i) % 4u];
}

fn pixel_word(n: u32, i: u32) -> u32 {
    return images[order[step.first + n] * (SIDE * SIDE / 4u) + i];
}

fn windows_of(i: u32) -> vec4<u32> {
    let gradients = vec3<f32>(image[4u * i], image[4u * i + 1u], image[4u * i + 2u]);
    return vec4<u32>(bitcast<vec3<u32>>(gradients), u32(image[4u * i + 3u]));
}

fn store_windows(i: u32, of_row: vec4<u32>) {
    image[4u * i] = bitcast<f32>(of_row.x);
    image[4u * i + 1u] = bitcast<f32>(of_row.y);
    image[4u * i + 2u] = bitcast<f32>(of_row.z);
    image[4u * i + 3u] = f32(of_row.w);
}

fn store_partial(n: u32, i: u32, value: f32) {
    partial[n * PARTIAL + i] = value;
}

@compute @workgroup_size(WORKGROUP)
fn image_forward_backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
) {
    let n = group.x;
    let source = order[step.first + n];
    forward_features(n, source, invocation);
    storageBarrier();
    classify(n, labels[source], invocation);
    storageBarrier();
    load_windows(n, invocation);
    let channel = invocation % CHANNELS1;
    conv1_gradients(n, channel, invocation / CHANNELS1, invocation);
    conv2_gradients(n, channel, invocation / CHANNELS1, invocation);
}

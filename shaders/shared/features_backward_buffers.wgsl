// What features_backward and its variants bind, but pool1, and where values of the image are.

@group(0) @binding(0) var<storage, read> images: array<u32>; // [TOTAL, SIDE * SIDE / 4]
@group(0) @binding(1) var<storage, read> order: array<u32>; // [TOTAL]
@group(0) @binding(2) var<storage, read> parameters: array<f32>; // all
@group(0) @binding(4) var<storage, read> argmax: array<u32>; // [N, CHANNELS1 * POOL1 + CHANNELS2 * POOL2]
@group(0) @binding(5) var<storage, read> dfeatures: array<f32>; // [N, CHANNELS2, POOL2, POOL2]
@group(0) @binding(6) var<storage, read_write> partial: array<f32>; // [N, PARTIAL]
@group(0) @binding(7) var<uniform> step: Step; // this step

var<workgroup> pixel_words: array<u32, SIDE * SIDE / 4u>;
// Kernels of conv2, or gradients on their way to other invocations, TAPS2 of each; then pixels i to i + 3 as vec4 i.
var<workgroup> scratch: array<f32, 4u * (SIDE * SIDE - 4u)>;
// Of each channel of conv2, quarter and row of windows: gradients, and positions of the maxima in 2 bits each.
var<workgroup> windows: array<vec4<u32>, CHANNELS2 * QUARTERS * WINDOWS>;

fn conv2_weight(i: u32) -> f32 {
    return parameters[CONV2_WEIGHT + i];
}

// The word with the indices of the maxima in row `row` of windows of an image, conv2's after conv1's.
fn maxima_of(n: u32, row: u32) -> u32 {
    return argmax[n * (CHANNELS1 * POOL1 + CHANNELS2 * POOL2) + row];
}

fn dfeature(n: u32, i: u32) -> f32 {
    return dfeatures[n * CHANNELS2 * POOL2 * POOL2 + i];
}

fn pixel_word(n: u32, i: u32) -> u32 {
    return pixel_words[i];
}

fn windows_of(i: u32) -> vec4<u32> {
    return windows[i];
}

fn store_windows(i: u32, of_row: vec4<u32>) {
    windows[i] = of_row;
}

fn store_partial(n: u32, i: u32, value: f32) {
    partial[n * PARTIAL + i] = value;
}

// Makes the gradients of conv1 or conv2 of an image.
fn make_gradients(group: vec3<u32>, invocation: u32) {
    let n = group.x;
    let channel = invocation % CHANNELS1;
    if group.y == 0u {
        let words = SIDE * SIDE / 4u;
        let word = images[order[step.first + n] * words + min(invocation, words - 1u)];
        load_windows(n, invocation);
        if invocation < words {
            pixel_words[invocation] = word;
        }
        conv1_gradients(n, channel, invocation / CHANNELS1, invocation);
    } else {
        conv2_gradients(n, channel, invocation / CHANNELS1, invocation);
    }
}

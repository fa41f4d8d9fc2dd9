// Gradients of both convolutions' weights and biases for each image by itself; one workgroup makes those of WORKGROUP / 16 channels of pool1 and waits for nobody.
// Math: dweight2[o, i] = sum over windows of dfeatures[o] * pool1[i] around the place of its maximum; dpool1 = conv2's adjoint of dfeatures; dweight1[c] = sum over windows of [pool1 > 0] dpool1[c] * pixels around the place
// Shapes: places and pool1 as features_forward leaves them; dfeatures [N, CHANNELS2, POOL2, POOL2]; partial [N, weight and bias of conv1, weight and bias of conv2]
// Grid: N workgroups in x, CHANNELS1 * 16 / WORKGROUP in y; a channel has 16 invocations: blocks of 3x3 windows of pool1, and kernels of conv2's 16 channels
// Cost: flop 2 * N * (9 CHANNELS1 CHANNELS2 (POOL2^2 + POOL1^2) + 16 CHANNELS1 POOL1^2); bytes N * (SIDE^2 + 4 * (|places| + |dfeatures| + |pool1| + |partial| + 1)) + 4 * |conv2 weight|
// Source: max_pool_backward, conv_backward_input and conv_backward_weight in one; a window's gradient goes to one position in four, and weights' products are made only there

override WORKGROUP: u32;
override SIDE: u32;
override CHANNELS1: u32;
override POOL1: u32;
override CHANNELS2: u32;
override POOL2: u32;
override CONV2_WEIGHT: u32;
override PARTIAL: u32;

@group(0) @binding(0) var<storage, read> images: array<u32>; // [TOTAL, SIDE * SIDE / 4]
@group(0) @binding(1) var<storage, read> order: array<u32>; // [TOTAL]
@group(0) @binding(2) var<storage, read> parameters: array<f32>; // all
@group(0) @binding(3) var<storage, read> pool1: array<f32>; // [N, CHANNELS1, POOL1, POOL1]
@group(0) @binding(4) var<storage, read> places: array<u32>; // [N, CHANNELS1 * POOL1 + CHANNELS2 * POOL2]
@group(0) @binding(5) var<storage, read> dfeatures: array<f32>; // [N, CHANNELS2, POOL2, POOL2]
@group(0) @binding(6) var<storage, read_write> partial: array<f32>; // [N, PARTIAL]
@group(0) @binding(7) var<uniform> step: Step; // this step

var<workgroup> image: array<f32, SIDE * SIDE>;
// Planes of pool1, one value between them, so that invocations side by side meet no bank twice; then conv2's gradients, then parts of conv1's.
var<workgroup> scratch: array<f32, 9u * (WORKGROUP + 8u)>;
var<workgroup> gradients: array<f32, CHANNELS2 * POOL2 * POOL2>;
var<workgroup> found: array<u32, CHANNELS2 * POOL2>;
// Four channels' gradients at conv2's positions, with two rows and columns of 0 around them.
var<workgroup> positions: array<vec4<f32>, (2u * POOL2 + 4u) * (2u * POOL2 + 4u)>;
// [9, WORKGROUP / 16], of those four channels, the last tap first.
var<workgroup> weights: array<vec4<f32>, 9u * WORKGROUP / 16u>;

fn stage(n: u32, first: u32, thread: u32) {
    load_image(order[step.first + n], thread, WORKGROUP);
    for (var i = thread; i < WORKGROUP / 16u * POOL1 * POOL1; i += WORKGROUP) {
        scratch[i + i / (POOL1 * POOL1)] = pool1[(n * CHANNELS1 + first) * POOL1 * POOL1 + i];
    }
    for (var i = thread; i < CHANNELS2 * POOL2 * POOL2; i += WORKGROUP) {
        gradients[i] = dfeatures[n * CHANNELS2 * POOL2 * POOL2 + i];
    }
    for (var i = thread; i < CHANNELS2 * POOL2; i += WORKGROUP) {
        found[i] = places[n * (CHANNELS1 * POOL1 + CHANNELS2 * POOL2) + CHANNELS1 * POOL1 + i];
    }
    for (var i = thread; i < (2u * POOL2 + 4u) * (2u * POOL2 + 4u); i += WORKGROUP) {
        positions[i] = vec4<f32>(0.0);
    }
}

// Whether the ReLU let the 3x3 windows from `at` on through: a bit for each.
fn open_windows(at: u32) -> u32 {
    var bits = 0u;
    for (var k = 0u; k < 9u; k++) {
        bits |= select(0u, 1u << k, scratch[at + k / 3u * POOL1 + k % 3u] > 0.0);
    }
    return bits;
}

// Gradient g of window (row, column) of channel o where it goes to place `place`, else 0.
fn at_place(o: u32, row: u32, column: u32, place: u32) -> f32 {
    return select(0.0, gradients[(o * POOL2 + row) * POOL2 + column], ((found[o * POOL2 + row] >> (2u * column)) & 3u) == place);
}

// Spreads the gradients of the channels o to o + 3 over conv2's positions, and takes their weights.
fn stage_four(o: u32, first: u32, thread: u32) {
    for (var i = thread; i < 4u * POOL2 * POOL2; i += WORKGROUP) {
        let row = i / 4u / POOL2;
        let column = i / 4u % POOL2;
        let place = i % 4u;
        let to = (2u * row + 2u + place / 2u) * (2u * POOL2 + 4u) + 2u * column + 2u + place % 2u;
        positions[to] = vec4<f32>(at_place(o, row, column, place), at_place(o + 1u, row, column, place), at_place(o + 2u, row, column, place), at_place(o + 3u, row, column, place));
    }
    for (var i = thread; i < 9u * WORKGROUP / 16u; i += WORKGROUP) {
        let at = CONV2_WEIGHT + (o * CHANNELS1 + first) * 9u + i;
        let stride = 9u * CHANNELS1;
        weights[(8u - i % 9u) * (WORKGROUP / 16u) + i / 9u] = vec4<f32>(parameters[at], parameters[at + stride], parameters[at + 2u * stride], parameters[at + 3u * stride]);
    }
}

@compute @workgroup_size(WORKGROUP)
fn features_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let n = group.x;
    let channels = WORKGROUP / 16u;
    let first = group.y * channels;
    stage(n, first, thread);
    workgroupBarrier();

    // A channel and its block.
    let c = thread % channels;
    let row = thread / channels / 4u * 3u;
    let column = thread / channels % 4u * 3u;
    let bits = open_windows(c * (POOL1 * POOL1 + 1u) + row * POOL1 + column);
    let kernel = kernel_gradient(thread % 16u, thread / 16u * (POOL1 * POOL1 + 1u));
    workgroupBarrier();
    keep_9((thread % 16u * channels + thread / 16u) * 9u, 1u, kernel[0], kernel[1], kernel[2]);
    workgroupBarrier();
    store_conv2(n, first, thread);

    var s = array<vec3<f32>, 3>();
    for (var o = 0u; o < CHANNELS2; o += 4u) {
        stage_four(o, first, thread);
        workgroupBarrier();
        s = adjoint(s, row * (2u * POOL2 + 4u) + column, c, channels);
        workgroupBarrier();
    }
    let at = n * (CHANNELS1 * POOL1 + CHANNELS2 * POOL2) + (first + c) * POOL1 + row;
    let a = passed(s[0], bits);
    let b = passed(s[1], bits >> 3u);
    let d = passed(s[2], bits >> 6u);
    var k = add_windows(mat4x4<f32>(), a, places[at] >> (2u * column), 2u * (row * SIDE + column));
    k = add_windows(k, b, places[at + 1u] >> (2u * column), 2u * ((row + 1u) * SIDE + column));
    k = add_windows(k, d, places[at + 2u] >> (2u * column), 2u * ((row + 2u) * SIDE + column));
    let sum = a + b + d;
    keep_9(thread, WORKGROUP + 8u, k[0].xyz, vec3<f32>(k[0].w, k[1].xy), vec3<f32>(k[1].zw, k[2].x));
    workgroupBarrier();
    store_conv1(n, first, 0u, 9u, thread);
    workgroupBarrier();
    keep_9(thread, WORKGROUP + 8u, k[2].yzw, k[3].xyz, vec3<f32>(k[3].w, sum.x + sum.y + sum.z, 0.0));
    workgroupBarrier();
    store_conv1(n, first, 9u, 8u, thread);
}

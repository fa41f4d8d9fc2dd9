// Both convolutions with ReLU and max pool, then dropout; one workgroup makes one image, each lane whole planes of four (conv1) or two (conv2) channels.
// Math: pool1 = maxpool(relu(conv1(pixels / 255))); features = m * maxpool(relu(conv2(pool1))), m as in dropout_forward; places = 2 bits for each window: where its first maximum stood
// Shapes: images [TOTAL, SIDE, SIDE] as four u8 to a word; pool1 [N, CHANNELS1, POOL1, POOL1]; features [N, CHANNELS2, POOL2, POOL2]; places [N, CHANNELS1 * POOL1 + CHANNELS2 * POOL2], one word for each row of windows
// Grid: N workgroups in x
// Cost: flop 2 * 4 * N * (16 CHANNELS1 POOL1^2 + 9 CHANNELS1 CHANNELS2 POOL2^2); bytes N * (SIDE^2 + 4 * (|pool1| + |features| + |places| + 3)) + 4 * |conv parameters|
// Source: features_forward for drivers to which a load is dear and registers are cheap: a channel's whole plane stays in them

override WORKGROUP: u32;
override SIDE: u32;
override CHANNELS1: u32;
override POOL1: u32;
override CHANNELS2: u32;
override POOL2: u32;
override CONV1_WEIGHT: u32;
override CONV1_BIAS: u32;
override CONV2_WEIGHT: u32;
override CONV2_BIAS: u32;
override KEY_LOW: u32;
override KEY_HIGH: u32;
override THRESHOLD: u32;
override SCALE: f32;

const CONVOLUTIONS = 1292u;

@group(0) @binding(0) var<storage, read> images: array<u32>; // [TOTAL, SIDE * SIDE / 4]
@group(0) @binding(1) var<storage, read> labels: array<u32>; // [TOTAL]
@group(0) @binding(2) var<storage, read> order: array<u32>; // [TOTAL]
@group(0) @binding(3) var<uniform> convolutions: array<vec4<f32>, CONVOLUTIONS>; // parameters of conv1, then of conv2
@group(0) @binding(4) var<storage, read_write> pool1: array<vec4<f32>>; // [N, CHANNELS1, POOL1, POOL1 / 4]
@group(0) @binding(5) var<storage, read_write> places: array<u32>; // [N, CHANNELS1 * POOL1 + CHANNELS2 * POOL2]
@group(0) @binding(6) var<storage, read_write> features: array<f32>; // [N, CHANNELS2, POOL2, POOL2]
@group(0) @binding(7) var<storage, read_write> targets: array<u32>; // [N]
@group(0) @binding(8) var<uniform> step: Step; // this step

fn weights1(at: u32) -> vec4<f32> {
    return convolutions[at] / 255.0;
}

// Window x of a row with the five rows of pixels r under it.
fn window1(r: array<array<f32, 28>, 5>, x: u32, w: mat4x4<f32>, bias: f32) -> vec2<f32> {
    return window_best(correlate_4(patch_5(r, x), w) + bias);
}

// Row y of channel c of image n's pool1, with the five rows of pixels r under it.
fn row1(n: u32, c: u32, y: u32, r: array<array<f32, 28>, 5>) {
    let at = (CONV1_WEIGHT + 16u * c) / 4u;
    let w = mat4x4<f32>(weights1(at), weights1(at + 1u), weights1(at + 2u), weights1(at + 3u));
    let bias = convolution(CONV1_BIAS + c);
    let best = array<vec2<f32>, 12>(window1(r, 0u, w, bias), window1(r, 1u, w, bias), window1(r, 2u, w, bias), window1(r, 3u, w, bias), window1(r, 4u, w, bias), window1(r, 5u, w, bias),
        window1(r, 6u, w, bias), window1(r, 7u, w, bias), window1(r, 8u, w, bias), window1(r, 9u, w, bias), window1(r, 10u, w, bias), window1(r, 11u, w, bias));
    let to = ((n * CHANNELS1 + c) * POOL1 + y) * POOL1 / 4u;
    pool1[to] = vec4<f32>(best[0].x, best[1].x, best[2].x, best[3].x);
    pool1[to + 1u] = vec4<f32>(best[4].x, best[5].x, best[6].x, best[7].x);
    pool1[to + 2u] = vec4<f32>(best[8].x, best[9].x, best[10].x, best[11].x);
    let found = vec3<f32>(best[0].y, best[4].y, best[8].y) + 4.0 * vec3<f32>(best[1].y, best[5].y, best[9].y)
        + 16.0 * vec3<f32>(best[2].y, best[6].y, best[10].y) + 64.0 * vec3<f32>(best[3].y, best[7].y, best[11].y);
    places[n * (CHANNELS1 * POOL1 + CHANNELS2 * POOL2) + c * POOL1 + y] = u32(found.x + 256.0 * found.y + 65536.0 * found.z);
}

fn padded(m: mat3x4<f32>) -> array<f32, 14> {
    return array<f32, 14>(m[0].x, m[0].y, m[0].z, m[0].w, m[1].x, m[1].y, m[1].z, m[1].w, m[2].x, m[2].y, m[2].z, m[2].w, 0.0, 0.0);
}

// Adds to ten rows of positions what plane x gives to them through the 3x3 kernel that begins at parameter `at`.
fn accumulate(s: array<mat3x4<f32>, 10>, x: array<array<f32, 14>, 12>, at: u32) -> array<mat3x4<f32>, 10> {
    let u = vec3<f32>(convolution(at), convolution(at + 1u), convolution(at + 2u));
    let v = vec3<f32>(convolution(at + 3u), convolution(at + 4u), convolution(at + 5u));
    let w = vec3<f32>(convolution(at + 6u), convolution(at + 7u), convolution(at + 8u));
    return array<mat3x4<f32>, 10>(
        s[0] + correlate_row(x[0], u) + correlate_row(x[1], v) + correlate_row(x[2], w),
        s[1] + correlate_row(x[1], u) + correlate_row(x[2], v) + correlate_row(x[3], w),
        s[2] + correlate_row(x[2], u) + correlate_row(x[3], v) + correlate_row(x[4], w),
        s[3] + correlate_row(x[3], u) + correlate_row(x[4], v) + correlate_row(x[5], w),
        s[4] + correlate_row(x[4], u) + correlate_row(x[5], v) + correlate_row(x[6], w),
        s[5] + correlate_row(x[5], u) + correlate_row(x[6], v) + correlate_row(x[7], w),
        s[6] + correlate_row(x[6], u) + correlate_row(x[7], v) + correlate_row(x[8], w),
        s[7] + correlate_row(x[7], u) + correlate_row(x[8], v) + correlate_row(x[9], w),
        s[8] + correlate_row(x[8], u) + correlate_row(x[9], v) + correlate_row(x[10], w),
        s[9] + correlate_row(x[9], u) + correlate_row(x[10], v) + correlate_row(x[11], w));
}

// What dropout leaves of value `element` of the batch.
fn kept(element: u32, value: f32) -> f32 {
    return value * dropout_factor(vec2<u32>(KEY_LOW, KEY_HIGH), element, step.index, THRESHOLD, SCALE);
}

// Pools a row of five windows of channel o from two rows of positions, stores it and says where the maxima stood.
fn finish(n: u32, o: u32, row: u32, a: mat3x4<f32>, b: mat3x4<f32>) {
    let bias = convolution(CONV2_BIAS + o);
    let first = ((n * CHANNELS2 + o) * POOL2 + row) * POOL2;
    let best = array<vec2<f32>, 5>(window_best(vec4<f32>(a[0].xy, b[0].xy) + bias), window_best(vec4<f32>(a[0].zw, b[0].zw) + bias), window_best(vec4<f32>(a[1].xy, b[1].xy) + bias),
        window_best(vec4<f32>(a[1].zw, b[1].zw) + bias), window_best(vec4<f32>(a[2].xy, b[2].xy) + bias));
    features[first] = kept(first, best[0].x);
    features[first + 1u] = kept(first + 1u, best[1].x);
    features[first + 2u] = kept(first + 2u, best[2].x);
    features[first + 3u] = kept(first + 3u, best[3].x);
    features[first + 4u] = kept(first + 4u, best[4].x);
    let found = u32(best[0].y + 4.0 * best[1].y + 16.0 * best[2].y + 64.0 * best[3].y + 256.0 * best[4].y);
    places[n * (CHANNELS1 * POOL1 + CHANNELS2 * POOL2) + CHANNELS1 * POOL1 + o * POOL2 + row] = found;
}

@compute @workgroup_size(WORKGROUP)
fn features_forward_lanes(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let n = group.x;
    let source = order[step.first + n];
    for (var y = 0u; y < POOL1; y++) {
        let r = pixel_rows(source * (SIDE * SIDE / 4u) + 14u * y);
        for (var c = lane; c < CHANNELS1; c += WORKGROUP) {
            row1(n, c, y, r);
        }
    }
    storageBarrier();

    // Two channels: a is lane, b is lane + WORKGROUP.
    var a = array<mat3x4<f32>, 10>();
    var b = array<mat3x4<f32>, 10>();
    for (var i = 0u; i < CHANNELS1; i++) {
        let at = (n * CHANNELS1 + i) * POOL1 * POOL1 / 4u;
        let x = array<array<f32, 14>, 12>(padded(plane_row(at)), padded(plane_row(at + 3u)), padded(plane_row(at + 6u)), padded(plane_row(at + 9u)), padded(plane_row(at + 12u)), padded(plane_row(at + 15u)),
            padded(plane_row(at + 18u)), padded(plane_row(at + 21u)), padded(plane_row(at + 24u)), padded(plane_row(at + 27u)), padded(plane_row(at + 30u)), padded(plane_row(at + 33u)));
        a = accumulate(a, x, CONV2_WEIGHT + (lane * CHANNELS1 + i) * 9u);
        b = accumulate(b, x, CONV2_WEIGHT + ((lane + WORKGROUP) * CHANNELS1 + i) * 9u);
    }
    for (var row = 0u; row < POOL2; row++) {
        finish(n, lane, row, a[2u * row], a[2u * row + 1u]);
        finish(n, lane + WORKGROUP, row, b[2u * row], b[2u * row + 1u]);
    }
    if lane == 0u {
        targets[n] = labels[source];
    }
}

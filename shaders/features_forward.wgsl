// Both convolutions with ReLU and max pool, then dropout; one workgroup makes one image, each invocation a row of windows of four (conv1) or two (conv2) channels.
// Math: pool1 = maxpool(relu(conv1(pixels / 255))); features = m * maxpool(relu(conv2(pool1))), m as in dropout_forward; places = 2 bits for each window: where its first maximum stood
// Shapes: images [TOTAL, SIDE, SIDE] as four u8 to a word; pool1 [N, CHANNELS1, POOL1, POOL1]; features [N, CHANNELS2, POOL2, POOL2]; places [N, CHANNELS1 * POOL1 + CHANNELS2 * POOL2], one word for each row of windows
// Grid: N workgroups in x; WORKGROUP lanes by ROWS
// Cost: flop 2 * 4 * N * (16 CHANNELS1 POOL1^2 + 9 CHANNELS1 CHANNELS2 POOL2^2); bytes N * (SIDE^2 + 4 * (|pool1| + |features| + |places| + 3)) + 4 * |conv parameters|
// Source: conv_forward, max_pool_forward and dropout_forward in one; lanes hold channels, so that they read pixels at one address

override WORKGROUP: u32;
override ROWS: u32;
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

@group(0) @binding(0) var<storage, read> images: array<u32>; // [TOTAL, SIDE * SIDE / 4]
@group(0) @binding(1) var<storage, read> labels: array<u32>; // [TOTAL]
@group(0) @binding(2) var<storage, read> order: array<u32>; // [TOTAL]
@group(0) @binding(3) var<storage, read> parameters: array<f32>; // all
@group(0) @binding(4) var<storage, read_write> pool1: array<f32>; // [N, CHANNELS1, POOL1, POOL1]
@group(0) @binding(5) var<storage, read_write> places: array<u32>; // [N, CHANNELS1 * POOL1 + CHANNELS2 * POOL2]
@group(0) @binding(6) var<storage, read_write> features: array<f32>; // [N, CHANNELS2, POOL2, POOL2]
@group(0) @binding(7) var<storage, read_write> targets: array<u32>; // [N]
@group(0) @binding(8) var<uniform> step: Step; // this step

var<workgroup> image: array<f32, SIDE * SIDE>;

// The 4x4 kernel of conv1's channel c, by its rows.
fn kernel1(c: u32) -> mat4x4<f32> {
    let w = CONV1_WEIGHT + 16u * c;
    return mat4x4<f32>(parameters[w], parameters[w + 1u], parameters[w + 2u], parameters[w + 3u], parameters[w + 4u], parameters[w + 5u], parameters[w + 6u], parameters[w + 7u],
        parameters[w + 8u], parameters[w + 9u], parameters[w + 10u], parameters[w + 11u], parameters[w + 12u], parameters[w + 13u], parameters[w + 14u], parameters[w + 15u]);
}

// Row y of the image's pool1, in the four channels lane, lane + WORKGROUP, ...
fn row1(n: u32, lane: u32, y: u32, w0: mat4x4<f32>, w1: mat4x4<f32>, w2: mat4x4<f32>, w3: mat4x4<f32>, bias: vec4<f32>) {
    let plane = WORKGROUP * POOL1 * POOL1;
    var found = vec4<u32>(0u);
    for (var x = 0u; x < POOL1; x++) {
        let at = 2u * (y * SIDE + x);
        let p = patch_5(at);
        let b0 = window_best(correlate_4(p, w0) + bias.x);
        let b1 = window_best(correlate_4(p, w1) + bias.y);
        let b2 = window_best(correlate_4(p, w2) + bias.z);
        let b3 = window_best(correlate_4(p, w3) + bias.w);
        found |= vec4<u32>(vec4<f32>(b0.y, b1.y, b2.y, b3.y)) << vec4<u32>(2u * x);
        let to = ((n * CHANNELS1 + lane) * POOL1 + y) * POOL1 + x;
        pool1[to] = b0.x;
        pool1[to + plane] = b1.x;
        pool1[to + 2u * plane] = b2.x;
        pool1[to + 3u * plane] = b3.x;
    }
    let to = n * (CHANNELS1 * POOL1 + CHANNELS2 * POOL2) + lane * POOL1 + y;
    places[to] = found.x;
    places[to + WORKGROUP * POOL1] = found.y;
    places[to + 2u * WORKGROUP * POOL1] = found.z;
    places[to + 3u * WORKGROUP * POOL1] = found.w;
}

fn columns(at: u32) -> mat4x2<f32> {
    return mat4x2<f32>(pool1[at], pool1[at + 1u], pool1[at + POOL1], pool1[at + POOL1 + 1u],
        pool1[at + 2u * POOL1], pool1[at + 2u * POOL1 + 1u], pool1[at + 3u * POOL1], pool1[at + 3u * POOL1 + 1u]);
}

fn kernel2(o: u32, i: u32) -> array<f32, 9> {
    let w = CONV2_WEIGHT + (o * CHANNELS1 + i) * 9u;
    return array<f32, 9>(parameters[w], parameters[w + 1u], parameters[w + 2u], parameters[w + 3u], parameters[w + 4u],
        parameters[w + 5u], parameters[w + 6u], parameters[w + 7u], parameters[w + 8u]);
}

// What dropout leaves of value `element` of the batch.
fn kept(element: u32, value: f32) -> f32 {
    return value * dropout_factor(vec2<u32>(KEY_LOW, KEY_HIGH), element, step.index, THRESHOLD, SCALE);
}

// Pools a row of five windows of channel o, stores it and says where the maxima stood.
fn finish(n: u32, o: u32, row: u32, s: array<vec4<f32>, 5>) {
    let bias = parameters[CONV2_BIAS + o];
    let first = ((n * CHANNELS2 + o) * POOL2 + row) * POOL2;
    let best = array<vec2<f32>, 5>(window_best(s[0] + bias), window_best(s[1] + bias), window_best(s[2] + bias), window_best(s[3] + bias), window_best(s[4] + bias));
    features[first] = kept(first, best[0].x);
    features[first + 1u] = kept(first + 1u, best[1].x);
    features[first + 2u] = kept(first + 2u, best[2].x);
    features[first + 3u] = kept(first + 3u, best[3].x);
    features[first + 4u] = kept(first + 4u, best[4].x);
    let found = u32(best[0].y + 4.0 * best[1].y + 16.0 * best[2].y + 64.0 * best[3].y + 256.0 * best[4].y);
    places[n * (CHANNELS1 * POOL1 + CHANNELS2 * POOL2) + CHANNELS1 * POOL1 + o * POOL2 + row] = found;
}

@compute @workgroup_size(WORKGROUP, ROWS)
fn features_forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) id: vec3<u32>) {
    let n = group.x;
    let lane = id.x;
    let source = order[step.first + n];
    load_image(source, id.y * WORKGROUP + lane, WORKGROUP * ROWS);
    workgroupBarrier();

    let bias = vec4<f32>(parameters[CONV1_BIAS + lane], parameters[CONV1_BIAS + lane + WORKGROUP],
        parameters[CONV1_BIAS + lane + 2u * WORKGROUP], parameters[CONV1_BIAS + lane + 3u * WORKGROUP]);
    let w0 = kernel1(lane);
    let w1 = kernel1(lane + WORKGROUP);
    let w2 = kernel1(lane + 2u * WORKGROUP);
    let w3 = kernel1(lane + 3u * WORKGROUP);
    for (var y = id.y; y < POOL1; y += ROWS) {
        row1(n, lane, y, w0, w1, w2, w3, bias);
    }
    storageBarrier();

    for (var row = id.y; row < POOL2; row += ROWS) {
        // Five windows of two channels: a of lane, b of lane + WORKGROUP.
        var a = array<vec4<f32>, 5>();
        var b = array<vec4<f32>, 5>();
        for (var i = 0u; i < CHANNELS1; i++) {
            let at = ((n * CHANNELS1 + i) * POOL1 + 2u * row) * POOL1;
            let u = kernel2(lane, i);
            let v = kernel2(lane + WORKGROUP, i);
            let c = array<mat4x2<f32>, 6>(columns(at), columns(at + 2u), columns(at + 4u), columns(at + 6u), columns(at + 8u), columns(at + 10u));
            let p = array<mat4x4<f32>, 5>(patch_of(c[0], c[1]), patch_of(c[1], c[2]), patch_of(c[2], c[3]), patch_of(c[3], c[4]), patch_of(c[4], c[5]));
            a = array<vec4<f32>, 5>(a[0] + correlate_3(p[0], u), a[1] + correlate_3(p[1], u), a[2] + correlate_3(p[2], u), a[3] + correlate_3(p[3], u), a[4] + correlate_3(p[4], u));
            b = array<vec4<f32>, 5>(b[0] + correlate_3(p[0], v), b[1] + correlate_3(p[1], v), b[2] + correlate_3(p[2], v), b[3] + correlate_3(p[3], v), b[4] + correlate_3(p[4], v));
        }
        finish(n, lane, row, a);
        finish(n, lane + WORKGROUP, row, b);
    }
    if lane == 0u && id.y == 0u {
        targets[n] = labels[source];
    }
}

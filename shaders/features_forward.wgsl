// Both convolutions with ReLU and max pool, then dropout; one workgroup makes one image, each invocation blocks of 3x3 windows of conv1 and of 5x5 positions of conv2.
// Math: pool1 = maxpool(relu(conv1(pixels / 255))); features = m * maxpool(relu(conv2(pool1))), m as in dropout_forward; places = 2 bits for each window: where its first maximum stood
// Shapes: images [TOTAL, SIDE, SIDE] as four u8 to a word; pool1 [N, CHANNELS1, POOL1, POOL1]; features [N, CHANNELS2, POOL2, POOL2]; places [N, CHANNELS1 * POOL1 + CHANNELS2 * POOL2], one word for each row of windows
// Grid: N workgroups in x; WORKGROUP = 16 channels by 16 blocks of windows = 4 quarters of a plane by 4 channels of pool1 by 16 channels
// Cost: flop 2 * 4 * N * (16 CHANNELS1 POOL1^2 + 9 CHANNELS1 CHANNELS2 POOL2^2); bytes N * (SIDE^2 + 4 * (|pool1| + |features| + |places| + 3)) + 4 * |conv parameters|
// Source: conv_forward, max_pool_forward and dropout_forward in one; register tiles as in matrix products, the sum over conv2's inputs split in four

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

@group(0) @binding(0) var<storage, read> images: array<u32>; // [TOTAL, SIDE * SIDE / 4]
@group(0) @binding(1) var<storage, read> labels: array<u32>; // [TOTAL]
@group(0) @binding(2) var<storage, read> order: array<u32>; // [TOTAL]
@group(0) @binding(3) var<storage, read> parameters: array<vec4<f32>>; // all
@group(0) @binding(4) var<storage, read_write> pool1: array<f32>; // [N, CHANNELS1, POOL1, POOL1]
@group(0) @binding(5) var<storage, read_write> places: array<u32>; // [N, CHANNELS1 * POOL1 + CHANNELS2 * POOL2]
@group(0) @binding(6) var<storage, read_write> features: array<f32>; // [N, CHANNELS2, POOL2, POOL2]
@group(0) @binding(7) var<storage, read_write> targets: array<u32>; // [N]
@group(0) @binding(8) var<uniform> step: Step; // this step

// The pixels; at the end the places of pool2.
var<workgroup> image: array<f32, SIDE * SIDE>;
// 16 channels of pool1, four side by side and eight values between fours, so that no two meet in a bank; then where their maxima stood, three to a value. At the end sums of conv2.
var<workgroup> scratch: array<f32, WORKGROUP / 2u * POOL2 * POOL2>;

// Three windows of a row of pool1, the first at `window`, of channel c of 16.
fn keep_windows(c: u32, window: u32, a: vec2<f32>, b: vec2<f32>, d: vec2<f32>) {
    let at = c / 4u * (4u * POOL1 * POOL1 + 8u) + 4u * window + c % 4u;
    scratch[at] = a.x;
    scratch[at + 4u] = b.x;
    scratch[at + 8u] = d.x;
    scratch[16u * (POOL1 * POOL1 + 2u) + (c * POOL1 * POOL1 + window) / 3u] = a.y + 4.0 * b.y + 16.0 * d.y;
}

// A row of three windows of channel c from five rows of pixels.
fn row1(c: u32, window: u32, bias: f32, w: mat4x4<f32>, p: array<array<f32, 5>, 3>, q: array<array<f32, 5>, 3>, r: array<array<f32, 5>, 3>, s: array<array<f32, 5>, 3>, t: array<array<f32, 5>, 3>) {
    keep_windows(c, window, window_of(bias, w, p[0], q[0], r[0], s[0], t[0]), window_of(bias, w, p[1], q[1], r[1], s[1], t[1]), window_of(bias, w, p[2], q[2], r[2], s[2], t[2]));
}

// A block of 3x3 windows of each of 16 channels from `first` on.
fn conv1(first: u32, thread: u32) {
    let c = thread % 16u;
    let row = thread / 64u * 3u;
    let column = thread / 16u % 4u * 3u;
    let w = (CONV1_WEIGHT + 16u * (first + c)) / 4u;
    let k = mat4x4<f32>(parameters[w], parameters[w + 1u], parameters[w + 2u], parameters[w + 3u]);
    let bias = parameters[(CONV1_BIAS + first + c) / 4u][(CONV1_BIAS + first + c) % 4u];
    let at = 2u * (row * SIDE + column);
    let p = array<array<array<f32, 5>, 3>, 9>(fives(at), fives(at + SIDE), fives(at + 2u * SIDE), fives(at + 3u * SIDE), fives(at + 4u * SIDE),
        fives(at + 5u * SIDE), fives(at + 6u * SIDE), fives(at + 7u * SIDE), fives(at + 8u * SIDE));
    let window = row * POOL1 + column;
    row1(c, window, bias, k, p[0], p[1], p[2], p[3], p[4]);
    row1(c, window + POOL1, bias, k, p[2], p[3], p[4], p[5], p[6]);
    row1(c, window + 2u * POOL1, bias, k, p[4], p[5], p[6], p[7], p[8]);
}

// Copies what conv1 left in workgroup memory to where the way back finds it.
fn store_pool1(n: u32, first: u32, thread: u32) {
    for (var i = thread; i < 16u * POOL1 * POOL1; i += WORKGROUP) {
        let c = i / (POOL1 * POOL1);
        pool1[(n * CHANNELS1 + first) * POOL1 * POOL1 + i] = scratch[c / 4u * (4u * POOL1 * POOL1 + 8u) + 4u * (i % (POOL1 * POOL1)) + c % 4u];
    }
    for (var row = thread; row < 16u * POOL1; row += WORKGROUP) {
        let at = 16u * (POOL1 * POOL1 + 2u) + row * (POOL1 / 3u);
        let found = scratch[at] + 64.0 * scratch[at + 1u] + 4096.0 * scratch[at + 2u] + 262144.0 * scratch[at + 3u];
        places[n * (CHANNELS1 * POOL1 + CHANNELS2 * POOL2) + first * POOL1 + row] = u32(found);
    }
}

// Adds to 5x5 positions of channel o what the four channels of pool1 from i on give to them, which begin at `at`.
fn conv2(s: array<array<f32, 5>, 5>, at: u32, o: u32, i: u32) -> array<array<f32, 5>, 5> {
    let w = (CONV2_WEIGHT + (o * CHANNELS1 + i) * 9u) / 4u;
    let v = array<vec4<f32>, 9>(parameters[w], parameters[w + 1u], parameters[w + 2u], parameters[w + 3u], parameters[w + 4u], parameters[w + 5u], parameters[w + 6u], parameters[w + 7u], parameters[w + 8u]);
    let k = taps(v);
    let d = 4u * POOL1;
    let x = array<array<vec4<f32>, 7>, 7>(seven(at), seven(at + d), seven(at + 2u * d), seven(at + 3u * d), seven(at + 4u * d), seven(at + 5u * d), seven(at + 6u * d));
    return array<array<f32, 5>, 5>(along_5(along_5(along_5(s[0], x[0], k[0]), x[1], k[1]), x[2], k[2]), along_5(along_5(along_5(s[1], x[1], k[0]), x[2], k[1]), x[3], k[2]),
        along_5(along_5(along_5(s[2], x[2], k[0]), x[3], k[1]), x[4], k[2]), along_5(along_5(along_5(s[3], x[3], k[0]), x[4], k[1]), x[5], k[2]),
        along_5(along_5(along_5(s[4], x[4], k[0]), x[5], k[1]), x[6], k[2]));
}

// Pools window `window` of channel o, of which scratch holds o % 8.
fn pool2(n: u32, o: u32, window: u32) {
    let y = window / POOL2 * 2u;
    let x = window % POOL2 * 2u;
    let bias = parameters[(CONV2_BIAS + o) / 4u][(CONV2_BIAS + o) % 4u];
    let best = window_best(bias + vec4<f32>(total(o % 8u, y, x), total(o % 8u, y, x + 1u), total(o % 8u, y + 1u, x), total(o % 8u, y + 1u, x + 1u)));
    let element = (n * CHANNELS2 + o) * POOL2 * POOL2 + window;
    features[element] = best.x * dropout_factor(vec2<u32>(KEY_LOW, KEY_HIGH), element, step.index, THRESHOLD, SCALE);
    image[o * POOL2 * POOL2 + window] = best.y;
}

@compute @workgroup_size(WORKGROUP)
fn features_forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let n = group.x;
    let source = order[step.first + n];
    load_image(source, thread, WORKGROUP);
    workgroupBarrier();
    let quarter = thread % 4u;
    let part = thread / 4u % 2u + thread / 32u % 2u * 2u;
    let o = thread / 8u % 4u + thread / 64u * 4u;
    let at = part * (4u * POOL1 * POOL1 + 8u) + 20u * (quarter / 2u * POOL1 + quarter % 2u);
    var s = array<array<f32, 5>, 5>();
    for (var first = 0u; first < CHANNELS1; first += 16u) {
        conv1(first, thread);
        workgroupBarrier();
        store_pool1(n, first, thread);
        s = conv2(s, at, o, first + 4u * part);
        workgroupBarrier();
    }
    // The sums of eight channels fill the memory.
    for (var half = 0u; half < 2u; half++) {
        if o / 8u == half {
            let to = ((o % 8u * 4u + part) * 4u + quarter) * 25u;
            keep_5(to, s[0]);
            keep_5(to + 5u, s[1]);
            keep_5(to + 10u, s[2]);
            keep_5(to + 15u, s[3]);
            keep_5(to + 20u, s[4]);
        }
        workgroupBarrier();
        for (var i = thread; i < CHANNELS2 / 2u * POOL2 * POOL2; i += WORKGROUP) {
            pool2(n, half * 8u + i / (POOL2 * POOL2), i % (POOL2 * POOL2));
        }
        workgroupBarrier();
    }
    for (var row = thread; row < CHANNELS2 * POOL2; row += WORKGROUP) {
        let i = row * POOL2;
        let found = image[i] + 4.0 * image[i + 1u] + 16.0 * image[i + 2u] + 64.0 * image[i + 3u] + 256.0 * image[i + 4u];
        places[n * (CHANNELS1 * POOL1 + CHANNELS2 * POOL2) + CHANNELS1 * POOL1 + row] = u32(found);
    }
    if thread == 0u {
        targets[n] = labels[source];
    }
}

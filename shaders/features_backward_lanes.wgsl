// Gradients of both convolutions' weights and biases for each image by itself; one workgroup makes those of WORKGROUP channels of pool1, one to a lane, and waits for nobody.
// Math: dweight2[o, i] = sum over windows of dfeatures[o] * pool1[i] around the place of its maximum; dpool1 = conv2's adjoint of dfeatures; dweight1[c] = sum over windows of [pool1 > 0] dpool1[c] * pixels around the place
// Shapes: places and pool1 as features_forward leaves them; dfeatures [N, CHANNELS2, POOL2, POOL2]; partial [N, weight and bias of conv1, weight and bias of conv2]
// Grid: N workgroups in x, CHANNELS1 / WORKGROUP in y
// Cost: flop 2 * N * (9 CHANNELS1 CHANNELS2 (POOL2^2 + POOL1^2) + 16 CHANNELS1 POOL1^2); bytes N * (SIDE^2 + 4 * (|places| + |dfeatures| + |pool1| + |partial| + 1)) + 4 * |conv2 weight|
// Source: features_backward for drivers to which a load is dear and registers are cheap: a channel's whole plane stays in them

override WORKGROUP: u32;
override SIDE: u32;
override CHANNELS1: u32;
override POOL1: u32;
override CHANNELS2: u32;
override POOL2: u32;
override CONV2_WEIGHT: u32;
override PARTIAL: u32;

const CONVOLUTIONS = 1292u;

@group(0) @binding(0) var<storage, read> images: array<u32>; // [TOTAL, SIDE * SIDE / 4]
@group(0) @binding(1) var<storage, read> order: array<u32>; // [TOTAL]
@group(0) @binding(2) var<uniform> convolutions: array<vec4<f32>, CONVOLUTIONS>; // parameters of conv1, then of conv2
@group(0) @binding(3) var<storage, read> pool1: array<vec4<f32>>; // [N, CHANNELS1, POOL1, POOL1 / 4]
@group(0) @binding(4) var<storage, read> places: array<u32>; // [N, CHANNELS1 * POOL1 + CHANNELS2 * POOL2]
@group(0) @binding(5) var<storage, read> dfeatures: array<f32>; // [N, CHANNELS2, POOL2, POOL2]
@group(0) @binding(6) var<storage, read_write> partial: array<f32>; // [N, PARTIAL]
@group(0) @binding(7) var<uniform> step: Step; // this step

fn gradients(at: u32) -> array<f32, 5> {
    return array<f32, 5>(dfeatures[at], dfeatures[at + 1u], dfeatures[at + 2u], dfeatures[at + 3u], dfeatures[at + 4u]);
}

fn at_place(g: f32, found: u32, window: u32, place: u32) -> f32 {
    return select(0.0, g, ((found >> (2u * window)) & 3u) == place);
}

// A row of conv2's positions, of which the windows' places `left` and right of it are part, with two 0s on either side.
fn positions(g: array<f32, 5>, found: u32, left: u32) -> array<f32, 14> {
    return array<f32, 14>(0.0, 0.0, at_place(g[0], found, 0u, left), at_place(g[0], found, 0u, left + 1u), at_place(g[1], found, 1u, left), at_place(g[1], found, 1u, left + 1u),
        at_place(g[2], found, 2u, left), at_place(g[2], found, 2u, left + 1u), at_place(g[3], found, 3u, left), at_place(g[3], found, 3u, left + 1u),
        at_place(g[4], found, 4u, left), at_place(g[4], found, 4u, left + 1u), 0.0, 0.0);
}

// Adds to a channel's plane what conv2's gradients d give to it through the turned kernel w.
fn adjoint(s: array<mat3x4<f32>, 12>, d: array<array<f32, 14>, 10>, w: array<vec3<f32>, 3>) -> array<mat3x4<f32>, 12> {
    return array<mat3x4<f32>, 12>(
        s[0] + correlate_row(d[0], w[0]),
        s[1] + correlate_row(d[1], w[0]) + correlate_row(d[0], w[1]),
        s[2] + correlate_row(d[2], w[0]) + correlate_row(d[1], w[1]) + correlate_row(d[0], w[2]),
        s[3] + correlate_row(d[3], w[0]) + correlate_row(d[2], w[1]) + correlate_row(d[1], w[2]),
        s[4] + correlate_row(d[4], w[0]) + correlate_row(d[3], w[1]) + correlate_row(d[2], w[2]),
        s[5] + correlate_row(d[5], w[0]) + correlate_row(d[4], w[1]) + correlate_row(d[3], w[2]),
        s[6] + correlate_row(d[6], w[0]) + correlate_row(d[5], w[1]) + correlate_row(d[4], w[2]),
        s[7] + correlate_row(d[7], w[0]) + correlate_row(d[6], w[1]) + correlate_row(d[5], w[2]),
        s[8] + correlate_row(d[8], w[0]) + correlate_row(d[7], w[1]) + correlate_row(d[6], w[2]),
        s[9] + correlate_row(d[9], w[0]) + correlate_row(d[8], w[1]) + correlate_row(d[7], w[2]),
        s[10] + correlate_row(d[9], w[1]) + correlate_row(d[8], w[2]),
        s[11] + correlate_row(d[9], w[2]));
}

// What a row of windows adds to the gradient of a kernel of conv2.
fn row_share(g: array<f32, 5>, found: u32, a: mat3x4<f32>, b: mat3x4<f32>, c: mat3x4<f32>, d: mat3x4<f32>) -> mat3x3<f32> {
    return g[0] * part_3(mat4x4<f32>(a[0], b[0], c[0], d[0]), found & 3u)
        + g[1] * part_3(mat4x4<f32>(vec4<f32>(a[0].zw, a[1].xy), vec4<f32>(b[0].zw, b[1].xy), vec4<f32>(c[0].zw, c[1].xy), vec4<f32>(d[0].zw, d[1].xy)), (found >> 2u) & 3u)
        + g[2] * part_3(mat4x4<f32>(a[1], b[1], c[1], d[1]), (found >> 4u) & 3u)
        + g[3] * part_3(mat4x4<f32>(vec4<f32>(a[1].zw, a[2].xy), vec4<f32>(b[1].zw, b[2].xy), vec4<f32>(c[1].zw, c[2].xy), vec4<f32>(d[1].zw, d[2].xy)), (found >> 6u) & 3u)
        + g[4] * part_3(mat4x4<f32>(a[2], b[2], c[2], d[2]), (found >> 8u) & 3u);
}

fn sum_of(g: array<f32, 5>) -> f32 {
    return g[0] + g[1] + g[2] + g[3] + g[4];
}

// Gives the gradient of channel c of pool1, and stores those of the weights from it.
fn second(n: u32, c: u32, x: array<mat3x4<f32>, 12>) -> array<mat3x4<f32>, 12> {
    var s = array<mat3x4<f32>, 12>();
    for (var o = 0u; o < CHANNELS2; o++) {
        let at = n * (CHANNELS1 * POOL1 + CHANNELS2 * POOL2) + CHANNELS1 * POOL1 + o * POOL2;
        let f = array<u32, 5>(places[at], places[at + 1u], places[at + 2u], places[at + 3u], places[at + 4u]);
        let begin = (n * CHANNELS2 + o) * POOL2 * POOL2;
        let g = array<array<f32, 5>, 5>(gradients(begin), gradients(begin + 5u), gradients(begin + 10u), gradients(begin + 15u), gradients(begin + 20u));
        let w = (o * CHANNELS1 + c) * 9u;
        let kernel = array<vec3<f32>, 3>(
            vec3<f32>(convolution(CONV2_WEIGHT + w + 2u), convolution(CONV2_WEIGHT + w + 1u), convolution(CONV2_WEIGHT + w)),
            vec3<f32>(convolution(CONV2_WEIGHT + w + 5u), convolution(CONV2_WEIGHT + w + 4u), convolution(CONV2_WEIGHT + w + 3u)),
            vec3<f32>(convolution(CONV2_WEIGHT + w + 8u), convolution(CONV2_WEIGHT + w + 7u), convolution(CONV2_WEIGHT + w + 6u)));
        let d = array<array<f32, 14>, 10>(positions(g[0], f[0], 0u), positions(g[0], f[0], 2u), positions(g[1], f[1], 0u), positions(g[1], f[1], 2u), positions(g[2], f[2], 0u),
            positions(g[2], f[2], 2u), positions(g[3], f[3], 0u), positions(g[3], f[3], 2u), positions(g[4], f[4], 0u), positions(g[4], f[4], 2u));
        s = adjoint(s, d, kernel);
        let e = row_share(g[0], f[0], x[0], x[1], x[2], x[3]) + row_share(g[1], f[1], x[2], x[3], x[4], x[5]) + row_share(g[2], f[2], x[4], x[5], x[6], x[7])
            + row_share(g[3], f[3], x[6], x[7], x[8], x[9]) + row_share(g[4], f[4], x[8], x[9], x[10], x[11]);
        let to = n * PARTIAL + 17u * CHANNELS1;
        for (var t = 0u; t < 9u; t++) {
            partial[to + w + t] = e[t / 3u][t % 3u];
        }
        if c == o {
            partial[to + 9u * CHANNELS1 * CHANNELS2 + o] = sum_of(g[0]) + sum_of(g[1]) + sum_of(g[2]) + sum_of(g[3]) + sum_of(g[4]);
        }
    }
    return s;
}

// What window x of a row adds to the gradient of a kernel of conv1, with the five rows of pixels r under it.
fn share(r: array<array<f32, 28>, 5>, x: u32, gradient: f32, found: u32) -> mat4x4<f32> {
    return gradient * part_4(patch_5(r, x), (found >> (2u * x)) & 3u);
}

@compute @workgroup_size(WORKGROUP)
fn features_backward_lanes(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let n = group.x;
    let c = group.y * WORKGROUP + lane;
    let begin = (n * CHANNELS1 + c) * POOL1 * POOL1 / 4u;
    let x = array<mat3x4<f32>, 12>(plane_row(begin), plane_row(begin + 3u), plane_row(begin + 6u), plane_row(begin + 9u), plane_row(begin + 12u), plane_row(begin + 15u),
        plane_row(begin + 18u), plane_row(begin + 21u), plane_row(begin + 24u), plane_row(begin + 27u), plane_row(begin + 30u), plane_row(begin + 33u));
    var s = second(n, c, x);
    let image = order[step.first + n] * (SIDE * SIDE / 4u);
    var d = mat4x4<f32>();
    var bias = 0.0;
    for (var y = 0u; y < POOL1; y++) {
        let found = places[n * (CHANNELS1 * POOL1 + CHANNELS2 * POOL2) + c * POOL1 + y];
        let value = plane_row(begin + 3u * y);
        let gradient = s[y];
        let g = mat3x4<f32>(select(vec4<f32>(0.0), gradient[0], value[0] > vec4<f32>(0.0)), select(vec4<f32>(0.0), gradient[1], value[1] > vec4<f32>(0.0)), select(vec4<f32>(0.0), gradient[2], value[2] > vec4<f32>(0.0)));
        let r = pixel_rows(image + 14u * y);
        d += share(r, 0u, g[0].x, found) + share(r, 1u, g[0].y, found) + share(r, 2u, g[0].z, found) + share(r, 3u, g[0].w, found)
            + share(r, 4u, g[1].x, found) + share(r, 5u, g[1].y, found) + share(r, 6u, g[1].z, found) + share(r, 7u, g[1].w, found)
            + share(r, 8u, g[2].x, found) + share(r, 9u, g[2].y, found) + share(r, 10u, g[2].z, found) + share(r, 11u, g[2].w, found);
        bias += dot(g[0], vec4<f32>(1.0)) + dot(g[1], vec4<f32>(1.0)) + dot(g[2], vec4<f32>(1.0));
    }
    let to = n * PARTIAL;
    for (var t = 0u; t < 16u; t++) {
        partial[to + 16u * c + t] = d[t / 4u][t % 4u] / 255.0;
    }
    partial[to + 16u * CHANNELS1 + c] = bias;
}

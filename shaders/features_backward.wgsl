// Gradients of both convolutions' weights and biases for each image by itself; one workgroup makes one image, lanes hold channels.
// Math: dweight2[o, i] = sum over windows of dfeatures[o] * pool1[i] around the place of its maximum; dpool1 = conv2's adjoint of dfeatures; dweight1[c] = sum over windows of [pool1 > 0] dpool1[c] * pixels around the place
// Shapes: places and pool1 as features_forward leaves them; dfeatures [N, CHANNELS2, POOL2, POOL2]; partial [N, POOL1 / 4 times (weight and bias of conv1, of four rows of pool1), weight and bias of conv2]
// Grid: N workgroups in x; WORKGROUP lanes by ROWS
// Cost: flop 2 * N * (9 CHANNELS1 CHANNELS2 (POOL2^2 + POOL1^2) + 16 CHANNELS1 POOL1^2); bytes N * (SIDE^2 + 4 * (|places| + |dfeatures| + |pool1| + |partial| + 1)) + 4 * |conv2 weight|
// Source: max_pool_backward, conv_backward_input and conv_backward_weight in one; a window's gradient goes to one position in four, so that only there products are made

override WORKGROUP: u32;
override ROWS: u32;
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
// The gradient at conv2's positions with two rows and columns of 0 around it.
var<workgroup> dconv2: array<f32, CHANNELS2 * (2 * POOL2 + 4) * (2 * POOL2 + 4)>;
var<private> dweight1: mat4x4<f32>;
var<private> dbias1: f32;

fn stage(n: u32, thread: u32) {
    load_image(order[step.first + n], thread, WORKGROUP * ROWS);
    let wide = 2u * POOL2 + 4u;
    for (var i = thread; i < CHANNELS2 * wide * wide; i += WORKGROUP * ROWS) {
        dconv2[i] = 0.0;
    }
    workgroupBarrier();
    for (var i = thread; i < CHANNELS2 * POOL2 * POOL2; i += WORKGROUP * ROWS) {
        let row = i / POOL2;
        let column = i % POOL2;
        let place = (places[n * (CHANNELS1 * POOL1 + CHANNELS2 * POOL2) + CHANNELS1 * POOL1 + row] >> (2u * column)) & 3u;
        let at = (row / POOL2 * wide + 2u * (row % POOL2) + 2u + place / 2u) * wide + 2u * column + 2u + place % 2u;
        dconv2[at] = dfeatures[n * CHANNELS2 * POOL2 * POOL2 + i];
    }
    workgroupBarrier();
}

fn columns2(at: u32) -> mat4x2<f32> {
    let w = 2u * POOL2 + 4u;
    return mat4x2<f32>(dconv2[at], dconv2[at + 1u], dconv2[at + w], dconv2[at + w + 1u],
        dconv2[at + 2u * w], dconv2[at + 2u * w + 1u], dconv2[at + 3u * w], dconv2[at + 3u * w + 1u]);
}

// Six blocks of 2x2 positions of pool1 from the gradient at conv2's positions, from `at` on.
fn blocks(s: array<vec4<f32>, 6>, at: u32, w: array<f32, 9>) -> array<vec4<f32>, 6> {
    let c = array<mat4x2<f32>, 7>(columns2(at), columns2(at + 2u), columns2(at + 4u), columns2(at + 6u), columns2(at + 8u), columns2(at + 10u), columns2(at + 12u));
    return array<vec4<f32>, 6>(s[0] + correlate_3(patch_of(c[0], c[1]), w), s[1] + correlate_3(patch_of(c[1], c[2]), w), s[2] + correlate_3(patch_of(c[2], c[3]), w),
        s[3] + correlate_3(patch_of(c[3], c[4]), w), s[4] + correlate_3(patch_of(c[4], c[5]), w), s[5] + correlate_3(patch_of(c[5], c[6]), w));
}

// Adds the share of window (row, column) of pool1, whose gradient is g where the ReLU let it pass.
fn spread(g: f32, value: f32, place: u32, row: u32, column: u32) {
    let gradient = select(0.0, g, value > 0.0);
    let at = 2u * (row * SIDE + column);
    dbias1 += gradient;
    dweight1 += gradient * part_4(patch_5(at), place);
}

// Conv1's gradients of channel c from the four rows of pool1 that begin at 4 * part.
fn part1(n: u32, c: u32, part: u32) {
    var upper = array<vec4<f32>, 6>();
    var lower = array<vec4<f32>, 6>();
    let wide = 2u * POOL2 + 4u;
    for (var o = 0u; o < CHANNELS2; o++) {
        let w = CONV2_WEIGHT + (o * CHANNELS1 + c) * 9u;
        let turned = array<f32, 9>(parameters[w + 8u], parameters[w + 7u], parameters[w + 6u], parameters[w + 5u], parameters[w + 4u],
            parameters[w + 3u], parameters[w + 2u], parameters[w + 1u], parameters[w]);
        let at = (o * wide + 4u * part) * wide;
        upper = blocks(upper, at, turned);
        lower = blocks(lower, at + 2u * wide, turned);
    }
    dweight1 = mat4x4<f32>();
    dbias1 = 0.0;
    for (var k = 0u; k < 4u; k++) {
        let row = 4u * part + k;
        let found = places[n * (CHANNELS1 * POOL1 + CHANNELS2 * POOL2) + c * POOL1 + row];
        let begin = ((n * CHANNELS1 + c) * POOL1 + row) * POOL1;
        for (var l = 0u; l < POOL1; l += 2u) {
            var both = vec4<f32>();
            for (var block = 0u; block < 6u; block++) {
                both = select(both, select(lower[block], upper[block], k < 2u), l == 2u * block);
            }
            let g = select(both.xy, both.zw, k % 2u == 1u);
            spread(g.x, pool1[begin + l], (found >> (2u * l)) & 3u, row, l);
            spread(g.y, pool1[begin + l + 1u], (found >> (2u * l + 2u)) & 3u, row, l + 1u);
        }
    }
    let first = n * PARTIAL + part * 17u * CHANNELS1;
    for (var t = 0u; t < 16u; t++) {
        partial[first + 16u * c + t] = dweight1[t / 4u][t % 4u];
    }
    partial[first + 16u * CHANNELS1 + c] = dbias1;
}

@compute @workgroup_size(WORKGROUP, ROWS)
fn features_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) id: vec3<u32>) {
    stage(group.x, id.y * WORKGROUP + id.x);
    let parts = POOL1 / 4u;
    for (var task = id.y; task < CHANNELS1 / WORKGROUP * parts; task += ROWS) {
        part1(group.x, task / parts * WORKGROUP + id.x, task % parts);
    }
    for (var task = id.y; task < CHANNELS1 / WORKGROUP * (CHANNELS2 / 4u); task += ROWS) {
        part2(group.x, task % (CHANNELS1 / WORKGROUP) * WORKGROUP + id.x, task / (CHANNELS1 / WORKGROUP) * 4u);
    }
    for (var o = id.y * WORKGROUP + id.x; o < CHANNELS2; o += WORKGROUP * ROWS) {
        bias2(group.x, o);
    }
}

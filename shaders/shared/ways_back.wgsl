// The parts of features_backward: what an invocation computes between two barriers.

// Nine values from `at` on, `stride` apart.
fn keep_9(at: u32, stride: u32, a: vec3<f32>, b: vec3<f32>, c: vec3<f32>) {
    scratch[at] = a.x;
    scratch[at + stride] = a.y;
    scratch[at + 2u * stride] = a.z;
    scratch[at + 3u * stride] = b.x;
    scratch[at + 4u * stride] = b.y;
    scratch[at + 5u * stride] = b.z;
    scratch[at + 6u * stride] = c.x;
    scratch[at + 7u * stride] = c.y;
    scratch[at + 8u * stride] = c.z;
}

fn three(at: u32) -> vec3<f32> {
    return vec3<f32>(scratch[at], scratch[at + 1u], scratch[at + 2u]);
}

// The gradient of conv2's kernel from the plane of pool1 that begins at `plane` to channel o. Invocations of one plane read at
// most four places of a window, which lie in different banks.
fn kernel_gradient(o: u32, plane: u32) -> array<vec3<f32>, 3> {
    var d = array<vec3<f32>, 3>();
    for (var row = 0u; row < POOL2; row++) {
        let word = found[o * POOL2 + row];
        for (var column = 0u; column < POOL2; column++) {
            let place = (word >> (2u * column)) & 3u;
            let g = gradients[(o * POOL2 + row) * POOL2 + column];
            let at = plane + (2u * row + place / 2u) * POOL1 + 2u * column + place % 2u;
            d = array<vec3<f32>, 3>(d[0] + g * three(at), d[1] + g * three(at + POOL1), d[2] + g * three(at + 2u * POOL1));
        }
    }
    return d;
}

// The gradients of conv2's kernels, which lie in scratch, and of its biases.
fn store_conv2(n: u32, first: u32, thread: u32) {
    let row = 9u * WORKGROUP / 16u;
    for (var i = thread; i < CHANNELS2 * row; i += WORKGROUP) {
        partial[n * PARTIAL + 17u * CHANNELS1 + (i / row * CHANNELS1 + first) * 9u + i % row] = scratch[i];
    }
    if first == 0u && thread < CHANNELS2 {
        var sum = 0.0;
        for (var window = 0u; window < POOL2 * POOL2; window++) {
            sum += gradients[thread * POOL2 * POOL2 + window];
        }
        partial[(n + 1u) * PARTIAL - CHANNELS2 + thread] = sum;
    }
}

// Adds three taps of four channels along a row of five positions to three sums.
fn along_3(s: vec3<f32>, at: u32, w: array<vec4<f32>, 3>) -> vec3<f32> {
    let a = positions[at];
    let b = positions[at + 1u];
    let c = positions[at + 2u];
    let d = positions[at + 3u];
    let e = positions[at + 4u];
    return vec3<f32>(meet(meet(meet(s.x, a, w[0]), b, w[1]), c, w[2]), meet(meet(meet(s.y, b, w[0]), c, w[1]), d, w[2]), meet(meet(meet(s.z, c, w[0]), d, w[1]), e, w[2]));
}

fn three_weights(at: u32, channels: u32) -> array<vec4<f32>, 3> {
    return array<vec4<f32>, 3>(weights[at], weights[at + channels], weights[at + 2u * channels]);
}

// Adds to a block of 3x3 gradients of channel c of pool1 what four channels of conv2 give to it from position `at` on.
fn adjoint(s: array<vec3<f32>, 3>, at: u32, c: u32, channels: u32) -> array<vec3<f32>, 3> {
    let d = 2u * POOL2 + 4u;
    let u = three_weights(c, channels);
    let v = three_weights(c + 3u * channels, channels);
    let w = three_weights(c + 6u * channels, channels);
    return array<vec3<f32>, 3>(along_3(along_3(along_3(s[0], at, u), at + d, v), at + 2u * d, w), along_3(along_3(along_3(s[1], at + d, u), at + 2u * d, v), at + 3u * d, w),
        along_3(along_3(along_3(s[2], at + 2u * d, u), at + 3u * d, v), at + 4u * d, w));
}

// The gradients of three windows where the ReLU let them through.
fn passed(g: vec3<f32>, bits: u32) -> vec3<f32> {
    return select(vec3<f32>(0.0), g, (vec3<u32>(bits, bits >> 1u, bits >> 2u) & vec3<u32>(1u)) == vec3<u32>(1u));
}

fn four(at: u32) -> vec4<f32> {
    return vec4<f32>(image[at], image[at + 1u], image[at + 2u], image[at + 3u]);
}

// Adds a window with gradient g to the kernel's, its pixels from `at` on.
fn add_window(k: mat4x4<f32>, g: f32, place: u32, begin: u32) -> mat4x4<f32> {
    let at = begin + place / 2u * SIDE + place % 2u;
    return mat4x4<f32>(k[0] + g * four(at), k[1] + g * four(at + SIDE), k[2] + g * four(at + 2u * SIDE), k[3] + g * four(at + 3u * SIDE));
}

// Adds three windows of a row; `word` has two bits for the place of each.
fn add_windows(k: mat4x4<f32>, g: vec3<f32>, word: u32, at: u32) -> mat4x4<f32> {
    return add_window(add_window(add_window(k, g.x, word & 3u, at), g.y, (word >> 2u) & 3u, at + 2u), g.z, (word >> 4u) & 3u, at + 4u);
}

// Sums the blocks' parts of `count` values from number `begin` on of each channel's 16 weights and one bias.
fn store_conv1(n: u32, first: u32, begin: u32, count: u32, thread: u32) {
    let channels = WORKGROUP / 16u;
    for (var i = thread; i < count * channels; i += WORKGROUP) {
        let c = i % channels;
        var sum = 0.0;
        for (var block = 0u; block < 16u; block++) {
            sum += scratch[i / channels * (WORKGROUP + 8u) + block * channels + c];
        }
        let k = begin + i / channels;
        partial[n * PARTIAL + select(16u * (first + c) + k, 16u * CHANNELS1 + first + c, k == 16u)] = sum;
    }
}

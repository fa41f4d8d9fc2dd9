// Blocks of sums for a kernel that has `image` and `scratch`: what an invocation loads once it uses for many sums.

// Nine pixels of a row from `at` on, as the three windows above them see them.
fn fives(at: u32) -> array<array<f32, 5>, 3> {
    let a = array<f32, 9>(image[at], image[at + 1u], image[at + 2u], image[at + 3u], image[at + 4u], image[at + 5u], image[at + 6u], image[at + 7u], image[at + 8u]);
    return array<array<f32, 5>, 3>(array<f32, 5>(a[0], a[1], a[2], a[3], a[4]), array<f32, 5>(a[2], a[3], a[4], a[5], a[6]), array<f32, 5>(a[4], a[5], a[6], a[7], a[8]));
}

// Adds one row of a kernel's products with two rows of pixels at a window's four places.
fn add_row(s: vec4<f32>, w: vec4<f32>, p: array<f32, 5>, q: array<f32, 5>) -> vec4<f32> {
    return s + w.x * vec4<f32>(p[0], p[1], q[0], q[1]) + w.y * vec4<f32>(p[1], p[2], q[1], q[2])
        + w.z * vec4<f32>(p[2], p[3], q[2], q[3]) + w.w * vec4<f32>(p[3], p[4], q[3], q[4]);
}

// A window of conv1 from five rows of five pixels: its value, and the place of its maximum.
fn window_of(bias: f32, w: mat4x4<f32>, a: array<f32, 5>, b: array<f32, 5>, c: array<f32, 5>, d: array<f32, 5>, e: array<f32, 5>) -> vec2<f32> {
    return window_best(add_row(add_row(add_row(add_row(vec4<f32>(bias), w[0], a, b), w[1], b, c), w[2], c, d), w[3], d, e));
}

// Adds three taps of four channels along a row of seven places to five sums.
fn along_5(s: array<f32, 5>, x: array<vec4<f32>, 7>, w: array<vec4<f32>, 3>) -> array<f32, 5> {
    return array<f32, 5>(meet(meet(meet(s[0], x[0], w[0]), x[1], w[1]), x[2], w[2]), meet(meet(meet(s[1], x[1], w[0]), x[2], w[1]), x[3], w[2]),
        meet(meet(meet(s[2], x[2], w[0]), x[3], w[1]), x[4], w[2]), meet(meet(meet(s[3], x[3], w[0]), x[4], w[1]), x[5], w[2]),
        meet(meet(meet(s[4], x[4], w[0]), x[5], w[1]), x[6], w[2]));
}

// Four channels at one place of scratch.
fn four(at: u32) -> vec4<f32> {
    return vec4<f32>(scratch[at], scratch[at + 1u], scratch[at + 2u], scratch[at + 3u]);
}

fn seven(at: u32) -> array<vec4<f32>, 7> {
    return array<vec4<f32>, 7>(four(at), four(at + 4u), four(at + 8u), four(at + 12u), four(at + 16u), four(at + 20u), four(at + 24u));
}

fn keep_5(at: u32, s: array<f32, 5>) {
    scratch[at] = s[0];
    scratch[at + 1u] = s[1];
    scratch[at + 2u] = s[2];
    scratch[at + 3u] = s[3];
    scratch[at + 4u] = s[4];
}

// The 3x3 taps of four channels whose kernels lie one behind the other.
fn taps(v: array<vec4<f32>, 9>) -> array<array<vec4<f32>, 3>, 3> {
    return array<array<vec4<f32>, 3>, 3>(
        array<vec4<f32>, 3>(vec4<f32>(v[0].x, v[2].y, v[4].z, v[6].w), vec4<f32>(v[0].y, v[2].z, v[4].w, v[7].x), vec4<f32>(v[0].z, v[2].w, v[5].x, v[7].y)),
        array<vec4<f32>, 3>(vec4<f32>(v[0].w, v[3].x, v[5].y, v[7].z), vec4<f32>(v[1].x, v[3].y, v[5].z, v[7].w), vec4<f32>(v[1].y, v[3].z, v[5].w, v[8].x)),
        array<vec4<f32>, 3>(vec4<f32>(v[1].z, v[3].w, v[6].x, v[8].y), vec4<f32>(v[1].w, v[4].x, v[6].y, v[8].z), vec4<f32>(v[2].x, v[4].y, v[6].z, v[8].w)));
}

// The sum at a position of channel o of eight over the four parts that invocations made.
fn total(o: u32, y: u32, x: u32) -> f32 {
    let at = ((16u * o + y / 5u * 2u + x / 5u) * 5u + y % 5u) * 5u + x % 5u;
    return scratch[at] + scratch[at + 100u] + scratch[at + 200u] + scratch[at + 300u];
}

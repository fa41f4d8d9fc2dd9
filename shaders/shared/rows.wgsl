// For kernels whose lanes carry whole rows: they bind `images`, `pool1` as vec4s, and `convolutions`.

// Parameter `index` of the convolutions.
fn convolution(index: u32) -> f32 {
    return convolutions[index / 4u][index % 4u];
}

// A row of a plane of pool1, from quadruple `at` on.
fn plane_row(at: u32) -> mat3x4<f32> {
    return mat3x4<f32>(pool1[at], pool1[at + 1u], pool1[at + 2u]);
}

// Four pixels of 0 to 255.
fn quadruple(word: u32) -> vec4<f32> {
    return vec4<f32>(vec4<i32>(vec4<u32>(word, word >> 8u, word >> 16u, word >> 24u) & vec4<u32>(255u)));
}

// A row of pixels of 0 to 255, from word `at` on.
fn pixel_row(at: u32) -> array<f32, 28> {
    let a = quadruple(images[at]);
    let b = quadruple(images[at + 1u]);
    let c = quadruple(images[at + 2u]);
    let d = quadruple(images[at + 3u]);
    let e = quadruple(images[at + 4u]);
    let f = quadruple(images[at + 5u]);
    let g = quadruple(images[at + 6u]);
    return array<f32, 28>(a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w, c.x, c.y, c.z, c.w, d.x, d.y, d.z, d.w, e.x, e.y, e.z, e.w, f.x, f.y, f.z, f.w, g.x, g.y, g.z, g.w);
}

// The five rows of pixels under a row of windows of pool1, from word `at` on.
fn pixel_rows(at: u32) -> array<array<f32, 28>, 5> {
    return array<array<f32, 28>, 5>(pixel_row(at), pixel_row(at + 7u), pixel_row(at + 14u), pixel_row(at + 21u), pixel_row(at + 28u));
}

// The five by five pixels under window x of a row.
fn patch_5(r: array<array<f32, 28>, 5>, x: u32) -> array<array<f32, 5>, 5> {
    return array<array<f32, 5>, 5>(pixels(r[0], 2u * x), pixels(r[1], 2u * x), pixels(r[2], 2u * x), pixels(r[3], 2u * x), pixels(r[4], 2u * x));
}

fn pixels(r: array<f32, 28>, at: u32) -> array<f32, 5> {
    return array<f32, 5>(r[at], r[at + 1u], r[at + 2u], r[at + 3u], r[at + 4u]);
}

// Cross-correlation of a row of 14 values with a row of three weights, at 12 places.
fn correlate_row(p: array<f32, 14>, w: vec3<f32>) -> mat3x4<f32> {
    return mat3x4<f32>(
        w.x * vec4<f32>(p[0], p[1], p[2], p[3]) + w.y * vec4<f32>(p[1], p[2], p[3], p[4]) + w.z * vec4<f32>(p[2], p[3], p[4], p[5]),
        w.x * vec4<f32>(p[4], p[5], p[6], p[7]) + w.y * vec4<f32>(p[5], p[6], p[7], p[8]) + w.z * vec4<f32>(p[6], p[7], p[8], p[9]),
        w.x * vec4<f32>(p[8], p[9], p[10], p[11]) + w.y * vec4<f32>(p[9], p[10], p[11], p[12]) + w.z * vec4<f32>(p[10], p[11], p[12], p[13]));
}

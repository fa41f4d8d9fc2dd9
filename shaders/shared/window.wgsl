// Windows of 2x2 positions and the patches they are made from. Everything is by rows; place 2 a + b is row a, column b.

// The largest of a window's four values after a ReLU, and its place; the first of equals counts.
fn window_best(s: vec4<f32>) -> vec2<f32> {
    var best = vec2<f32>(max(s.x, 0.0), 0.0);
    best = select(best, vec2<f32>(s.y, 1.0), s.y > best.x);
    best = select(best, vec2<f32>(s.z, 2.0), s.z > best.x);
    return select(best, vec2<f32>(s.w, 3.0), s.w > best.x);
}

// One row of a kernel's products with two rows of the patch.
fn products_4(w: vec4<f32>, p: array<f32, 5>, q: array<f32, 5>) -> vec4<f32> {
    return w.x * vec4<f32>(p[0], p[1], q[0], q[1]) + w.y * vec4<f32>(p[1], p[2], q[1], q[2])
        + w.z * vec4<f32>(p[2], p[3], q[2], q[3]) + w.w * vec4<f32>(p[3], p[4], q[3], q[4]);
}

// Cross-correlation of a 5x5 patch with a 4x4 kernel at the window's four places.
fn correlate_4(p: array<array<f32, 5>, 5>, w: mat4x4<f32>) -> vec4<f32> {
    return products_4(w[0], p[0], p[1]) + products_4(w[1], p[1], p[2]) + products_4(w[2], p[2], p[3]) + products_4(w[3], p[3], p[4]);
}

// The 3x3 part of a 4x4 patch that meets the kernel at `place`.
fn part_3(p: mat4x4<f32>, place: u32) -> mat3x3<f32> {
    let low = place >= 2u;
    let right = (place & 1u) == 1u;
    let a = select(p[0], p[1], low);
    let b = select(p[1], p[2], low);
    let c = select(p[2], p[3], low);
    return mat3x3<f32>(select(a.xyz, a.yzw, right), select(b.xyz, b.yzw, right), select(c.xyz, c.yzw, right));
}

fn part_row(p: array<f32, 5>, q: array<f32, 5>, low: bool, right: bool) -> vec4<f32> {
    let a = select(vec4<f32>(p[0], p[1], p[2], p[3]), vec4<f32>(q[0], q[1], q[2], q[3]), low);
    return select(a, vec4<f32>(a.yzw, select(p[4], q[4], low)), right);
}

// The 4x4 part of a 5x5 patch that meets the kernel at `place`.
fn part_4(p: array<array<f32, 5>, 5>, place: u32) -> mat4x4<f32> {
    let low = place >= 2u;
    let right = (place & 1u) == 1u;
    return mat4x4<f32>(part_row(p[0], p[1], low, right), part_row(p[1], p[2], low, right), part_row(p[2], p[3], low, right), part_row(p[3], p[4], low, right));
}

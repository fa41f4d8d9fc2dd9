// The maximum of a window's values after a ReLU, and which it is: value 2 a + b is that of row a, column b. The first
// of equals counts.
fn relu_max_pool(values: vec4<f32>) -> vec2<f32> {
    var best = vec2<f32>(max(values.x, 0.0), 0.0);
    best = select(best, vec2<f32>(values.y, 1.0), values.y > best.x);
    best = select(best, vec2<f32>(values.z, 2.0), values.z > best.x);
    return select(best, vec2<f32>(values.w, 3.0), values.w > best.x);
}

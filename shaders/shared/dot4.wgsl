// Adds a dot product to `sum`, one product after the other, so that each is one multiply-add.
fn add_dot4(sum: f32, x: vec4<f32>, weights: vec4<f32>) -> f32 {
    return sum + x.x * weights.x + x.y * weights.y + x.z * weights.z + x.w * weights.w;
}

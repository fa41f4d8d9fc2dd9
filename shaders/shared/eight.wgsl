// Values of eight images, four to a column.
fn rectified(s: mat2x4<f32>) -> mat2x4<f32> {
    return mat2x4<f32>(max(s[0], vec4<f32>(0.0)), max(s[1], vec4<f32>(0.0)));
}

// The gradients where the ReLU let the values a pass, else 0.
fn passed(s: mat2x4<f32>, a: mat2x4<f32>) -> mat2x4<f32> {
    return mat2x4<f32>(select(vec4<f32>(0.0), s[0], a[0] > vec4<f32>(0.0)), select(vec4<f32>(0.0), s[1], a[1] > vec4<f32>(0.0)));
}

fn both(bias: f32) -> mat2x4<f32> {
    return mat2x4<f32>(vec4<f32>(bias), vec4<f32>(bias));
}

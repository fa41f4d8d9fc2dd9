// What dropout multiplies value `element` of this device's images with in training step `index`: 0, or `scale` where it
// is kept.
fn dropout_factor(key: vec2<u32>, element: u32, index: u32, threshold: u32, scale: f32) -> f32 {
    return select(0.0, scale, threefry2x32(key, vec2<u32>(step.first_value + element, index)).x >= threshold);
}

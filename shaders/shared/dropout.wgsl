// What dropout multiplies value `element` of the batch with in training step `step`: 0, or `scale` where the value is kept.
fn dropout_factor(key: vec2<u32>, element: u32, step: u32, threshold: u32, scale: f32) -> f32 {
    return select(0.0, scale, threefry2x32(key, vec2<u32>(element, step)).x >= threshold);
}

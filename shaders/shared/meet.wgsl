// Adds the products of four channels' values x at one place with their weights w. The sum goes on from s, so that every product
// is one multiply-add.
fn meet(s: f32, x: vec4<f32>, w: vec4<f32>) -> f32 {
    return s + x.x * w.x + x.y * w.y + x.z * w.z + x.w * w.w;
}

// For kernels that bind `outcome` and `metrics`, and sum over the batch.

// What four units' deltas d and four inputs x of one image add to their weights' gradients.
fn outer(d: vec4<f32>, x: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(d.x * x, d.y * x, d.z * x, d.w * x);
}

// The metrics of the step.
fn sum_outcome() {
    // Pairs of running sums round less than one.
    var even = vec2<f32>(0.0);
    var odd = vec2<f32>(0.0);
    for (var n = 0u; n + 1u < step.batch; n += 2u) {
        even += outcome[n];
        odd += outcome[n + 1u];
    }
    if step.batch % 2u == 1u {
        even += outcome[step.batch - 1u];
    }
    metrics[step.slot] = even + odd;
}

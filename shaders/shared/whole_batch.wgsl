// Parts of gradient_update: sums over every so manyth image of the batch.

// Adds what four units' deltas d and four inputs x of one image give to their weights' gradients.
fn add_outer(s: mat4x4<f32>, d: vec4<f32>, x: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(s[0] + d.x * x, s[1] + d.y * x, s[2] + d.z * x, s[3] + d.w * x);
}

fn partial_sum(quadruple: u32, part: u32) -> vec4<f32> {
    let stride = (CONV1 + CONV2) / 4u;
    var s = vec4<f32>(0.0);
    for (var n = part; n < step.batch; n += WORKGROUP / INPUTS) {
        s += partial[n * stride + min(quadruple, stride - 1u)];
    }
    return s;
}

fn outcome_sum(lane: u32) -> vec2<f32> {
    var s = vec2<f32>(0.0);
    for (var n = lane; n < step.batch; n += WORKGROUP) {
        s += outcome[n];
    }
    return s;
}

// The sum of what all invocations keep of the outcomes, in four running sums, which round less than one.
fn all_outcomes() -> vec2<f32> {
    var s = array<vec4<f32>, 4>();
    for (var lane = 0u; lane < min(WORKGROUP, step.batch); lane += 4u) {
        s = array<vec4<f32>, 4>(s[0] + sums[lane], s[1] + sums[lane + 1u], s[2] + sums[lane + 2u], s[3] + sums[lane + 3u]);
    }
    return (s[0] + s[1] + s[2] + s[3]).xy;
}

// Gradient with respect to a dense layer's bias; one invocation makes one unit.
// Math: dbias[o] = sum over n of dy[n, o]
// Shapes: dy [N, OUT]; dbias [OUT]
// Grid: OUT invocations in x
// Cost: flop N * OUT; bytes 4 * (N + 1) * OUT
// Source: Goodfellow, Bengio, Courville, "Deep Learning", section 6.5

override WORKGROUP: u32;
override OUT: u32;
override BIAS: u32;

@group(0) @binding(0) var<storage, read> dy: array<f32>; // [N, OUT]
@group(0) @binding(1) var<storage, read_write> gradients: array<f32>; // all; this layer's bias from BIAS on
@group(0) @binding(2) var<uniform> step: Step; // this step

@compute @workgroup_size(WORKGROUP)
fn dense_backward_bias(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= OUT {
        return;
    }
    var sum = 0.0;
    for (var n = 0u; n < step.batch; n++) {
        sum += dy[n * OUT + id.x];
    }
    gradients[BIAS + id.x] = sum;
}

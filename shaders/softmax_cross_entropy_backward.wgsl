// Gradient of the mean loss with respect to the logits; one invocation makes one image.
// Math: dz[n, k] = (exp(z[n, k] - m) / sum over j of exp(z[n, j] - m) - [k = targets[n]]) / N, m = max over k of z[n,
//   k]
// Shapes: z, dz [N, CLASSES]; targets [N]
// Grid: N invocations in x and y
// Cost: flop N * (7 CLASSES - 1); bytes 4 * N * (2 CLASSES + 1)
// Source: Goodfellow, Bengio, Courville, "Deep Learning", section 6.2.2.3

override WORKGROUP: u32;
override CLASSES: u32;

@group(0) @binding(0) var<storage, read> z: array<f32>; // [N, CLASSES]
@group(0) @binding(1) var<storage, read> targets: array<u32>; // [N]
@group(0) @binding(2) var<storage, read_write> dz: array<f32>; // [N, CLASSES]
@group(0) @binding(3) var<uniform> step: Step; // this step

@compute @workgroup_size(WORKGROUP)
fn softmax_cross_entropy_backward(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let invocation = id.y * groups.x * WORKGROUP + id.x;
    let n = invocation;
    if n >= step.batch {
        return;
    }
    let first = n * CLASSES;
    var largest = z[first];
    for (var k = 1u; k < CLASSES; k++) {
        largest = max(largest, z[first + k]);
    }
    var sum = 0.0;
    for (var k = 0u; k < CLASSES; k++) {
        sum += exp(z[first + k] - largest);
    }
    for (var k = 0u; k < CLASSES; k++) {
        let probability = exp(z[first + k] - largest) / sum;
        dz[first + k] = (probability - select(0.0, 1.0, k == targets[n])) / f32(step.batch);
    }
}

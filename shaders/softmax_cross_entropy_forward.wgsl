// Loss of each image, and whether its largest logit is the right one; one invocation makes one image.
// Math: loss[n] = log(sum over k of exp(z[n, k] - m)) + m - z[n, t], m = max over k of z[n, k], t = targets[n];
//   correct[n] = 1 if t is the first maximum, else 0
// Shapes: z [N, CLASSES]; targets, loss, correct [N]
// Grid: N invocations in x and y
// Cost: flop N * (4 CLASSES + 2); bytes 4 * N * (CLASSES + 3)
// Source: Goodfellow, Bengio, Courville, "Deep Learning", sections 4.1 and 6.2.2.3

override WORKGROUP: u32;
override CLASSES: u32;

@group(0) @binding(0) var<storage, read> z: array<f32>; // [N, CLASSES]
@group(0) @binding(1) var<storage, read> targets: array<u32>; // [N]
@group(0) @binding(2) var<storage, read_write> loss: array<f32>; // [N]
@group(0) @binding(3) var<storage, read_write> correct: array<f32>; // [N]
@group(0) @binding(4) var<uniform> step: Step; // this step

@compute @workgroup_size(WORKGROUP)
fn softmax_cross_entropy_forward(
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
    var class_of_largest = 0u;
    for (var k = 1u; k < CLASSES; k++) {
        if z[first + k] > largest {
            largest = z[first + k];
            class_of_largest = k;
        }
    }
    var sum = 0.0;
    for (var k = 0u; k < CLASSES; k++) {
        sum += exp(z[first + k] - largest);
    }
    loss[n] = log(sum) + largest - z[first + targets[n]];
    correct[n] = select(0.0, 1.0, class_of_largest == targets[n]);
}

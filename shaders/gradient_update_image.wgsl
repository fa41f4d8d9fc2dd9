// Every parameter's gradient over the batch and its update, and the step's metrics, from what image_forward_backward
//   leaves; the division of the work is that of gradient_update.
// Math: g = sum over n of delta[n, o] x[n, i] (dense), of partial[n] (convolutions); v = MOMENTUM v - learning_rate g;
//   w = w + v; metrics[slot] = sum over n of loss[n], of 1 if right
// Shapes: activations, deltas (losses and right answers included), partial as image_forward_backward has them;
//   velocities v, parameters w
// Grid: as that of gradient_update
// Cost: flop N * (2 * |dense weights| + |dense biases| + |partial|) + 4 * |w|; bytes 4 * (N * (|activations| +
//   |deltas| + |partial|) + 4 * |w| + 2)
// Source: gradient_update, with fewer buffers

override WORKGROUP: u32;
override FEATURES: u32;
override UNITS1: u32;
override UNITS2: u32;
override CLASSES: u32;
override FC1_WEIGHT: u32;
override FC1_BIAS: u32;
override FC2_WEIGHT: u32;
override FC2_BIAS: u32;
override FC3_WEIGHT: u32;
override FC3_BIAS: u32;
override CONV1: u32;
override CONV2: u32;
override MOMENTUM: f32;
override INPUTS: u32;

@group(0) @binding(0) var<storage, read> activations: array<vec4<f32>>; // [N, (FEATURES + UNITS1 + UNITS2) / 4]
@group(0) @binding(1) var<storage, read> deltas: array<vec4<f32>>; // [N, (UNITS1 + UNITS2 + CLASSES + 2) / 4]
@group(0) @binding(2) var<storage, read> partial: array<vec4<f32>>; // [N, (CONV1 + CONV2) / 4]
@group(0) @binding(3) var<storage, read_write> metrics: array<vec2<f32>>; // [SLOTS]
@group(0) @binding(4) var<storage, read_write> velocities: array<vec4<f32>>; // all
@group(0) @binding(5) var<storage, read_write> parameters: array<vec4<f32>>; // all
@group(0) @binding(6) var<uniform> step: Step; // this step

// Sums over a part of the batch: of four units, [4, PARTS, vec4s of units, INPUTS].
var<workgroup> sums: array<vec4<f32>, 4u * WORKGROUP>;

// Vec4 `i` of a row of inputs of AHEAD images, PARTS apart: of the features or of the hidden units. One branch for all
// lets the loads be under way together, as in gradient_update.
fn load_inputs(of_features: bool, first: u32, i: u32) -> array<vec4<f32>, AHEAD> {
    let width = (FEATURES + UNITS1 + UNITS2) / 4u;
    var values: array<vec4<f32>, AHEAD>;
    if of_features {
        // unroll
        for (var k = 0u; k < AHEAD; k++) {
            values[k] = activations[min(first + k * PARTS, step.batch - 1u) * width + i];
        }
    } else {
        // unroll
        for (var k = 0u; k < AHEAD; k++) {
            values[k] = activations[min(first + k * PARTS, step.batch - 1u) * width + FEATURES / 4u + i];
        }
    }
    return values;
}

// The loss of image `n`, and 1 if it is right: they end its row of deltas.
fn outcome_of(n: u32) -> vec2<f32> {
    return deltas[(n + 1u) * vec4s_of_deltas() - 1u].zw;
}

@compute @workgroup_size(WORKGROUP)
fn gradient_update_image(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) invocation: u32) {
    update_all(group.x, invocation);
}

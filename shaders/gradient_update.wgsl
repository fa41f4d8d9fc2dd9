// Every parameter's gradient over the batch and its update, and the step's metrics; a workgroup makes 4 WORKGROUP /
//   (PARTS INPUTS) units of a dense layer by INPUTS vec4s of inputs, or VECTORS vec4s of biases and the convolutions'
//   parameters, each part of the batch by other invocations.
// Math: g = sum over n of delta[n, o] x[n, i] (dense), of partial[n] (convolutions); v = MOMENTUM v - learning_rate g;
//   w = w + v; metrics[slot] = sum over n of outcome[n]
// Shapes: features, hidden, deltas, outcome as classifier_forward_backward has them; partial as features_backward
//   leaves it; velocities v, parameters w
// Grid: the sum over dense layers of ceil(units / units of a workgroup) * ceil(inputs / 4 / INPUTS), +
//   ceil((|conv parameters| + |deltas|) / 4 / VECTORS) + 1 workgroups in x
// Cost: flop N * (2 * |dense weights| + |dense biases| + |partial|) + 4 * |w|; bytes 4 * (N * (|features| + |hidden| +
//   |deltas| + |partial| + 2) + 4 * |w| + 2)
// Source: dense_backward_weight, dense_backward_bias, conv_backward_weight_reduce, sgd_update and metrics_reduce in
//   one; no gradient is kept

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

@group(0) @binding(0) var<storage, read> features: array<vec4<f32>>; // [N, FEATURES / 4]
@group(0) @binding(1) var<storage, read> hidden: array<vec4<f32>>; // [N, (UNITS1 + UNITS2) / 4]
@group(0) @binding(2) var<storage, read> deltas: array<vec4<f32>>; // [N, ceil((UNITS1 + UNITS2 + CLASSES) / 4)]
@group(0) @binding(3) var<storage, read> outcome: array<vec2<f32>>; // [N]
@group(0) @binding(4) var<storage, read> partial: array<vec4<f32>>; // [N, (CONV1 + CONV2) / 4]
@group(0) @binding(5) var<storage, read_write> metrics: array<vec2<f32>>; // [SLOTS]
@group(0) @binding(6) var<storage, read_write> velocities: array<vec4<f32>>; // all
@group(0) @binding(7) var<storage, read_write> parameters: array<vec4<f32>>; // all
@group(0) @binding(8) var<uniform> step: Step; // this step

// Sums over a part of the batch: of four units, [4, PARTS, vec4s of units, INPUTS].
var<workgroup> sums: array<vec4<f32>, 4u * WORKGROUP>;

// Vec4 `i` of a row of inputs of AHEAD images, PARTS apart: of the features or of the hidden units. One branch for all
// lets the loads be under way together.
fn load_inputs(of_features: bool, first: u32, i: u32) -> array<vec4<f32>, AHEAD> {
    var values: array<vec4<f32>, AHEAD>;
    if of_features {
        // unroll
        for (var k = 0u; k < AHEAD; k++) {
            values[k] = features[min(first + k * PARTS, step.batch - 1u) * (FEATURES / 4u) + i];
        }
    } else {
        // unroll
        for (var k = 0u; k < AHEAD; k++) {
            values[k] = hidden[min(first + k * PARTS, step.batch - 1u) * ((UNITS1 + UNITS2) / 4u) + i];
        }
    }
    return values;
}

fn outcome_of(n: u32) -> vec2<f32> {
    return outcome[n];
}

@compute @workgroup_size(WORKGROUP)
fn gradient_update(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) invocation: u32) {
    update_all(group.x, invocation);
}

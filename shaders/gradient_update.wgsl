// Every parameter's gradient over the batch and its update, and the step's metrics; a workgroup makes four units of a
//   dense layer by INPUTS vec4s of inputs, or INPUTS vec4s of the convolutions' parameters, each part of the batch by
//   other invocations.
// Math: g = sum over n of delta[n, o] x[n, i] (dense), of partial[n] (convolutions); v = MOMENTUM v - learning_rate g;
//   w = w + v; metrics[slot] = sum over n of outcome[n]
// Shapes: features, hidden, deltas, outcome as classifier_forward_backward has them; partial as features_backward
//   leaves it; velocities v, parameters w
// Grid: the sum over dense layers of ceil(units / 4) * ceil((inputs / 4 + 1) / INPUTS), + ceil(|conv parameters| / 4 /
//   INPUTS) + 1 workgroups in x
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

// Running sums over the outcomes of the batch: several round less than one.
const RUNNING = 4u;

@group(0) @binding(0) var<storage, read> features: array<vec4<f32>>; // [N, FEATURES / 4]
@group(0) @binding(1) var<storage, read> hidden: array<vec4<f32>>; // [N, (UNITS1 + UNITS2) / 4]
@group(0) @binding(2) var<storage, read> deltas: array<vec4<f32>>; // [N, ceil((UNITS1 + UNITS2 + CLASSES) / 4)]
@group(0) @binding(3) var<storage, read> outcome: array<vec2<f32>>; // [N]
@group(0) @binding(4) var<storage, read> partial: array<vec4<f32>>; // [N, (CONV1 + CONV2) / 4]
@group(0) @binding(5) var<storage, read_write> metrics: array<vec2<f32>>; // [SLOTS]
@group(0) @binding(6) var<storage, read_write> velocities: array<vec4<f32>>; // all
@group(0) @binding(7) var<storage, read_write> parameters: array<vec4<f32>>; // all
@group(0) @binding(8) var<uniform> step: Step; // this step

// Sums over a part of the batch: of four units, [4, WORKGROUP / INPUTS, INPUTS].
var<workgroup> sums: array<vec4<f32>, 4u * WORKGROUP>;

// Adds what four units' deltas and four inputs of one image contribute to the gradients of their weights.
fn add_outer(before: mat4x4<f32>, delta: vec4<f32>, input: vec4<f32>) -> mat4x4<f32> {
    var products = before;
    // unroll
    for (var unit = 0u; unit < 4u; unit++) {
        products[unit] += delta[unit] * input;
    }
    return products;
}

// This part of the sums of four units with vec4 `input` of the features; a bias is the weight of an input that is
// always 1.
fn features_sums(tile: u32, input: u32, part: u32) -> mat4x4<f32> {
    let width = FEATURES / 4u;
    var products = mat4x4<f32>();
    for (var n = part; n < step.batch; n += WORKGROUP / INPUTS) {
        let values = features[n * width + min(input, width - 1u)];
        let delta = deltas[n * vec4s_of_deltas() + tile];
        products = add_outer(products, delta, select(vec4<f32>(1.0), values, input < width));
    }
    return products;
}

// As features_sums, for a layer whose inputs are hidden units.
fn hidden_sums(layer: Dense, tile: u32, input: u32, part: u32) -> mat4x4<f32> {
    var products = mat4x4<f32>();
    for (var n = part; n < step.batch; n += WORKGROUP / INPUTS) {
        let values = hidden[n * ((UNITS1 + UNITS2) / 4u) + layer.input + min(input, layer.width - 1u)];
        let delta = deltas[n * vec4s_of_deltas() + layer.delta + tile];
        products = add_outer(products, delta, select(vec4<f32>(1.0), values, input < layer.width));
    }
    return products;
}

fn partial_sum(index: u32, part: u32) -> vec4<f32> {
    let stride = (CONV1 + CONV2) / 4u;
    var sum = vec4<f32>(0.0);
    for (var n = part; n < step.batch; n += WORKGROUP / INPUTS) {
        sum += partial[n * stride + min(index, stride - 1u)];
    }
    return sum;
}

fn outcome_sum(invocation: u32) -> vec2<f32> {
    var sum = vec2<f32>(0.0);
    for (var n = invocation; n < step.batch; n += WORKGROUP) {
        sum += outcome[n];
    }
    return sum;
}

// The sum of all invocations' outcome_sum.
fn all_outcomes() -> vec2<f32> {
    var running = array<vec4<f32>, RUNNING>();
    for (var first = 0u; first < min(WORKGROUP, step.batch); first += RUNNING) {
        // unroll
        for (var i = 0u; i < RUNNING; i++) {
            running[i] += sums[first + i];
        }
    }
    return (running[0] + running[1] + running[2] + running[3]).xy;
}

// The sum over the whole batch of unit `unit` of four with vec4 `input` of the workgroup's INPUTS.
fn sum_of_parts(unit: u32, input: u32) -> vec4<f32> {
    var sum = vec4<f32>(0.0);
    for (var part = 0u; part < WORKGROUP / INPUTS; part++) {
        sum += sums[unit * WORKGROUP + part * INPUTS + input];
    }
    return sum;
}

// Updates four units: each of 4 * INPUTS invocations four weights, or behind the last input the biases.
fn update_units(layer: Dense, tile: u32, first_input: u32, invocation: u32) {
    for (var task = invocation; task < 4u * INPUTS; task += WORKGROUP) {
        let unit = task / INPUTS;
        let local_input = task % INPUTS;
        let input = first_input + local_input;
        if input < layer.width && 4u * tile + unit < layer.units {
            update(layer.weight + (4u * tile + unit) * layer.width + input, sum_of_parts(unit, local_input), 4u);
        } else if input == layer.width && unit == 0u {
            let gradient = vec4<f32>(sum_of_parts(0u, local_input).x, sum_of_parts(1u, local_input).x,
                sum_of_parts(2u, local_input).x, sum_of_parts(3u, local_input).x);
            update(layer.bias + tile, gradient, min(layer.units - 4u * tile, 4u));
        }
    }
}

fn workgroups_across(layer: Dense) -> u32 {
    return (layer.width + INPUTS) / INPUTS;
}

fn workgroups(layer: Dense) -> u32 {
    return (layer.units + 3u) / 4u * workgroups_across(layer);
}

@compute @workgroup_size(WORKGROUP)
fn gradient_update(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) invocation: u32) {
    let end1 = workgroups(fc1());
    let end2 = end1 + workgroups(fc2());
    let end3 = end2 + workgroups(fc3());
    let end4 = end3 + ((CONV1 + CONV2) / 4u + INPUTS - 1u) / INPUTS;
    let local_input = invocation % INPUTS;
    let part = invocation / INPUTS;
    var layer = fc1();
    var index = group.x;
    if group.x >= end2 {
        layer = fc3();
        index -= end2;
    } else if group.x >= end1 {
        layer = fc2();
        index -= end1;
    }
    let tile = index / workgroups_across(layer);
    let first_input = index % workgroups_across(layer) * INPUTS;
    var own = mat4x4<f32>();
    if group.x < end1 {
        own = features_sums(tile, first_input + local_input, part);
    } else if group.x < end3 {
        own = hidden_sums(layer, tile, first_input + local_input, part);
    } else if group.x < end4 {
        own[0] = partial_sum((group.x - end3) * INPUTS + local_input, part);
    } else {
        own[0] = vec4<f32>(outcome_sum(invocation), 0.0, 0.0);
    }
    // unroll
    for (var unit = 0u; unit < 4u; unit++) {
        sums[unit * WORKGROUP + invocation] = own[unit];
    }
    workgroupBarrier();
    if group.x < end3 {
        update_units(layer, tile, first_input, invocation);
    } else if group.x < end4 {
        let index = (group.x - end3) * INPUTS + invocation;
        if invocation < INPUTS && index < (CONV1 + CONV2) / 4u {
            update(index, sum_of_parts(0u, invocation), 4u);
        }
    } else if invocation == 0u {
        metrics[step.slot] = all_outcomes();
    }
}

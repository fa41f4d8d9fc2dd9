// Every parameter's gradient over the batch and its update, and the step's metrics; a workgroup makes four units of a dense layer by INPUTS quadruples of inputs, or INPUTS quadruples of the convolutions' parameters, each part of the batch by other invocations.
// Math: g = sum over n of delta[n, o] x[n, i] (dense), of partial[n] (convolutions); v = MOMENTUM v - learning_rate g; w = w + v; metrics[slot] = sum over n of outcome[n]
// Shapes: features, hidden, deltas, outcome as classifier_forward_backward has them; partial as features_backward leaves it; velocities v, parameters w
// Grid: the sum over dense layers of ceil(units / 4) * ceil((inputs / 4 + 1) / INPUTS), + ceil(|conv parameters| / 4 / INPUTS) + 1 workgroups in x
// Cost: flop N * (2 * |dense weights| + |dense biases| + |partial|) + 4 * |w|; bytes 4 * (N * (|features| + |hidden| + |deltas| + |partial| + 2) + 4 * |w| + 2)
// Source: dense_backward_weight, dense_backward_bias, conv_backward_weight_reduce, sgd_update and metrics_reduce in one; no gradient is kept

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
@group(0) @binding(2) var<storage, read> deltas: array<vec4<f32>>; // [N, (UNITS1 + UNITS2) / 4 + ceil(CLASSES / 4)]
@group(0) @binding(3) var<storage, read> outcome: array<vec2<f32>>; // [N]
@group(0) @binding(4) var<storage, read> partial: array<vec4<f32>>; // [N, (CONV1 + CONV2) / 4]
@group(0) @binding(5) var<storage, read_write> metrics: array<vec2<f32>>; // [SLOTS]
@group(0) @binding(6) var<storage, read_write> velocities: array<vec4<f32>>; // all
@group(0) @binding(7) var<storage, read_write> parameters: array<vec4<f32>>; // all
@group(0) @binding(8) var<uniform> step: Step; // this step

// Sums over a part of the batch: of four units, [4, WORKGROUP / INPUTS, INPUTS].
var<workgroup> sums: array<vec4<f32>, 4u * WORKGROUP>;

// This part of the sums of four units with quadruple i of their inputs; a bias is the weight of an input that is always 1.
fn first_sums(tile: u32, i: u32, part: u32) -> mat4x4<f32> {
    let width = FEATURES / 4u;
    let stride = (UNITS1 + UNITS2) / 4u + (CLASSES + 3u) / 4u;
    var s = mat4x4<f32>();
    for (var n = part; n < step.batch; n += WORKGROUP / INPUTS) {
        let x = features[n * width + min(i, width - 1u)];
        s = add_outer(s, deltas[n * stride + tile], select(vec4<f32>(1.0), x, i < width));
    }
    return s;
}

// As first_sums, for a layer whose inputs are hidden.
fn hidden_sums(layer: Dense, tile: u32, i: u32, part: u32) -> mat4x4<f32> {
    let stride = (UNITS1 + UNITS2) / 4u + (CLASSES + 3u) / 4u;
    var s = mat4x4<f32>();
    for (var n = part; n < step.batch; n += WORKGROUP / INPUTS) {
        let x = hidden[n * ((UNITS1 + UNITS2) / 4u) + layer.input + min(i, layer.width - 1u)];
        s = add_outer(s, deltas[n * stride + layer.delta + tile], select(vec4<f32>(1.0), x, i < layer.width));
    }
    return s;
}

fn keep(k: u32, lane: u32, s: vec4<f32>) {
    sums[k * WORKGROUP + lane] = s;
}

// The sum over the whole batch of row k for the invocations' input `place`.
fn whole(k: u32, place: u32) -> vec4<f32> {
    var s = vec4<f32>(0.0);
    for (var part = 0u; part < WORKGROUP / INPUTS; part++) {
        s += sums[k * WORKGROUP + part * INPUTS + place];
    }
    return s;
}

// Uses the sums of four units: each of 4 * INPUTS invocations a row of four weights, or from the place behind the last input the biases.
fn use_sums(layer: Dense, tile: u32, begin: u32, lane: u32) {
    for (var task = lane; task < 4u * INPUTS; task += WORKGROUP) {
        let k = task / INPUTS;
        let i = begin + task % INPUTS;
        if i < layer.width && 4u * tile + k < layer.units {
            update(layer.weight + (4u * tile + k) * layer.width + i, whole(k, task % INPUTS), 4u);
        } else if i == layer.width && k == 0u {
            let place = task % INPUTS;
            update(layer.bias + tile, vec4<f32>(whole(0u, place).x, whole(1u, place).x, whole(2u, place).x, whole(3u, place).x), min(layer.units - 4u * tile, 4u));
        }
    }
}

fn across(layer: Dense) -> u32 {
    return (layer.width + INPUTS) / INPUTS;
}

fn workgroups(layer: Dense) -> u32 {
    return (layer.units + 3u) / 4u * across(layer);
}

@compute @workgroup_size(WORKGROUP)
fn gradient_update(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let fc1 = Dense(FEATURES / 4u, 0u, UNITS1, 0u, FC1_WEIGHT / 4u, FC1_BIAS / 4u);
    let fc2 = Dense(UNITS1 / 4u, 0u, UNITS2, UNITS1 / 4u, FC2_WEIGHT / 4u, FC2_BIAS / 4u);
    let fc3 = Dense(UNITS2 / 4u, UNITS1 / 4u, CLASSES, (UNITS1 + UNITS2) / 4u, FC3_WEIGHT / 4u, FC3_BIAS / 4u);
    let end1 = workgroups(fc1);
    let end2 = end1 + workgroups(fc2);
    let end3 = end2 + workgroups(fc3);
    let end4 = end3 + ((CONV1 + CONV2) / 4u + INPUTS - 1u) / INPUTS;
    let place = lane % INPUTS;
    let part = lane / INPUTS;
    var layer = fc1;
    var index = group.x;
    if group.x >= end2 {
        layer = fc3;
        index -= end2;
    } else if group.x >= end1 {
        layer = fc2;
        index -= end1;
    }
    let tile = index / across(layer);
    let begin = index % across(layer) * INPUTS;
    var s = mat4x4<f32>();
    if group.x < end1 {
        s = first_sums(tile, begin + place, part);
    } else if group.x < end3 {
        s = hidden_sums(layer, tile, begin + place, part);
    } else if group.x < end4 {
        s[0] = partial_sum((group.x - end3) * INPUTS + place, part);
    } else {
        s[0] = vec4<f32>(outcome_sum(lane), 0.0, 0.0);
    }
    keep(0u, lane, s[0]);
    keep(1u, lane, s[1]);
    keep(2u, lane, s[2]);
    keep(3u, lane, s[3]);
    workgroupBarrier();
    if group.x < end3 {
        use_sums(layer, tile, begin, lane);
    } else if group.x < end4 {
        let quadruple = (group.x - end3) * INPUTS + lane;
        if lane < INPUTS && quadruple < (CONV1 + CONV2) / 4u {
            update(quadruple, whole(0u, lane), 4u);
        }
    } else if lane == 0u {
        metrics[step.slot] = all_outcomes();
    }
}

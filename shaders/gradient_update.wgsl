// Every parameter's gradient over the batch and its update, and the step's metrics; a workgroup makes four units of a dense layer, or WORKGROUP quadruples of the convolutions' parameters.
// Math: g = sum over n of delta[n, o] x[n, i] (dense), of partial[n] (convolutions); v = MOMENTUM v - learning_rate g; w = w + v; metrics[slot] = sum over n of outcome[n]
// Shapes: features, hidden, deltas, outcome as classifier_forward_backward has them; partial as features_backward leaves it; velocities v, parameters w
// Grid: ceil(UNITS1 / 4) + ceil(UNITS2 / 4) + ceil(CLASSES / 4) + ceil(|conv parameters| / 4 / WORKGROUP) + 1 workgroups in x
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
override PARTS: u32;
override MOMENTUM: f32;

@group(0) @binding(0) var<storage, read> features: array<vec4<f32>>; // [N, FEATURES / 4]
@group(0) @binding(1) var<storage, read> hidden: array<vec4<f32>>; // [N, (UNITS1 + UNITS2) / 4]
@group(0) @binding(2) var<storage, read> deltas: array<vec4<f32>>; // [N, (UNITS1 + UNITS2) / 4 + ceil(CLASSES / 4)]
@group(0) @binding(3) var<storage, read> outcome: array<vec2<f32>>; // [N]
@group(0) @binding(4) var<storage, read> partial: array<vec4<f32>>; // [N, (PARTS * CONV1 + CONV2) / 4]
@group(0) @binding(5) var<storage, read_write> metrics: array<vec2<f32>>; // [SLOTS]
@group(0) @binding(6) var<storage, read_write> velocities: array<vec4<f32>>; // all
@group(0) @binding(7) var<storage, read_write> parameters: array<vec4<f32>>; // all
@group(0) @binding(8) var<uniform> step: Step; // this step

// Updates four parameters, the first of them number 4 * at.
fn update(at: u32, gradient: vec4<f32>) {
    let velocity = MOMENTUM * velocities[at] - step.learning_rate * gradient;
    velocities[at] = velocity;
    parameters[at] += velocity;
}

// As update, of the first `count` of the four only.
fn update_some(at: u32, gradient: vec4<f32>, count: u32) {
    for (var k = 0u; k < count; k++) {
        let velocity = MOMENTUM * velocities[at][k] - step.learning_rate * gradient[k];
        velocities[at][k] = velocity;
        parameters[at][k] += velocity;
    }
}

// Stores what became of four units: a row of four inputs each, or, from the lane behind the last input, the biases.
fn update_units(s: mat4x4<f32>, tile: u32, units: u32, lane: u32, width: u32, weight: u32, bias: u32) {
    let count = min(units - 4u * tile, 4u);
    if lane < width {
        for (var k = 0u; k < count; k++) {
            update(weight / 4u + (4u * tile + k) * width + lane, s[k]);
        }
    } else if lane == width {
        update_some(bias / 4u + tile, vec4<f32>(s[0].x, s[1].x, s[2].x, s[3].x), count);
    }
}

fn first_layer(tile: u32, lane: u32) {
    let width = FEATURES / 4u;
    let stride = (UNITS1 + UNITS2) / 4u + (CLASSES + 3u) / 4u;
    var s = mat4x4<f32>();
    for (var n = 0u; n < step.batch; n++) {
        // A bias is the weight of an input that is always 1.
        s += outer(deltas[n * stride + tile], select(vec4<f32>(1.0), features[n * width + min(lane, width - 1u)], lane < width));
    }
    update_units(s, tile, UNITS1, lane, width, FC1_WEIGHT, FC1_BIAS);
}

// A layer whose inputs begin at quadruple `begin` of hidden, and its deltas at quadruple `delta`.
fn hidden_layer(tile: u32, lane: u32, begin: u32, width: u32, delta: u32, units: u32, weight: u32, bias: u32) {
    let stride = (UNITS1 + UNITS2) / 4u + (CLASSES + 3u) / 4u;
    var s = mat4x4<f32>();
    for (var n = 0u; n < step.batch; n++) {
        let x = hidden[n * ((UNITS1 + UNITS2) / 4u) + begin + min(lane, width - 1u)];
        s += outer(deltas[n * stride + delta + tile], select(vec4<f32>(1.0), x, lane < width));
    }
    update_units(s, tile, units, lane, width, weight, bias);
}

fn convolutions(quadruple: u32) {
    let stride = (PARTS * CONV1 + CONV2) / 4u;
    let first = quadruple < CONV1 / 4u;
    // Conv1's gradients come in PARTS for each image, conv2's in one behind them.
    let at = quadruple + select((PARTS - 1u) * (CONV1 / 4u), 0u, first);
    let parts = select(1u, PARTS, first);
    var s = vec4<f32>(0.0);
    for (var n = 0u; n < step.batch; n++) {
        for (var part = 0u; part < parts; part++) {
            s += partial[n * stride + at + part * (CONV1 / 4u)];
        }
    }
    update(quadruple, s);
}

@compute @workgroup_size(WORKGROUP)
fn gradient_update(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let end1 = (UNITS1 + 3u) / 4u;
    let end2 = end1 + (UNITS2 + 3u) / 4u;
    let end3 = end2 + (CLASSES + 3u) / 4u;
    let end4 = end3 + ((CONV1 + CONV2) / 4u + WORKGROUP - 1u) / WORKGROUP;
    if group.x < end1 {
        first_layer(group.x, lane);
    } else if group.x < end2 {
        hidden_layer(group.x - end1, lane, 0u, UNITS1 / 4u, UNITS1 / 4u, UNITS2, FC2_WEIGHT, FC2_BIAS);
    } else if group.x < end3 {
        hidden_layer(group.x - end2, lane, UNITS1 / 4u, UNITS2 / 4u, (UNITS1 + UNITS2) / 4u, CLASSES, FC3_WEIGHT, FC3_BIAS);
    } else if group.x < end4 {
        let quadruple = (group.x - end3) * WORKGROUP + lane;
        if quadruple < (CONV1 + CONV2) / 4u {
            convolutions(quadruple);
        }
    } else if lane == 0u {
        sum_outcome();
    }
}

// Every parameter's gradient over the batch, used at once for velocity and parameter, and the step's metrics; each lane makes 16 units by eight inputs of a dense layer, or four parameters of a convolution.
// Math: g = sum over images of delta * input (dense), of partial (convolutions); v <- MOMENTUM v - learning_rate g; w <- w + v; metrics[slot] = sums of outcome
// Shapes: features, hidden, deltas, outcome as classifier_forward_backward has them; partial as features_backward_lanes leaves it; velocities v, parameters w
// Grid: for each dense layer ceil(units / 16) * ceil((inputs / 4 + 1) / (2 WORKGROUP)), then ceil(|conv parameters| / 4 / WORKGROUP) + 1 workgroups in x
// Cost: flop N * (2 * |dense weights| + |dense biases| + |partial|) + 4 * |w|; bytes 4 * (N * (|features| + |hidden| + |deltas| + |partial| + 2) + 4 * |w| + 2)
// Source: gradient_update for drivers to which a load is dear and registers are cheap: a load serves 16 to 32 products

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

@group(0) @binding(0) var<storage, read> features: array<vec4<f32>>; // [N, FEATURES / 4]
@group(0) @binding(1) var<storage, read> hidden: array<vec4<f32>>; // [N, (UNITS1 + UNITS2) / 4]
@group(0) @binding(2) var<storage, read> deltas: array<vec4<f32>>; // [N, (UNITS1 + UNITS2) / 4 + ceil(CLASSES / 4)]
@group(0) @binding(3) var<storage, read> outcome: array<vec2<f32>>; // [N]
@group(0) @binding(4) var<storage, read> partial: array<vec4<f32>>; // [N, (CONV1 + CONV2) / 4]
@group(0) @binding(5) var<storage, read_write> metrics: array<vec2<f32>>; // [SLOTS]
@group(0) @binding(6) var<storage, read_write> velocities: array<vec4<f32>>; // all
@group(0) @binding(7) var<storage, read_write> parameters: array<vec4<f32>>; // all
@group(0) @binding(8) var<uniform> step: Step; // this step

// Sums of 16 units and eight inputs: for each quadruple of units its products with a first and a second quadruple of inputs.
fn products(s: array<mat4x4<f32>, 8>, row: u32, last: u32, x: vec4<f32>, y: vec4<f32>) -> array<mat4x4<f32>, 8> {
    let a = deltas[row];
    let b = deltas[min(row + 1u, last)];
    let c = deltas[min(row + 2u, last)];
    let d = deltas[min(row + 3u, last)];
    return array<mat4x4<f32>, 8>(s[0] + outer(a, x), s[1] + outer(a, y), s[2] + outer(b, x), s[3] + outer(b, y),
        s[4] + outer(c, x), s[5] + outer(c, y), s[6] + outer(d, x), s[7] + outer(d, y));
}

// Uses the sums: rows of weights, or from the place behind the last input the biases.
fn use_sums(layer: Dense, tile: u32, place: u32, s: array<mat4x4<f32>, 8>) {
    var sums = s;
    for (var t = 0u; t < 8u; t++) {
        let i = place + t % 2u * WORKGROUP;
        let unit = 16u * tile + t / 2u * 4u;
        let g = sums[t];
        let count = select(0u, min(layer.units - min(unit, layer.units), 4u), i <= layer.width);
        if i == layer.width && count > 0u {
            update(layer.bias + unit / 4u, vec4<f32>(g[0].x, g[1].x, g[2].x, g[3].x), count);
        }
        for (var k = 0u; k < count && i < layer.width; k++) {
            update(layer.weight + (unit + k) * layer.width + i, sums[t][k], 4u);
        }
    }
}

// The layer's workgroup `index`.
fn first_layer(layer: Dense, index: u32, lane: u32) {
    let stride = (UNITS1 + UNITS2) / 4u + (CLASSES + 3u) / 4u;
    let across = (layer.width + 2u * WORKGROUP) / (2u * WORKGROUP);
    let tile = index / across;
    let place = index % across * 2u * WORKGROUP + lane;
    var s = array<mat4x4<f32>, 8>();
    for (var n = 0u; n < step.batch; n++) {
        // A bias is the weight of an input that is always 1.
        let x = select(vec4<f32>(1.0), features[n * layer.width + min(place, layer.width - 1u)], place < layer.width);
        let y = select(vec4<f32>(1.0), features[n * layer.width + min(place + WORKGROUP, layer.width - 1u)], place + WORKGROUP < layer.width);
        let row = n * stride + layer.delta;
        s = products(s, row + 4u * tile, row + (layer.units + 3u) / 4u - 1u, x, y);
    }
    use_sums(layer, tile, place, s);
}

// As first_layer, for the layers whose inputs are hidden.
fn hidden_layer(layer: Dense, index: u32, lane: u32) {
    let stride = (UNITS1 + UNITS2) / 4u + (CLASSES + 3u) / 4u;
    let across = (layer.width + 2u * WORKGROUP) / (2u * WORKGROUP);
    let tile = index / across;
    let place = index % across * 2u * WORKGROUP + lane;
    var s = array<mat4x4<f32>, 8>();
    for (var n = 0u; n < step.batch; n++) {
        let begin = n * ((UNITS1 + UNITS2) / 4u) + layer.input;
        let x = select(vec4<f32>(1.0), hidden[begin + min(place, layer.width - 1u)], place < layer.width);
        let y = select(vec4<f32>(1.0), hidden[begin + min(place + WORKGROUP, layer.width - 1u)], place + WORKGROUP < layer.width);
        let row = n * stride + layer.delta;
        s = products(s, row + 4u * tile, row + (layer.units + 3u) / 4u - 1u, x, y);
    }
    use_sums(layer, tile, place, s);
}

fn convolutions(quadruple: u32) {
    let stride = (CONV1 + CONV2) / 4u;
    var s = vec4<f32>(0.0);
    for (var n = 0u; n < step.batch; n++) {
        s += partial[n * stride + quadruple];
    }
    update(quadruple, s, 4u);
}

fn workgroups(layer: Dense) -> u32 {
    return (layer.units + 15u) / 16u * ((layer.width + 2u * WORKGROUP) / (2u * WORKGROUP));
}

@compute @workgroup_size(WORKGROUP)
fn gradient_update_lanes(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let fc1 = Dense(FEATURES / 4u, 0u, UNITS1, 0u, FC1_WEIGHT / 4u, FC1_BIAS / 4u);
    let fc2 = Dense(UNITS1 / 4u, 0u, UNITS2, UNITS1 / 4u, FC2_WEIGHT / 4u, FC2_BIAS / 4u);
    let fc3 = Dense(UNITS2 / 4u, UNITS1 / 4u, CLASSES, (UNITS1 + UNITS2) / 4u, FC3_WEIGHT / 4u, FC3_BIAS / 4u);
    let end1 = workgroups(fc1);
    let end2 = end1 + workgroups(fc2);
    let end3 = end2 + workgroups(fc3);
    let end4 = end3 + ((CONV1 + CONV2) / 4u + WORKGROUP - 1u) / WORKGROUP;
    if group.x < end1 {
        first_layer(fc1, group.x, lane);
    } else if group.x < end2 {
        hidden_layer(fc2, group.x - end1, lane);
    } else if group.x < end3 {
        hidden_layer(fc3, group.x - end2, lane);
    } else if group.x < end4 {
        let quadruple = (group.x - end3) * WORKGROUP + lane;
        if quadruple < (CONV1 + CONV2) / 4u {
            convolutions(quadruple);
        }
    } else if lane == 0u {
        sum_outcome();
    }
}

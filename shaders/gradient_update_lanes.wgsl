// Every parameter's gradient over the batch and its update, and the step's metrics; each invocation makes 4 UNIT_VECS
//   units by 4 INPUT_VECS inputs of a dense layer, or four parameters of a convolution.
// Math: as gradient_update
// Shapes: as gradient_update
// Grid: for each dense layer ceil(units / (4 UNIT_VECS)) * ceil((inputs / 4 + 1) / (INPUT_VECS WORKGROUP)), then
//   ceil(|conv parameters| / 4 / WORKGROUP) + 1 workgroups in x
// Cost: flop N * (2 * |dense weights| + |dense biases| + |partial|) + 4 * |w|; bytes 4 * (N * (|features| + |hidden| +
//   |deltas| + |partial| + 2) + 4 * |w| + 2)
// Source: gradient_update for drivers to which loads are expensive and registers cheap: a load serves 16 to 32 products

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

// Vec4s of units and of inputs that an invocation carries.
const UNIT_VECS = 4u;
const INPUT_VECS = 2u;

@group(0) @binding(0) var<storage, read> features: array<vec4<f32>>; // [N, FEATURES / 4]
@group(0) @binding(1) var<storage, read> hidden: array<vec4<f32>>; // [N, (UNITS1 + UNITS2) / 4]
@group(0) @binding(2) var<storage, read> deltas: array<vec4<f32>>; // [N, ceil((UNITS1 + UNITS2 + CLASSES) / 4)]
@group(0) @binding(3) var<storage, read> outcome: array<vec2<f32>>; // [N]
@group(0) @binding(4) var<storage, read> partial: array<vec4<f32>>; // [N, (CONV1 + CONV2) / 4]
@group(0) @binding(5) var<storage, read_write> metrics: array<vec2<f32>>; // [SLOTS]
@group(0) @binding(6) var<storage, read_write> velocities: array<vec4<f32>>; // all
@group(0) @binding(7) var<storage, read_write> parameters: array<vec4<f32>>; // all
@group(0) @binding(8) var<uniform> step: Step; // this step

alias Inputs = array<vec4<f32>, INPUT_VECS>;
// For each vec4 of units and each of inputs the sums of their products, a row for each unit.
alias Tile = array<array<mat4x4<f32>, INPUT_VECS>, UNIT_VECS>;

// The products of four units' deltas with four inputs of one image.
fn outer(delta: vec4<f32>, input: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(delta.x * input, delta.y * input, delta.z * input, delta.w * input);
}

// Adds one image's products. Units are vec4s of deltas from `first` on; beyond `last` that is taken again, and not
// used.
fn add_products(before: Tile, first: u32, last: u32, inputs: Inputs) -> Tile {
    var sums = before;
    // unroll
    for (var i = 0u; i < UNIT_VECS; i++) {
        let delta = deltas[min(first + i, last)];
        // unroll
        for (var k = 0u; k < INPUT_VECS; k++) {
            sums[i][k] += outer(delta, inputs[k]);
        }
    }
    return sums;
}

// Updates the units of a tile: rows of weights, or behind the last input the biases.
fn update_units(layer: Dense, tile: u32, first_input: u32, gradients: Tile) {
    for (var i = 0u; i < UNIT_VECS; i++) {
        for (var k = 0u; k < INPUT_VECS; k++) {
            let input = first_input + k * WORKGROUP;
            let unit = 4u * (UNIT_VECS * tile + i);
            let count = select(0u, min(layer.units - min(unit, layer.units), 4u), input <= layer.width);
            if input == layer.width && count > 0u {
                let gradient = gradients[i][k];
                let biases = vec4<f32>(gradient[0].x, gradient[1].x, gradient[2].x, gradient[3].x);
                update(layer.bias + unit / 4u, biases, count);
            }
            for (var row = 0u; row < count && input < layer.width; row++) {
                update(layer.weight + (unit + row) * layer.width + input, gradients[i][k][row], 4u);
            }
        }
    }
}

// Tiles of a layer's inputs, with one more input for the bias.
fn workgroups_across(layer: Dense) -> u32 {
    return (layer.width + INPUT_VECS * WORKGROUP) / (INPUT_VECS * WORKGROUP);
}

fn workgroups(layer: Dense) -> u32 {
    return (layer.units + 4u * UNIT_VECS - 1u) / (4u * UNIT_VECS) * workgroups_across(layer);
}

// Updates what the layer's workgroup `index` does, whose inputs are features or, if `is_hidden`, hidden units.
fn dense_layer(layer: Dense, is_hidden: bool, index: u32, invocation: u32) {
    let tile = index / workgroups_across(layer);
    let first_input = index % workgroups_across(layer) * INPUT_VECS * WORKGROUP + invocation;
    var sums = Tile();
    for (var n = 0u; n < step.batch; n++) {
        var inputs: Inputs;
        // unroll
        for (var k = 0u; k < INPUT_VECS; k++) {
            let input = first_input + k * WORKGROUP;
            let clamped = min(input, layer.width - 1u);
            // A bias is the weight of an input that is always 1.
            inputs[k] = select(vec4<f32>(1.0), load_input(layer, is_hidden, n, clamped), input < layer.width);
        }
        let row = n * vec4s_of_deltas() + layer.delta;
        sums = add_products(sums, row + UNIT_VECS * tile, row + (layer.units + 3u) / 4u - 1u, inputs);
    }
    update_units(layer, tile, first_input, sums);
}

// Four inputs of image n.
fn load_input(layer: Dense, is_hidden: bool, n: u32, input: u32) -> vec4<f32> {
    if is_hidden {
        return hidden[n * ((UNITS1 + UNITS2) / 4u) + layer.input + input];
    }
    return features[n * layer.width + input];
}

fn update_convolutions(index: u32) {
    let stride = (CONV1 + CONV2) / 4u;
    var gradient = vec4<f32>(0.0);
    for (var n = 0u; n < step.batch; n++) {
        gradient += partial[n * stride + index];
    }
    update(index, gradient, 4u);
}

// Stores the metrics of the step. Pairs of running sums round less than one.
fn store_metrics() {
    var even = vec2<f32>(0.0);
    var odd = vec2<f32>(0.0);
    for (var n = 0u; n + 1u < step.batch; n += 2u) {
        even += outcome[n];
        odd += outcome[n + 1u];
    }
    if step.batch % 2u == 1u {
        even += outcome[step.batch - 1u];
    }
    metrics[step.slot] = even + odd;
}

@compute @workgroup_size(WORKGROUP)
fn gradient_update_lanes(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) invocation: u32) {
    let end1 = workgroups(fc1());
    let end2 = end1 + workgroups(fc2());
    let end3 = end2 + workgroups(fc3());
    let end4 = end3 + ((CONV1 + CONV2) / 4u + WORKGROUP - 1u) / WORKGROUP;
    if group.x < end1 {
        dense_layer(fc1(), false, group.x, invocation);
    } else if group.x < end2 {
        dense_layer(fc2(), true, group.x - end1, invocation);
    } else if group.x < end3 {
        dense_layer(fc3(), true, group.x - end2, invocation);
    } else if group.x < end4 {
        let index = (group.x - end3) * WORKGROUP + invocation;
        if index < (CONV1 + CONV2) / 4u {
            update_convolutions(index);
        }
    } else if invocation == 0u {
        store_metrics();
    }
}

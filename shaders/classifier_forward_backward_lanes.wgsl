// The three dense layers, the loss and the gradients back to the features; one workgroup makes IMAGES images, each
//   invocation four consecutive units or features of them at a time.
// Math: as classifier_forward_backward
// Shapes: as classifier_forward_backward
// Grid: ceil(N / IMAGES) workgroups in x
// Cost: flop 4 * N * |dense weights|; bytes 4 * (N * (2 FEATURES + |hidden| + |deltas| + 3) + |dense parameters|)
// Source: classifier_forward_backward for drivers to which loads are expensive and registers cheap; UNITS1 = 4 CARRIED
//   WORKGROUP, UNITS2 = 8 WORKGROUP

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
override SCALE: f32;

const IMAGES = 8u;
// Vec4s of units or inputs that an invocation carries, WORKGROUP apart, where it carries several.
const CARRIED = 4u;
// The same of the second hidden layer.
const CARRIED2 = 2u;

@group(0) @binding(0) var<storage, read> features: array<vec4<f32>>; // [N, FEATURES / 4]
@group(0) @binding(1) var<storage, read> targets: array<u32>; // [N]
@group(0) @binding(2) var<storage, read> parameters: array<vec4<f32>>; // all
@group(0) @binding(3) var<storage, read_write> hidden: array<vec4<f32>>; // [N, (UNITS1 + UNITS2) / 4]
@group(0) @binding(4) var<storage, read_write> deltas: array<vec4<f32>>; // [N, ceil((UNITS1 + UNITS2 + CLASSES) / 4)]
@group(0) @binding(5) var<storage, read_write> dfeatures: array<vec4<f32>>; // [N, FEATURES / 4]
@group(0) @binding(6) var<storage, read_write> outcome: array<vec2<f32>>; // [N]
@group(0) @binding(7) var<uniform> step: Step; // this step

// Stores the outputs of four hidden units after the ReLU.
fn store_hidden(first: u32, i: u32, sums: Values) {
    for (var image = 0u; image < IMAGES && first + image < step.batch; image++) {
        hidden[(first + image) * ((UNITS1 + UNITS2) / 4u) + i] = max(sums[image], vec4<f32>(0.0));
    }
}

// Stores the gradients of four hidden units where the ReLU passed them.
fn store_deltas(first: u32, i: u32, sums: Values) {
    for (var image = 0u; image < IMAGES && first + image < step.batch; image++) {
        let output = hidden[(first + image) * ((UNITS1 + UNITS2) / 4u) + i];
        deltas[row_of_deltas(first + image) + i] = select(vec4<f32>(0.0), sums[image], output > vec4<f32>(0.0));
    }
}

// Stores the gradients of four features where dropout and the ReLU before it passed them: there the feature is above 0.
fn store_dfeatures(first: u32, i: u32, sums: Values) {
    for (var image = 0u; image < IMAGES && first + image < step.batch && i < FEATURES / 4u; image++) {
        let at = (first + image) * (FEATURES / 4u) + i;
        dfeatures[at] = select(vec4<f32>(0.0), SCALE * sums[image], features[at] > vec4<f32>(0.0));
    }
}

fn fc1_forward(first: u32, invocation: u32) {
    let width = FEATURES / 4u;
    var sums: array<Values, CARRIED>;
    // unroll
    for (var k = 0u; k < CARRIED; k++) {
        sums[k] = load_bias(FC1_BIAS / 4u + invocation + k * WORKGROUP);
    }
    for (var i = 0u; i < width; i++) {
        let inputs = load_features(first, i);
        // unroll
        for (var k = 0u; k < CARRIED; k++) {
            let row = 4u * (invocation + k * WORKGROUP);
            sums[k] = add_forward(sums[k], inputs, load_weights(FC1_WEIGHT / 4u + row * width + i, width));
        }
    }
    // unroll
    for (var k = 0u; k < CARRIED; k++) {
        store_hidden(first, invocation + k * WORKGROUP, sums[k]);
    }
}

fn fc2_forward(first: u32, invocation: u32) {
    let width = UNITS1 / 4u;
    var sums: array<Values, CARRIED2>;
    // unroll
    for (var k = 0u; k < CARRIED2; k++) {
        sums[k] = load_bias(FC2_BIAS / 4u + invocation + k * WORKGROUP);
    }
    for (var i = 0u; i < width; i++) {
        let inputs = load_hidden(first, i);
        // unroll
        for (var k = 0u; k < CARRIED2; k++) {
            let row = 4u * (invocation + k * WORKGROUP);
            sums[k] = add_forward(sums[k], inputs, load_weights(FC2_WEIGHT / 4u + row * width + i, width));
        }
    }
    // unroll
    for (var k = 0u; k < CARRIED2; k++) {
        store_hidden(first, UNITS1 / 4u + invocation + k * WORKGROUP, sums[k]);
    }
}

// Leaves the logits where their gradients will be.
fn fc3_forward(first: u32, invocation: u32) {
    let unit4 = min(invocation, (CLASSES - 1u) / 4u);
    var sums = load_bias(FC3_BIAS / 4u + unit4);
    for (var i = 0u; i < UNITS2 / 4u; i++) {
        sums = add_forward(sums, load_hidden(first, UNITS1 / 4u + i), load_weights3(unit4, i));
    }
    let stored = invocation < (CLASSES + 3u) / 4u;
    for (var image = 0u; image < IMAGES && first + image < step.batch && stored; image++) {
        deltas[row_of_deltas(first + image) + (UNITS1 + UNITS2) / 4u + invocation] = sums[image];
    }
}

// Stores loss and prediction of image n, and replaces its logits by their gradients.
fn softmax_cross_entropy(n: u32) {
    let logits = row_of_deltas(n) + (UNITS1 + UNITS2) / 4u;
    var largest = deltas[logits].x;
    var predicted = 0u;
    for (var class_index = 1u; class_index < CLASSES; class_index++) {
        let value = deltas[logits + class_index / 4u][class_index % 4u];
        if value > largest {
            largest = value;
            predicted = class_index;
        }
    }
    var sum = 0.0;
    for (var class_index = 0u; class_index < CLASSES; class_index++) {
        sum += exp(deltas[logits + class_index / 4u][class_index % 4u] - largest);
    }
    let label = targets[n];
    let loss = log(sum) + largest - deltas[logits + label / 4u][label % 4u];
    outcome[n] = vec2<f32>(loss, select(0.0, 1.0, predicted == label));
    for (var class_index = 0u; class_index < (CLASSES + 3u) / 4u * 4u; class_index++) {
        let probability = exp(deltas[logits + class_index / 4u][class_index % 4u] - largest) / sum;
        let gradient = (probability - select(0.0, 1.0, class_index == label)) / f32(step.batch);
        deltas[logits + class_index / 4u][class_index % 4u] = select(0.0, gradient, class_index < CLASSES);
    }
}

// The gradients of the hidden units of fc2 from those of the logits.
fn fc3_backward(first: u32, i: u32) {
    var sums = Values();
    for (var unit4 = 0u; unit4 < (CLASSES + 3u) / 4u; unit4++) {
        sums = add_backward(sums, load_deltas(first, (UNITS1 + UNITS2) / 4u + unit4), load_weights3(unit4, i));
    }
    store_deltas(first, UNITS1 / 4u + i, sums);
}

// The gradients of CARRIED vec4s of a layer's inputs, from vec4 `input` on, WORKGROUP apart; beyond its `width` the
// last is taken again. The gradients of its units begin at vec4 `delta` of a row, its weights at vec4 `weight`.
fn layer_backward(first: u32, input: u32, width: u32, delta: u32, units: u32, weight: u32) -> array<Values, CARRIED> {
    var sums = array<Values, CARRIED>();
    for (var unit4 = 0u; unit4 < units / 4u; unit4++) {
        let gradients = load_deltas(first, delta + unit4);
        let row = weight + 4u * unit4 * width;
        // unroll
        for (var k = 0u; k < CARRIED; k++) {
            let weights = load_weights(row + min(input + k * WORKGROUP, width - 1u), width);
            sums[k] = add_backward(sums[k], gradients, weights);
        }
    }
    return sums;
}

@compute @workgroup_size(WORKGROUP)
fn classifier_forward_backward_lanes(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
) {
    let first = group.x * IMAGES;
    fc1_forward(first, invocation);
    storageBarrier();
    fc2_forward(first, invocation);
    storageBarrier();
    fc3_forward(first, invocation);
    storageBarrier();
    for (var image = invocation; image < IMAGES && first + image < step.batch; image += WORKGROUP) {
        softmax_cross_entropy(first + image);
    }
    storageBarrier();
    // unroll
    for (var k = 0u; k < CARRIED2; k++) {
        fc3_backward(first, invocation + k * WORKGROUP);
    }
    storageBarrier();
    let hidden_gradients = layer_backward(first, invocation, UNITS1 / 4u, UNITS1 / 4u, UNITS2, FC2_WEIGHT / 4u);
    // unroll
    for (var k = 0u; k < CARRIED; k++) {
        store_deltas(first, invocation + k * WORKGROUP, hidden_gradients[k]);
    }
    storageBarrier();
    for (var i = invocation; i - invocation < FEATURES / 4u; i += CARRIED * WORKGROUP) {
        let gradients = layer_backward(first, i, FEATURES / 4u, 0u, UNITS1, FC1_WEIGHT / 4u);
        // unroll
        for (var k = 0u; k < CARRIED; k++) {
            store_dfeatures(first, i + k * WORKGROUP, gradients[k]);
        }
    }
}

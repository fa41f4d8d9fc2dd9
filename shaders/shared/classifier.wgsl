// The course of classifier_forward_backward: all but its sizes, what one invocation does, which is in
// shared/classifier_layers.wgsl, and `sum_of_neighbours`, by which its variants differ.

// Invocations that share the units of a row: each takes every PARTS-th vec4 of their inputs.
const PARTS = 8u;
// Vec4s of fc1's inputs whose weights are loaded ahead.
const AHEAD = 2u;
// Vec4s of fc2's inputs that an invocation takes in the forward pass, and of its units in the backward pass.
const INPUTS2 = 4u;
const UNITS2_4 = 2u;
// Units of fc1 whose weights are loaded together in the backward pass.
const ROWS = 16u;

@group(0) @binding(0) var<storage, read> features: array<vec4<f32>>; // [N, FEATURES / 4]
@group(0) @binding(1) var<storage, read> targets: array<u32>; // [N]
@group(0) @binding(2) var<storage, read> parameters: array<vec4<f32>>; // all
@group(0) @binding(3) var<storage, read_write> hidden: array<vec4<f32>>; // [N, (UNITS1 + UNITS2) / 4]
@group(0) @binding(4) var<storage, read_write> deltas: array<vec4<f32>>; // [N, ceil((UNITS1 + UNITS2 + CLASSES) / 4)]
@group(0) @binding(5) var<storage, read_write> dfeatures: array<vec4<f32>>; // [N, FEATURES / 4]
@group(0) @binding(6) var<storage, read_write> outcome: array<vec2<f32>>; // [N]
@group(0) @binding(7) var<uniform> step: Step; // this step

// In workgroup memory a vec4 holds a value of up to four images. `staged` holds the images' features, a row of stride()
// vec4s for each, and later sums on their way between invocations. `outputs` are those of both hidden layers, and take
// their gradients in the backward pass, as `logits` do; a layer's unit 4 i + k stands at place k units / 4 + i.
var<workgroup> staged: array<vec4<f32>, 2u * WORKGROUP>;
var<workgroup> outputs: array<vec4<f32>, UNITS1 + UNITS2>;
var<workgroup> logits: array<vec4<f32>, CLASSES>;
var<workgroup> exponentials: array<vec4<f32>, CLASSES>;

fn parameter(index: u32) -> f32 {
    return parameters[index / 4u][index % 4u];
}

// Vec4s of an image's row of outputs of the hidden layers.
fn width_of_hidden() -> u32 {
    return (UNITS1 + UNITS2) / 4u;
}

// Of its row of gradients of these and of the logits.
fn width_of_deltas() -> u32 {
    return width_of_hidden() + (CLASSES + 3u) / 4u;
}

// Of a row of features in workgroup memory, which ends in zeros so that all parts are of one length.
fn stride() -> u32 {
    let turn = AHEAD * PARTS;
    return (FEATURES / 4u + turn - 1u) / turn * turn;
}

// Where invocation (row, part) leaves a sum, so that neither those of a row nor those of a part meet in one bank.
fn place(row: u32, part: u32) -> u32 {
    return part * (WORKGROUP / PARTS) + (row ^ part);
}

// Where unit `unit` of fc2 stands among the outputs.
fn place_of_unit2(unit: u32) -> u32 {
    return UNITS1 + unit % 4u * (UNITS2 / 4u) + unit / 4u;
}

// The sums over all parts of four columns. Invocation `c * WORKGROUP / PARTS + row` gets column c of that row.
fn sum_of_parts(invocation: u32, columns: mat4x4<f32>) -> vec4<f32> {
    let row = invocation / PARTS;
    let own = sum_of_neighbours(invocation, columns);
    // No other invocation read these places.
    let neighbour = place(row, (invocation % PARTS) ^ 1u);
    staged[neighbour] = own[0];
    staged[WORKGROUP + neighbour] = own[1];
    workgroupBarrier();
    let column = invocation / (WORKGROUP / PARTS) % 4u;
    var sum = vec4<f32>(0.0);
    // unroll
    for (var k = 0u; k < PARTS / 2u; k++) {
        sum += staged[column % 2u * WORKGROUP + place(invocation % (WORKGROUP / PARTS), 2u * k + 1u - column / 2u)];
    }
    return sum;
}

// Where the part of class `class_index` by vec4 `input` of its inputs stands.
fn place3(class_index: u32, input: u32) -> u32 {
    return class_index * (UNITS2 / 4u + 1u) + input;
}

fn stage_features(first: u32, invocation: u32) {
    let width = FEATURES / 4u;
    for (var i = invocation; i < IMAGES * stride(); i += WORKGROUP) {
        // Beyond the batch the last image is taken again, and nothing of it is stored.
        let values = features[min(first + i / stride(), step.batch - 1u) * width + min(i % stride(), width - 1u)];
        staged[i] = select(vec4<f32>(0.0), values, i % stride() < width);
    }
}

// Leaves the outputs of fc2 at places from UNITS1 on.
fn fc2_layer(invocation: u32, weights: array<vec4<f32>, 2u * INPUTS2>, bias: f32) {
    let part = invocation % PARTS;
    let own = place(invocation / PARTS, part);
    let parts = fc2_forward(weights, part);
    staged[own] = parts[0];
    staged[WORKGROUP + own] = parts[1];
    workgroupBarrier();
    if invocation < UNITS2 {
        var sum = vec4<f32>(bias);
        // unroll
        for (var k = 0u; k < PARTS; k++) {
            sum += staged[invocation / (UNITS2 / 2u) * WORKGROUP + place(invocation % (UNITS2 / 2u), k)];
        }
        outputs[place_of_unit2(invocation)] = max(sum, vec4<f32>(0.0));
    }
    workgroupBarrier();
}

// Leaves the logits, while others store the outputs of the hidden layers, and then the exponentials. Invocations
// beyond the classes repeat the last.
fn fc3_layer(first: u32, images: u32, invocation: u32, weights: vec4<f32>, bias: f32) {
    let input = invocation % (UNITS2 / 4u);
    var products = vec4<f32>(0.0);
    // unroll
    for (var k = 0u; k < 4u; k++) {
        products += weights[k] * outputs[UNITS1 + k * (UNITS2 / 4u) + input];
    }
    staged[place3(invocation / (UNITS2 / 4u), input)] = products;
    workgroupBarrier();
    if invocation < CLASSES {
        var sum = vec4<f32>(bias);
        for (var k = 0u; k < UNITS2 / 4u; k++) {
            sum += staged[place3(invocation, k)];
        }
        logits[invocation] = sum;
    } else if invocation >= WORKGROUP / 2u {
        store_hidden(first, images, invocation - WORKGROUP / 2u);
    }
    workgroupBarrier();
    if invocation < CLASSES {
        exponentials[invocation] = exponential(invocation);
    }
    workgroupBarrier();
}

// From the gradients of fc1 to those of the features. Two invocations share a vec4 of each image's; the others store.
fn features_gradient(first: u32, images: u32, invocation: u32, labels: vec4<u32>, before: array<vec4<f32>, ROWS>) {
    let width = FEATURES / 4u;
    let i = min(invocation / 2u, width - 1u);
    let half = invocation % 2u;
    var columns = before;
    var sums = mat4x4<f32>();
    if invocation < 2u * width {
        for (var k = 0u; k < 4u; k++) {
            sums = add_fc1_backward(sums, columns, k * (UNITS1 / 4u) + half);
            if k < 3u {
                columns = fc1_columns(4u * half + k + 1u, i);
            }
        }
    } else {
        store_results(first, images, invocation - 2u * width, labels);
    }
    let gradients = sum_of_neighbours(invocation, sums);
    // unroll
    for (var k = 0u; k < 2u; k++) {
        let image = 2u * half + k;
        if invocation < 2u * width && image < images {
            let at = (first + image) * width + i;
            // Where dropout dropped the value, or the ReLU before it stopped it, the feature is 0.
            dfeatures[at] = select(vec4<f32>(0.0), SCALE * gradients[k], features[at] > vec4<f32>(0.0));
        }
    }
}

// The kernel for the images from `first` on. Weights and biases are loaded before the barrier that they need not wait
// for.
fn forward_backward(first: u32, invocation: u32) {
    let images = min(IMAGES, step.batch - first);
    let row = invocation / PARTS;
    let part = invocation % PARTS;
    stage_features(first, invocation);
    let parts1 = fc1_forward(4u * row, part);
    let weights2 = fc2_weights(row, part);
    let class_index = min(invocation / (UNITS2 / 4u), CLASSES - 1u);
    let weights3 = parameters[(FC3_WEIGHT + class_index * UNITS2) / 4u + invocation % (UNITS2 / 4u)];
    let unit1 = 4u * (invocation % (UNITS1 / 4u)) + invocation / (UNITS1 / 4u) % 4u;
    let bias1 = parameter(FC1_BIAS + unit1);
    let bias2 = parameter(FC2_BIAS + invocation % UNITS2);
    let bias3 = parameter(FC3_BIAS + min(invocation, CLASSES - 1u));
    let labels = load_labels(first);
    workgroupBarrier();
    let output1 = max(sum_of_parts(invocation, parts1) + bias1, vec4<f32>(0.0));
    if invocation < UNITS1 {
        outputs[invocation] = output1;
    }
    workgroupBarrier();
    fc2_layer(invocation, weights2, bias2);
    let columns2 = fc2_columns(row, part);
    fc3_layer(first, images, invocation, weights3, bias3);
    if invocation < UNITS2 {
        let at = place_of_unit2(invocation);
        outputs[at] = select(vec4<f32>(0.0), fc3_backward(invocation, labels), outputs[at] > vec4<f32>(0.0));
    }
    workgroupBarrier();
    let delta1 = sum_of_parts(invocation, fc2_backward(columns2, part));
    if invocation < UNITS1 {
        outputs[invocation] = select(vec4<f32>(0.0), delta1, output1 > vec4<f32>(0.0));
    }
    let columns1 = fc1_columns(4u * (invocation % 2u), min(invocation / 2u, FEATURES / 4u - 1u));
    workgroupBarrier();
    features_gradient(first, images, invocation, labels, columns1);
}

// All of classifier_forward_backward but its sizes, and `sum_of_four` and `sum_of_two`, by which its variants differ.

@group(0) @binding(0) var<storage, read> features: array<vec4<f32>>; // [N, FEATURES / 4]
@group(0) @binding(1) var<storage, read> targets: array<u32>; // [N]
@group(0) @binding(2) var<storage, read> parameters: array<vec4<f32>>; // all
@group(0) @binding(3) var<storage, read_write> hidden: array<f32>; // [N, UNITS1 + UNITS2]
@group(0) @binding(4) var<storage, read_write> deltas: array<f32>; // [N, UNITS1 + UNITS2 + CLASSES rounded up]
@group(0) @binding(5) var<storage, read_write> dfeatures: array<vec4<f32>>; // [N, FEATURES / 4]
@group(0) @binding(6) var<storage, read_write> outcome: array<vec2<f32>>; // [N]
@group(0) @binding(7) var<uniform> step: Step; // this step

// In workgroup memory a vec4 holds a value of up to four images. `outputs` are those of both hidden layers, and take
// their gradients in the backward pass, as `logits` do.
var<workgroup> inputs: array<vec4<f32>, IMAGES * (FEATURES / 4u)>;
var<workgroup> outputs: array<vec4<f32>, UNITS1 + UNITS2>;
var<workgroup> logits: array<vec4<f32>, CLASSES>;

fn parameter(index: u32) -> f32 {
    return parameters[index / 4u][index % 4u];
}

// Length of an image's row of deltas.
fn width_of_deltas() -> u32 {
    return (UNITS1 + UNITS2 + CLASSES + 3u) / 4u * 4u;
}

// The part of unit `unit` of fc1 that this one of four invocations computes.
fn fc1_part(unit: u32, part: u32) -> vec4<f32> {
    var sums = array<f32, 4>();
    for (var i = part; i < FEATURES / 4u; i += 4u) {
        let weights = parameters[(FC1_WEIGHT + unit * FEATURES) / 4u + i];
        for (var image = 0u; image < IMAGES; image++) {
            sums[image] = add_dot4(sums[image], inputs[image * (FEATURES / 4u) + i], weights);
        }
    }
    return vec4<f32>(sums[0], sums[1], sums[2], sums[3]);
}

// As fc1_part, for a unit whose inputs are `count` outputs from `first_input` on.
fn hidden_part(first_input: u32, count: u32, weight: u32, part: u32) -> vec4<f32> {
    var sums = vec4<f32>(0.0);
    for (var input = 4u * part; input < count; input += 16u) {
        let weights = parameters[(weight + input) / 4u];
        // unroll
        for (var i = 0u; i < 4u; i++) {
            sums += weights[i] * outputs[first_input + input + i];
        }
    }
    return sums;
}

// Stores hidden unit `unit` of the images from `first` on after the ReLU.
fn store_output(first: u32, images: u32, unit: u32, sums: vec4<f32>) {
    let values = max(sums, vec4<f32>(0.0));
    outputs[unit] = values;
    for (var image = 0u; image < IMAGES; image++) {
        if image < images {
            hidden[(first + image) * (UNITS1 + UNITS2) + unit] = values[image];
        }
    }
}

// Stores the gradients of hidden unit `unit` where the ReLU passed its output, and keeps them instead of the output.
fn store_delta(first: u32, images: u32, unit: u32, sums: vec4<f32>) {
    let values = select(vec4<f32>(0.0), sums, outputs[unit] > vec4<f32>(0.0));
    outputs[unit] = values;
    for (var image = 0u; image < IMAGES; image++) {
        if image < images {
            deltas[(first + image) * width_of_deltas() + unit] = values[image];
        }
    }
}

// Computes the logits of the images from `first` on.
fn forward(first: u32, images: u32, invocation: u32) {
    let part = invocation % 4u;
    for (var begin = 0u; begin < UNITS1; begin += WORKGROUP / 4u) {
        let unit = begin + invocation / 4u;
        let sums = sum_of_four(invocation, fc1_part(unit, part));
        if part == 0u {
            store_output(first, images, unit, sums + parameter(FC1_BIAS + unit));
        }
    }
    workgroupBarrier();
    let unit = invocation / 4u;
    let sums = sum_of_four(invocation, hidden_part(0u, UNITS1, FC2_WEIGHT + unit * UNITS1, part));
    if part == 0u {
        store_output(first, images, UNITS1 + unit, sums + parameter(FC2_BIAS + unit));
    }
    workgroupBarrier();
    // Invocations beyond the classes repeat the last.
    let class_index = min(unit, CLASSES - 1u);
    let logit = sum_of_four(invocation, hidden_part(UNITS1, UNITS2, FC3_WEIGHT + class_index * UNITS2, part));
    if part == 0u && unit < CLASSES {
        logits[class_index] = logit + parameter(FC3_BIAS + class_index);
    }
    workgroupBarrier();
}

// The gradients of class `class_index`'s logits; the invocation of class 0 stores losses and whether the images are
// right too.
fn softmax_cross_entropy(first: u32, images: u32, class_index: u32) -> vec4<f32> {
    var largest = logits[0];
    var predicted = vec4<u32>(0u);
    for (var other = 1u; other < CLASSES; other++) {
        predicted = select(predicted, vec4<u32>(other), logits[other] > largest);
        largest = max(largest, logits[other]);
    }
    var sum = vec4<f32>(0.0);
    for (var other = 0u; other < CLASSES; other++) {
        sum += exp(logits[other] - largest);
    }
    var labels = vec4<u32>(0u);
    for (var image = 0u; image < IMAGES; image++) {
        labels[image] = targets[min(first + image, step.batch - 1u)];
    }
    let one_hot = select(vec4<f32>(0.0), vec4<f32>(1.0), vec4<u32>(class_index) == labels);
    let gradients = (exp(logits[class_index] - largest) / sum - one_hot) / f32(step.batch);
    for (var image = 0u; image < IMAGES; image++) {
        if image < images {
            deltas[(first + image) * width_of_deltas() + UNITS1 + UNITS2 + class_index] = gradients[image];
            if class_index == 0u {
                let loss = log(sum[image]) + largest[image] - logits[labels[image]][image];
                outcome[first + image] = vec2<f32>(loss, select(0.0, 1.0, predicted[image] == labels[image]));
            }
        }
    }
    return gradients;
}

// What half of the units of fc2 contribute to the gradient of their input `input`, a unit of fc1.
fn fc2_backward(input: u32, half: u32) -> vec4<f32> {
    var sums = vec4<f32>(0.0);
    for (var unit = half * UNITS2 / 2u; unit < (half + 1u) * UNITS2 / 2u; unit++) {
        sums += parameter(FC2_WEIGHT + unit * UNITS1 + input) * outputs[UNITS1 + unit];
    }
    return sums;
}

// What half of the units of fc1 contribute to the gradients of vec4 `i` of each image's features.
fn fc1_backward(i: u32, half: u32) -> array<vec4<f32>, 4> {
    var sums = array<vec4<f32>, 4>();
    for (var unit = half * UNITS1 / 2u; unit < (half + 1u) * UNITS1 / 2u; unit++) {
        let weights = parameters[FC1_WEIGHT / 4u + unit * (FEATURES / 4u) + i];
        let delta = outputs[unit];
        for (var image = 0u; image < IMAGES; image++) {
            sums[image] += delta[image] * weights;
        }
    }
    return sums;
}

// Computes the gradients of the hidden layers and of the features from those of the logits.
fn backward(first: u32, images: u32, invocation: u32) {
    if invocation < UNITS2 {
        var sums = vec4<f32>(0.0);
        for (var class_index = 0u; class_index < CLASSES; class_index++) {
            sums += parameter(FC3_WEIGHT + class_index * UNITS2 + invocation) * logits[class_index];
        }
        store_delta(first, images, UNITS1 + invocation, sums);
    }
    workgroupBarrier();
    let half = invocation % 2u;
    let sums = sum_of_two(invocation, fc2_backward(invocation / 2u, half));
    if half == 0u {
        store_delta(first, images, invocation / 2u, sums);
    }
    workgroupBarrier();
    let width = FEATURES / 4u;
    let i = invocation / 2u;
    // Invocations beyond the features repeat the last, and nothing of them is stored.
    var halves = fc1_backward(min(i, width - 1u), half);
    for (var image = 0u; image < IMAGES; image++) {
        let gradients = SCALE * sum_of_two(invocation, halves[image]);
        if half == 0u && i < width && image < images {
            // Where dropout dropped the value, or the ReLU before it stopped it, the feature is 0.
            let passed = inputs[image * width + i] > vec4<f32>(0.0);
            dfeatures[(first + image) * width + i] = select(vec4<f32>(0.0), gradients, passed);
        }
    }
}

// The kernel for the images from `first` on.
fn forward_backward(first: u32, invocation: u32) {
    let images = min(IMAGES, step.batch - first);
    let width = FEATURES / 4u;
    for (var i = invocation; i < IMAGES * width; i += WORKGROUP) {
        // Beyond the batch the last image is taken again, and nothing of it is stored.
        inputs[i] = features[min(first + i / width, step.batch - 1u) * width + i % width];
    }
    workgroupBarrier();
    forward(first, images, invocation);
    var gradients = vec4<f32>(0.0);
    if invocation < CLASSES {
        gradients = softmax_cross_entropy(first, images, invocation);
    }
    workgroupBarrier();
    if invocation < CLASSES {
        logits[invocation] = gradients;
    } else if invocation < (CLASSES + 3u) / 4u * 4u {
        for (var image = 0u; image < images; image++) {
            deltas[(first + image) * width_of_deltas() + UNITS1 + UNITS2 + invocation] = 0.0;
        }
    }
    workgroupBarrier();
    backward(first, images, invocation);
}

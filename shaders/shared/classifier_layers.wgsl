// What one invocation of classifier_forward_backward computes of the dense layers and the loss, and what it stores. A
// matrix has a column for each unit or input, and in it the images, but where it says otherwise.

// Weights of four units of fc1 from `unit` on for vec4 `i` of the features; beyond the last that is taken again.
fn fc1_weights(unit: u32, i: u32) -> mat4x4<f32> {
    let width = FEATURES / 4u;
    let at = FC1_WEIGHT / 4u + unit * width + min(i, width - 1u);
    return mat4x4<f32>(parameters[at], parameters[at + width], parameters[at + 2u * width],
        parameters[at + 3u * width]);
}

// Adds what vec4 `i` of the features contributes to four units: a column for each unit, and in it the images.
fn add_fc1(before: mat4x4<f32>, weights: mat4x4<f32>, i: u32) -> mat4x4<f32> {
    var sums = before;
    for (var image = 0u; image < IMAGES; image++) {
        let values = staged[image * stride() + i];
        // unroll
        for (var j = 0u; j < 4u; j++) {
            sums[j][image] = add_dot4(sums[j][image], values, weights[j]);
        }
    }
    return sums;
}

// A part of four units of fc1 from `unit` on.
fn fc1_forward(unit: u32, part: u32) -> mat4x4<f32> {
    var ahead: array<mat4x4<f32>, AHEAD>;
    // unroll
    for (var k = 0u; k < AHEAD; k++) {
        ahead[k] = fc1_weights(unit, part + k * PARTS);
    }
    workgroupBarrier();
    var sums = mat4x4<f32>();
    for (var begin = 0u; begin < stride(); begin += AHEAD * PARTS) {
        // unroll
        for (var k = 0u; k < AHEAD; k++) {
            let i = begin + k * PARTS + part;
            sums = add_fc1(sums, ahead[k], i);
            if begin + AHEAD * PARTS < stride() {
                ahead[k] = fc1_weights(unit, i + AHEAD * PARTS);
            }
        }
    }
    return sums;
}

// Weights of unit `unit` of fc2 and of the one UNITS2 / 2 behind it, for every PARTS-th vec4 of inputs.
fn fc2_weights(unit: u32, part: u32) -> array<vec4<f32>, 2u * INPUTS2> {
    var weights: array<vec4<f32>, 2u * INPUTS2>;
    // unroll
    for (var k = 0u; k < 2u * INPUTS2; k++) {
        let row = (unit + k / INPUTS2 * (UNITS2 / 2u)) * (UNITS1 / 4u);
        weights[k] = parameters[FC2_WEIGHT / 4u + row + k % INPUTS2 * PARTS + part];
    }
    return weights;
}

// A part of these two units.
fn fc2_forward(weights: array<vec4<f32>, 2u * INPUTS2>, part: u32) -> mat2x4<f32> {
    var sums = mat2x4<f32>();
    // unroll
    for (var k = 0u; k < INPUTS2; k++) {
        // unroll
        for (var input = 0u; input < 4u; input++) {
            let values = outputs[input * (UNITS1 / 4u) + k * PARTS + part];
            sums[0] += weights[k][input] * values;
            sums[1] += weights[INPUTS2 + k][input] * values;
        }
    }
    return sums;
}

// Weights of every PARTS-th vec4 of units of fc2 for their inputs in vec4 `i`.
fn fc2_columns(i: u32, part: u32) -> array<vec4<f32>, 4u * UNITS2_4> {
    var weights: array<vec4<f32>, 4u * UNITS2_4>;
    // unroll
    for (var k = 0u; k < 4u * UNITS2_4; k++) {
        let unit = 4u * (k / 4u * PARTS + part) + k % 4u;
        weights[k] = parameters[FC2_WEIGHT / 4u + unit * (UNITS1 / 4u) + i];
    }
    return weights;
}

// What these units contribute to the gradients of four inputs.
fn fc2_backward(weights: array<vec4<f32>, 4u * UNITS2_4>, part: u32) -> mat4x4<f32> {
    var sums = mat4x4<f32>();
    // unroll
    for (var k = 0u; k < 4u * UNITS2_4; k++) {
        let delta = outputs[UNITS1 + k % 4u * (UNITS2 / 4u) + k / 4u * PARTS + part];
        // unroll
        for (var input = 0u; input < 4u; input++) {
            sums[input] += weights[k][input] * delta;
        }
    }
    return sums;
}

// Weights of ROWS units of fc1 from `unit` on, 8 apart, for vec4 `i` of the features.
fn fc1_columns(unit: u32, i: u32) -> array<vec4<f32>, ROWS> {
    let first = FC1_WEIGHT / 4u + unit * (FEATURES / 4u) + i;
    var weights: array<vec4<f32>, ROWS>;
    // unroll
    for (var k = 0u; k < ROWS; k++) {
        weights[k] = parameters[first + 8u * k * (FEATURES / 4u)];
    }
    return weights;
}

// Adds what ROWS units, whose gradients stand from `at` on, contribute to the gradients of a vec4 of each image's
// features: a column for each image.
fn add_fc1_backward(before: mat4x4<f32>, weights: array<vec4<f32>, ROWS>, at: u32) -> mat4x4<f32> {
    var sums = before;
    // unroll
    for (var k = 0u; k < ROWS; k++) {
        let delta = outputs[at + 2u * k];
        for (var image = 0u; image < IMAGES; image++) {
            sums[image] += delta[image] * weights[k];
        }
    }
    return sums;
}

// Vec4 `i` of image `image` in a row of `outputs`, of both layers.
fn output_vec4(i: u32, image: u32) -> vec4<f32> {
    let is_second = i >= UNITS1 / 4u;
    let at = select(i, UNITS1 + i - UNITS1 / 4u, is_second);
    let apart = select(UNITS1 / 4u, UNITS2 / 4u, is_second);
    return vec4<f32>(outputs[at][image], outputs[at + apart][image], outputs[at + 2u * apart][image],
        outputs[at + 3u * apart][image]);
}

// Vec4 `i` of the gradients of an image's logits, with zeros behind the last class.
fn logit_gradients(i: u32, image: u32, label: u32) -> vec4<f32> {
    let classes = vec4<u32>(4u * i) + vec4<u32>(0u, 1u, 2u, 3u);
    var sum = 0.0;
    var values = vec4<f32>(0.0);
    for (var class_index = 0u; class_index < CLASSES; class_index++) {
        let value = exponentials[class_index][image];
        sum += value;
        values = select(values, vec4<f32>(value), classes == vec4<u32>(class_index));
    }
    let one_hot = select(vec4<f32>(0.0), vec4<f32>(1.0), classes == vec4<u32>(label));
    return (values / sum - one_hot) / f32(step.batch);
}

// The exponentials that the losses are made of, of class `class_index` of each image.
fn exponential(class_index: u32) -> vec4<f32> {
    var largest = logits[0];
    for (var other = 1u; other < CLASSES; other++) {
        largest = max(largest, logits[other]);
    }
    return exp(logits[class_index] - largest);
}

// The labels of the images from `first` on.
fn load_labels(first: u32) -> vec4<u32> {
    var labels = vec4<u32>(0u);
    for (var image = 0u; image < IMAGES; image++) {
        labels[image] = targets[min(first + image, step.batch - 1u)];
    }
    return labels;
}

// The gradients of fc2's unit `unit` before its ReLU: W3^T (e / sum of e - onehot) / N.
fn fc3_backward(unit: u32, labels: vec4<u32>) -> vec4<f32> {
    var sum = vec4<f32>(0.0);
    var products = vec4<f32>(0.0);
    var own = vec4<f32>(0.0);
    for (var class_index = 0u; class_index < CLASSES; class_index++) {
        let weight = parameter(FC3_WEIGHT + class_index * UNITS2 + unit);
        let value = exponentials[class_index];
        sum += value;
        products += weight * value;
        own = select(own, vec4<f32>(weight), vec4<u32>(class_index) == labels);
    }
    return (products / sum - own) / f32(step.batch);
}

// Stores vec4 `i` of a row of outputs of both hidden layers.
fn store_hidden(first: u32, images: u32, i: u32) {
    for (var image = 0u; image < IMAGES; image++) {
        if image < images && i < width_of_hidden() {
            hidden[(first + image) * width_of_hidden() + i] = output_vec4(i, image);
        }
    }
}

// Stores the loss of image `image` from `first` on and whether it is right.
fn store_outcome(first: u32, image: u32, label: u32) {
    var largest = logits[0][image];
    var predicted = 0u;
    var sum = 0.0;
    for (var class_index = 0u; class_index < CLASSES; class_index++) {
        let logit = logits[class_index][image];
        predicted = select(predicted, class_index, logit > largest);
        largest = max(largest, logit);
        sum += exponentials[class_index][image];
    }
    let loss = log(sum) + largest - logits[label][image];
    outcome[first + image] = vec2<f32>(loss, select(0.0, 1.0, predicted == label));
}

// Stores the gradients of all layers' outputs, a task for each vec4 of a row, and by one more task the outcomes.
fn store_results(first: u32, images: u32, task: u32, labels: vec4<u32>) {
    for (var image = 0u; image < IMAGES; image++) {
        if image < images {
            if task < width_of_hidden() {
                deltas[(first + image) * width_of_deltas() + task] = output_vec4(task, image);
            } else if task < width_of_deltas() {
                deltas[(first + image) * width_of_deltas() + task] =
                    logit_gradients(task - width_of_hidden(), image, labels[image]);
            } else if task == width_of_deltas() {
                store_outcome(first, image, labels[image]);
            }
        }
    }
}

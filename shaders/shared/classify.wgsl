// What both forms of classifier_forward_backward do, given `sum_of_four` and `sum_of_two`.

// The gradients of logit k; who makes those of the first keeps losses and rightness too.
fn judge(first: u32, images: u32, k: u32) -> vec4<f32> {
    var largest = z[0];
    var class_of_largest = vec4<u32>(0u);
    for (var other = 1u; other < CLASSES; other++) {
        class_of_largest = select(class_of_largest, vec4<u32>(other), z[other] > largest);
        largest = max(largest, z[other]);
    }
    var sum = vec4<f32>(0.0);
    for (var other = 0u; other < CLASSES; other++) {
        sum += exp(z[other] - largest);
    }
    var right = vec4<u32>(0u);
    for (var image = 0u; image < IMAGES; image++) {
        right[image] = targets[min(first + image, step.batch - 1u)];
    }
    let gradient = (exp(z[k] - largest) / sum - select(vec4<f32>(0.0), vec4<f32>(1.0), vec4<u32>(k) == right)) / f32(step.batch);
    for (var image = 0u; image < IMAGES; image++) {
        if image < images {
            deltas[(first + image) * width_of_deltas() + UNITS1 + UNITS2 + k] = gradient[image];
            if k == 0u {
                let loss = log(sum[image]) + largest[image] - z[right[image]][image];
                outcome[first + image] = vec2<f32>(loss, select(0.0, 1.0, class_of_largest[image] == right[image]));
            }
        }
    }
    return gradient;
}

// What half of the units of the second hidden layer give to unit `unit` of the first.
fn half_of_units(unit: u32, half: u32) -> vec4<f32> {
    var s = vec4<f32>(0.0);
    for (var k = half * UNITS2 / 2u; k < (half + 1u) * UNITS2 / 2u; k++) {
        s += parameter(FC2_WEIGHT + k * UNITS1 + unit) * units[UNITS1 + k];
    }
    return s;
}

// What half of the units of the first hidden layer give to quadruple i of each image's features.
fn half_of_features(i: u32, half: u32) -> array<vec4<f32>, 4> {
    var s = array<vec4<f32>, 4>();
    for (var k = half * UNITS1 / 2u; k < (half + 1u) * UNITS1 / 2u; k++) {
        let w = parameters[FC1_WEIGHT / 4u + k * (FEATURES / 4u) + i];
        let d = units[k];
        for (var image = 0u; image < IMAGES; image++) {
            s[image] += d[image] * w;
        }
    }
    return s;
}

// The dense layers of the images from `first` on.
fn forth(first: u32, images: u32, lane: u32) {
    let part = lane % 4u;
    for (var begin = 0u; begin < UNITS1; begin += WORKGROUP / 4u) {
        let unit = begin + lane / 4u;
        let s = sum_of_four(lane, first_part(unit, part));
        if part == 0u {
            keep_unit(first, images, unit, s + parameter(FC1_BIAS + unit));
        }
    }
    workgroupBarrier();
    let unit = lane / 4u;
    let s = sum_of_four(lane, hidden_part(0u, UNITS1, FC2_WEIGHT + unit * UNITS1, part));
    if part == 0u {
        keep_unit(first, images, UNITS1 + unit, s + parameter(FC2_BIAS + unit));
    }
    workgroupBarrier();
    // Lanes beyond the classes repeat the last.
    let k = min(unit, CLASSES - 1u);
    let logit = sum_of_four(lane, hidden_part(UNITS1, UNITS2, FC3_WEIGHT + k * UNITS2, part));
    if part == 0u && unit < CLASSES {
        z[k] = logit + parameter(FC3_BIAS + k);
    }
    workgroupBarrier();
}

fn back(first: u32, images: u32, lane: u32) {
    if lane < UNITS2 {
        var s = vec4<f32>(0.0);
        for (var k = 0u; k < CLASSES; k++) {
            s += parameter(FC3_WEIGHT + k * UNITS2 + lane) * z[k];
        }
        keep_gradient(first, images, UNITS1 + lane, s);
    }
    workgroupBarrier();
    let s = sum_of_two(lane, half_of_units(lane / 2u, lane % 2u));
    if lane % 2u == 0u {
        keep_gradient(first, images, lane / 2u, s);
    }
    workgroupBarrier();
    let width = FEATURES / 4u;
    let i = lane / 2u;
    // Lanes beyond the features repeat the last, and nothing of them is stored.
    var halves = half_of_features(min(i, width - 1u), lane % 2u);
    for (var image = 0u; image < IMAGES; image++) {
        let gradients = SCALE * sum_of_two(lane, halves[image]);
        if lane % 2u == 0u && i < width && image < images {
            // Where dropout dropped the value, or the ReLU before it stopped it, the feature is 0.
            dfeatures[(first + image) * width + i] = select(vec4<f32>(0.0), gradients, inputs[image * width + i] > vec4<f32>(0.0));
        }
    }
}

fn classify(first: u32, lane: u32) {
    let images = min(IMAGES, step.batch - first);
    let width = FEATURES / 4u;
    for (var i = lane; i < IMAGES * width; i += WORKGROUP) {
        // Beyond the batch the last image is taken again, and nothing of it is stored.
        inputs[i] = features[min(first + i / width, step.batch - 1u) * width + i % width];
    }
    workgroupBarrier();
    forth(first, images, lane);
    var gradient = vec4<f32>(0.0);
    if lane < CLASSES {
        gradient = judge(first, images, lane);
    }
    workgroupBarrier();
    if lane < CLASSES {
        z[lane] = gradient;
    } else if lane < (CLASSES + 3u) / 4u * 4u {
        for (var image = 0u; image < images; image++) {
            deltas[(first + image) * width_of_deltas() + UNITS1 + UNITS2 + lane] = 0.0;
        }
    }
    workgroupBarrier();
    back(first, images, lane);
}

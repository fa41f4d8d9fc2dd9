// The second half of classifier_forward_backward: from the logits to the gradients of the features.

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

fn way_back(first: u32, images: u32, lane: u32, gradient: vec4<f32>) {
    if lane < CLASSES {
        z[lane] = gradient;
    } else if lane < (CLASSES + 3u) / 4u * 4u {
        for (var image = 0u; image < images; image++) {
            deltas[(first + image) * width_of_deltas() + UNITS1 + UNITS2 + lane] = 0.0;
        }
    }
    workgroupBarrier();
    if lane < UNITS2 {
        var s = vec4<f32>(0.0);
        for (var k = 0u; k < CLASSES; k++) {
            s += parameter(FC3_WEIGHT + k * UNITS2 + lane) * z[k];
        }
        keep_gradient(first, images, UNITS1 + lane, s);
    }
    workgroupBarrier();
    parts[lane] = half_of_units(lane % UNITS1, lane / UNITS1);
    workgroupBarrier();
    if lane < UNITS1 {
        keep_gradient(first, images, lane, parts[lane] + parts[lane + UNITS1]);
    }
    workgroupBarrier();
    let width = FEATURES / 4u;
    let i = lane % UNITS1;
    // Lanes beyond the features repeat the last, and nothing of them is stored.
    var s = half_of_features(min(i, width - 1u), lane / UNITS1);
    for (var image = 0u; image < IMAGES; image++) {
        parts[lane] = s[image];
        workgroupBarrier();
        if lane < width && image < images {
            // Where dropout dropped the value, or the ReLU before it stopped it, the feature is 0.
            let gradients = SCALE * (parts[lane] + parts[lane + UNITS1]);
            dfeatures[(first + image) * width + lane] = select(vec4<f32>(0.0), gradients, inputs[image * width + lane] > vec4<f32>(0.0));
        }
        workgroupBarrier();
    }
}

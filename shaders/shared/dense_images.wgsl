// For kernels that carry IMAGES images at a time through the dense layers, from image `first` on, and bind `features`,
// `hidden`, `deltas` and `parameters` as vec4s. Indices of units and inputs count vec4s.

// Values of four units or inputs, side by side, of each image.
alias Values = array<vec4<f32>, IMAGES>;

// The images of the workgroup; beyond the batch the last image is taken again, and nothing of it is stored.
fn image_index(first: u32, image: u32) -> u32 {
    return min(first + image, step.batch - 1u);
}

fn row_of_deltas(image: u32) -> u32 {
    return image * ((UNITS1 + UNITS2) / 4u + (CLASSES + 3u) / 4u);
}

fn load_features(first: u32, i: u32) -> Values {
    var values: Values;
    // unroll
    for (var image = 0u; image < IMAGES; image++) {
        values[image] = features[image_index(first, image) * (FEATURES / 4u) + i];
    }
    return values;
}

fn load_hidden(first: u32, i: u32) -> Values {
    var values: Values;
    // unroll
    for (var image = 0u; image < IMAGES; image++) {
        values[image] = hidden[image_index(first, image) * ((UNITS1 + UNITS2) / 4u) + i];
    }
    return values;
}

fn load_deltas(first: u32, i: u32) -> Values {
    var values: Values;
    // unroll
    for (var image = 0u; image < IMAGES; image++) {
        values[image] = deltas[row_of_deltas(image_index(first, image)) + i];
    }
    return values;
}

// The same parameters for each image.
fn load_bias(i: u32) -> Values {
    var values: Values;
    // unroll
    for (var image = 0u; image < IMAGES; image++) {
        values[image] = parameters[i];
    }
    return values;
}

// Weights of four units, whose rows are `stride` apart, for four inputs.
fn load_weights(first: u32, stride: u32) -> mat4x4<f32> {
    return mat4x4<f32>(parameters[first], parameters[first + stride], parameters[first + 2u * stride],
        parameters[first + 3u * stride]);
}

// The same of fc3 for four inputs; units beyond the classes take the last one's.
fn load_weights3(unit4: u32, input4: u32) -> mat4x4<f32> {
    let units = min(4u * vec4<u32>(unit4) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(CLASSES - 1u));
    let rows = vec4<u32>(FC3_WEIGHT / 4u + input4) + units * (UNITS2 / 4u);
    return mat4x4<f32>(parameters[rows.x], parameters[rows.y], parameters[rows.z], parameters[rows.w]);
}

// Adds the products of four inputs with the weights of four units.
fn add_forward(before: Values, inputs: Values, weights: mat4x4<f32>) -> Values {
    var sums = before;
    // unroll
    for (var image = 0u; image < IMAGES; image++) {
        sums[image] += inputs[image] * weights;
    }
    return sums;
}

// Adds what the gradients of four units contribute to those of four of their inputs.
fn add_backward(before: Values, delta: Values, weights: mat4x4<f32>) -> Values {
    var sums = before;
    // unroll
    for (var image = 0u; image < IMAGES; image++) {
        sums[image] += weights * delta[image];
    }
    return sums;
}

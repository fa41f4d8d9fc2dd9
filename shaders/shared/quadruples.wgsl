// For kernels that carry IMAGES images from `first` on, and bind `features`, `hidden`, `deltas` and `parameters` as vec4s.

// The images of the workgroup; beyond the batch the last image is taken again, and nothing of it is stored.
fn image_of(first: u32, image: u32) -> u32 {
    return min(first + image, step.batch - 1u);
}

fn features_of(first: u32, i: u32) -> array<vec4<f32>, IMAGES> {
    let w = FEATURES / 4u;
    return array<vec4<f32>, IMAGES>(features[image_of(first, 0u) * w + i], features[image_of(first, 1u) * w + i], features[image_of(first, 2u) * w + i], features[image_of(first, 3u) * w + i],
        features[image_of(first, 4u) * w + i], features[image_of(first, 5u) * w + i], features[image_of(first, 6u) * w + i], features[image_of(first, 7u) * w + i]);
}

fn hidden_of(first: u32, i: u32) -> array<vec4<f32>, IMAGES> {
    let w = (UNITS1 + UNITS2) / 4u;
    return array<vec4<f32>, IMAGES>(hidden[image_of(first, 0u) * w + i], hidden[image_of(first, 1u) * w + i], hidden[image_of(first, 2u) * w + i], hidden[image_of(first, 3u) * w + i],
        hidden[image_of(first, 4u) * w + i], hidden[image_of(first, 5u) * w + i], hidden[image_of(first, 6u) * w + i], hidden[image_of(first, 7u) * w + i]);
}

fn row_of_deltas(image: u32) -> u32 {
    return image * ((UNITS1 + UNITS2) / 4u + (CLASSES + 3u) / 4u);
}

fn deltas_of(first: u32, i: u32) -> array<vec4<f32>, IMAGES> {
    return array<vec4<f32>, IMAGES>(deltas[row_of_deltas(image_of(first, 0u)) + i], deltas[row_of_deltas(image_of(first, 1u)) + i], deltas[row_of_deltas(image_of(first, 2u)) + i], deltas[row_of_deltas(image_of(first, 3u)) + i],
        deltas[row_of_deltas(image_of(first, 4u)) + i], deltas[row_of_deltas(image_of(first, 5u)) + i], deltas[row_of_deltas(image_of(first, 6u)) + i], deltas[row_of_deltas(image_of(first, 7u)) + i]);
}

fn all(v: vec4<f32>) -> array<vec4<f32>, IMAGES> {
    return array<vec4<f32>, IMAGES>(v, v, v, v, v, v, v, v);
}

// Four quadruples of parameters, `stride` apart.
fn block(at: u32, stride: u32) -> mat4x4<f32> {
    return mat4x4<f32>(parameters[at], parameters[at + stride], parameters[at + 2u * stride], parameters[at + 3u * stride]);
}

// Adds the products of four inputs x with the rows of four units.
fn forth(s: array<vec4<f32>, IMAGES>, x: array<vec4<f32>, IMAGES>, w: mat4x4<f32>) -> array<vec4<f32>, IMAGES> {
    return array<vec4<f32>, IMAGES>(s[0] + x[0] * w, s[1] + x[1] * w, s[2] + x[2] * w, s[3] + x[3] * w, s[4] + x[4] * w, s[5] + x[5] * w, s[6] + x[6] * w, s[7] + x[7] * w);
}

// Adds what four units' gradients d give to four of their inputs.
fn back(s: array<vec4<f32>, IMAGES>, d: array<vec4<f32>, IMAGES>, w: mat4x4<f32>) -> array<vec4<f32>, IMAGES> {
    return array<vec4<f32>, IMAGES>(s[0] + w * d[0], s[1] + w * d[1], s[2] + w * d[2], s[3] + w * d[3], s[4] + w * d[4], s[5] + w * d[5], s[6] + w * d[6], s[7] + w * d[7]);
}

// Keeps the outputs of four hidden units after the ReLU.
fn keep_hidden(first: u32, quadruple: u32, s: array<vec4<f32>, IMAGES>) {
    var values = s;
    for (var image = 0u; image < IMAGES && first + image < step.batch; image++) {
        hidden[(first + image) * ((UNITS1 + UNITS2) / 4u) + quadruple] = max(values[image], vec4<f32>(0.0));
    }
}

// Units of the dense layers, for both forms of classifier_forward_backward: values of four images side by side.

fn parameter(index: u32) -> f32 {
    return parameters[index / 4u][index % 4u];
}

fn width_of_deltas() -> u32 {
    return (UNITS1 + UNITS2 + CLASSES + 3u) / 4u * 4u;
}

// The part of the products of unit `unit`'s weights with the features that this one of four invocations makes.
fn first_part(unit: u32, part: u32) -> vec4<f32> {
    var s = array<f32, 4>();
    for (var i = part; i < FEATURES / 4u; i += 4u) {
        let w = parameters[(FC1_WEIGHT + unit * FEATURES) / 4u + i];
        for (var image = 0u; image < IMAGES; image++) {
            s[image] = meet(s[image], inputs[image * (FEATURES / 4u) + i], w);
        }
    }
    return vec4<f32>(s[0], s[1], s[2], s[3]);
}

// As first_part, of a row of weights with `count` units from `begin` on.
fn hidden_part(begin: u32, count: u32, weight: u32, part: u32) -> vec4<f32> {
    var s = vec4<f32>(0.0);
    for (var i = 4u * part; i < count; i += 16u) {
        let w = parameters[(weight + i) / 4u];
        s += w.x * units[begin + i];
        s += w.y * units[begin + i + 1u];
        s += w.z * units[begin + i + 2u];
        s += w.w * units[begin + i + 3u];
    }
    return s;
}

// Unit `unit`'s values a of the images from `first` on after the ReLU.
fn keep_unit(first: u32, images: u32, unit: u32, a: vec4<f32>) {
    let values = max(a, vec4<f32>(0.0));
    units[unit] = values;
    for (var image = 0u; image < IMAGES; image++) {
        if image < images { hidden[(first + image) * (UNITS1 + UNITS2) + unit] = values[image]; }
    }
}

// Gradients take the place of what the unit put out, where the ReLU let that through.
fn keep_gradient(first: u32, images: u32, unit: u32, s: vec4<f32>) {
    let values = select(vec4<f32>(0.0), s, units[unit] > vec4<f32>(0.0));
    units[unit] = values;
    for (var image = 0u; image < IMAGES; image++) {
        if image < images { deltas[(first + image) * width_of_deltas() + unit] = values[image]; }
    }
}

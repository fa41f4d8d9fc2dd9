// The three dense layers, the loss and the way back to the features; one workgroup makes IMAGES images, four invocations a unit forwards, one or two a value backwards.
// Math: a1 = relu(W1 f + b1); a2 = relu(W2 a1 + b2); z = W3 a2 + b3; dz3 = (softmax(z) - onehot) / N; dz2 = [a2 > 0] W3^T dz3; dz1 = [a1 > 0] W2^T dz2; dfeatures = [f > 0] SCALE W1^T dz1
// Shapes: features, dfeatures [N, FEATURES]; hidden [N, UNITS1 + UNITS2], a1 before a2; deltas [N, UNITS1 + UNITS2 + CLASSES rounded up to 4s], dz1, dz2, dz3, then 0; outcome [N, 2], loss and 1 if right
// Grid: ceil(N / IMAGES) workgroups in x; IMAGES is 1 to 4, WORKGROUP four times UNITS2 and twice UNITS1
// Cost: flop 4 * N * |dense weights|; bytes 4 * (N * (2 FEATURES + |hidden| + |deltas| + 3) + |dense parameters|)
// Source: dense_forward, softmax_cross_entropy_forward, softmax_cross_entropy_backward, dense_backward_input and dropout_backward in one

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
override IMAGES: u32;

@group(0) @binding(0) var<storage, read> features: array<vec4<f32>>; // [N, FEATURES / 4]
@group(0) @binding(1) var<storage, read> targets: array<u32>; // [N]
@group(0) @binding(2) var<storage, read> parameters: array<vec4<f32>>; // all
@group(0) @binding(3) var<storage, read_write> hidden: array<f32>; // [N, UNITS1 + UNITS2]
@group(0) @binding(4) var<storage, read_write> deltas: array<f32>; // [N, UNITS1 + UNITS2 + CLASSES rounded up]
@group(0) @binding(5) var<storage, read_write> dfeatures: array<vec4<f32>>; // [N, FEATURES / 4]
@group(0) @binding(6) var<storage, read_write> outcome: array<vec2<f32>>; // [N]
@group(0) @binding(7) var<uniform> step: Step; // this step

var<workgroup> inputs: array<vec4<f32>, IMAGES * (FEATURES / 4u)>;
// Values of up to four images: what the units of both hidden layers put out, later their gradients; the logits, later theirs; and parts of sums.
var<workgroup> units: array<vec4<f32>, UNITS1 + UNITS2>;
var<workgroup> z: array<vec4<f32>, CLASSES>;
var<workgroup> parts: array<vec4<f32>, WORKGROUP>;

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

// The four parts of sum number `index` together.
fn four_parts(index: u32) -> vec4<f32> {
    return parts[4u * index] + parts[4u * index + 1u] + parts[4u * index + 2u] + parts[4u * index + 3u];
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

@compute @workgroup_size(WORKGROUP)
fn classifier_forward_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = group.x * IMAGES;
    let images = min(IMAGES, step.batch - first);
    let width = FEATURES / 4u;
    for (var i = lane; i < IMAGES * width; i += WORKGROUP) {
        // Beyond the batch the last image is taken again, and nothing of it is stored.
        inputs[i] = features[min(first + i / width, step.batch - 1u) * width + i % width];
    }
    workgroupBarrier();
    for (var begin = 0u; begin < UNITS1; begin += WORKGROUP / 4u) {
        parts[lane] = first_part(begin + lane / 4u, lane % 4u);
        workgroupBarrier();
        if lane < WORKGROUP / 4u {
            keep_unit(first, images, begin + lane, four_parts(lane) + parameter(FC1_BIAS + begin + lane));
        }
        workgroupBarrier();
    }
    parts[lane] = hidden_part(0u, UNITS1, FC2_WEIGHT + lane / 4u * UNITS1, lane % 4u);
    workgroupBarrier();
    if lane < UNITS2 {
        keep_unit(first, images, UNITS1 + lane, four_parts(lane) + parameter(FC2_BIAS + lane));
    }
    workgroupBarrier();
    if lane < 4u * CLASSES {
        parts[lane] = hidden_part(UNITS1, UNITS2, FC3_WEIGHT + lane / 4u * UNITS2, lane % 4u);
    }
    workgroupBarrier();
    if lane < CLASSES {
        z[lane] = four_parts(lane) + parameter(FC3_BIAS + lane);
    }
    workgroupBarrier();
    var gradient = vec4<f32>(0.0);
    if lane < CLASSES {
        gradient = judge(first, images, lane);
    }
    workgroupBarrier();
    way_back(first, images, lane, gradient);
}

// The three dense layers, the loss and the way back to the features; one workgroup makes eight images, each lane four consecutive units or features at a time.
// Math: a1 = relu(W1 f + b1); a2 = relu(W2 a1 + b2); z = W3 a2 + b3; dz3 = (softmax(z) - onehot) / N; dz2 = [a2 > 0] W3^T dz3; dz1 = [a1 > 0] W2^T dz2; dfeatures = [f > 0] SCALE W1^T dz1
// Shapes: features, dfeatures [N, FEATURES]; hidden [N, UNITS1 + UNITS2], a1 before a2; deltas [N, UNITS1 + UNITS2 + CLASSES rounded up to 4s], dz1, dz2, dz3, then 0; outcome [N, 2], loss and 1 if right
// Grid: ceil(N / IMAGES) workgroups in x
// Cost: flop 4 * N * |dense weights|; bytes 4 * (N * (2 FEATURES + |hidden| + |deltas| + 3) + |dense parameters|)
// Source: classifier_forward_backward for drivers to which a load is dear and registers are cheap; UNITS1 = 16 WORKGROUP, UNITS2 = 8 WORKGROUP

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

@group(0) @binding(0) var<storage, read> features: array<vec4<f32>>; // [N, FEATURES / 4]
@group(0) @binding(1) var<storage, read> targets: array<u32>; // [N]
@group(0) @binding(2) var<storage, read> parameters: array<vec4<f32>>; // all
@group(0) @binding(3) var<storage, read_write> hidden: array<vec4<f32>>; // [N, (UNITS1 + UNITS2) / 4]
@group(0) @binding(4) var<storage, read_write> deltas: array<vec4<f32>>; // [N, (UNITS1 + UNITS2) / 4 + ceil(CLASSES / 4)]
@group(0) @binding(5) var<storage, read_write> dfeatures: array<vec4<f32>>; // [N, FEATURES / 4]
@group(0) @binding(6) var<storage, read_write> outcome: array<vec2<f32>>; // [N]
@group(0) @binding(7) var<uniform> step: Step; // this step

// Keeps the gradients of four hidden units where the ReLU let them pass.
fn keep_deltas(first: u32, quadruple: u32, s: array<vec4<f32>, IMAGES>) {
    var values = s;
    for (var image = 0u; image < IMAGES && first + image < step.batch; image++) {
        let a = hidden[(first + image) * ((UNITS1 + UNITS2) / 4u) + quadruple];
        deltas[row_of_deltas(first + image) + quadruple] = select(vec4<f32>(0.0), values[image], a > vec4<f32>(0.0));
    }
}

// Keeps the gradients of four features where dropout and the ReLU before it let them pass: there the feature is above 0.
fn keep_dfeatures(first: u32, quadruple: u32, s: array<vec4<f32>, IMAGES>) {
    var values = s;
    for (var image = 0u; image < IMAGES && first + image < step.batch && quadruple < FEATURES / 4u; image++) {
        let at = (first + image) * (FEATURES / 4u) + quadruple;
        dfeatures[at] = select(vec4<f32>(0.0), SCALE * values[image], features[at] > vec4<f32>(0.0));
    }
}

fn first_layer(first: u32, lane: u32) {
    let width = FEATURES / 4u;
    var s = array<array<vec4<f32>, IMAGES>, 4>(all(parameters[FC1_BIAS / 4u + lane]), all(parameters[FC1_BIAS / 4u + lane + WORKGROUP]),
        all(parameters[FC1_BIAS / 4u + lane + 2u * WORKGROUP]), all(parameters[FC1_BIAS / 4u + lane + 3u * WORKGROUP]));
    for (var i = 0u; i < width; i++) {
        let x = features_of(first, i);
        let at = FC1_WEIGHT / 4u + 4u * lane * width + i;
        let next = 4u * WORKGROUP * width;
        s = array<array<vec4<f32>, IMAGES>, 4>(forth(s[0], x, block(at, width)), forth(s[1], x, block(at + next, width)),
            forth(s[2], x, block(at + 2u * next, width)), forth(s[3], x, block(at + 3u * next, width)));
    }
    keep_hidden(first, lane, s[0]);
    keep_hidden(first, lane + WORKGROUP, s[1]);
    keep_hidden(first, lane + 2u * WORKGROUP, s[2]);
    keep_hidden(first, lane + 3u * WORKGROUP, s[3]);
}

fn second_layer(first: u32, lane: u32) {
    let width = UNITS1 / 4u;
    var a = all(parameters[FC2_BIAS / 4u + lane]);
    var b = all(parameters[FC2_BIAS / 4u + lane + WORKGROUP]);
    for (var i = 0u; i < width; i++) {
        let x = hidden_of(first, i);
        let at = FC2_WEIGHT / 4u + 4u * lane * width + i;
        a = forth(a, x, block(at, width));
        b = forth(b, x, block(at + 4u * WORKGROUP * width, width));
    }
    keep_hidden(first, UNITS1 / 4u + lane, a);
    keep_hidden(first, UNITS1 / 4u + lane + WORKGROUP, b);
}

// The rows of four classes, of which the last is taken again for those beyond it.
fn classes(quadruple: u32, i: u32) -> mat4x4<f32> {
    let at = FC3_WEIGHT / 4u + i;
    let k = min(4u * vec4<u32>(quadruple) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(CLASSES - 1u)) * (UNITS2 / 4u);
    return mat4x4<f32>(parameters[at + k.x], parameters[at + k.y], parameters[at + k.z], parameters[at + k.w]);
}

fn third_layer(first: u32, lane: u32) {
    let quadruple = min(lane, (CLASSES - 1u) / 4u);
    var s = all(parameters[FC3_BIAS / 4u + quadruple]);
    for (var i = 0u; i < UNITS2 / 4u; i++) {
        s = forth(s, hidden_of(first, UNITS1 / 4u + i), classes(quadruple, i));
    }
    for (var image = 0u; image < IMAGES && first + image < step.batch && lane < (CLASSES + 3u) / 4u; image++) {
        deltas[row_of_deltas(first + image) + (UNITS1 + UNITS2) / 4u + lane] = s[image];
    }
}

fn third_layer_back(first: u32, quadruple: u32) {
    var s = all(vec4<f32>(0.0));
    for (var k = 0u; k < (CLASSES + 3u) / 4u; k++) {
        s = back(s, deltas_of(first, (UNITS1 + UNITS2) / 4u + k), classes(k, quadruple));
    }
    keep_deltas(first, UNITS1 / 4u + quadruple, s);
}

// The gradients d of four quadruples of inputs, WORKGROUP apart from `lane` on, of the layer whose gradients begin at quadruple `begin`.
fn layer_back(first: u32, lane: u32, last: u32, begin: u32, units: u32, weight: u32, width: u32) -> array<array<vec4<f32>, IMAGES>, 4> {
    var s = array<array<vec4<f32>, IMAGES>, 4>();
    for (var k = 0u; k < units / 4u; k++) {
        let d = deltas_of(first, begin + k);
        let at = weight / 4u + 4u * k * width;
        s = array<array<vec4<f32>, IMAGES>, 4>(back(s[0], d, block(at + min(lane, last), width)), back(s[1], d, block(at + min(lane + WORKGROUP, last), width)),
            back(s[2], d, block(at + min(lane + 2u * WORKGROUP, last), width)), back(s[3], d, block(at + min(lane + 3u * WORKGROUP, last), width)));
    }
    return s;
}

@compute @workgroup_size(WORKGROUP)
fn classifier_forward_backward_lanes(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = group.x * IMAGES;
    first_layer(first, lane);
    storageBarrier();
    second_layer(first, lane);
    storageBarrier();
    third_layer(first, lane);
    storageBarrier();
    for (var image = lane; image < IMAGES && first + image < step.batch; image += WORKGROUP) {
        judge(first + image);
    }
    storageBarrier();
    third_layer_back(first, lane);
    third_layer_back(first, lane + WORKGROUP);
    storageBarrier();
    let d = layer_back(first, lane, UNITS1 / 4u - 1u, UNITS1 / 4u, UNITS2, FC2_WEIGHT, UNITS1 / 4u);
    keep_deltas(first, lane, d[0]);
    keep_deltas(first, lane + WORKGROUP, d[1]);
    keep_deltas(first, lane + 2u * WORKGROUP, d[2]);
    keep_deltas(first, lane + 3u * WORKGROUP, d[3]);
    storageBarrier();
    for (var i = lane; i - lane < FEATURES / 4u; i += 4u * WORKGROUP) {
        let f = layer_back(first, i, FEATURES / 4u - 1u, 0u, UNITS1, FC1_WEIGHT, FEATURES / 4u);
        keep_dfeatures(first, i, f[0]);
        keep_dfeatures(first, i + WORKGROUP, f[1]);
        keep_dfeatures(first, i + 2u * WORKGROUP, f[2]);
        keep_dfeatures(first, i + 3u * WORKGROUP, f[3]);
    }
}

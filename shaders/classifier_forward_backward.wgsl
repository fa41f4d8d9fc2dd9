// The three dense layers, the loss and the way back to the features; one workgroup makes eight images, each invocation some units.
// Math: a1 = relu(W1 f + b1); a2 = relu(W2 a1 + b2); z = W3 a2 + b3; dz3 = (softmax(z) - onehot) / N; dz2 = [a2 > 0] W3^T dz3; dz1 = [a1 > 0] W2^T dz2; dfeatures = [f > 0] SCALE W1^T dz1
// Shapes: features, dfeatures [N, FEATURES]; hidden [N, UNITS1 + UNITS2], a1 before a2; deltas [N, UNITS1 + UNITS2 + CLASSES rounded up to 4s], dz1, dz2, dz3, then 0; outcome [N, 2], loss and 1 if right
// Grid: ceil(N / IMAGES) workgroups in x
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

const IMAGES = 8u;

@group(0) @binding(0) var<storage, read> features: array<vec4<f32>>; // [N, FEATURES / 4]
@group(0) @binding(1) var<storage, read> targets: array<u32>; // [N]
@group(0) @binding(2) var<storage, read> parameters: array<vec4<f32>>; // all
@group(0) @binding(3) var<storage, read_write> hidden: array<f32>; // [N, UNITS1 + UNITS2]
@group(0) @binding(4) var<storage, read_write> deltas: array<f32>; // [N, UNITS1 + UNITS2 + CLASSES rounded up]
@group(0) @binding(5) var<storage, read_write> dfeatures: array<vec4<f32>>; // [N, FEATURES / 4]
@group(0) @binding(6) var<storage, read_write> outcome: array<vec2<f32>>; // [N]
@group(0) @binding(7) var<uniform> step: Step; // this step

// Each a value of eight images: what the units of both hidden layers put out, their gradients, and the logits, later theirs.
var<workgroup> a: array<mat2x4<f32>, UNITS1 + UNITS2>;
var<workgroup> dz: array<mat2x4<f32>, UNITS1 + UNITS2>;
var<workgroup> z: array<mat2x4<f32>, CLASSES>;

fn parameter(index: u32) -> f32 {
    return parameters[index / 4u][index % 4u];
}

// Loss, rightness and dz3 of image `image` of the group, whose number in the batch is n.
fn judge(image: u32, n: u32) {
    let half = image / 4u;
    let place = image % 4u;
    var largest = z[0][half][place];
    var class_of_largest = 0u;
    for (var k = 1u; k < CLASSES; k++) {
        let value = z[k][half][place];
        if value > largest {
            largest = value;
            class_of_largest = k;
        }
    }
    var sum = 0.0;
    for (var k = 0u; k < CLASSES; k++) {
        sum += exp(z[k][half][place] - largest);
    }
    let right = targets[n];
    outcome[n] = vec2<f32>(log(sum) + largest - z[right][half][place], select(0.0, 1.0, class_of_largest == right));
    let to = n * ((UNITS1 + UNITS2 + CLASSES + 3u) / 4u * 4u) + UNITS1 + UNITS2;
    for (var k = 0u; k < CLASSES; k++) {
        let probability = exp(z[k][half][place] - largest) / sum;
        let gradient = (probability - select(0.0, 1.0, k == right)) / f32(step.batch);
        z[k][half][place] = gradient;
        deltas[to + k] = gradient;
    }
    for (var k = CLASSES; k % 4u != 0u; k++) { deltas[to + k] = 0.0; }
}

// The bias and the products of `count` values of a, from `begin` on, with a row of weights.
fn sum_of_inputs(begin: u32, count: u32, weight: u32, bias: u32) -> mat2x4<f32> {
    var s = both(parameter(bias));
    for (var i = 0u; i < count; i += 4u) {
        let w = parameters[(weight + i) / 4u];
        let at = begin + i;
        s += w.x * a[at] + w.y * a[at + 1u] + w.z * a[at + 2u] + w.w * a[at + 3u];
    }
    return s;
}

@compute @workgroup_size(WORKGROUP)
fn classifier_forward_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = group.x * IMAGES;
    let images = min(IMAGES, step.batch - first);
    let last = first + images - 1u;
    let width = FEATURES / 4u;
    // Beyond the batch the last image is taken again, and nothing of it is stored.
    let low = min(vec4<u32>(first, first + 1u, first + 2u, first + 3u), vec4<u32>(last)) * width;
    let high = min(vec4<u32>(first + 4u, first + 5u, first + 6u, first + 7u), vec4<u32>(last)) * width;
    for (var unit = lane; unit < UNITS1; unit += WORKGROUP) {
        var s = both(parameter(FC1_BIAS + unit));
        for (var i = 0u; i < width; i++) {
            let w = parameters[FC1_WEIGHT / 4u + unit * width + i];
            s[0] += w * mat4x4<f32>(features[low.x + i], features[low.y + i], features[low.z + i], features[low.w + i]);
            s[1] += w * mat4x4<f32>(features[high.x + i], features[high.y + i], features[high.z + i], features[high.w + i]);
        }
        a[unit] = rectified(s);
    }
    workgroupBarrier();
    for (var unit = lane; unit < UNITS2; unit += WORKGROUP) {
        a[UNITS1 + unit] = rectified(sum_of_inputs(0u, UNITS1, FC2_WEIGHT + unit * UNITS1, FC2_BIAS + unit));
    }
    workgroupBarrier();
    if lane < CLASSES {
        z[lane] = sum_of_inputs(UNITS1, UNITS2, FC3_WEIGHT + lane * UNITS2, FC3_BIAS + lane);
    }
    workgroupBarrier();
    if lane < images {
        judge(lane, first + lane);
    }
    workgroupBarrier();
    for (var unit = lane; unit < UNITS2; unit += WORKGROUP) {
        var s = both(0.0);
        for (var k = 0u; k < CLASSES; k++) {
            s += parameter(FC3_WEIGHT + k * UNITS2 + unit) * z[k];
        }
        dz[UNITS1 + unit] = passed(s, a[UNITS1 + unit]);
    }
    workgroupBarrier();
    for (var unit = lane; unit < UNITS1; unit += WORKGROUP) {
        var s = both(0.0);
        for (var k = 0u; k < UNITS2; k++) {
            s += parameter(FC2_WEIGHT + k * UNITS1 + unit) * dz[UNITS1 + k];
        }
        dz[unit] = passed(s, a[unit]);
    }
    workgroupBarrier();
    for (var i = lane; i < width; i += WORKGROUP) {
        var s = array<vec4<f32>, IMAGES>();
        for (var k = 0u; k < UNITS1; k++) {
            let w = parameters[FC1_WEIGHT / 4u + k * width + i];
            let d = dz[k];
            s = array<vec4<f32>, IMAGES>(s[0] + d[0].x * w, s[1] + d[0].y * w, s[2] + d[0].z * w, s[3] + d[0].w * w,
                s[4] + d[1].x * w, s[5] + d[1].y * w, s[6] + d[1].z * w, s[7] + d[1].w * w);
        }
        var gradients = s;
        for (var image = 0u; image < images; image++) {
            // Where dropout dropped the value, or the ReLU before it stopped it, the feature is 0.
            let at = (first + image) * width + i;
            dfeatures[at] = select(vec4<f32>(0.0), SCALE * gradients[image], features[at] > vec4<f32>(0.0));
        }
    }
    for (var image = 0u; image < images; image++) {
        let row = (first + image) * ((UNITS1 + UNITS2 + CLASSES + 3u) / 4u * 4u);
        for (var unit = lane; unit < UNITS1 + UNITS2; unit += WORKGROUP) {
            hidden[(first + image) * (UNITS1 + UNITS2) + unit] = a[unit][image / 4u][image % 4u];
            deltas[row + unit] = dz[unit][image / 4u][image % 4u];
        }
    }
}

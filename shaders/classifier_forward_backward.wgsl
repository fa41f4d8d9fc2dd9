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
// Values of up to four images: what the units of both hidden layers put out, later their gradients; and the logits, later theirs.
var<workgroup> units: array<vec4<f32>, UNITS1 + UNITS2>;
var<workgroup> z: array<vec4<f32>, CLASSES>;
// A part of a sum of every invocation.
var<workgroup> parts: array<vec4<f32>, WORKGROUP>;

// The sum of s over the four invocations of which this is one; all get the same.
fn sum_of_four(lane: u32, s: vec4<f32>) -> vec4<f32> {
    parts[lane] = s;
    workgroupBarrier();
    let at = lane / 4u * 4u;
    let sum = (parts[at] + parts[at + 1u]) + (parts[at + 2u] + parts[at + 3u]);
    workgroupBarrier();
    return sum;
}

fn sum_of_two(lane: u32, s: vec4<f32>) -> vec4<f32> {
    parts[lane] = s;
    workgroupBarrier();
    let at = lane / 2u * 2u;
    let sum = parts[at] + parts[at + 1u];
    workgroupBarrier();
    return sum;
}

@compute @workgroup_size(WORKGROUP)
fn classifier_forward_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    classify(group.x * IMAGES, lane);
}

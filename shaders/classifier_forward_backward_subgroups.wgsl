// The three dense layers, the loss and the way back to the features; as classifier_forward_backward, with sums over neighbours made in registers.
// Math: a1 = relu(W1 f + b1); a2 = relu(W2 a1 + b2); z = W3 a2 + b3; dz3 = (softmax(z) - onehot) / N; dz2 = [a2 > 0] W3^T dz3; dz1 = [a1 > 0] W2^T dz2; dfeatures = [f > 0] SCALE W1^T dz1
// Shapes: features, dfeatures [N, FEATURES]; hidden [N, UNITS1 + UNITS2], a1 before a2; deltas [N, UNITS1 + UNITS2 + CLASSES rounded up to 4s], dz1, dz2, dz3, then 0; outcome [N, 2], loss and 1 if right
// Grid: ceil(N / IMAGES) workgroups in x; IMAGES is 1 to 4, WORKGROUP four times UNITS2 and twice UNITS1
// Cost: flop 4 * N * |dense weights|; bytes 4 * (N * (2 FEATURES + |hidden| + |deltas| + 3) + |dense parameters|)
// Source: classifier_forward_backward where invocations may exchange values without memory and barriers; four neighbours must be in one subgroup

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

// The sum of s over the four invocations of which this is one. Each adds the same pairs, so that all get the same bits.
fn sum_of_four(lane: u32, s: vec4<f32>) -> vec4<f32> {
    let pair = sum_of_two(lane, s);
    return pair + subgroupShuffleXor(pair, 2u);
}

fn sum_of_two(lane: u32, s: vec4<f32>) -> vec4<f32> {
    return s + subgroupShuffleXor(s, 1u);
}

// Invocations are numbered along their subgroups: WGSL does not say that the local index runs along them.
@compute @workgroup_size(WORKGROUP)
fn classifier_forward_backward_subgroups(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_id) subgroup: u32, @builtin(subgroup_size) size: u32, @builtin(subgroup_invocation_id) lane: u32) {
    classify(group.x * IMAGES, subgroup * size + lane);
}

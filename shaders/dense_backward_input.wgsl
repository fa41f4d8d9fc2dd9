// Gradient with respect to a dense layer's input; one invocation makes a tile of IMAGES images by FEATURES inputs.
// Math: dx[n, i] = sum over o of dy[n, o] * weight[o, i], and 0 where RELU_BEFORE and x[n, i] <= 0
// Shapes: dy [N, OUT]; weight [OUT, IN]; x, dx [N, IN]
// Grid: ceil(N / IMAGES) * (IN / FEATURES) invocations in x and y
// Cost: flop 2 * N * IN * OUT; bytes 4 * (N * ((1 + RELU_BEFORE) * IN + OUT) + IN * OUT)
// Source: Goodfellow, Bengio, Courville, "Deep Learning", section 6.5; the ReLU of the layer before is undone here

override WORKGROUP: u32;
override IN: u32;
override OUT: u32;
override WEIGHT: u32;
override RELU_BEFORE: bool;

const IMAGES = 4u;
const FEATURES = 4u;

@group(0) @binding(0) var<storage, read> dy: array<f32>; // [N, OUT]
@group(0) @binding(1) var<storage, read> parameters: array<vec4<f32>>; // all; this layer's weight from WEIGHT on
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>; // [N, IN / 4]
@group(0) @binding(3) var<storage, read_write> dx: array<vec4<f32>>; // [N, IN / 4]
@group(0) @binding(4) var<uniform> step: Step; // this step

fn store(n: u32, feature: u32, value: vec4<f32>) {
    if n < step.batch {
        let at = n * (IN / 4u) + feature;
        let passed = (x[at] > vec4<f32>(0.0)) | vec4<bool>(!RELU_BEFORE);
        dx[at] = select(vec4<f32>(0.0), value, passed);
    }
}

@compute @workgroup_size(WORKGROUP)
fn dense_backward_input(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let invocation = id.y * groups.x * WORKGROUP + id.x;
    let width = IN / FEATURES;
    let feature = invocation % width;
    let n = invocation / width * IMAGES;
    if n >= step.batch {
        return;
    }
    // A tile that reaches over the last image reads it again and does not store what comes of it.
    let images = min(vec4<u32>(n, n + 1u, n + 2u, n + 3u), vec4<u32>(step.batch - 1u)) * OUT;
    var sum0 = vec4<f32>(0.0);
    var sum1 = vec4<f32>(0.0);
    var sum2 = vec4<f32>(0.0);
    var sum3 = vec4<f32>(0.0);
    for (var o = 0u; o < OUT; o++) {
        let w = parameters[WEIGHT / 4u + o * width + feature];
        sum0 += dy[images.x + o] * w;
        sum1 += dy[images.y + o] * w;
        sum2 += dy[images.z + o] * w;
        sum3 += dy[images.w + o] * w;
    }
    store(n, feature, sum0);
    store(n + 1u, feature, sum1);
    store(n + 2u, feature, sum2);
    store(n + 3u, feature, sum3);
}

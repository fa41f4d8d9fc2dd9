// Dense layer with bias and optional ReLU; one invocation makes a tile of IMAGES images by UNITS units.
// Math: y[n, o] = f(bias[o] + sum over i of x[n, i] * weight[o, i]), f = max(0, .) if RELU, else the identity
// Shapes: x [N, IN]; weight [OUT, IN]; y [N, OUT]
// Grid: ceil(N / IMAGES) * ceil(OUT / UNITS) invocations in x and y
// Cost: flop 2 * N * IN * OUT; bytes 4 * (N * (IN + OUT) + IN * OUT + OUT)
// Source: Goodfellow, Bengio, Courville, "Deep Learning", section 6.1

override WORKGROUP: u32;
override IN: u32;
override OUT: u32;
override WEIGHT: u32;
override BIAS: u32;
override RELU: bool;

const IMAGES = 4u;
const UNITS = 4u;

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>; // [N, IN / 4]
@group(0) @binding(1) var<storage, read> parameters: array<vec4<f32>>; // all; this layer's from WEIGHT and BIAS on
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // [N, OUT]
@group(0) @binding(3) var<uniform> step: Step; // this step

fn parameter(index: u32) -> f32 {
    return parameters[index / 4u][index % 4u];
}

fn store(n: u32, unit: u32, value: vec4<f32>) {
    if n < step.batch {
        let passed = select(value, max(value, vec4<f32>(0.0)), RELU);
        for (var u = 0u; u < UNITS && unit + u < OUT; u++) {
            y[n * OUT + unit + u] = passed[u];
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn dense_forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let invocation = id.y * groups.x * WORKGROUP + id.x;
    let tiles = (OUT + UNITS - 1u) / UNITS;
    let unit = invocation % tiles * UNITS;
    let n = invocation / tiles * IMAGES;
    if n >= step.batch {
        return;
    }
    // A tile that reaches over the edge reads the last unit or image again and does not store what comes of it.
    let width = IN / 4u;
    let units = min(vec4<u32>(unit, unit + 1u, unit + 2u, unit + 3u), vec4<u32>(OUT - 1u));
    let rows = WEIGHT / 4u + units * width;
    let images = min(vec4<u32>(n, n + 1u, n + 2u, n + 3u), vec4<u32>(step.batch - 1u)) * width;
    let bias = vec4<f32>(
        parameter(BIAS + units.x), parameter(BIAS + units.y), parameter(BIAS + units.z), parameter(BIAS + units.w));
    var sum0 = bias;
    var sum1 = bias;
    var sum2 = bias;
    var sum3 = bias;
    for (var i = 0u; i < width; i++) {
        let w0 = parameters[rows.x + i];
        let w1 = parameters[rows.y + i];
        let w2 = parameters[rows.z + i];
        let w3 = parameters[rows.w + i];
        let x0 = x[images.x + i];
        let x1 = x[images.y + i];
        let x2 = x[images.z + i];
        let x3 = x[images.w + i];
        sum0 += vec4<f32>(dot(w0, x0), dot(w1, x0), dot(w2, x0), dot(w3, x0));
        sum1 += vec4<f32>(dot(w0, x1), dot(w1, x1), dot(w2, x1), dot(w3, x1));
        sum2 += vec4<f32>(dot(w0, x2), dot(w1, x2), dot(w2, x2), dot(w3, x2));
        sum3 += vec4<f32>(dot(w0, x3), dot(w1, x3), dot(w2, x3), dot(w3, x3));
    }
    store(n, unit, sum0);
    store(n + 1u, unit, sum1);
    store(n + 2u, unit, sum2);
    store(n + 3u, unit, sum3);
}

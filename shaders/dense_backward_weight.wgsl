// Gradient with respect to a dense layer's weight; one invocation makes a tile of UNITS units by FEATURES inputs.
// Math: dweight[o, i] = sum over n of dy[n, o] * x[n, i]
// Shapes: x [N, IN]; dy [N, OUT]; dweight [OUT, IN]
// Grid: ceil(OUT / UNITS) * (IN / FEATURES) invocations in x and y
// Cost: flop 2 * N * IN * OUT; bytes 4 * (N * (IN + OUT) + IN * OUT)
// Source: Goodfellow, Bengio, Courville, "Deep Learning", section 6.5

override WORKGROUP: u32;
override IN: u32;
override OUT: u32;
override WEIGHT: u32;

const UNITS = 4u;
const FEATURES = 4u;

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>; // [N, IN / 4]
@group(0) @binding(1) var<storage, read> dy: array<f32>; // [N, OUT]
@group(0) @binding(2) var<storage, read_write> gradients: array<vec4<f32>>; // all; this layer's weight from WEIGHT on
@group(0) @binding(3) var<uniform> step: Step; // this step

fn store(unit: u32, feature: u32, value: vec4<f32>) {
    if unit < OUT {
        gradients[WEIGHT / 4u + unit * (IN / FEATURES) + feature] = value;
    }
}

@compute @workgroup_size(WORKGROUP)
fn dense_backward_weight(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let invocation = id.y * groups.x * WORKGROUP + id.x;
    let width = IN / FEATURES;
    let feature = invocation % width;
    let unit = invocation / width * UNITS;
    if unit >= OUT {
        return;
    }
    // A tile that reaches over the last unit reads it again and does not store what comes of it.
    let units = min(vec4<u32>(unit, unit + 1u, unit + 2u, unit + 3u), vec4<u32>(OUT - 1u));
    var sum0 = vec4<f32>(0.0);
    var sum1 = vec4<f32>(0.0);
    var sum2 = vec4<f32>(0.0);
    var sum3 = vec4<f32>(0.0);
    for (var n = 0u; n < step.batch; n++) {
        let value = x[n * width + feature];
        sum0 += dy[n * OUT + units.x] * value;
        sum1 += dy[n * OUT + units.y] * value;
        sum2 += dy[n * OUT + units.z] * value;
        sum3 += dy[n * OUT + units.w] * value;
    }
    store(unit, feature, sum0);
    store(unit + 1u, feature, sum1);
    store(unit + 2u, feature, sum2);
    store(unit + 3u, feature, sum3);
}

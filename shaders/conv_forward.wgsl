// Convolution, bias and ReLU; one invocation makes a tile of COLUMNS neighbouring columns by CHANNELS output channels.
// Math: y[n, o, r, c] = max(0, bias[o] + sum over i, a, b of x[n, i, r + a, c + b] * weight[o, i, a, b])
// Shapes: x [N, IN_CHANNELS, IN_HEIGHT, IN_WIDTH]; weight [OUT_CHANNELS, IN_CHANNELS, KERNEL, KERNEL]; y [N,
//   OUT_CHANNELS, OUT_HEIGHT, OUT_WIDTH]
// Grid: N * (OUT_CHANNELS / CHANNELS) * OUT_HEIGHT * ceil(OUT_WIDTH / COLUMNS) invocations in x and y
// Cost: flop 2 * N * |y| * IN_CHANNELS * KERNEL^2; bytes 4 * (N * (|x| + |y|) + |weight| + |bias|)
// Source: cross-correlation as in Goodfellow, Bengio, Courville, "Deep Learning", equation 9.6

override WORKGROUP: u32;
override IN_CHANNELS: u32;
override IN_HEIGHT: u32;
override IN_WIDTH: u32;
override OUT_CHANNELS: u32;
override OUT_HEIGHT: u32;
override OUT_WIDTH: u32;
override KERNEL: u32;
override WEIGHT: u32;
override BIAS: u32;

const COLUMNS = 5u;
const CHANNELS = 4u;

@group(0) @binding(0) var<storage, read> x: array<f32>; // [N, IN_CHANNELS, IN_HEIGHT, IN_WIDTH]
@group(0) @binding(1) var<storage, read> parameters: array<f32>; // all; this layer's from WEIGHT and BIAS on
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // [N, OUT_CHANNELS, OUT_HEIGHT, OUT_WIDTH]
@group(0) @binding(3) var<uniform> step: Step; // this step

fn store(first: u32, column: u32, value: vec4<f32>) {
    if column < OUT_WIDTH {
        let at = first + column;
        let plane = OUT_HEIGHT * OUT_WIDTH;
        let passed = max(value, vec4<f32>(0.0));
        y[at] = passed.x;
        y[at + plane] = passed.y;
        y[at + 2u * plane] = passed.z;
        y[at + 3u * plane] = passed.w;
    }
}

@compute @workgroup_size(WORKGROUP)
fn conv_forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let invocation = id.y * groups.x * WORKGROUP + id.x;
    let blocks = (OUT_WIDTH + COLUMNS - 1u) / COLUMNS;
    let column = invocation % blocks * COLUMNS;
    let row = invocation / blocks % OUT_HEIGHT;
    let out = invocation / (blocks * OUT_HEIGHT) % (OUT_CHANNELS / CHANNELS) * CHANNELS;
    let n = invocation / (blocks * OUT_HEIGHT * (OUT_CHANNELS / CHANNELS));
    if n >= step.batch {
        return;
    }

    let taps = IN_CHANNELS * KERNEL * KERNEL;
    let bias = vec4<f32>(
        parameters[BIAS + out], parameters[BIAS + out + 1u], parameters[BIAS + out + 2u], parameters[BIAS + out + 3u]);
    var sum0 = bias;
    var sum1 = bias;
    var sum2 = bias;
    var sum3 = bias;
    var sum4 = bias;
    var tap = WEIGHT + out * taps;
    for (var i = 0u; i < IN_CHANNELS; i++) {
        for (var a = 0u; a < KERNEL; a++) {
            var at = ((n * IN_CHANNELS + i) * IN_HEIGHT + row + a) * IN_WIDTH + column;
            for (var b = 0u; b < KERNEL; b++) {
                let w = vec4<f32>(
                    parameters[tap], parameters[tap + taps], parameters[tap + 2u * taps], parameters[tap + 3u * taps]);
                sum0 += x[at] * w;
                sum1 += x[at + 1u] * w;
                sum2 += x[at + 2u] * w;
                sum3 += x[at + 3u] * w;
                sum4 += x[at + 4u] * w;
                at++;
                tap++;
            }
        }
    }

    let first = ((n * OUT_CHANNELS + out) * OUT_HEIGHT + row) * OUT_WIDTH;
    store(first, column, sum0);
    store(first, column + 1u, sum1);
    store(first, column + 2u, sum2);
    store(first, column + 3u, sum3);
    store(first, column + 4u, sum4);
}

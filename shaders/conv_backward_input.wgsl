// Gradient with respect to a convolution's input; one invocation makes COLUMNS neighbouring columns by CHANNELS input
//   channels.
// Math: dx[n, i, r, c] = sum over o, a, b of dy[n, o, r - a, c - b] * weight[o, i, a, b], dy being 0 outside its bounds
// Shapes: dy [N, OUT_CHANNELS, OUT_HEIGHT, OUT_WIDTH]; weight [OUT_CHANNELS, IN_CHANNELS, KERNEL, KERNEL]; dx [N,
//   IN_CHANNELS, IN_HEIGHT, IN_WIDTH]
// Grid: N * (IN_CHANNELS / CHANNELS) * IN_HEIGHT * ceil(IN_WIDTH / COLUMNS) invocations in x and y
// Cost: flop 2 * N * |dy| * IN_CHANNELS * KERNEL^2; bytes 4 * (N * (|dy| + |dx|) + |weight|)
// Source: the adjoint of conv_forward, as in Goodfellow, Bengio, Courville, "Deep Learning", equation 9.13

override WORKGROUP: u32;
override IN_CHANNELS: u32;
override IN_HEIGHT: u32;
override IN_WIDTH: u32;
override OUT_CHANNELS: u32;
override OUT_HEIGHT: u32;
override OUT_WIDTH: u32;
override KERNEL: u32;
override WEIGHT: u32;

const COLUMNS = 4u;
const CHANNELS = 4u;

@group(0) @binding(0) var<storage, read> dy: array<f32>; // [N, OUT_CHANNELS, OUT_HEIGHT, OUT_WIDTH]
@group(0) @binding(1) var<storage, read> parameters: array<f32>; // all; this layer's weight from WEIGHT on
@group(0) @binding(2) var<storage, read_write> dx: array<f32>; // [N, IN_CHANNELS, IN_HEIGHT, IN_WIDTH]
@group(0) @binding(3) var<uniform> step: Step; // this step

// The gradient at `column` of the row that starts at `first`, 0 beyond the row. A column left of 0 wraps to a large
// number.
fn load(first: u32, column: u32) -> f32 {
    return select(0.0, dy[first + min(column, OUT_WIDTH - 1u)], column < OUT_WIDTH);
}

fn store(first: u32, column: u32, value: vec4<f32>) {
    if column < IN_WIDTH {
        let at = first + column;
        let plane = IN_HEIGHT * IN_WIDTH;
        dx[at] = value.x;
        dx[at + plane] = value.y;
        dx[at + 2u * plane] = value.z;
        dx[at + 3u * plane] = value.w;
    }
}

@compute @workgroup_size(WORKGROUP)
fn conv_backward_input(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let invocation = id.y * groups.x * WORKGROUP + id.x;
    let blocks = (IN_WIDTH + COLUMNS - 1u) / COLUMNS;
    let column = invocation % blocks * COLUMNS;
    let row = invocation / blocks % IN_HEIGHT;
    let channel = invocation / (blocks * IN_HEIGHT) % (IN_CHANNELS / CHANNELS) * CHANNELS;
    let n = invocation / (blocks * IN_HEIGHT * (IN_CHANNELS / CHANNELS));
    if n >= step.batch {
        return;
    }

    let area = KERNEL * KERNEL;
    var sum0 = vec4<f32>(0.0);
    var sum1 = vec4<f32>(0.0);
    var sum2 = vec4<f32>(0.0);
    var sum3 = vec4<f32>(0.0);
    for (var o = 0u; o < OUT_CHANNELS; o++) {
        for (var a = 0u; a < KERNEL; a++) {
            // Above the first row the difference wraps to a large number, below the last it is too large: both
            // contribute 0.
            let source = row - a;
            if source >= OUT_HEIGHT {
                continue;
            }
            let first = ((n * OUT_CHANNELS + o) * OUT_HEIGHT + source) * OUT_WIDTH;
            var tap = WEIGHT + ((o * IN_CHANNELS + channel) * KERNEL + a) * KERNEL;
            for (var b = 0u; b < KERNEL; b++) {
                let w = vec4<f32>(
                    parameters[tap], parameters[tap + area], parameters[tap + 2u * area], parameters[tap + 3u * area]);
                sum0 += load(first, column - b) * w;
                sum1 += load(first, column + 1u - b) * w;
                sum2 += load(first, column + 2u - b) * w;
                sum3 += load(first, column + 3u - b) * w;
                tap++;
            }
        }
    }

    let first = ((n * IN_CHANNELS + channel) * IN_HEIGHT + row) * IN_WIDTH;
    store(first, column, sum0);
    store(first, column + 1u, sum1);
    store(first, column + 2u, sum2);
    store(first, column + 3u, sum3);
}

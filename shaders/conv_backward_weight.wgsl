// Gradient with respect to a convolution's weight, summed over CHUNK images; one workgroup makes one kernel row of
//   CHANNELS outputs, each invocation walking along rows of dy.
// Math: partial[k, o, i, a, b] = sum over n in chunk k, r, c of dy[n, o, r, c] * x[n, i, r + a, c + b]
// Shapes: x [N, IN_CHANNELS, IN_HEIGHT, IN_WIDTH]; dy [N, OUT_CHANNELS, OUT_HEIGHT, OUT_WIDTH]; partial [ceil(N /
//   CHUNK), OUT_CHANNELS, IN_CHANNELS, KERNEL, KERNEL]
// Grid: (OUT_CHANNELS / CHANNELS) * IN_CHANNELS * KERNEL workgroups in x, ceil(N / CHUNK) in y
// Cost: flop 2 * N * |dy| * IN_CHANNELS * KERNEL^2; bytes 4 * (N * (|x| + |dy|) + |partial|)
// Source: Goodfellow, Bengio, Courville, "Deep Learning", equation 9.11

override WORKGROUP: u32;
override IN_CHANNELS: u32;
override IN_HEIGHT: u32;
override IN_WIDTH: u32;
override OUT_CHANNELS: u32;
override OUT_HEIGHT: u32;
override OUT_WIDTH: u32;
override KERNEL: u32;
override CHUNK: u32;

const CHANNELS = 4u;
const TAPS = 4u;

@group(0) @binding(0) var<storage, read> x: array<f32>; // [N, IN_CHANNELS, IN_HEIGHT, IN_WIDTH]
@group(0) @binding(1) var<storage, read> dy: array<f32>; // [N, OUT_CHANNELS, OUT_HEIGHT, OUT_WIDTH]
@group(0) @binding(2) var<storage, read_write> partial: array<f32>; // [ceil(N / CHUNK), |weight|]
@group(0) @binding(3) var<uniform> step: Step; // this step

var<workgroup> sums: array<vec4<f32>, TAPS * WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn conv_backward_weight(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) invocation: u32) {
    let a = group.x % KERNEL;
    let channel = group.x / KERNEL % IN_CHANNELS;
    let out = group.x / (KERNEL * IN_CHANNELS) * CHANNELS;
    let plane = OUT_HEIGHT * OUT_WIDTH;
    let images = min(CHUNK, step.batch - group.y * CHUNK);

    // sum_b holds the tap in column b for the four output channels; a kernel narrower than TAPS leaves the last unused.
    var sum0 = vec4<f32>(0.0);
    var sum1 = vec4<f32>(0.0);
    var sum2 = vec4<f32>(0.0);
    var sum3 = vec4<f32>(0.0);
    for (var line = invocation; line < images * OUT_HEIGHT; line += WORKGROUP) {
        let n = group.y * CHUNK + line / OUT_HEIGHT;
        let row = line % OUT_HEIGHT;
        let from_x = ((n * IN_CHANNELS + channel) * IN_HEIGHT + row + a) * IN_WIDTH;
        let from_dy = ((n * OUT_CHANNELS + out) * OUT_HEIGHT + row) * OUT_WIDTH;
        var window = vec4<f32>(0.0, x[from_x], x[from_x + 1u], x[from_x + 2u]);
        for (var c = 0u; c < OUT_WIDTH; c++) {
            window = vec4<f32>(window.yzw, x[from_x + min(c + 3u, IN_WIDTH - 1u)]);
            let at = from_dy + c;
            let g = vec4<f32>(dy[at], dy[at + plane], dy[at + 2u * plane], dy[at + 3u * plane]);
            sum0 += window.x * g;
            sum1 += window.y * g;
            sum2 += window.z * g;
            sum3 += window.w * g;
        }
    }

    sums[invocation] = sum0;
    sums[WORKGROUP + invocation] = sum1;
    sums[2u * WORKGROUP + invocation] = sum2;
    sums[3u * WORKGROUP + invocation] = sum3;
    workgroupBarrier();
    if invocation < KERNEL {
        var total = vec4<f32>(0.0);
        for (var other = 0u; other < WORKGROUP; other++) {
            total += sums[invocation * WORKGROUP + other];
        }
        let taps = IN_CHANNELS * KERNEL * KERNEL;
        let at = (group.y * OUT_CHANNELS + out) * taps + (channel * KERNEL + a) * KERNEL + invocation;
        partial[at] = total.x;
        partial[at + taps] = total.y;
        partial[at + 2u * taps] = total.z;
        partial[at + 3u * taps] = total.w;
    }
}

// Gradient with respect to a convolution's bias; one workgroup makes one output channel, each invocation a strided
//   share.
// Math: dbias[o] = sum over n, r, c of dy[n, o, r, c]
// Shapes: dy [N, OUT_CHANNELS, POSITIONS]; dbias [OUT_CHANNELS]
// Grid: OUT_CHANNELS workgroups in x
// Cost: flop N * OUT_CHANNELS * POSITIONS; bytes 4 * (N * OUT_CHANNELS * POSITIONS + OUT_CHANNELS)
// Source: the derivative of the sum in conv_forward

override WORKGROUP: u32;
override OUT_CHANNELS: u32;
override POSITIONS: u32;
override BIAS: u32;

@group(0) @binding(0) var<storage, read> dy: array<f32>; // [N, OUT_CHANNELS, POSITIONS]
@group(0) @binding(1) var<storage, read_write> gradients: array<f32>; // all; this layer's bias from BIAS on
@group(0) @binding(2) var<uniform> step: Step; // this step

var<workgroup> sums: array<f32, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn conv_backward_bias(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) invocation: u32) {
    var sum = 0.0;
    for (var n = 0u; n < step.batch; n++) {
        let first = (n * OUT_CHANNELS + group.x) * POSITIONS;
        for (var position = invocation; position < POSITIONS; position += WORKGROUP) {
            sum += dy[first + position];
        }
    }
    sums[invocation] = sum;
    workgroupBarrier();
    if invocation == 0u {
        var total = 0.0;
        for (var other = 0u; other < WORKGROUP; other++) {
            total += sums[other];
        }
        gradients[BIAS + group.x] = total;
    }
}

// Adds up the batch's losses and right answers into the step's slot; one workgroup, each invocation a strided share.
// Math: metrics[slot] = (sum over n of loss[n], sum over n of correct[n])
// Shapes: loss, correct [N]; metrics [SLOTS, 2]
// Grid: 1 workgroup
// Cost: flop 2 * N; bytes 8 * N + 8
// Source: the definition of a sum; a fixed order keeps the same seed at the same bits

override WORKGROUP: u32;

@group(0) @binding(0) var<storage, read> loss: array<f32>; // [N]
@group(0) @binding(1) var<storage, read> correct: array<f32>; // [N]
@group(0) @binding(2) var<storage, read_write> metrics: array<vec2<f32>>; // [SLOTS]
@group(0) @binding(3) var<uniform> step: Step; // this step

var<workgroup> sums: array<vec2<f32>, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn metrics_reduce(@builtin(local_invocation_index) invocation: u32) {
    var sum = vec2<f32>(0.0);
    for (var n = invocation; n < step.batch; n += WORKGROUP) {
        sum += vec2<f32>(loss[n], correct[n]);
    }
    sums[invocation] = sum;
    workgroupBarrier();
    if invocation == 0u {
        var total = vec2<f32>(0.0);
        for (var other = 0u; other < WORKGROUP; other++) {
            total += sums[other];
        }
        metrics[step.slot] = total;
    }
}

// Adds up the chunks of a convolution's weight gradient in their order; one invocation makes one value.
// Math: dweight[j] = sum over k of partial[k, j]
// Shapes: partial [ceil(N / CHUNK), ELEMENTS]; dweight [ELEMENTS]
// Grid: ELEMENTS invocations in x and y
// Cost: flop ceil(N / CHUNK) * ELEMENTS; bytes 4 * (ceil(N / CHUNK) + 1) * ELEMENTS
// Source: the second half of conv_backward_weight; a fixed order keeps the same seed at the same bits

override WORKGROUP: u32;
override ELEMENTS: u32;
override WEIGHT: u32;
override CHUNK: u32;

@group(0) @binding(0) var<storage, read> partial: array<f32>; // [ceil(N / CHUNK), ELEMENTS]
@group(0) @binding(1) var<storage, read_write> gradients: array<f32>; // all; this layer's weight from WEIGHT on
@group(0) @binding(2) var<uniform> step: Step; // this step

@compute @workgroup_size(WORKGROUP)
fn conv_backward_weight_reduce(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let invocation = id.y * groups.x * WORKGROUP + id.x;
    if invocation >= ELEMENTS {
        return;
    }
    let chunks = (step.batch + CHUNK - 1u) / CHUNK;
    var total = 0.0;
    for (var k = 0u; k < chunks; k++) {
        total += partial[k * ELEMENTS + invocation];
    }
    gradients[WEIGHT + invocation] = total;
}

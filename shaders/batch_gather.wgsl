// Collects the batch's images, as fractions of 255, and its labels; one invocation unpacks four neighbouring pixels.
// Math: x[n, i] = images[order[first + n], i] / 255; targets[n] = labels[order[first + n]]
// Shapes: images [TOTAL, PIXELS] as four u8 to a word; order [TOTAL]; x [N, PIXELS]; targets [N]
// Grid: N * PIXELS / 4 invocations in x and y
// Cost: flop N * PIXELS; bytes 5 * N * PIXELS + 12 * N
// Source: the task's definition, DESIGN section 1

override WORKGROUP: u32;
override PIXELS: u32;

@group(0) @binding(0) var<storage, read> images: array<u32>; // [TOTAL, PIXELS / 4]
@group(0) @binding(1) var<storage, read> labels: array<u32>; // [TOTAL]
@group(0) @binding(2) var<storage, read> order: array<u32>; // [TOTAL]
@group(0) @binding(3) var<storage, read_write> x: array<vec4<f32>>; // [N, PIXELS / 4]
@group(0) @binding(4) var<storage, read_write> targets: array<u32>; // [N]
@group(0) @binding(5) var<uniform> step: Step; // this step

@compute @workgroup_size(WORKGROUP)
fn batch_gather(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let invocation = id.y * groups.x * WORKGROUP + id.x;
    let words = PIXELS / 4u;
    let n = invocation / words;
    if n >= step.batch {
        return;
    }
    let word = invocation % words;
    let source = order[step.first + n];
    let packed = images[source * words + word];
    let bytes = vec4<u32>(packed, packed >> 8u, packed >> 16u, packed >> 24u) & vec4<u32>(255u);
    x[invocation] = vec4<f32>(bytes) / 255.0;
    if word == 0u {
        targets[n] = labels[source];
    }
}

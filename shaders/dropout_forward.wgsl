// Inverted dropout; one invocation makes one value.
// Math: y[e] = x[e] * m(e), m(e) = SCALE where threefry2x32(key, (e, step))[0] >= THRESHOLD, else 0
// Shapes: x, y [N, ELEMENTS]
// Grid: N * ELEMENTS invocations in x and y
// Cost: flop N * ELEMENTS; bytes 8 * N * ELEMENTS
// Source: N. Srivastava et al., "Dropout", JMLR 15, 2014, section 10 (scaling while training)

override WORKGROUP: u32;
override ELEMENTS: u32;
override KEY_LOW: u32;
override KEY_HIGH: u32;
override THRESHOLD: u32;
override SCALE: f32;

@group(0) @binding(0) var<storage, read> x: array<f32>; // [N, ELEMENTS]
@group(0) @binding(1) var<storage, read_write> y: array<f32>; // [N, ELEMENTS]
@group(0) @binding(2) var<uniform> step: Step; // this step

@compute @workgroup_size(WORKGROUP)
fn dropout_forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let invocation = id.y * groups.x * WORKGROUP + id.x;
    if invocation >= step.batch * ELEMENTS {
        return;
    }
    let key = vec2<u32>(KEY_LOW, KEY_HIGH);
    y[invocation] = x[invocation] * dropout_factor(key, invocation, step.index, THRESHOLD, SCALE);
}

// Maximum over WINDOW x WINDOW windows and where in the window it was found; one invocation makes one window.
// Math: y[n, c, r, s] = max over a, b of x[n, c, WINDOW r + a, WINDOW s + b]; argmax = WINDOW a + b of the first
//   maximum
// Shapes: x [N, CHANNELS, IN_HEIGHT, IN_WIDTH]; y, argmax [N, CHANNELS, OUT_HEIGHT, OUT_WIDTH]
// Grid: N * CHANNELS * OUT_HEIGHT * OUT_WIDTH invocations in x and y
// Cost: flop N * |y| * (WINDOW^2 - 1); bytes 4 * N * |y| * (WINDOW^2 + 2)
// Source: the task's definition, DESIGN section 1: windows do not overlap, a remainder at the border is dropped

override WORKGROUP: u32;
override CHANNELS: u32;
override IN_HEIGHT: u32;
override IN_WIDTH: u32;
override OUT_HEIGHT: u32;
override OUT_WIDTH: u32;
override WINDOW: u32;

@group(0) @binding(0) var<storage, read> x: array<f32>; // [N, CHANNELS, IN_HEIGHT, IN_WIDTH]
@group(0) @binding(1) var<storage, read_write> y: array<f32>; // [N, CHANNELS, OUT_HEIGHT, OUT_WIDTH]
@group(0) @binding(2) var<storage, read_write> argmax: array<u32>; // [N, CHANNELS, OUT_HEIGHT, OUT_WIDTH]
@group(0) @binding(3) var<uniform> step: Step; // this step

@compute @workgroup_size(WORKGROUP)
fn max_pool_forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let invocation = id.y * groups.x * WORKGROUP + id.x;
    let column = invocation % OUT_WIDTH;
    let row = invocation / OUT_WIDTH % OUT_HEIGHT;
    let plane = invocation / (OUT_WIDTH * OUT_HEIGHT);
    if plane >= step.batch * CHANNELS {
        return;
    }
    let first = (plane * IN_HEIGHT + WINDOW * row) * IN_WIDTH + WINDOW * column;
    var best = x[first];
    var where_best = 0u;
    for (var a = 0u; a < WINDOW; a++) {
        for (var b = 0u; b < WINDOW; b++) {
            let value = x[first + a * IN_WIDTH + b];
            if value > best {
                best = value;
                where_best = a * WINDOW + b;
            }
        }
    }
    y[invocation] = best;
    argmax[invocation] = where_best;
}

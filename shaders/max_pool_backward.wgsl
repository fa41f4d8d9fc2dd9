// Gradient with respect to what entered the ReLU before a max pool; one invocation fills one window, or a remainder at
//   the border.
// Math: dx[n, c, WINDOW r + a, WINDOW s + b] = dy[n, c, r, s] if argmax[n, c, r, s] = WINDOW a + b and y[n, c, r, s] >
//   0, else 0
// Shapes: dy, argmax, y [N, CHANNELS, OUT_HEIGHT, OUT_WIDTH]; dx [N, CHANNELS, IN_HEIGHT, IN_WIDTH]
// Grid: N * CHANNELS * ceil(IN_HEIGHT / WINDOW) * ceil(IN_WIDTH / WINDOW) invocations in x and y
// Cost: flop 0; bytes 4 * N * (3 |y| + |dx|)
// Source: the subgradient of max; ReLU and max commute, so that y > 0 says whether the ReLU let the maximum pass

override WORKGROUP: u32;
override CHANNELS: u32;
override IN_HEIGHT: u32;
override IN_WIDTH: u32;
override OUT_HEIGHT: u32;
override OUT_WIDTH: u32;
override WINDOW: u32;

@group(0) @binding(0) var<storage, read> dy: array<f32>; // [N, CHANNELS, OUT_HEIGHT, OUT_WIDTH]
@group(0) @binding(1) var<storage, read> argmax: array<u32>; // [N, CHANNELS, OUT_HEIGHT, OUT_WIDTH]
@group(0) @binding(2) var<storage, read> y: array<f32>; // [N, CHANNELS, OUT_HEIGHT, OUT_WIDTH]
@group(0) @binding(3) var<storage, read_write> dx: array<f32>; // [N, CHANNELS, IN_HEIGHT, IN_WIDTH]
@group(0) @binding(4) var<uniform> step: Step; // this step

@compute @workgroup_size(WORKGROUP)
fn max_pool_backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let invocation = id.y * groups.x * WORKGROUP + id.x;
    let rows = (IN_HEIGHT + WINDOW - 1u) / WINDOW;
    let columns = (IN_WIDTH + WINDOW - 1u) / WINDOW;
    let column = invocation % columns;
    let row = invocation / columns % rows;
    let plane = invocation / (columns * rows);
    if plane >= step.batch * CHANNELS {
        return;
    }
    var gradient = 0.0;
    var position = 0u;
    if row < OUT_HEIGHT && column < OUT_WIDTH {
        let at = (plane * OUT_HEIGHT + row) * OUT_WIDTH + column;
        position = argmax[at];
        if y[at] > 0.0 {
            gradient = dy[at];
        }
    }
    for (var a = 0u; a < WINDOW; a++) {
        for (var b = 0u; b < WINDOW; b++) {
            if WINDOW * row + a < IN_HEIGHT && WINDOW * column + b < IN_WIDTH {
                let at = (plane * IN_HEIGHT + WINDOW * row + a) * IN_WIDTH + WINDOW * column + b;
                dx[at] = select(0.0, gradient, position == a * WINDOW + b);
            }
        }
    }
}

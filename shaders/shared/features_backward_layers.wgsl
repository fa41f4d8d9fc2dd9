// An image's gradients of conv1 by the workgroup. The kernel has `scratch` in the workgroup's memory, and says where
// values come from and go: conv2_weight, maxima_of, dfeature, pool1_vec4, pixel_word, windows_of,
// store_windows, store_partial.

// Invocations of a channel of pool1: for each quarter of its plane and HALF of conv2's channels, or for each of a HALF.
const GROUP = 8u;
const QUARTERS = 4u;
const HALF = 8u;
// Rows and columns of a quarter, counted from the plane's corner, so that all quarters are alike, and rows of half of
// it; rows and columns of windows of conv2 that reach into it: the last reaches beyond, where sums are left unused.
const BLOCK = POOL1 / 2u;
const ROWS = BLOCK / 2u;
const WINDOWS = POOL2 / 2u + 1u;
// Weights of a channel of conv1, and its bias.
const VALUES1 = TAPS1 + 1u;

alias Block = array<array<f32, BLOCK + 2u>, BLOCK + 2u>;
alias Kernel2 = array<f32, TAPS2>;

// Index `i` of 0 to `last`, counted from the other end where `flip` is 1.
fn mirrored(i: u32, last: u32, flip: u32) -> u32 {
    return select(i, last - i, flip == 1u);
}

fn load_windows(n: u32, invocation: u32) {
    for (var i = invocation; i < CHANNELS2 * QUARTERS * WINDOWS; i += WORKGROUP) {
        let quarter = i / WINDOWS % QUARTERS;
        let row = i / WINDOWS / QUARTERS * POOL2 + mirrored(i % WINDOWS, POOL2 - 1u, quarter / 2u);
        let word = maxima_of(n, CHANNELS1 * POOL1 + row);
        var of_row: vec4<u32>;
        // unroll
        for (var x = 0u; x < WINDOWS; x++) {
            let column = mirrored(x, POOL2 - 1u, quarter % 2u);
            of_row[x] = bitcast<u32>(dfeature(n, row * POOL2 + column));
            of_row[WINDOWS] |= (((word >> (2u * column)) & 3u) ^ quarter) << (2u * x);
        }
        store_windows(i, of_row);
    }
}

// Adds to the gradients of a quarter what a channel of conv2 contributes, whose kernel begins at value `kernel` of
// scratch and whose windows at `first`.
fn conv2_backward(before: Block, kernel: u32, first: u32, quarter: u32) -> Block {
    var weights: Kernel2;
    // unroll
    for (var tap = 0u; tap < TAPS2; tap++) {
        let row = mirrored(tap / KERNEL2, KERNEL2 - 1u, quarter / 2u);
        weights[tap] = scratch[kernel + row * KERNEL2 + mirrored(tap % KERNEL2, KERNEL2 - 1u, quarter % 2u)];
    }
    var of_rows = array(windows_of(first), windows_of(first + 1u), windows_of(first + 2u));
    var sums = before;
    // unroll
    for (var i = 0u; i < WINDOWS * WINDOWS; i++) {
        let maximum = of_rows[i / WINDOWS][WINDOWS] >> (2u * (i % WINDOWS));
        // unroll
        for (var a = 0u; a < 2u; a++) {
            if ((maximum >> 1u) & 1u) == a {
                // unroll
                for (var b = 0u; b < 2u; b++) {
                    if (maximum & 1u) == b {
                        // unroll
                        for (var tap = 0u; tap < TAPS2; tap++) {
                            sums[i / WINDOWS * 2u + a + tap / KERNEL2][i % WINDOWS * 2u + b + tap % KERNEL2] =
                                fma(bitcast<f32>(of_rows[i / WINDOWS][i % WINDOWS]), weights[tap],
                                    sums[i / WINDOWS * 2u + a + tap / KERNEL2][i % WINDOWS * 2u + b + tap % KERNEL2]);
                        }
                    }
                }
            }
        }
    }
    return sums;
}

// The gradients of a quarter of pool1, from a half of conv2's channels.
fn quarter_gradients(channel: u32, quarter: u32, half: u32, invocation: u32) -> Block {
    let length = HALF / 2u * TAPS2 * CHANNELS1;
    var sums = Block();
    for (var first = 0u; first < HALF; first += HALF / 2u) {
        var weights: Kernel2;
        // unroll
        for (var k = 0u; k < TAPS2; k++) {
            let i = k * WORKGROUP + invocation;
            weights[k] = conv2_weight((i / length * HALF + first) * TAPS2 * CHANNELS1 + i % length);
        }
        workgroupBarrier();
        // unroll
        for (var k = 0u; k < TAPS2; k++) {
            scratch[k * WORKGROUP + invocation] = weights[k];
        }
        workgroupBarrier();
        for (var i = 0u; i < HALF / 2u; i++) {
            let kernel = half * length + (i * CHANNELS1 + channel) * TAPS2;
            sums = conv2_backward(sums, kernel, ((half * HALF + first + i) * QUARTERS + quarter) * WINDOWS, quarter);
        }
    }
    return sums;
}

// Where the ReLU passed a value of row `row` of a plane of pool1, from the outer side of a quarter on: a bit for each.
fn relu_mask(n: u32, row: u32, flip: u32) -> u32 {
    let values = array(pool1_vec4(n, 3u * row + mirrored(0u, 2u, flip)), pool1_vec4(n, 3u * row + 1u));
    var bits = 0u;
    // unroll
    for (var x = 0u; x < BLOCK; x++) {
        let value = select(values[x / 4u][x % 4u], values[x / 4u][3u - x % 4u], flip == 1u);
        bits |= select(0u, 1u << x, value > 0.0);
    }
    return bits;
}

fn stage_pixels(n: u32, invocation: u32) {
    for (var i = invocation; i < SIDE * SIDE - 4u; i += WORKGROUP) {
        // unroll
        for (var x = 0u; x < 4u; x++) {
            scratch[4u * i + x] = f32((pixel_word(n, (i + x) / 4u) >> (8u * ((i + x) % 4u))) & 255u) / 255.0;
        }
    }
}

// Makes the gradients of conv1.
fn conv1_gradients(n: u32, channel: u32, group: u32, invocation: u32) {
    let quarter = group % QUARTERS;
    let half = group / QUARTERS;
    var sums = quarter_gradients(channel, quarter, half, invocation);
    // The invocation keeps half of the rows of the quarter, and gets for them what the other half of the channels
    // contribute from the invocation that keeps the others.
    var rows: array<u32, ROWS>;
    var passed: array<u32, ROWS>;
    var maxima: array<u32, ROWS>;
    // unroll
    for (var y = 0u; y < ROWS; y++) {
        rows[y] = mirrored(half * ROWS + y, POOL1 - 1u, quarter / 2u);
        passed[y] = relu_mask(n, channel * POOL1 + rows[y], quarter % 2u);
        maxima[y] = maxima_of(n, channel * POOL1 + rows[y]);
    }
    var gradients: array<f32, ROWS * BLOCK>;
    // unroll
    for (var part = 0u; part < 2u; part++) {
        workgroupBarrier();
        // unroll
        for (var i = 0u; i < TAPS2; i++) {
            scratch[i * WORKGROUP + invocation] = select(sums[(part * TAPS2 + i) / BLOCK][(part * TAPS2 + i) % BLOCK],
                sums[ROWS + (part * TAPS2 + i) / BLOCK][(part * TAPS2 + i) % BLOCK], half == 0u);
        }
        workgroupBarrier();
        // unroll
        for (var i = part * TAPS2; i < part * TAPS2 + TAPS2; i++) {
            let own = select(sums[ROWS + i / BLOCK][i % BLOCK], sums[i / BLOCK][i % BLOCK], half == 0u);
            let other = scratch[i % TAPS2 * WORKGROUP + (invocation + WORKGROUP / 2u) % WORKGROUP];
            gradients[i] = select(0.0, own + other, ((passed[i / BLOCK] >> (i % BLOCK)) & 1u) == 1u);
        }
    }
    workgroupBarrier();
    stage_pixels(n, invocation);
    workgroupBarrier();
    var kernel = array<f32, VALUES1>();
    // unroll
    for (var i = 0u; i < ROWS * BLOCK; i++) {
        let column = mirrored(i % BLOCK, POOL1 - 1u, quarter % 2u);
        let maximum = maxima[i / BLOCK] >> (2u * column);
        let corner = 2u * (rows[i / BLOCK] * SIDE + column) + (maximum & 2u) * (SIDE / 2u) + (maximum & 1u);
        // unroll
        for (var tap = 0u; tap < TAPS1; tap++) {
            kernel[tap] += gradients[i] * scratch[4u * (corner + tap / KERNEL1 * SIDE) + tap % KERNEL1];
        }
        kernel[TAPS1] += gradients[i];
    }
    store_conv1(n, kernel, invocation);
}

// Stores the gradients of conv1, sums of those of its channels' invocations, in two parts.
fn store_conv1(n: u32, gradients: array<f32, VALUES1>, invocation: u32) {
    // unroll
    for (var part = 0u; part < 2u; part++) {
        workgroupBarrier();
        // unroll
        for (var i = part * TAPS2; i < TAPS2 + part * TAPS2 - part; i++) {
            scratch[i % TAPS2 * WORKGROUP + invocation] = gradients[i];
        }
        workgroupBarrier();
        for (var i = invocation; i < (TAPS2 - part) * CHANNELS1; i += WORKGROUP) {
            var sum = 0.0;
            // unroll
            for (var k = 0u; k < GROUP; k++) {
                sum += scratch[i / CHANNELS1 * WORKGROUP + k * CHANNELS1 + i % CHANNELS1];
            }
            let tap = part * TAPS2 + i / CHANNELS1;
            let channel = i % CHANNELS1;
            store_partial(n, select(TAPS1 * channel + tap, TAPS1 * CHANNELS1 + channel, tap == TAPS1), sum);
        }
    }
}

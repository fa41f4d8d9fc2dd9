// An image's way through both convolutions, their ReLUs and pools, and dropout. The kernel binds `images` and
// `parameters` as vec4s, has `image` and `scratch` in its workgroup's memory, and says where results go: store_pool1,
// store_maxima, store_feature. conv2, and where pool1 is for it, is in conv2_forward.wgsl or in the kernel's file.

// Rows and columns of windows of conv1 that an invocation makes, and blocks of them in a row.
const BLOCK1 = 3u;
const BLOCKS1 = 4u;
// The same for positions of conv2.
const BLOCK2 = 5u;
const BLOCKS2 = 2u;
// Channels of pool1 that are in workgroup memory at a time, and the parts they are divided into for conv2: four
// channels each.
const STAGED = 16u;
const PARTS = 4u;
// Rows and columns of pixels under a block of conv1, and of pool1 under a block of conv2; pixels of the
// rows that a row of windows of conv1 shares with the next.
const PIXELS = 2u * BLOCK1 + KERNEL1 - 1u;
const ROWS1 = KERNEL1 * PIXELS - PIXELS;
const PATCH = BLOCK2 + KERNEL2 - 1u;
// Values of scratch of one part of a channel's sums.
const SUMS_OF_PART = BLOCKS2 * BLOCKS2 * BLOCK2 * BLOCK2;

// A block of conv2 and, before and behind it, rows that a value of pool1 would reach, whose sums are left unused.
alias Block2 = array<array<f32, BLOCK2>, BLOCK2 + 2u * KERNEL2 - 2u>;

// Makes a block of windows of one of STAGED channels of pool1 from `first_channel` on.
fn conv1_forward(first_channel: u32, invocation: u32) {
    let staged_channel = invocation % STAGED;
    let first_row = invocation / STAGED / BLOCKS1 * BLOCK1;
    let first_column = invocation / STAGED % BLOCKS1 * BLOCK1;
    let channel = first_channel + staged_channel;
    let weight = (CONV1_WEIGHT + KERNEL1 * KERNEL1 * channel) / 4u;
    let weights = mat4x4<f32>(
        parameters[weight], parameters[weight + 1u], parameters[weight + 2u], parameters[weight + 3u]);
    let bias = parameters[(CONV1_BIAS + channel) / 4u][(CONV1_BIAS + channel) % 4u];
    let corner = 2u * (first_row * SIDE + first_column);
    var pixels: array<array<f32, PIXELS>, PIXELS>;
    // Rows are loaded where they are needed first, so that few are in registers at a time.
    // unroll
    for (var i = 0u; i < ROWS1; i++) {
        pixels[i / PIXELS][i % PIXELS] = image[corner + i / PIXELS * SIDE + i % PIXELS];
    }
    // unroll
    for (var y = 0u; y < BLOCK1; y++) {
        // unroll
        for (var i = ROWS1 + 2u * y * PIXELS; i < ROWS1 + 2u * PIXELS + 2u * y * PIXELS; i++) {
            pixels[i / PIXELS][i % PIXELS] = image[corner + i / PIXELS * SIDE + i % PIXELS];
        }
        let window = (first_row + y) * POOL1 + first_column;
        var packed = 0.0;
        // unroll
        for (var x = 0u; x < BLOCK1; x++) {
            var sums = vec4<f32>(bias);
            // unroll
            for (var row = 0u; row < KERNEL1; row++) {
                // unroll
                for (var column = 0u; column < KERNEL1; column++) {
                    sums += weights[row][column] * vec4<f32>(
                        pixels[2u * y + row][2u * x + column], pixels[2u * y + row][2u * x + column + 1u],
                        pixels[2u * y + row + 1u][2u * x + column], pixels[2u * y + row + 1u][2u * x + column + 1u]);
                }
            }
            let best = relu_max_pool(sums);
            stage(staged_channel, window + x, best.x);
            packed += f32(1u << (2u * x)) * best.y;
        }
        scratch[first_maximum() + (staged_channel * POOL1 * POOL1 + window) / BLOCK1] = packed;
    }
}

// Stores where the maxima of the channels in workgroup memory stand.
fn store_maxima1(n: u32, first_channel: u32, invocation: u32) {
    for (var row = invocation; row < STAGED * POOL1; row += WORKGROUP) {
        var packed = 0.0;
        // unroll
        for (var block = 0u; block < BLOCKS1; block++) {
            packed += f32(1u << (2u * BLOCK1 * block)) * scratch[first_maximum() + row * BLOCKS1 + block];
        }
        store_maxima(n, first_channel * POOL1 + row, packed);
    }
}

// The sum at a position of conv2 over all parts; scratch holds `channel` counted from the first of its round.
fn position_sum(channel: u32, y: u32, x: u32) -> f32 {
    let block = y / BLOCK2 * BLOCKS2 + x / BLOCK2;
    let first = channel * PARTS * SUMS_OF_PART + (block * BLOCK2 + y % BLOCK2) * BLOCK2 + x % BLOCK2;
    var sum = scratch[first];
    // unroll
    for (var part = 1u; part < PARTS; part++) {
        sum += scratch[first + part * SUMS_OF_PART];
    }
    return sum;
}

// Pools a window of channel `channel` of conv2, whose sums are those of channel `of_round` in scratch.
fn pool2(n: u32, channel: u32, of_round: u32, window: u32) {
    let y = window / POOL2 * 2u;
    let x = window % POOL2 * 2u;
    let bias = parameters[(CONV2_BIAS + channel) / 4u][(CONV2_BIAS + channel) % 4u];
    let sums = vec4<f32>(position_sum(of_round, y, x), position_sum(of_round, y, x + 1u),
        position_sum(of_round, y + 1u, x), position_sum(of_round, y + 1u, x + 1u));
    let best = relu_max_pool(bias + sums);
    let i = channel * POOL2 * POOL2 + window;
    let element = n * CHANNELS2 * POOL2 * POOL2 + i;
    let kept = dropout_factor(vec2<u32>(KEY_LOW, KEY_HIGH), element, step.index, THRESHOLD, SCALE);
    store_feature(n, i, best.x * kept);
    image[i] = best.y;
}

// Takes image `source` of the data as image `n` of the batch.
fn forward_features(n: u32, source: u32, invocation: u32) {
    load_image(source, invocation, WORKGROUP);
    workgroupBarrier();
    // For conv2. Invocations side by side read different channels of pool1 and the same weights.
    let block = invocation % 4u;
    let part = invocation / 4u % 2u + invocation / 32u % 2u * 2u;
    let channel = invocation / 8u % 4u + invocation / 64u * 4u;
    let corner = staged_part(part, BLOCK2 * (block / BLOCKS2 * POOL1 + block % BLOCKS2));
    var sums = Block2();
    for (var first_channel = 0u; first_channel < CHANNELS1; first_channel += STAGED) {
        conv1_forward(first_channel, invocation);
        workgroupBarrier();
        store_pool1(n, first_channel, invocation);
        store_maxima1(n, first_channel, invocation);
        sums = conv2_forward(sums, corner, channel, first_channel + 4u * part);
        workgroupBarrier();
    }
    // The sums of so many channels fill the memory.
    let channels = CHANNELS2 / ROUNDS2;
    for (var round = 0u; round < ROUNDS2; round++) {
        if channel / channels == round {
            let first = (channel % channels * PARTS + part) * SUMS_OF_PART + block * BLOCK2 * BLOCK2;
            // unroll
            for (var i = 0u; i < BLOCK2 * BLOCK2; i++) {
                scratch[first + i] = sums[KERNEL2 - 1u + i / BLOCK2][i % BLOCK2];
            }
        }
        workgroupBarrier();
        for (var i = invocation; i < channels * POOL2 * POOL2; i += WORKGROUP) {
            let of_round = i / (POOL2 * POOL2);
            pool2(n, round * channels + of_round, of_round, i % (POOL2 * POOL2));
        }
        workgroupBarrier();
    }
    for (var row = invocation; row < CHANNELS2 * POOL2; row += WORKGROUP) {
        var packed = 0.0;
        // unroll
        for (var x = 0u; x < POOL2; x++) {
            packed += f32(1u << (2u * x)) * image[row * POOL2 + x];
        }
        store_maxima(n, CHANNELS1 * POOL1 + row, packed);
    }
}

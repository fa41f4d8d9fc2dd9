// Gradients of both convolutions' weights and biases for each image by itself; one workgroup makes those of WORKGROUP /
//   GROUP channels of pool1 and depends on no other.
// Math: dweight2[o, i] = sum over windows of dfeatures[o] * pool1[i] around its maximum; dpool1 = conv2's adjoint of
//   dfeatures; dweight1[c] = sum over windows of [pool1 > 0] dpool1[c] * pixels around its maximum
// Shapes: argmax and pool1 as features_forward leaves them; dfeatures [N, CHANNELS2, POOL2, POOL2]; partial [N, weight
//   and bias of conv1, weight and bias of conv2]
// Grid: N workgroups in x, CHANNELS1 * GROUP / WORKGROUP in y; a channel has GROUP = BLOCKS^2 = CHANNELS2 invocations:
//   for blocks of windows of pool1, and for kernels of conv2's channels
// Cost: flop 2 * N * (9 CHANNELS1 CHANNELS2 (POOL2^2 + POOL1^2) + 16 CHANNELS1 POOL1^2); bytes N * (SIDE^2 + 4 *
//   (|argmax| + |dfeatures| + |pool1| + |partial| + 1)) + 4 * |conv2 weight|
// Source: max_pool_backward, conv_backward_input and conv_backward_weight in one; a window's gradient goes to one
//   position in four, and weights' products are made only there

override WORKGROUP: u32;
override CHANNELS1: u32;
override CHANNELS2: u32;
override CONV2_WEIGHT: u32;
override PARTIAL: u32;

const SIDE = 28u;
const KERNEL1 = 4u;
const POOL1 = 12u;
const KERNEL2 = 3u;
const POOL2 = 5u;
// Invocations of a channel of pool1.
const GROUP = 16u;
// Rows and columns of windows of pool1 that an invocation makes, and blocks of them in a row.
const BLOCK = 3u;
const BLOCKS = 4u;
const TAPS1 = KERNEL1 * KERNEL1;
const TAPS2 = KERNEL2 * KERNEL2;
// Weights of a channel of conv1, and its bias.
const VALUES1 = TAPS1 + 1u;
// A plane of pool1 in scratch, one value more than it has, so that planes side by side lie in different banks.
const PLANE = POOL1 * POOL1 + 1u;
// Zeros around conv2's positions, as far as the kernel reaches beyond them; and rows and columns of both.
const BORDER = KERNEL2 - 1u;
const PADDED = 2u * POOL2 + 2u * BORDER;

@group(0) @binding(0) var<storage, read> images: array<u32>; // [TOTAL, SIDE * SIDE / 4]
@group(0) @binding(1) var<storage, read> order: array<u32>; // [TOTAL]
@group(0) @binding(2) var<storage, read> parameters: array<f32>; // all
@group(0) @binding(3) var<storage, read> pool1: array<f32>; // [N, CHANNELS1, POOL1, POOL1]
@group(0) @binding(4) var<storage, read> argmax: array<u32>; // [N, CHANNELS1 * POOL1 + CHANNELS2 * POOL2]
@group(0) @binding(5) var<storage, read> dfeatures: array<f32>; // [N, CHANNELS2, POOL2, POOL2]
@group(0) @binding(6) var<storage, read_write> partial: array<f32>; // [N, PARTIAL]
@group(0) @binding(7) var<uniform> step: Step; // this step

var<workgroup> image: array<f32, SIDE * SIDE>;
// Planes of pool1; then the gradients of conv2's weights; then blocks' parts of conv1's, of TAPS2 taps at a time.
var<workgroup> scratch: array<f32, TAPS2 * (WORKGROUP + 8u)>;
var<workgroup> gradients: array<f32, CHANNELS2 * POOL2 * POOL2>;
// Indices of pool2's maxima, a row of windows to a word.
var<workgroup> maxima: array<u32, CHANNELS2 * POOL2>;
// Gradients of four channels at conv2's positions, with zeros around them: [PADDED, PADDED].
var<workgroup> positions: array<vec4<f32>, PADDED * PADDED>;
// Weights of those four channels, the last tap first: [TAPS2, WORKGROUP / GROUP].
var<workgroup> weights: array<vec4<f32>, TAPS2 * WORKGROUP / GROUP>;

alias Block = array<array<f32, BLOCK>, BLOCK>;

fn load_inputs(n: u32, first_channel: u32, invocation: u32) {
    load_image(order[step.first + n], invocation, WORKGROUP);
    for (var i = invocation; i < WORKGROUP / GROUP * POOL1 * POOL1; i += WORKGROUP) {
        scratch[i + i / (POOL1 * POOL1)] = pool1[(n * CHANNELS1 + first_channel) * POOL1 * POOL1 + i];
    }
    for (var i = invocation; i < CHANNELS2 * POOL2 * POOL2; i += WORKGROUP) {
        gradients[i] = dfeatures[n * CHANNELS2 * POOL2 * POOL2 + i];
    }
    for (var i = invocation; i < CHANNELS2 * POOL2; i += WORKGROUP) {
        maxima[i] = argmax[n * (CHANNELS1 * POOL1 + CHANNELS2 * POOL2) + CHANNELS1 * POOL1 + i];
    }
    for (var i = invocation; i < PADDED * PADDED; i += WORKGROUP) {
        positions[i] = vec4<f32>(0.0);
    }
}

// Whether the ReLU passed each window of the block that begins at value `corner` of scratch: a bit for each.
fn relu_mask(corner: u32) -> u32 {
    var bits = 0u;
    for (var window = 0u; window < BLOCK * BLOCK; window++) {
        bits |= select(0u, 1u << window, scratch[corner + window / BLOCK * POOL1 + window % BLOCK] > 0.0);
    }
    return bits;
}

// The gradient of conv2's kernel from the plane of pool1 that begins at value `plane` of scratch to channel `channel`.
// Invocations of one plane read at most four positions of a window, which lie in different banks.
fn kernel_gradient(channel: u32, plane: u32) -> array<f32, TAPS2> {
    var sums = array<f32, TAPS2>();
    for (var row = 0u; row < POOL2; row++) {
        let word = maxima[channel * POOL2 + row];
        for (var column = 0u; column < POOL2; column++) {
            let maximum = (word >> (2u * column)) & 3u;
            let gradient = gradients[(channel * POOL2 + row) * POOL2 + column];
            let corner = plane + (2u * row + maximum / 2u) * POOL1 + 2u * column + maximum % 2u;
            // unroll
            for (var tap = 0u; tap < TAPS2; tap++) {
                sums[tap] += gradient * scratch[corner + tap / KERNEL2 * POOL1 + tap % KERNEL2];
            }
        }
    }
    return sums;
}

// Stores the gradients of conv2's kernels, which scratch holds, and of its biases.
fn store_conv2(n: u32, first_channel: u32, invocation: u32) {
    let length = TAPS2 * WORKGROUP / GROUP;
    let begin = n * PARTIAL + VALUES1 * CHANNELS1;
    for (var i = invocation; i < CHANNELS2 * length; i += WORKGROUP) {
        partial[begin + (i / length * CHANNELS1 + first_channel) * TAPS2 + i % length] = scratch[i];
    }
    if first_channel == 0u && invocation < CHANNELS2 {
        var sum = 0.0;
        for (var window = 0u; window < POOL2 * POOL2; window++) {
            sum += gradients[invocation * POOL2 * POOL2 + window];
        }
        partial[(n + 1u) * PARTIAL - CHANNELS2 + invocation] = sum;
    }
}

// The gradient of a window of channel `channel` at position `position` of its four: 0 where the maximum is another.
fn gradient_at(channel: u32, row: u32, column: u32, position: u32) -> f32 {
    let maximum = (maxima[channel * POOL2 + row] >> (2u * column)) & 3u;
    return select(0.0, gradients[(channel * POOL2 + row) * POOL2 + column], maximum == position);
}

// Spreads the gradients of four channels over conv2's positions, and loads their weights.
fn load_four(channel: u32, first_channel: u32, invocation: u32) {
    for (var i = invocation; i < 4u * POOL2 * POOL2; i += WORKGROUP) {
        let row = i / 4u / POOL2;
        let column = i / 4u % POOL2;
        let position = i % 4u;
        let at = (BORDER + 2u * row + position / 2u) * PADDED + BORDER + 2u * column + position % 2u;
        positions[at] = vec4<f32>(
            gradient_at(channel, row, column, position), gradient_at(channel + 1u, row, column, position),
            gradient_at(channel + 2u, row, column, position), gradient_at(channel + 3u, row, column, position));
    }
    let stride = TAPS2 * CHANNELS1;
    for (var i = invocation; i < TAPS2 * WORKGROUP / GROUP; i += WORKGROUP) {
        let at = CONV2_WEIGHT + (channel * CHANNELS1 + first_channel) * TAPS2 + i;
        weights[(TAPS2 - 1u - i % TAPS2) * (WORKGROUP / GROUP) + i / TAPS2] = vec4<f32>(
            parameters[at], parameters[at + stride], parameters[at + 2u * stride], parameters[at + 3u * stride]);
    }
}

// Adds to the gradients of a block of windows of channel `channel` what four channels of conv2 contribute, from
// position `corner` on.
fn conv2_backward(before: Block, corner: u32, channel: u32) -> Block {
    var sums = before;
    // unroll
    for (var y = 0u; y < BLOCK; y++) {
        // unroll
        for (var row = 0u; row < KERNEL2; row++) {
            // unroll
            for (var x = 0u; x < BLOCK; x++) {
                // unroll
                for (var column = 0u; column < KERNEL2; column++) {
                    sums[y][x] = add_dot4(sums[y][x], positions[corner + (y + row) * PADDED + x + column],
                        weights[(row * KERNEL2 + column) * (WORKGROUP / GROUP) + channel]);
                }
            }
        }
    }
    return sums;
}

// The gradients of conv1's kernel, then of its bias, from a block of windows whose gradients are `sums`; `maxima1` is
// where the indices of the block's maxima begin, `corner` its first window.
fn conv1_backward(sums: Block, bits: u32, maxima1: u32, row: u32, column: u32) -> array<f32, VALUES1> {
    var kernel = array<f32, VALUES1>();
    var columns = array<f32, BLOCK>();
    // unroll
    for (var y = 0u; y < BLOCK; y++) {
        // unroll
        for (var x = 0u; x < BLOCK; x++) {
            let gradient = select(0.0, sums[y][x], ((bits >> (y * BLOCK + x)) & 1u) == 1u);
            let maximum = (argmax[maxima1 + y] >> (2u * (column + x))) & 3u;
            let corner = (2u * (row + y) + maximum / 2u) * SIDE + 2u * (column + x) + maximum % 2u;
            // unroll
            for (var tap = 0u; tap < TAPS1; tap++) {
                kernel[tap] += gradient * image[corner + tap / KERNEL1 * SIDE + tap % KERNEL1];
            }
            columns[x] += gradient;
        }
    }
    kernel[TAPS1] = columns[0] + columns[1] + columns[2];
    return kernel;
}

// Stores `count` of each channel's TAPS1 weights and its bias, from value `first` on; scratch holds the parts of all
// blocks.
fn store_conv1(n: u32, first_channel: u32, first: u32, count: u32, invocation: u32) {
    let channels = WORKGROUP / GROUP;
    for (var i = invocation; i < count * channels; i += WORKGROUP) {
        let channel = i % channels;
        var sum = 0.0;
        for (var block = 0u; block < GROUP; block++) {
            sum += scratch[i / channels * (WORKGROUP + 8u) + block * channels + channel];
        }
        let value = first + i / channels;
        let weight = TAPS1 * (first_channel + channel) + value;
        partial[n * PARTIAL + select(weight, TAPS1 * CHANNELS1 + first_channel + channel, value == TAPS1)] = sum;
    }
}

@compute @workgroup_size(WORKGROUP)
fn features_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) invocation: u32) {
    let n = group.x;
    let channels = WORKGROUP / GROUP;
    let first_channel = group.y * channels;
    load_inputs(n, first_channel, invocation);
    workgroupBarrier();
    // A channel of pool1 and its block of windows.
    let channel = invocation % channels;
    let row = invocation / channels / BLOCKS * BLOCK;
    let column = invocation / channels % BLOCKS * BLOCK;
    let bits = relu_mask(channel * PLANE + row * POOL1 + column);
    // A channel of conv2, and one of pool1.
    var kernel2 = kernel_gradient(invocation % GROUP, invocation / GROUP * PLANE);
    workgroupBarrier();
    // unroll
    for (var tap = 0u; tap < TAPS2; tap++) {
        scratch[(invocation % GROUP * channels + invocation / GROUP) * TAPS2 + tap] = kernel2[tap];
    }
    workgroupBarrier();
    store_conv2(n, first_channel, invocation);
    var sums = Block();
    for (var four = 0u; four < CHANNELS2; four += 4u) {
        load_four(four, first_channel, invocation);
        workgroupBarrier();
        sums = conv2_backward(sums, row * PADDED + column, channel);
        workgroupBarrier();
    }
    let maxima1 = n * (CHANNELS1 * POOL1 + CHANNELS2 * POOL2) + (first_channel + channel) * POOL1 + row;
    var kernel1 = conv1_backward(sums, bits, maxima1, row, column);
    // unroll
    for (var value = 0u; value < TAPS2; value++) {
        scratch[value * (WORKGROUP + 8u) + invocation] = kernel1[value];
    }
    workgroupBarrier();
    store_conv1(n, first_channel, 0u, TAPS2, invocation);
    workgroupBarrier();
    // unroll
    for (var value = TAPS2; value < VALUES1; value++) {
        scratch[(value - TAPS2) * (WORKGROUP + 8u) + invocation] = kernel1[value];
    }
    workgroupBarrier();
    store_conv1(n, first_channel, TAPS2, VALUES1 - TAPS2, invocation);
}

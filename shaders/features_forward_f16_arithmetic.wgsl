// Both convolutions with ReLU and max pool, then dropout, as features_forward makes them; one workgroup makes one
//   image. pool1 is rounded to 16 bits, for conv2 as for the backward pass, and conv2's products are made and added in
//   16 bits, 18 to a sum; those sums, conv1 and the rest are in 32 bits.
// Math: that of features_forward, with conv2(pool1) = sum over its parts of f32(sum of 18 products in f16)
// Shapes: those of features_forward; pool1 [N, CHANNELS1, POOL1, POOL1 / 2], two values to a word
// Grid: as that of features_forward
// Cost: flop 2 * 4 * N * (16 CHANNELS1 POOL1^2 + 9 CHANNELS1 CHANNELS2 POOL2^2); bytes N * (SIDE^2 + 2 * |pool1| + 4 *
//   (|features| + |argmax| + 3)) + 4 * |conv parameters|
// Source: features_forward; products in pairs, one multiply-add for two of them where an adapter has packed arithmetic

enable f16;

override WORKGROUP: u32;
override CHANNELS1: u32;
override CHANNELS2: u32;
override CONV1_WEIGHT: u32;
override CONV1_BIAS: u32;
override CONV2_WEIGHT: u32;
override CONV2_BIAS: u32;
override KEY_LOW: u32;
override KEY_HIGH: u32;
override THRESHOLD: u32;
override SCALE: f32;

// Rounds in which conv2's sums go through scratch: pool1 takes a part of the workgroup's memory for itself.
const ROUNDS2 = 4u;
// Windows of four channels of pool1 in 16 bits; two more keep the next four out of their banks.
const STAGED_PART = POOL1 * POOL1 + 2u;
const STAGED_END = PARTS * STAGED_PART;

@group(0) @binding(4) var<storage, read_write> pool1: array<u32>; // [N, CHANNELS1, POOL1, POOL1 / 2]

// STAGED channels of pool1, four to a vec4.
var<workgroup> halves: array<vec4<f16>, STAGED_END>;

// Where `halves` holds window `window` of the four channels of a part.
fn staged_part(part: u32, window: u32) -> u32 {
    return part * STAGED_PART + window;
}

fn stage(channel: u32, window: u32, value: f32) {
    halves[staged_part(channel / 4u, window)][channel % 4u] = f16(value);
}

// Where the indices of pool1's maxima begin in scratch.
fn first_maximum() -> u32 {
    return 0u;
}

// Copies the channels of pool1 that are in workgroup memory to where the backward pass reads them.
fn store_pool1(n: u32, first_channel: u32, invocation: u32) {
    for (var i = invocation; i < STAGED * POOL1 * POOL1 / 2u; i += WORKGROUP) {
        let channel = 2u * i / (POOL1 * POOL1);
        let at = staged_part(channel / 4u, 2u * i % (POOL1 * POOL1));
        let values = vec2<f32>(f32(halves[at][channel % 4u]), f32(halves[at + 1u][channel % 4u]));
        pool1[(n * CHANNELS1 + first_channel) * POOL1 * POOL1 / 2u + i] = pack2x16float(values);
    }
}

// The weights from four channels of pool1, from `first_input` on, to channel `channel` of conv2: of each tap those of
// the four.
fn conv2_weights(channel: u32, first_input: u32) -> array<vec4<f16>, TAPS2> {
    let weight = (CONV2_WEIGHT + (channel * CHANNELS1 + first_input) * TAPS2) / 4u;
    var weights: array<vec4<f16>, TAPS2>;
    // unroll
    for (var i = 0u; i < 4u * TAPS2; i++) {
        weights[i % TAPS2][i / TAPS2] = f16(parameters[weight + i / 4u][i % 4u]);
    }
    return weights;
}

// Adds to a block of positions of channel `channel` what four channels of pool1, from `first_input` on, contribute; the
// block's first position lies over value `corner` of `halves`. A pair of 16-bit sums has 18 products in each.
fn conv2_forward(before: Block2, corner: u32, channel: u32, first_input: u32) -> Block2 {
    var weights = conv2_weights(channel, first_input);
    var pairs = array<array<vec2<f16>, BLOCK2>, BLOCK2 + 2u * KERNEL2 - 2u>();
    // unroll
    for (var y = 0u; y < PATCH; y++) {
        var values: array<vec4<f16>, PATCH>;
        // unroll
        for (var x = 0u; x < PATCH; x++) {
            values[x] = halves[corner + y * POOL1 + x];
        }
        // unroll
        for (var row = 0u; row < KERNEL2; row++) {
            // unroll
            for (var x = 0u; x < BLOCK2; x++) {
                // unroll
                for (var column = 0u; column < KERNEL2; column++) {
                    pairs[KERNEL2 - 1u + y - row][x] = pairs[KERNEL2 - 1u + y - row][x]
                        + values[x + column].xy * weights[row * KERNEL2 + column].xy
                        + values[x + column].zw * weights[row * KERNEL2 + column].zw;
                }
            }
        }
    }
    var sums = before;
    // unroll
    for (var y = KERNEL2 - 1u; y < KERNEL2 - 1u + BLOCK2; y++) {
        // unroll
        for (var x = 0u; x < BLOCK2; x++) {
            sums[y][x] += f32(pairs[y][x].x) + f32(pairs[y][x].y);
        }
    }
    return sums;
}

@compute @workgroup_size(WORKGROUP)
fn features_forward_f16_arithmetic(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
) {
    make_features(group.x, invocation);
}

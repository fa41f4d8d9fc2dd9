// conv2's part of features_forward_layers.wgsl in 32 bits, with pool1 in `scratch`.

// Rounds in which its sums go through scratch, each with as many channels.
const ROUNDS2 = 2u;
// Values of scratch: of four channels of pool1, where eight keep the next four out of their banks; of all of them.
const STAGED_PART = 4u * POOL1 * POOL1 + 8u;
const STAGED_END = PARTS * STAGED_PART;

// Where scratch holds window `window` of the first of the four channels of a part.
fn staged_part(part: u32, window: u32) -> u32 {
    return part * STAGED_PART + 4u * window;
}

// Where it holds window `window` of a channel of pool1.
fn staged(channel: u32, window: u32) -> u32 {
    return staged_part(channel / 4u, window) + channel % 4u;
}

fn stage(channel: u32, window: u32, value: f32) {
    scratch[staged(channel, window)] = value;
}

// Where the indices of pool1's maxima begin in scratch.
fn first_maximum() -> u32 {
    return STAGED_END;
}

// The weights from four channels of pool1, from `first_input` on, to channel `channel` of conv2: of each tap those of
// the four.
fn conv2_weights(channel: u32, first_input: u32) -> array<vec4<f32>, TAPS2> {
    let weight = (CONV2_WEIGHT + (channel * CHANNELS1 + first_input) * TAPS2) / 4u;
    var weights: array<vec4<f32>, TAPS2>;
    // unroll
    for (var i = 0u; i < 4u * TAPS2; i++) {
        weights[i % TAPS2][i / TAPS2] = parameters[weight + i / 4u][i % 4u];
    }
    return weights;
}

// Adds to a block of positions of channel `channel` what four channels of pool1, from `first_input` on, contribute; the
// block's first position lies over value `corner` of scratch.
fn conv2_forward(before: Block2, corner: u32, channel: u32, first_input: u32) -> Block2 {
    var weights = conv2_weights(channel, first_input);
    var sums = before;
    // unroll
    for (var y = 0u; y < PATCH; y++) {
        var values: array<vec4<f32>, PATCH>;
        // unroll
        for (var x = 0u; x < PATCH; x++) {
            let at = corner + 4u * (y * POOL1 + x);
            values[x] = vec4<f32>(scratch[at], scratch[at + 1u], scratch[at + 2u], scratch[at + 3u]);
        }
        // unroll
        for (var row = 0u; row < KERNEL2; row++) {
            // unroll
            for (var x = 0u; x < BLOCK2; x++) {
                // unroll
                for (var column = 0u; column < KERNEL2; column++) {
                    sums[KERNEL2 - 1u + y - row][x] =
                        add_dot4(sums[KERNEL2 - 1u + y - row][x], values[x + column], weights[row * KERNEL2 + column]);
                }
            }
        }
    }
    return sums;
}

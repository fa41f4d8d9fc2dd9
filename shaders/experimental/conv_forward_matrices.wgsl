// Convolution with bias and ReLU by cooperative matrices, an implicit matrix product: its rows are positions, counted
//   along rows of the input, its columns outputs; one workgroup makes one image, each subgroup a tile of the product.
// Math: that of conv_forward; products of numbers rounded to 16 bits, added in 32
// Shapes: x [N, IN_CHANNELS, IN_HEIGHT, IN_WIDTH]; weight [OUT_CHANNELS, IN_CHANNELS, KERNEL, KERNEL]; y [N,
//   OUT_CHANNELS, OUT_HEIGHT, OUT_WIDTH]
// Grid: N workgroups in x; IN_CHANNELS is a multiple of TILE, OUT_CHANNELS is TILE, WORKGROUP at least SUBGROUP for
//   every TILE of OUT_HEIGHT * IN_WIDTH positions
// Cost: flop 2 * N * |weight| * OUT_HEIGHT * OUT_WIDTH; bytes 4 * (N * (|x| + |y|) + |weight| + |bias|)
// Source: conv_forward; SPV_KHR_cooperative_matrix, which naga writes for wgpu's extension of WGSL

enable f16;
enable wgpu_cooperative_matrix;

override WORKGROUP: u32;
override IN_CHANNELS: u32;
override IN_HEIGHT: u32;
override IN_WIDTH: u32;
override OUT_CHANNELS: u32;
override OUT_HEIGHT: u32;
override OUT_WIDTH: u32;
override WEIGHT: u32;
override BIAS: u32;

const TILE = 16u;
const KERNEL = 3u;
// Invocations of a subgroup, which nothing checks.
const SUBGROUP = 32u;

@group(0) @binding(0) var<storage, read> x: array<f32>; // [N, IN_CHANNELS, IN_HEIGHT, IN_WIDTH]
@group(0) @binding(1) var<storage, read> parameters: array<f32>; // all; this layer's from WEIGHT and BIAS on
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // [N, OUT_CHANNELS, OUT_HEIGHT, OUT_WIDTH]
@group(0) @binding(3) var<uniform> step: Step; // this step

// TILE channels of each place of the input, of those that a tile reaches beyond it too; of a row of taps the weights
// from each channel to each output; sums by position and output.
var<workgroup> places: array<f16, (WORKGROUP / SUBGROUP * TILE + KERNEL * IN_WIDTH) * TILE>;
var<workgroup> weights: array<f16, KERNEL * TILE * TILE>;
var<workgroup> sums: array<f32, WORKGROUP / SUBGROUP * TILE * TILE>;

fn stage_places(n: u32, first_channel: u32, invocation: u32) {
    let all = IN_HEIGHT * IN_WIDTH;
    for (var i = invocation; i < (WORKGROUP / SUBGROUP * TILE + KERNEL * IN_WIDTH) * TILE; i += WORKGROUP) {
        let channel = n * IN_CHANNELS + first_channel + i % TILE;
        let place = i / TILE;
        places[i] = f16(select(0.0, x[channel * all + min(place, all - 1u)], place < all));
    }
}

fn stage_weights(row: u32, first_channel: u32, invocation: u32) {
    for (var i = invocation; i < KERNEL * TILE * TILE; i += WORKGROUP) {
        let from_channel = i % TILE * IN_CHANNELS + first_channel + i / TILE % TILE;
        weights[i] = f16(parameters[WEIGHT + (from_channel * KERNEL + row) * KERNEL + i / (TILE * TILE)]);
    }
}

@compute @workgroup_size(WORKGROUP)
fn conv_forward_matrices(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
) {
    let n = group.x;
    let tile = invocation / SUBGROUP;
    var c = coop_mat16x16<f32, C>();
    for (var first_channel = 0u; first_channel < IN_CHANNELS; first_channel += TILE) {
        stage_places(n, first_channel, invocation);
        for (var row = 0u; row < KERNEL; row++) {
            stage_weights(row, first_channel, invocation);
            workgroupBarrier();
            // unroll
            for (var column = 0u; column < KERNEL; column++) {
                // A position's inputs at a tap are those of the place so much further on: A by rows, and B too.
                let place = tile * TILE + row * IN_WIDTH + column;
                let a = coopLoadT<coop_mat16x16<f16, A>>(&places[place * TILE], TILE);
                let b = coopLoadT<coop_mat16x16<f16, B>>(&weights[column * TILE * TILE], TILE);
                c = coopMultiplyAdd(a, b, c);
            }
            workgroupBarrier();
        }
    }
    coopStoreT(c, &sums[tile * TILE * TILE], TILE);
    workgroupBarrier();
    for (var i = invocation; i < OUT_CHANNELS * OUT_HEIGHT * OUT_WIDTH; i += WORKGROUP) {
        let output = i / (OUT_HEIGHT * OUT_WIDTH);
        let position = i % (OUT_HEIGHT * OUT_WIDTH);
        let at = position / OUT_WIDTH * IN_WIDTH + position % OUT_WIDTH;
        let value = sums[at * TILE + output] + parameters[BIAS + output];
        y[n * OUT_CHANNELS * OUT_HEIGHT * OUT_WIDTH + i] = max(value, 0.0);
    }
}

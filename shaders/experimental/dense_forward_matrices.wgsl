// Dense layer with bias and optional ReLU by cooperative matrices; one workgroup, which is one subgroup, makes a tile
//   of TILE images by TILE units.
// Math: that of dense_forward; products of numbers rounded to 16 bits, added in 32
// Shapes: x [N, IN]; weight [OUT, IN]; y [N, OUT]
// Grid: ceil(N / TILE) workgroups in x, ceil(OUT / TILE) in y; IN is a multiple of TILE
// Cost: flop 2 * N * IN * OUT; bytes 4 * (N * (IN + OUT) + IN * OUT + OUT)
// Source: dense_forward; SPV_KHR_cooperative_matrix, which naga writes for wgpu's extension of WGSL

enable f16;
enable wgpu_cooperative_matrix;

override WORKGROUP: u32;
override IN: u32;
override OUT: u32;
override WEIGHT: u32;
override BIAS: u32;
override RELU: bool;

const TILE = 16u;

@group(0) @binding(0) var<storage, read> x: array<f32>; // [N, IN]
@group(0) @binding(1) var<storage, read> parameters: array<f32>; // all; this layer's from WEIGHT and BIAS on
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // [N, OUT]
@group(0) @binding(3) var<uniform> step: Step; // this step

// TILE inputs of each image and of each unit; sums by image and unit.
var<workgroup> inputs: array<f16, TILE * TILE>;
var<workgroup> weights: array<f16, TILE * TILE>;
var<workgroup> sums: array<f32, TILE * TILE>;

@compute @workgroup_size(WORKGROUP)
fn dense_forward_matrices(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
) {
    let first_image = group.x * TILE;
    let first_unit = group.y * TILE;
    var c = coop_mat16x16<f32, C>();
    for (var first = 0u; first < IN; first += TILE) {
        for (var i = invocation; i < TILE * TILE; i += WORKGROUP) {
            // A tile that reaches over the edge takes the last image or unit again and does not store it.
            let image = min(first_image + i / TILE, step.batch - 1u);
            let unit = min(first_unit + i / TILE, OUT - 1u);
            inputs[i] = f16(x[image * IN + first + i % TILE]);
            weights[i] = f16(parameters[WEIGHT + unit * IN + first + i % TILE]);
        }
        workgroupBarrier();
        // Inputs by image are A by rows; weights by unit are B by columns.
        let a = coopLoadT<coop_mat16x16<f16, A>>(&inputs[0], TILE);
        let b = coopLoad<coop_mat16x16<f16, B>>(&weights[0], TILE);
        c = coopMultiplyAdd(a, b, c);
        workgroupBarrier();
    }
    coopStoreT(c, &sums[0], TILE);
    workgroupBarrier();
    for (var i = invocation; i < TILE * TILE; i += WORKGROUP) {
        let image = first_image + i / TILE;
        let unit = first_unit + i % TILE;
        if image < step.batch && unit < OUT {
            let value = sums[i] + parameters[BIAS + unit];
            y[image * OUT + unit] = select(value, max(value, 0.0), RELU);
        }
    }
}

// Peak of reading workgroup memory; one invocation sums vec4s at a fixed distance, wrapping around the tile.
// Math: y[t] = sum over k < UNROLL * loops and c of tile[(local + k * STRIDE) % VALUES][c], tile[j][c] = j + c * MIX +
//   salt
// Shapes: length loops, salt and MIX [4]; y [invocations]; the tile [VALUES, 4]
// Grid: any number of workgroups in x
// Cost: flop 0; bytes 16 * UNROLL * loops for each invocation
// Source: the method of STREAM (J. D. McCalpin, 1995); STRIDE is no divisor of VALUES, so that no read can be hoisted

override WORKGROUP: u32;

const UNROLL = 4u;
const VALUES = 1024u;
const STRIDE = 264u;

@group(0) @binding(0) var<storage, read> length: array<u32>; // [4]
@group(0) @binding(1) var<storage, read_write> y: array<u32>; // [invocations]

var<workgroup> tile: array<vec4<u32>, VALUES>;

@compute @workgroup_size(WORKGROUP)
fn workgroup_read(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    for (var j = local; j < VALUES; j += WORKGROUP) {
        tile[j] = vec4<u32>(0u, 1u, 2u, 3u) * length[2] + length[1] + j;
    }
    workgroupBarrier();
    let loops = length[0];
    var at = local;
    var even = vec4<u32>();
    var odd = vec4<u32>();
    for (var i = 0u; i < loops; i++) {
        even += tile[at % VALUES];
        odd += tile[(at + STRIDE) % VALUES];
        even += tile[(at + 2u * STRIDE) % VALUES];
        odd += tile[(at + 3u * STRIDE) % VALUES];
        at += UNROLL * STRIDE;
    }
    let sum = even + odd;
    y[group.x * WORKGROUP + local] = sum.x + sum.y + sum.z + sum.w;
}

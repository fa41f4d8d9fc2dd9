// Peak of reading a storage buffer; one invocation sums vec4s at a fixed distance, wrapping around the working set.
// Math: y[t] = sum over k < UNROLL * loops and c of x[(group * GROUP_STEP + local + k * LOOP_STEP) % COUNT][c]
// Shapes: length loops and a salt [4]; x [COUNT, 4]; y [invocations]; COUNT is a power of two
// Grid: as many workgroups in x as the steps are made for
// Cost: flop 0; bytes 16 * UNROLL * loops for each invocation
// Source: the method of STREAM (J. D. McCalpin, 1995), with a sum that can be known beforehand

override WORKGROUP: u32;
override COUNT: u32;
override GROUP_STEP: u32;
override LOOP_STEP: u32;

const UNROLL = 4u;

@group(0) @binding(0) var<storage, read> length: array<u32>; // [4]
@group(0) @binding(1) var<storage, read> x: array<vec4<u32>>; // [COUNT]
@group(0) @binding(2) var<storage, read_write> y: array<u32>; // [invocations]

@compute @workgroup_size(WORKGROUP)
fn storage_read(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let loops = length[0];
    let mask = COUNT - 1u;
    var at = group.x * GROUP_STEP + local;
    var even = vec4<u32>();
    var odd = vec4<u32>();
    for (var i = 0u; i < loops; i++) {
        even += x[at & mask];
        odd += x[(at + LOOP_STEP) & mask];
        even += x[(at + 2u * LOOP_STEP) & mask];
        odd += x[(at + 3u * LOOP_STEP) & mask];
        at += UNROLL * LOOP_STEP;
    }
    let sum = even + odd;
    y[group.x * WORKGROUP + local] = sum.x + sum.y + sum.z + sum.w;
}

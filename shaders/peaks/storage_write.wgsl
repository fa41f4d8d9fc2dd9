// Peak of writing a storage buffer; one invocation writes vec4s at a fixed distance, wrapping around the working set.
// Math: y[j][c] = j + c * MIX + salt, for j = (group * GROUP_STEP + local + k * LOOP_STEP) % COUNT and k < UNROLL *
//   loops
// Shapes: length loops, salt and MIX [4]; y [COUNT, 4]; COUNT is a power of two
// Grid: as many workgroups in x as the steps are made for
// Cost: flop 0; bytes 16 * UNROLL * loops for each invocation
// Source: the method of STREAM (J. D. McCalpin, 1995), with values that can be known beforehand

override WORKGROUP: u32;
override COUNT: u32;
override GROUP_STEP: u32;
override LOOP_STEP: u32;

const UNROLL = 4u;

@group(0) @binding(0) var<storage, read> length: array<u32>; // [4]
@group(0) @binding(1) var<storage, read_write> y: array<vec4<u32>>; // [COUNT]

@compute @workgroup_size(WORKGROUP)
fn storage_write(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let loops = length[0];
    let value = vec4<u32>(0u, 1u, 2u, 3u) * length[2] + length[1];
    let mask = COUNT - 1u;
    var at = group.x * GROUP_STEP + local;
    for (var i = 0u; i < loops; i++) {
        let first = at & mask;
        let second = (at + LOOP_STEP) & mask;
        let third = (at + 2u * LOOP_STEP) & mask;
        let fourth = (at + 3u * LOOP_STEP) & mask;
        y[first] = value + first;
        y[second] = value + second;
        y[third] = value + third;
        y[fourth] = value + fourth;
        at += UNROLL * LOOP_STEP;
    }
}

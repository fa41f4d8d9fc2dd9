// Peak of copying one storage buffer to another; one invocation copies vec4s at a fixed distance, wrapping around.
// Math: y[j] = x[j], for j = (group * GROUP_STEP + local + k * LOOP_STEP) % COUNT and k < UNROLL * loops
// Shapes: length loops and a salt [4]; x and y [COUNT, 4]; COUNT is a power of two
// Grid: as many workgroups in x as the steps are made for
// Cost: flop 0; bytes 32 * UNROLL * loops for each invocation
// Source: STREAM copy (J. D. McCalpin, "Memory bandwidth and machine balance in current high performance computers",
//   1995)

override WORKGROUP: u32;
override COUNT: u32;
override GROUP_STEP: u32;
override LOOP_STEP: u32;

const UNROLL = 4u;

@group(0) @binding(0) var<storage, read> length: array<u32>; // [4]
@group(0) @binding(1) var<storage, read> x: array<vec4<u32>>; // [COUNT]
@group(0) @binding(2) var<storage, read_write> y: array<vec4<u32>>; // [COUNT]

@compute @workgroup_size(WORKGROUP)
fn storage_copy(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let loops = length[0];
    let mask = COUNT - 1u;
    var at = group.x * GROUP_STEP + local;
    for (var i = 0u; i < loops; i++) {
        let first = at & mask;
        let second = (at + LOOP_STEP) & mask;
        let third = (at + 2u * LOOP_STEP) & mask;
        let fourth = (at + 3u * LOOP_STEP) & mask;
        let a = x[first];
        let b = x[second];
        let c = x[third];
        let d = x[fourth];
        y[first] = a;
        y[second] = b;
        y[third] = c;
        y[fourth] = d;
        at += UNROLL * LOOP_STEP;
    }
}

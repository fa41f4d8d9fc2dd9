// Nothing, with a binding that could be written: every dispatch of it waits for the one before.
// Math: y[0] = y[0] + 1 where COUNTED is 1, to prove that each dispatch saw the one before; none where it is 0, to be
//   timed
// Shapes: y [4]
// Grid: one workgroup of one invocation
// Cost: flop 0; bytes 0
// Source: what is left of a kernel without its work

override WORKGROUP: u32;
override COUNTED: u32;

@group(0) @binding(0) var<storage, read_write> y: array<u32>; // [4]

@compute @workgroup_size(WORKGROUP)
fn empty_dependent() {
    if COUNTED == 1u {
        y[0] += 1u;
    }
}

// Nothing, with a binding that is only read: dispatches of it need not wait for each other.
// Math: none
// Shapes: x [4]
// Grid: one workgroup
// Cost: flop 0; bytes 0
// Source: what is left of a kernel without its work

override WORKGROUP: u32;

@group(0) @binding(0) var<storage, read> x: array<u32>; // [4]

@compute @workgroup_size(WORKGROUP)
fn empty() {
}

// Peak of 16-bit multiply-adds; one invocation makes 3 independent chains of vec4s in registers, which hides the
//   latency of each.
// Math: x = x * a + b, UNROLL * LOOPS times, with a = b = 1, so that the end counts the steps exactly; y = sum of all x
// Shapes: coefficients a, b, start [3]; y [invocations]
// Grid: any number of workgroups in x
// Cost: flop 2 * 4 * CHAINS * UNROLL * LOOPS for each invocation; bytes 4 for each invocation
// Source: the method of clpeak (github.com/krrishnarraj/clpeak); unrolled by hand, as loops carry a counter that is
//   checked

enable f16;

override WORKGROUP: u32;
override LOOPS: u32;

const CHAINS = 3u;
const UNROLL = 8u;

@group(0) @binding(0) var<storage, read> coefficients: array<f32>; // [3]
@group(0) @binding(1) var<storage, read_write> y: array<f32>; // [invocations]

@compute @workgroup_size(WORKGROUP)
fn fp16_multiply_add(@builtin(global_invocation_id) id: vec3<u32>) {
    let a = vec4<f16>(f16(coefficients[0]));
    let b = vec4<f16>(f16(coefficients[1]));
    let start = coefficients[2] + f32(id.x % 64u);
    // No two components begin alike, or one chain could do for two.
    var p = vec4<f16>(start + vec4<f32>(0.0, 1.0, 2.0, 3.0));
    var q = vec4<f16>(start + vec4<f32>(4.0, 5.0, 6.0, 7.0));
    var r = vec4<f16>(start + vec4<f32>(8.0, 9.0, 10.0, 11.0));
    for (var i = 0u; i < LOOPS; i++) {
        p = p * a + b;
        q = q * a + b;
        r = r * a + b;
        p = p * a + b;
        q = q * a + b;
        r = r * a + b;
        p = p * a + b;
        q = q * a + b;
        r = r * a + b;
        p = p * a + b;
        q = q * a + b;
        r = r * a + b;
        p = p * a + b;
        q = q * a + b;
        r = r * a + b;
        p = p * a + b;
        q = q * a + b;
        r = r * a + b;
        p = p * a + b;
        q = q * a + b;
        r = r * a + b;
        p = p * a + b;
        q = q * a + b;
        r = r * a + b;
    }
    // Summed in 32 bits: the sum is too large for 16.
    let sum = vec4<f32>(p) + vec4<f32>(q) + vec4<f32>(r);
    y[id.x] = sum.x + sum.y + sum.z + sum.w;
}

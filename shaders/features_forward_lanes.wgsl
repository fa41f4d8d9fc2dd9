// Both convolutions with ReLU and max pool, then dropout; one workgroup makes one image, each invocation whole planes
//   of four (conv1) or CARRIED (conv2) channels.
// Math: as features_forward
// Shapes: as features_forward
// Grid: N workgroups in x; WORKGROUP is CHANNELS2 / CARRIED
// Cost: flop 2 * 4 * N * (16 CHANNELS1 POOL1^2 + 9 CHANNELS1 CHANNELS2 POOL2^2); bytes N * (SIDE^2 + 4 * (|pool1| +
//   |features| + |argmax| + 3)) + 4 * |conv parameters|
// Source: features_forward for drivers to which loads are expensive and registers cheap: a channel's whole plane stays
//   in them

override WORKGROUP: u32;
override CHANNELS1: u32;
override CHANNELS2: u32;
override CONV1_WEIGHT: u32;
override CONV1_BIAS: u32;
override CONV2_WEIGHT: u32;
override CONV2_BIAS: u32;
override KEY_LOW: u32;
override KEY_HIGH: u32;
override THRESHOLD: u32;
override SCALE: f32;

const SIDE = 28u;
const KERNEL1 = 4u;
const POOL1 = 12u;
const KERNEL2 = 3u;
const POOL2 = 5u;
const CONVOLUTIONS = 1292u;
// Channels of conv2 that an invocation carries.
const CARRIED = 2u;
// Rows and columns of pixels under a window of conv1, and of positions of conv2.
const PIXELS = KERNEL1 + 1u;
const CONV2 = 2u * POOL2;

@group(0) @binding(0) var<storage, read> images: array<u32>; // [TOTAL, SIDE * SIDE / 4]
@group(0) @binding(1) var<storage, read> labels: array<u32>; // [TOTAL]
@group(0) @binding(2) var<storage, read> order: array<u32>; // [TOTAL]
@group(0) @binding(3) var<uniform> convolutions: array<vec4<f32>, CONVOLUTIONS>; // parameters of conv1, then of conv2
@group(0) @binding(4) var<storage, read_write> pool1: array<vec4<f32>>; // [N, CHANNELS1, POOL1, POOL1 / 4]
@group(0) @binding(5) var<storage, read_write> argmax: array<u32>; // [N, CHANNELS1 * POOL1 + CHANNELS2 * POOL2]
@group(0) @binding(6) var<storage, read_write> features: array<f32>; // [N, CHANNELS2, POOL2, POOL2]
@group(0) @binding(7) var<storage, read_write> targets: array<u32>; // [N]
@group(0) @binding(8) var<uniform> step: Step; // this step

alias Plane2 = array<array<f32, CONV2>, CONV2>;

// One row of a kernel's products with two rows of pixels, at the four positions of a window.
fn row_products(weights: vec4<f32>, upper: array<f32, PIXELS>, lower: array<f32, PIXELS>) -> vec4<f32> {
    return weights.x * vec4<f32>(upper[0], upper[1], lower[0], lower[1])
        + weights.y * vec4<f32>(upper[1], upper[2], lower[1], lower[2])
        + weights.z * vec4<f32>(upper[2], upper[3], lower[2], lower[3])
        + weights.w * vec4<f32>(upper[3], upper[4], lower[3], lower[4]);
}

// Makes row `y` of channel `channel` of image n's pool1 from the pixels under it.
fn conv1_row(n: u32, channel: u32, y: u32, pixels: PixelRows) {
    let weight = (CONV1_WEIGHT + KERNEL1 * KERNEL1 * channel) / 4u;
    var kernel: array<vec4<f32>, KERNEL1>;
    // unroll
    for (var row = 0u; row < KERNEL1; row++) {
        kernel[row] = convolutions[weight + row] / 255.0;
    }
    let bias = convolution(CONV1_BIAS + channel);
    var values: array<f32, POOL1>;
    var packed = 0.0;
    // unroll
    for (var x = 0u; x < POOL1; x++) {
        var window: array<array<f32, PIXELS>, PIXELS>;
        // unroll
        for (var row = 0u; row < PIXELS; row++) {
            // unroll
            for (var column = 0u; column < PIXELS; column++) {
                window[row][column] = pixels[row][2u * x + column];
            }
        }
        var sums = row_products(kernel[0], window[0], window[1]);
        // unroll
        for (var row = 1u; row < KERNEL1; row++) {
            sums += row_products(kernel[row], window[row], window[row + 1u]);
        }
        let best = relu_max_pool(sums + bias);
        values[x] = best.x;
        packed += f32(1u << (2u * x)) * best.y;
    }
    let row = (n * CHANNELS1 + channel) * POOL1 + y;
    // unroll
    for (var i = 0u; i < POOL1 / 4u; i++) {
        pool1[row * (POOL1 / 4u) + i] =
            vec4<f32>(values[4u * i], values[4u * i + 1u], values[4u * i + 2u], values[4u * i + 3u]);
    }
    argmax[n * (CHANNELS1 * POOL1 + CHANNELS2 * POOL2) + channel * POOL1 + y] = u32(packed);
}

// Adds to a plane of conv2 what a plane of pool1 contributes through the kernel that begins at parameter `weight`.
fn add_correlation(before: Plane2, plane: Plane1, weight: u32) -> Plane2 {
    var sums = before;
    // unroll
    for (var row = 0u; row < KERNEL2; row++) {
        let left = convolution(weight + KERNEL2 * row);
        let middle = convolution(weight + KERNEL2 * row + 1u);
        let right = convolution(weight + KERNEL2 * row + 2u);
        // unroll
        for (var y = 0u; y < CONV2; y++) {
            // unroll
            for (var x = 0u; x < CONV2; x++) {
                sums[y][x] +=
                    left * plane[y + row][x] + middle * plane[y + row][x + 1u] + right * plane[y + row][x + 2u];
            }
        }
    }
    return sums;
}

// Pools row `y` of windows of channel `channel` of conv2 from its two rows of positions, and applies dropout.
fn pool2_row(n: u32, channel: u32, y: u32, upper: array<f32, CONV2>, lower: array<f32, CONV2>) {
    let bias = convolution(CONV2_BIAS + channel);
    let first = ((n * CHANNELS2 + channel) * POOL2 + y) * POOL2;
    let key = vec2<u32>(KEY_LOW, KEY_HIGH);
    var packed = 0.0;
    // unroll
    for (var x = 0u; x < POOL2; x++) {
        let sums = vec4<f32>(upper[2u * x], upper[2u * x + 1u], lower[2u * x], lower[2u * x + 1u]);
        let best = relu_max_pool(sums + bias);
        features[first + x] = best.x * dropout_factor(key, first + x, step.index, THRESHOLD, SCALE);
        packed += f32(1u << (2u * x)) * best.y;
    }
    argmax[n * (CHANNELS1 * POOL1 + CHANNELS2 * POOL2) + CHANNELS1 * POOL1 + channel * POOL2 + y] = u32(packed);
}

@compute @workgroup_size(WORKGROUP)
fn features_forward_lanes(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) invocation: u32) {
    let n = group.x;
    let source = order[step.first + n];
    for (var y = 0u; y < POOL1; y++) {
        let pixels = pixel_rows(source * (SIDE * SIDE / 4u), y);
        for (var channel = invocation; channel < CHANNELS1; channel += WORKGROUP) {
            conv1_row(n, channel, y, pixels);
        }
    }
    storageBarrier();

    // The invocation's channels are WORKGROUP apart.
    var sums = array<Plane2, CARRIED>();
    for (var input = 0u; input < CHANNELS1; input++) {
        let plane = pool1_plane((n * CHANNELS1 + input) * (POOL1 * POOL1 / 4u));
        // unroll
        for (var i = 0u; i < CARRIED; i++) {
            let kernel = (invocation + i * WORKGROUP) * CHANNELS1 + input;
            sums[i] = add_correlation(sums[i], plane, CONV2_WEIGHT + KERNEL2 * KERNEL2 * kernel);
        }
    }
    // unroll
    for (var y = 0u; y < POOL2; y++) {
        // unroll
        for (var i = 0u; i < CARRIED; i++) {
            pool2_row(n, invocation + i * WORKGROUP, y, sums[i][2u * y], sums[i][2u * y + 1u]);
        }
    }
    if invocation == 0u {
        targets[n] = labels[source];
    }
}

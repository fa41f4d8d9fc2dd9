// Gradients of both convolutions' weights and biases for each image by itself; one workgroup makes those of WORKGROUP
//   channels of pool1, one to an invocation, and depends on no other.
// Math: as features_backward
// Shapes: as features_backward
// Grid: N workgroups in x, CHANNELS1 / WORKGROUP in y
// Cost: flop 2 * N * (9 CHANNELS1 CHANNELS2 (POOL2^2 + POOL1^2) + 16 CHANNELS1 POOL1^2); bytes N * (SIDE^2 + 4 *
//   (|argmax| + |dfeatures| + |pool1| + |partial| + 1)) + 4 * |conv2 weight|
// Source: features_backward for drivers to which loads are expensive and registers cheap: a channel's whole plane stays
//   in them

override WORKGROUP: u32;
override CHANNELS1: u32;
override CHANNELS2: u32;
override CONV2_WEIGHT: u32;
override PARTIAL: u32;

const SIDE = 28u;
const KERNEL1 = 4u;
const POOL1 = 12u;
const KERNEL2 = 3u;
const POOL2 = 5u;
const CONVOLUTIONS = 1292u;
const TAPS1 = KERNEL1 * KERNEL1;
const TAPS2 = KERNEL2 * KERNEL2;
// Rows and columns of pixels under a window of conv1, and of pool1 under a window of conv2.
const PIXELS = KERNEL1 + 1u;
const PATCH = KERNEL2 + 1u;
// Positions of conv2 in a row, and with as many zeros on either side as the kernel reaches beyond them.
const CONV2 = 2u * POOL2;
const BORDER = KERNEL2 - 1u;
const PADDED = CONV2 + 2u * BORDER;

@group(0) @binding(0) var<storage, read> images: array<u32>; // [TOTAL, SIDE * SIDE / 4]
@group(0) @binding(1) var<storage, read> order: array<u32>; // [TOTAL]
@group(0) @binding(2) var<uniform> convolutions: array<vec4<f32>, CONVOLUTIONS>; // parameters of conv1, then of conv2
@group(0) @binding(3) var<storage, read> pool1: array<vec4<f32>>; // [N, CHANNELS1, POOL1, POOL1 / 4]
@group(0) @binding(4) var<storage, read> argmax: array<u32>; // [N, CHANNELS1 * POOL1 + CHANNELS2 * POOL2]
@group(0) @binding(5) var<storage, read> dfeatures: array<f32>; // [N, CHANNELS2, POOL2, POOL2]
@group(0) @binding(6) var<storage, read_write> partial: array<f32>; // [N, PARTIAL]
@group(0) @binding(7) var<uniform> step: Step; // this step

// Whether the maximum of window `window` of a row is at position `position` of its four; `word` has the indices of the
// row.
fn is_maximum(word: u32, window: u32, position: u32) -> bool {
    return ((word >> (2u * window)) & 3u) == position;
}

// A row of conv2's positions between zeros, from the row of windows it is part of; `left` is the index of the left of
// its two positions of a window.
fn gradient_row(gradients: array<f32, POOL2>, word: u32, left: u32) -> array<f32, PADDED> {
    var row = array<f32, PADDED>();
    // unroll
    for (var x = 0u; x < POOL2; x++) {
        row[BORDER + 2u * x] = select(0.0, gradients[x], is_maximum(word, x, left));
        row[BORDER + 2u * x + 1u] = select(0.0, gradients[x], is_maximum(word, x, left + 1u));
    }
    return row;
}

// Adds to the gradients of a plane of pool1 what a channel of conv2 contributes through the kernel that begins at
// parameter `weight`.
fn add_adjoint(before: Plane1, gradients: array<array<f32, PADDED>, CONV2>, weight: u32) -> Plane1 {
    var sums = before;
    // unroll
    for (var row = 0u; row < KERNEL2; row++) {
        let left = convolution(weight + KERNEL2 * row);
        let middle = convolution(weight + KERNEL2 * row + 1u);
        let right = convolution(weight + KERNEL2 * row + 2u);
        // unroll
        for (var y = 0u; y < CONV2; y++) {
            // unroll
            for (var x = 0u; x < POOL1; x++) {
                sums[y + row][x] +=
                    right * gradients[y][x] + middle * gradients[y][x + 1u] + left * gradients[y][x + 2u];
            }
        }
    }
    return sums;
}

// What a window of conv2 contributes to its kernel's gradient, from the values of pool1 under it: those under its
// maximum count.
fn window_gradient2(gradient: f32, values: array<array<f32, PATCH>, PATCH>, maximum: u32) -> array<f32, TAPS2> {
    let lower = maximum >= 2u;
    let right = (maximum & 1u) == 1u;
    var kernel: array<f32, TAPS2>;
    // unroll
    for (var row = 0u; row < KERNEL2; row++) {
        var chosen: array<f32, PATCH>;
        // unroll
        for (var column = 0u; column < PATCH; column++) {
            chosen[column] = select(values[row][column], values[row + 1u][column], lower);
        }
        // unroll
        for (var column = 0u; column < KERNEL2; column++) {
            kernel[row * KERNEL2 + column] = gradient * select(chosen[column], chosen[column + 1u], right);
        }
    }
    return kernel;
}

// What a window of conv1 contributes to its kernel's gradient, likewise.
fn window_gradient1(gradient: f32, pixels: array<array<f32, PIXELS>, PIXELS>, maximum: u32) -> array<f32, TAPS1> {
    let lower = maximum >= 2u;
    let right = (maximum & 1u) == 1u;
    var kernel: array<f32, TAPS1>;
    // unroll
    for (var row = 0u; row < KERNEL1; row++) {
        var chosen: array<f32, PIXELS>;
        // unroll
        for (var column = 0u; column < PIXELS; column++) {
            chosen[column] = select(pixels[row][column], pixels[row + 1u][column], lower);
        }
        // unroll
        for (var column = 0u; column < KERNEL1; column++) {
            kernel[row * KERNEL1 + column] = gradient * select(chosen[column], chosen[column + 1u], right);
        }
    }
    return kernel;
}

// Stores the gradients of conv2's weights from plane `plane` of pool1, which is channel `channel`, and of its biases;
// gives the gradients of the plane.
fn conv2_backward(n: u32, channel: u32, plane: Plane1) -> Plane1 {
    var dplane = Plane1();
    for (var output = 0u; output < CHANNELS2; output++) {
        let first_word = n * (CHANNELS1 * POOL1 + CHANNELS2 * POOL2) + CHANNELS1 * POOL1 + output * POOL2;
        let first_gradient = (n * CHANNELS2 + output) * POOL2 * POOL2;
        var words: array<u32, POOL2>;
        var gradients: array<array<f32, POOL2>, POOL2>;
        // unroll
        for (var y = 0u; y < POOL2; y++) {
            words[y] = argmax[first_word + y];
            // unroll
            for (var x = 0u; x < POOL2; x++) {
                gradients[y][x] = dfeatures[first_gradient + y * POOL2 + x];
            }
        }
        var positions: array<array<f32, PADDED>, CONV2>;
        // unroll
        for (var y = 0u; y < POOL2; y++) {
            positions[2u * y] = gradient_row(gradients[y], words[y], 0u);
            positions[2u * y + 1u] = gradient_row(gradients[y], words[y], 2u);
        }
        let weight = (output * CHANNELS1 + channel) * TAPS2;
        dplane = add_adjoint(dplane, positions, CONV2_WEIGHT + weight);
        var kernel = array<f32, TAPS2>();
        var bias = 0.0;
        // unroll
        for (var y = 0u; y < POOL2; y++) {
            var kernel_of_row = array<f32, TAPS2>();
            var bias_of_row = 0.0;
            // unroll
            for (var x = 0u; x < POOL2; x++) {
                var values: array<array<f32, PATCH>, PATCH>;
                // unroll
                for (var row = 0u; row < PATCH; row++) {
                    // unroll
                    for (var column = 0u; column < PATCH; column++) {
                        values[row][column] = plane[2u * y + row][2u * x + column];
                    }
                }
                var share = window_gradient2(gradients[y][x], values, (words[y] >> (2u * x)) & 3u);
                // unroll
                for (var tap = 0u; tap < TAPS2; tap++) {
                    kernel_of_row[tap] += share[tap];
                }
                bias_of_row += gradients[y][x];
            }
            // unroll
            for (var tap = 0u; tap < TAPS2; tap++) {
                kernel[tap] += kernel_of_row[tap];
            }
            bias += bias_of_row;
        }
        let conv2 = n * PARTIAL + (TAPS1 + 1u) * CHANNELS1;
        // unroll
        for (var tap = 0u; tap < TAPS2; tap++) {
            partial[conv2 + weight + tap] = kernel[tap];
        }
        if channel == output {
            partial[conv2 + TAPS2 * CHANNELS1 * CHANNELS2 + output] = bias;
        }
    }
    return dplane;
}

// The gradients of a row of a plane of pool1 that begins at vec4 `first` where the ReLU passed the row's values.
fn relu_backward(gradients: array<f32, POOL1>, first: u32) -> array<f32, POOL1> {
    var values = pool1_row(first);
    var passed = gradients;
    // unroll
    for (var x = 0u; x < POOL1; x++) {
        passed[x] = select(0.0, passed[x], values[x] > 0.0);
    }
    return passed;
}

@compute @workgroup_size(WORKGROUP)
fn features_backward_lanes(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) invocation: u32) {
    let n = group.x;
    let channel = group.y * WORKGROUP + invocation;
    let plane = (n * CHANNELS1 + channel) * (POOL1 * POOL1 / 4u);
    var dplane = conv2_backward(n, channel, pool1_plane(plane));
    let image = order[step.first + n] * (SIDE * SIDE / 4u);
    var kernel = array<f32, TAPS1>();
    var bias = 0.0;
    for (var y = 0u; y < POOL1; y++) {
        let word = argmax[n * (CHANNELS1 * POOL1 + CHANNELS2 * POOL2) + channel * POOL1 + y];
        var gradients = relu_backward(dplane[y], plane + y * (POOL1 / 4u));
        var pixels = pixel_rows(image, y);
        var kernel_of_row = array<f32, TAPS1>();
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
            var share = window_gradient1(gradients[x], window, (word >> (2u * x)) & 3u);
            // unroll
            for (var tap = 0u; tap < TAPS1; tap++) {
                kernel_of_row[tap] += share[tap];
            }
        }
        // unroll
        for (var tap = 0u; tap < TAPS1; tap++) {
            kernel[tap] += kernel_of_row[tap];
        }
        var bias_of_row = 0.0;
        // unroll
        for (var i = 0u; i < POOL1 / 4u; i++) {
            let four = vec4<f32>(
                gradients[4u * i], gradients[4u * i + 1u], gradients[4u * i + 2u], gradients[4u * i + 3u]);
            bias_of_row += dot(four, vec4<f32>(1.0));
        }
        bias += bias_of_row;
    }
    // unroll
    for (var tap = 0u; tap < TAPS1; tap++) {
        partial[n * PARTIAL + TAPS1 * channel + tap] = kernel[tap] / 255.0;
    }
    partial[n * PARTIAL + TAPS1 * CHANNELS1 + channel] = bias;
}

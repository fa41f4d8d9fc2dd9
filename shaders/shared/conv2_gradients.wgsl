// An image's gradients of conv2 by the workgroup; beside features_backward_layers.wgsl.

// Makes the gradients of the kernels from channel `channel` of pool1 to channels `group` and HALF + `group` of conv2,
// and of these channels' biases.
fn conv2_gradients(n: u32, channel: u32, group: u32, invocation: u32) {
    var kernels = array<Kernel2, 2>();
    var biases = array<f32, 2>();
    let first = channel * (POOL1 * POOL1 / 4u);
    for (var y = 0u; y < POOL2; y++) {
        // The rows of pool1 under a row of windows.
        var rows: array<array<f32, POOL1>, KERNEL2 + 1u>;
        // unroll
        for (var i = 0u; i < KERNEL2 * POOL1 / 4u + POOL1 / 4u; i++) {
            // Whole vec4s: some compilers load the components of one one by one where each is asked for by itself.
            let values = pool1_vec4(n, first + y * (POOL1 / 2u) + i);
            // unroll
            for (var x = 0u; x < 4u; x++) {
                rows[4u * i / POOL1][4u * i % POOL1 + x] = values[x];
            }
        }
        var words: array<u32, 2>;
        var gradients: array<f32, 2u * POOL2>;
        // unroll
        for (var i = 0u; i < 2u * POOL2; i++) {
            let row = (i / POOL2 * HALF + group) * POOL2 + y;
            gradients[i] = dfeature(n, row * POOL2 + i % POOL2);
            words[i / POOL2] = maxima_of(n, CHANNELS1 * POOL1 + row);
            biases[i / POOL2] += gradients[i];
        }
        // unroll
        for (var i = 0u; i < 2u * POOL2; i++) {
            let maximum = words[i / POOL2] >> (2u * (i % POOL2));
            // unroll
            for (var a = 0u; a < 2u; a++) {
                if ((maximum >> 1u) & 1u) == a {
                    // unroll
                    for (var b = 0u; b < 2u; b++) {
                        if (maximum & 1u) == b {
                            // unroll
                            for (var tap = 0u; tap < TAPS2; tap++) {
                                let value = rows[a + tap / KERNEL2][i % POOL2 * 2u + b + tap % KERNEL2];
                                kernels[i / POOL2][tap] = fma(gradients[i], value, kernels[i / POOL2][tap]);
                            }
                        }
                    }
                }
            }
        }
    }
    // unroll
    for (var half = 0u; half < 2u; half++) {
        workgroupBarrier();
        // unroll
        for (var tap = 0u; tap < TAPS2; tap++) {
            scratch[TAPS2 * invocation + tap] = kernels[half][tap];
        }
        workgroupBarrier();
        for (var i = invocation; i < TAPS2 * WORKGROUP; i += WORKGROUP) {
            store_partial(n, VALUES1 * CHANNELS1 + half * TAPS2 * WORKGROUP + i, scratch[i]);
        }
        if channel == half {
            store_partial(n, PARTIAL - CHANNELS2 + half * HALF + group, biases[half]);
        }
    }
}

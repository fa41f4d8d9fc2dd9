// The second half of features_backward: the gradient of conv2's weights and biases. A window's gradient goes to one position
// in four, so its products are made with the part of the window's patch that meets the kernel there.

fn columns1(at: u32) -> mat4x2<f32> {
    return mat4x2<f32>(pool1[at], pool1[at + 1u], pool1[at + POOL1], pool1[at + POOL1 + 1u],
        pool1[at + 2u * POOL1], pool1[at + 2u * POOL1 + 1u], pool1[at + 3u * POOL1], pool1[at + 3u * POOL1 + 1u]);
}

// What a row of windows adds to the gradient d of the weights from one input channel, with patches p, to channel o.
fn row_share(d: mat3x3<f32>, p: array<mat4x4<f32>, 5>, n: u32, o: u32, row: u32) -> mat3x3<f32> {
    let found = places[n * (CHANNELS1 * POOL1 + CHANNELS2 * POOL2) + CHANNELS1 * POOL1 + o * POOL2 + row];
    let g = ((n * CHANNELS2 + o) * POOL2 + row) * POOL2;
    return d + dfeatures[g] * part_3(p[0], found & 3u) + dfeatures[g + 1u] * part_3(p[1], (found >> 2u) & 3u) + dfeatures[g + 2u] * part_3(p[2], (found >> 4u) & 3u)
        + dfeatures[g + 3u] * part_3(p[3], (found >> 6u) & 3u) + dfeatures[g + 4u] * part_3(p[4], (found >> 8u) & 3u);
}

fn store_3(at: u32, d: mat3x3<f32>) {
    for (var t = 0u; t < 9u; t++) {
        partial[at + t] = d[t / 3u][t % 3u];
    }
}

// The gradients of conv2's weights from input channel i to the output channels o to o + 3.
fn part2(n: u32, i: u32, o: u32) {
    var d = array<mat3x3<f32>, 4>();
    for (var row = 0u; row < POOL2; row++) {
        let at = ((n * CHANNELS1 + i) * POOL1 + 2u * row) * POOL1;
        let c = array<mat4x2<f32>, 6>(columns1(at), columns1(at + 2u), columns1(at + 4u), columns1(at + 6u), columns1(at + 8u), columns1(at + 10u));
        let p = array<mat4x4<f32>, 5>(patch_of(c[0], c[1]), patch_of(c[1], c[2]), patch_of(c[2], c[3]), patch_of(c[3], c[4]), patch_of(c[4], c[5]));
        d = array<mat3x3<f32>, 4>(row_share(d[0], p, n, o, row), row_share(d[1], p, n, o + 1u, row), row_share(d[2], p, n, o + 2u, row), row_share(d[3], p, n, o + 3u, row));
    }
    let to = n * PARTIAL + POOL1 / 4u * 17u * CHANNELS1 + (o * CHANNELS1 + i) * 9u;
    store_3(to, d[0]);
    store_3(to + 9u * CHANNELS1, d[1]);
    store_3(to + 18u * CHANNELS1, d[2]);
    store_3(to + 27u * CHANNELS1, d[3]);
}

fn bias2(n: u32, o: u32) {
    var sum = 0.0;
    for (var window = 0u; window < POOL2 * POOL2; window++) {
        sum += dfeatures[(n * CHANNELS2 + o) * POOL2 * POOL2 + window];
    }
    partial[(n + 1u) * PARTIAL - CHANNELS2 + o] = sum;
}

// For kernels that bind `deltas` as vec4s, `targets` and `outcome`.

// Loss, rightness and dz3 of image n, whose logits are where dz3 will be.
fn judge(n: u32) {
    let at = row_of_deltas(n) + (UNITS1 + UNITS2) / 4u;
    var largest = deltas[at].x;
    var class_of_largest = 0u;
    for (var k = 1u; k < CLASSES; k++) {
        let value = deltas[at + k / 4u][k % 4u];
        if value > largest {
            largest = value;
            class_of_largest = k;
        }
    }
    var sum = 0.0;
    for (var k = 0u; k < CLASSES; k++) {
        sum += exp(deltas[at + k / 4u][k % 4u] - largest);
    }
    let right = targets[n];
    outcome[n] = vec2<f32>(log(sum) + largest - deltas[at + right / 4u][right % 4u], select(0.0, 1.0, class_of_largest == right));
    for (var k = 0u; k < (CLASSES + 3u) / 4u * 4u; k++) {
        let probability = exp(deltas[at + k / 4u][k % 4u] - largest) / sum;
        let gradient = (probability - select(0.0, 1.0, k == right)) / f32(step.batch);
        deltas[at + k / 4u][k % 4u] = select(0.0, gradient, k < CLASSES);
    }
}

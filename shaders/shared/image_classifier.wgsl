// One image through the dense layers, the loss and back to its features, by one workgroup. The kernel binds
// `parameters` as vec4s, `activations` and `deltas`, and has store_dfeatures. In `scratch` stand the features, the
// outputs of both hidden layers, then the image's row of deltas, the logits, and from SUMS on sums to be exchanged.

// Invocations that share the units of a row: each takes every SHARES-th vec4 of their inputs.
const SHARES = 8u;
// Vec4s of fc1's inputs whose weights are loaded together; units of fc1 whose weights are, in the backward pass.
const TOGETHER = 4u;
const COLUMNS = 16u;
// Vec4s of fc2's inputs that an invocation takes, and in the backward pass its units.
const SHARE2 = 4u;
const UNITS_OF_SHARE = 8u;
// Where sums begin; the values of a share stand side by side, one more than there are units of fc1.
const SUMS = 1024u;
const APART = 129u;

fn parameter_of(index: u32) -> f32 {
    return parameters[index / 4u][index % 4u];
}

// Where the outputs of the hidden layers, the deltas and the logits begin.
fn at_hidden() -> u32 {
    return FEATURES;
}

fn at_deltas() -> u32 {
    return at_hidden() + UNITS1 + UNITS2;
}

fn at_logits() -> u32 {
    return at_deltas() + UNITS1 + UNITS2 + CLASSES + 2u;
}

// Values `i` to `i + 3` of scratch.
fn four(i: u32) -> vec4<f32> {
    return vec4<f32>(scratch[i], scratch[i + 1u], scratch[i + 2u], scratch[i + 3u]);
}

fn store_share(share: u32, unit: u32, value: f32) {
    scratch[SUMS + share * APART + unit] = value;
}

fn sum_of_shares(unit: u32) -> f32 {
    var sum = 0.0;
    // unroll
    for (var share = 0u; share < SHARES; share++) {
        sum += scratch[SUMS + share * APART + unit];
    }
    return sum;
}

// Leaves this share of four units of fc1 from `unit` on.
fn fc1_shares(unit: u32, share: u32) {
    let width = FEATURES / 4u;
    var sums = vec4<f32>(0.0);
    for (var begin = share; begin < width; begin += TOGETHER * SHARES) {
        var weights: array<mat4x4<f32>, TOGETHER>;
        // unroll
        for (var k = 0u; k < TOGETHER; k++) {
            let at = FC1_WEIGHT / 4u + unit * width + min(begin + k * SHARES, width - 1u);
            weights[k] = mat4x4<f32>(parameters[at], parameters[at + width], parameters[at + 2u * width],
                parameters[at + 3u * width]);
        }
        // unroll
        for (var k = 0u; k < TOGETHER; k++) {
            let i = min(begin + k * SHARES, width - 1u);
            let values = select(vec4<f32>(0.0), four(4u * i), begin + k * SHARES < width);
            // unroll
            for (var j = 0u; j < 4u; j++) {
                sums[j] = add_dot4(sums[j], values, weights[k][j]);
            }
        }
    }
    // unroll
    for (var j = 0u; j < 4u; j++) {
        store_share(share, unit + j, sums[j]);
    }
}

// Weights of unit `unit` of fc2 and of the one UNITS2 / 2 behind it, for this share of inputs.
fn fc2_rows(unit: u32, share: u32) -> array<vec4<f32>, 2u * SHARE2> {
    var weights: array<vec4<f32>, 2u * SHARE2>;
    // unroll
    for (var k = 0u; k < 2u * SHARE2; k++) {
        let row = (unit + k / SHARE2 * (UNITS2 / 2u)) * (UNITS1 / 4u);
        weights[k] = parameters[FC2_WEIGHT / 4u + row + k % SHARE2 * SHARES + share];
    }
    return weights;
}

fn fc2_shares(weights: array<vec4<f32>, 2u * SHARE2>, unit: u32, share: u32) {
    var sums = vec2<f32>(0.0);
    // unroll
    for (var k = 0u; k < SHARE2; k++) {
        let values = four(at_hidden() + 4u * (k * SHARES + share));
        sums.x = add_dot4(sums.x, values, weights[k]);
        sums.y = add_dot4(sums.y, values, weights[SHARE2 + k]);
    }
    store_share(share, unit, sums.x);
    store_share(share, unit + UNITS2 / 2u, sums.y);
}

// Weights of this share of fc2's units for their inputs in vec4 `i`.
fn fc2_inputs(i: u32, share: u32) -> array<vec4<f32>, UNITS_OF_SHARE> {
    var weights: array<vec4<f32>, UNITS_OF_SHARE>;
    // unroll
    for (var k = 0u; k < UNITS_OF_SHARE; k++) {
        weights[k] = parameters[FC2_WEIGHT / 4u + (share * UNITS_OF_SHARE + k) * (UNITS1 / 4u) + i];
    }
    return weights;
}

fn fc2_backward_shares(weights: array<vec4<f32>, UNITS_OF_SHARE>, i: u32, share: u32) {
    var sums = vec4<f32>(0.0);
    // unroll
    for (var k = 0u; k < UNITS_OF_SHARE; k++) {
        sums += scratch[at_deltas() + UNITS1 + share * UNITS_OF_SHARE + k] * weights[k];
    }
    // unroll
    for (var j = 0u; j < 4u; j++) {
        store_share(share, 4u * i + j, sums[j]);
    }
}

// Leaves the gradient of logit `class_index`; the first invocation leaves the loss and whether the image is right.
fn loss_gradient(class_index: u32, label: u32) {
    var largest = scratch[at_logits()];
    var predicted = 0u;
    for (var other = 1u; other < CLASSES; other++) {
        let logit = scratch[at_logits() + other];
        predicted = select(predicted, other, logit > largest);
        largest = max(largest, logit);
    }
    var sum = 0.0;
    for (var other = 0u; other < CLASSES; other++) {
        sum += exp(scratch[at_logits() + other] - largest);
    }
    let share = exp(scratch[at_logits() + class_index] - largest) / sum;
    let first = at_deltas() + UNITS1 + UNITS2;
    scratch[first + class_index] = (share - select(0.0, 1.0, class_index == label)) / f32(step.batch);
    if class_index == 0u {
        scratch[first + CLASSES] = log(sum) + largest - scratch[at_logits() + label];
        scratch[first + CLASSES + 1u] = select(0.0, 1.0, predicted == label);
    }
}

// Stores the gradients of the features. Two halves of the units of fc1 are summed by different invocations.
fn gradient_of_features(n: u32, invocation: u32) {
    let width = FEATURES / 4u;
    let i = invocation % (WORKGROUP / 2u);
    let half = invocation / (WORKGROUP / 2u);
    var sum = vec4<f32>(0.0);
    for (var unit = half * (UNITS1 / 2u); unit < (half + 1u) * (UNITS1 / 2u); unit += COLUMNS) {
        var weights: array<vec4<f32>, COLUMNS>;
        // unroll
        for (var k = 0u; k < COLUMNS; k++) {
            weights[k] = parameters[FC1_WEIGHT / 4u + (unit + k) * width + min(i, width - 1u)];
        }
        // unroll
        for (var k = 0u; k < COLUMNS; k++) {
            sum += scratch[at_deltas() + unit + k] * weights[k];
        }
    }
    if half == 1u {
        // unroll
        for (var j = 0u; j < 4u; j++) {
            scratch[SUMS + j * (WORKGROUP / 2u) + i] = sum[j];
        }
    }
    workgroupBarrier();
    if half == 0u && i < width {
        // unroll
        for (var j = 0u; j < 4u; j++) {
            sum[j] += scratch[SUMS + j * (WORKGROUP / 2u) + i];
        }
        // Where dropout dropped the value, or the ReLU before it stopped it, the feature is 0.
        store_dfeatures(n, i, select(vec4<f32>(0.0), SCALE * sum, four(4u * i) > vec4<f32>(0.0)));
    }
}

// Takes image `n` of the batch from the features to their gradients. Weights are loaded before the barrier that they
// need not wait for.
fn classify(n: u32, label: u32, invocation: u32) {
    let width = FEATURES + UNITS1 + UNITS2;
    let row = invocation / SHARES;
    let share = invocation % SHARES;
    for (var i = invocation; i < FEATURES; i += WORKGROUP) {
        scratch[i] = activations[n * width + i];
    }
    let bias1 = parameter_of(FC1_BIAS + invocation % UNITS1);
    let bias2 = parameter_of(FC2_BIAS + invocation % UNITS2);
    let bias3 = parameter_of(FC3_BIAS + min(invocation, CLASSES - 1u));
    workgroupBarrier();
    fc1_shares(4u * row, share);
    let rows2 = fc2_rows(row, share);
    workgroupBarrier();
    if invocation < UNITS1 {
        scratch[at_hidden() + invocation] = max(bias1 + sum_of_shares(invocation), 0.0);
    }
    workgroupBarrier();
    fc2_shares(rows2, row, share);
    let class_index = min(invocation / (UNITS2 / 4u), CLASSES - 1u);
    let input = invocation % (UNITS2 / 4u);
    let row3 = parameters[(FC3_WEIGHT + class_index * UNITS2) / 4u + input];
    workgroupBarrier();
    if invocation < UNITS2 {
        scratch[at_hidden() + UNITS1 + invocation] = max(bias2 + sum_of_shares(invocation), 0.0);
    }
    workgroupBarrier();
    if invocation < CLASSES * (UNITS2 / 4u) {
        scratch[SUMS + input * CLASSES + class_index] = add_dot4(0.0, four(at_hidden() + UNITS1 + 4u * input), row3);
    }
    let inputs2 = fc2_inputs(invocation % (UNITS1 / 4u), invocation / (UNITS1 / 4u));
    workgroupBarrier();
    if invocation < CLASSES {
        var logit = bias3;
        for (var k = 0u; k < UNITS2 / 4u; k++) {
            logit += scratch[SUMS + k * CLASSES + invocation];
        }
        scratch[at_logits() + invocation] = logit;
    }
    workgroupBarrier();
    if invocation < CLASSES {
        loss_gradient(invocation, label);
    }
    workgroupBarrier();
    if invocation < UNITS2 {
        var sum = 0.0;
        for (var k = 0u; k < CLASSES; k++) {
            sum += parameter_of(FC3_WEIGHT + k * UNITS2 + invocation) * scratch[at_deltas() + UNITS1 + UNITS2 + k];
        }
        let passed = scratch[at_hidden() + UNITS1 + invocation] > 0.0;
        scratch[at_deltas() + UNITS1 + invocation] = select(0.0, sum, passed);
    }
    workgroupBarrier();
    fc2_backward_shares(inputs2, invocation % (UNITS1 / 4u), invocation / (UNITS1 / 4u));
    workgroupBarrier();
    if invocation < UNITS1 {
        let passed = scratch[at_hidden() + invocation] > 0.0;
        scratch[at_deltas() + invocation] = select(0.0, sum_of_shares(invocation), passed);
    }
    workgroupBarrier();
    for (var i = invocation; i < UNITS1 + UNITS2; i += WORKGROUP) {
        activations[n * width + FEATURES + i] = scratch[at_hidden() + i];
    }
    for (var i = invocation; i < UNITS1 + UNITS2 + CLASSES + 2u; i += WORKGROUP) {
        deltas[n * (UNITS1 + UNITS2 + CLASSES + 2u) + i] = scratch[at_deltas() + i];
    }
    gradient_of_features(n, invocation);
}

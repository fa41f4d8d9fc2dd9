// Gradients of all parameters over the batch, their updates and the step's metrics, as gradient_update describes them.
// The kernel binds `deltas` and `partial`, has `sums` in the workgroup's memory, and says where the other values are:
// load_inputs, outcome_of.

// Parts of the batch in a tile of a dense layer.
const PARTS = 8u;
// Images of a part whose values are loaded together.
const AHEAD = 8u;
// Vec4s that are summed over the batch as they are, in a workgroup; each by WORKGROUP / VECTORS invocations.
const VECTORS = 16u;
// Running sums over the outcomes of the batch: several round less than one.
const RUNNING = 4u;

// Vec4s of units of a dense layer in a workgroup.
fn vec4s_of_units() -> u32 {
    return WORKGROUP / (PARTS * INPUTS);
}

// Adds what four units' deltas and four inputs of one image contribute to the gradients of their weights.
fn add_outer(before: mat4x4<f32>, delta: vec4<f32>, input: vec4<f32>) -> mat4x4<f32> {
    var products = before;
    // unroll
    for (var unit = 0u; unit < 4u; unit++) {
        products[unit] += delta[unit] * input;
    }
    return products;
}

// As load_inputs, of the deltas; beyond the batch 0.
fn deltas_of_batch(first: u32, i: u32) -> array<vec4<f32>, AHEAD> {
    var values: array<vec4<f32>, AHEAD>;
    // unroll
    for (var k = 0u; k < AHEAD; k++) {
        let n = first + k * PARTS;
        let delta = deltas[min(n, step.batch - 1u) * vec4s_of_deltas() + i];
        values[k] = select(vec4<f32>(0.0), delta, n < step.batch);
    }
    return values;
}

// This part of the sums of four units, whose deltas are vec4 `delta` of a row, with vec4 `input` of a row of inputs.
fn dense_sums(of_features: bool, delta: u32, input: u32, part: u32) -> mat4x4<f32> {
    var products = mat4x4<f32>();
    for (var first = part; first < step.batch; first += AHEAD * PARTS) {
        // In this order: some compilers load what stands last one by one.
        let factors = deltas_of_batch(first, delta);
        let inputs = load_inputs(of_features, first, input);
        // unroll
        for (var k = 0u; k < AHEAD; k++) {
            products = add_outer(products, factors[k], inputs[k]);
        }
    }
    return products;
}

// This part of the sum of vec4 `index` of the convolutions' gradients, or behind them of the deltas.
fn vector_sum(index: u32, part: u32) -> vec4<f32> {
    let stride = (CONV1 + CONV2) / 4u;
    var sum = vec4<f32>(0.0);
    for (var n = part; n < step.batch; n += WORKGROUP / VECTORS) {
        if index < stride {
            sum += partial[n * stride + index];
        } else {
            sum += deltas[n * vec4s_of_deltas() + min(index - stride, vec4s_of_deltas() - 1u)];
        }
    }
    return sum;
}

// What vector_sum of vec4 `index` updates.
fn vector_target(index: u32) -> Target {
    let stride = (CONV1 + CONV2) / 4u;
    if index < stride {
        return load_target(index, 4u);
    }
    let unit4 = index - stride;
    if unit4 < fc2().delta {
        return load_target(fc1().bias + unit4, 4u);
    } else if unit4 < fc3().delta {
        return load_target(fc2().bias + unit4 - fc2().delta, 4u);
    }
    let unit = min(4u * (unit4 - fc3().delta), CLASSES);
    return load_target(fc3().bias + unit / 4u, min(CLASSES - unit, 4u));
}

fn outcome_sum(invocation: u32) -> vec2<f32> {
    var sum = vec2<f32>(0.0);
    for (var n = invocation; n < step.batch; n += WORKGROUP) {
        sum += outcome_of(n);
    }
    return sum;
}

// The sum of `count` sums from `first` on, `stride` apart.
fn sum_of(first: u32, stride: u32, count: u32) -> vec4<f32> {
    var running = array<vec4<f32>, RUNNING>();
    for (var i = 0u; i < count; i += RUNNING) {
        // unroll
        for (var k = 0u; k < RUNNING; k++) {
            running[k] += sums[first + (i + k) * stride];
        }
    }
    return (running[0] + running[1]) + (running[2] + running[3]);
}

fn workgroups_across(layer: Dense) -> u32 {
    return (layer.width + INPUTS - 1u) / INPUTS;
}

fn workgroups(layer: Dense) -> u32 {
    let units = 4u * vec4s_of_units();
    return (layer.units + units - 1u) / units * workgroups_across(layer);
}

fn update_all(group: u32, invocation: u32) {
    let end1 = workgroups(fc1());
    let end2 = end1 + workgroups(fc2());
    let end3 = end2 + workgroups(fc3());
    let end4 = end3 + ((CONV1 + CONV2) / 4u + vec4s_of_deltas() + VECTORS - 1u) / VECTORS;
    var updated = Target();
    var own = mat4x4<f32>();
    if group < end3 {
        var layer = fc1();
        var index = group;
        if group >= end2 {
            layer = fc3();
            index -= end2;
        } else if group >= end1 {
            layer = fc2();
            index -= end1;
        }
        let part = invocation / (WORKGROUP / PARTS);
        let place = invocation % (WORKGROUP / PARTS);
        let input = index % workgroups_across(layer) * INPUTS + place % INPUTS;
        let unit4 = index / workgroups_across(layer) * vec4s_of_units() + place / INPUTS;
        let unit = 4u * unit4 + part;
        let is_stored = part < 4u && input < layer.width && unit < layer.units;
        updated = load_target(layer.weight + unit * layer.width + input, select(0u, 4u, is_stored));
        let delta = min(layer.delta + unit4, vec4s_of_deltas() - 1u);
        own = dense_sums(group < end1, delta, layer.input + min(input, layer.width - 1u), part);
    } else if group < end4 {
        let index = (group - end3) * VECTORS + invocation % VECTORS;
        if invocation < VECTORS {
            updated = vector_target(index);
        }
        own[0] = vector_sum(index, invocation / VECTORS);
    } else {
        own[0] = vec4<f32>(outcome_sum(invocation), 0.0, 0.0);
    }
    // unroll
    for (var unit = 0u; unit < 4u; unit++) {
        sums[unit * WORKGROUP + invocation] = own[unit];
    }
    workgroupBarrier();
    if group < end3 {
        if updated.count > 0u {
            let unit = invocation / (WORKGROUP / PARTS);
            let place = invocation % (WORKGROUP / PARTS);
            store_target(updated, sum_of(unit * WORKGROUP + place, WORKGROUP / PARTS, PARTS));
        }
        return;
    }
    let sum = sum_of(invocation % VECTORS, VECTORS, WORKGROUP / VECTORS);
    if group < end4 {
        store_target(updated, sum);
        return;
    }
    // The outcomes' sums of sums stand behind those of one unit.
    if invocation < VECTORS {
        sums[WORKGROUP + invocation] = sum;
    }
    workgroupBarrier();
    if invocation == 0u {
        metrics[step.slot] = sum_of(WORKGROUP, 1u, VECTORS).xy;
    }
}

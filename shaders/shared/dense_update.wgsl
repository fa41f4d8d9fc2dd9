// For kernels that update the dense layers: they bind `velocities` and `parameters` as vec4s.

// A dense layer in units of vec4s, but for `units`.
struct Dense {
    width: u32, // of its inputs
    input: u32, // where these begin in a row of hidden
    units: u32, // in scalars
    delta: u32, // where their gradients begin in a row of deltas
    weight: u32,
    bias: u32,
}

fn fc1() -> Dense {
    return Dense(FEATURES / 4u, 0u, UNITS1, 0u, FC1_WEIGHT / 4u, FC1_BIAS / 4u);
}

fn fc2() -> Dense {
    return Dense(UNITS1 / 4u, 0u, UNITS2, UNITS1 / 4u, FC2_WEIGHT / 4u, FC2_BIAS / 4u);
}

fn fc3() -> Dense {
    return Dense(UNITS2 / 4u, UNITS1 / 4u, CLASSES, (UNITS1 + UNITS2) / 4u, FC3_WEIGHT / 4u, FC3_BIAS / 4u);
}

// Length of an image's row of deltas, in vec4s.
fn vec4s_of_deltas() -> u32 {
    return (UNITS1 + UNITS2) / 4u + (CLASSES + 3u) / 4u;
}

// What is updated: the first `count` of the four parameters in vec4 `index`, with their values before.
struct Target {
    index: u32,
    count: u32,
    velocity: vec4<f32>,
    parameter: vec4<f32>,
}

// Loads what will be updated, if anything; long before the gradient is known that costs no time.
fn load_target(index: u32, count: u32) -> Target {
    if count == 0u {
        return Target();
    }
    return Target(index, count, velocities[index], parameters[index]);
}

fn store_target(before: Target, gradient: vec4<f32>) {
    if before.count > 0u {
        let counts = vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(before.count);
        let velocity = MOMENTUM * before.velocity - step.learning_rate * gradient;
        velocities[before.index] = select(before.velocity, velocity, counts);
        parameters[before.index] = before.parameter + select(vec4<f32>(0.0), velocity, counts);
    }
}

fn update(index: u32, gradient: vec4<f32>, count: u32) {
    store_target(load_target(index, count), gradient);
}

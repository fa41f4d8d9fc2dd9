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

// Updates the first `count` of the four parameters in vec4 `index`.
fn update(index: u32, gradient: vec4<f32>, count: u32) {
    let counts = vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(count);
    let velocity = MOMENTUM * velocities[index] - step.learning_rate * gradient;
    velocities[index] = select(velocities[index], velocity, counts);
    parameters[index] += select(vec4<f32>(0.0), velocity, counts);
}

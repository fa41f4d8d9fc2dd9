// For kernels that bind `velocities` and `parameters` as vec4s, and update dense layers.

// A dense layer as its workgroups see it; quadruples count vec4s.
struct Dense {
    width: u32, // of its inputs, in quadruples
    input: u32, // where these begin in a row of hidden
    units: u32, // not in quadruples
    delta: u32, // where their gradients begin in a row of deltas
    weight: u32,
    bias: u32,
}

// Updates the first `count` of four parameters, the first of them number 4 * at.
fn update(at: u32, gradient: vec4<f32>, count: u32) {
    let counts = vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(count);
    let velocity = MOMENTUM * velocities[at] - step.learning_rate * gradient;
    velocities[at] = select(velocities[at], velocity, counts);
    parameters[at] += select(vec4<f32>(0.0), velocity, counts);
}

// Stochastic gradient descent with momentum over all parameters; one invocation updates one value.
// Math: v[j] = MOMENTUM * v[j] - learning_rate * g[j]; w[j] = w[j] + v[j]
// Shapes: gradients g, velocities v, parameters w [ELEMENTS]
// Grid: ELEMENTS invocations in x and y
// Cost: flop 4 * ELEMENTS; bytes 20 * ELEMENTS
// Source: I. Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013,
//   equations 1 and 2

override WORKGROUP: u32;
override ELEMENTS: u32;
override MOMENTUM: f32;

@group(0) @binding(0) var<storage, read> gradients: array<f32>; // [ELEMENTS]
@group(0) @binding(1) var<storage, read_write> velocities: array<f32>; // [ELEMENTS]
@group(0) @binding(2) var<storage, read_write> parameters: array<f32>; // [ELEMENTS]
@group(0) @binding(3) var<uniform> step: Step; // this step

@compute @workgroup_size(WORKGROUP)
fn sgd_update(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let invocation = id.y * groups.x * WORKGROUP + id.x;
    if invocation >= ELEMENTS {
        return;
    }
    let velocity = MOMENTUM * velocities[invocation] - step.learning_rate * gradients[invocation];
    velocities[invocation] = velocity;
    parameters[invocation] += velocity;
}

//! Counts of the kernels that join layers: operations by loops over what is multiplied, bytes by the buffers that are
//! bound.

use gpubench::kernels::plan::inputs;
use gpubench::kernels::{Access, Dispatch, Plan, all_choices};
use gpubench::model::{DROPOUT_RATE, IMAGE_PIXELS, Model, Operation, Training};

/// The kernels that are proved here.
pub const KERNELS: [&str; 14] = [
    "features_forward",
    "features_forward_f16",
    "features_forward_f16_arithmetic",
    "features_forward_lanes",
    "classifier_forward_backward",
    "classifier_forward_backward_subgroups",
    "classifier_forward_backward_lanes",
    "features_backward",
    "features_backward_f16",
    "features_backward_lanes",
    "image_forward_backward",
    "gradient_update",
    "gradient_update_image",
    "gradient_update_lanes",
];

/// Multiply-adds of one image in layer `name`, where only `places` of each window's positions are computed.
fn convolution_macs(model: &Model, name: &str, pool: &str, places: usize) -> u64 {
    let (layer, pool) = (model.layer(name), model.layer(pool));
    let Operation::Convolution { kernel } = layer.operation else { panic!("{name} is no convolution") };
    let mut count = 0;
    for _output in 0..layer.output.channels {
        for _window in 0..pool.output.positions() {
            for _place in 0..places {
                for _input in 0..layer.input.channels {
                    for _tap in 0..kernel * kernel {
                        count += 1;
                    }
                }
            }
        }
    }
    count
}

/// Multiply-adds of one image through the dense layers, and the number of their biases.
fn dense(model: &Model) -> (u64, u64) {
    let (mut macs, mut biases) = (0, 0);
    for name in ["fc1", "fc2", "fc3"] {
        let layer = model.layer(name);
        for _unit in 0..layer.output.elements() {
            biases += 1;
            for _input in 0..layer.input.elements() {
                macs += 1;
            }
        }
    }
    (macs, biases)
}

/// Operations of a dispatch for `n` images, by the terms of its Math line.
fn flop(model: &Model, plan: &Plan, dispatch: &Dispatch, n: u64) -> u64 {
    let (dense_macs, dense_biases) = dense(model);
    let length = |name: &str| plan.buffers.iter().find(|buffer| buffer.name == name).expect(name).length.at(1);
    let forward = 2 * n * (convolution_macs(model, "conv1", "pool1", 4) + convolution_macs(model, "conv2", "pool2", 4));
    let backward = || {
        // The weights' gradients make a product where a maximum stood; that of conv2's input one for every weight and
        // position.
        let weights = convolution_macs(model, "conv1", "pool1", 1) + convolution_macs(model, "conv2", "pool2", 1);
        let mut input = 0;
        for _position in 0..model.layer("pool1").output.positions() {
            input += model.parameter("conv2.weight").elements() as u64;
        }
        2 * n * (weights + input)
    };
    match dispatch.kernel.name {
        name if name.starts_with("features_forward") => forward,
        name if name.starts_with("classifier_forward_backward") => 2 * n * 2 * dense_macs,
        name if name.starts_with("features_backward") => backward(),
        "image_forward_backward" => forward + 2 * n * 2 * dense_macs + backward(),
        "gradient_update" | "gradient_update_image" | "gradient_update_lanes" => {
            let partial =
                dispatch.buffers.iter().find(|name| name.contains("partial")).expect("it adds partial sums up");
            n * (2 * dense_macs + dense_biases + length(partial)) + 4 * model.parameter_count() as u64
        }
        other => panic!("{other} is not counted"),
    }
}

/// Bytes of a dispatch for `n` images: each bound buffer once, what is read and written twice.
fn bytes(model: &Model, plan: &Plan, dispatch: &Dispatch, n: u32) -> u64 {
    let layers: &[&str] = match dispatch.kernel.name {
        name if name.starts_with("features_forward") => &["conv1", "conv2"],
        name if name.starts_with("classifier_forward_backward") => &["fc1", "fc2", "fc3"],
        // Of conv2 only the weight is read on the way back.
        name if name.starts_with("features_backward") => &["conv2.weight"],
        _ => &["conv1", "conv2", "fc1", "fc2", "fc3"],
    };
    let parameters =
        model.parameters.iter().filter(|one| layers.contains(&one.layer) || layers.contains(&one.name.as_str()));
    let parameters: u64 = parameters.map(|parameter| 4 * parameter.elements() as u64).sum();
    let access = dispatch.kernel.bindings.iter().filter(|binding| binding.access != Access::Step);
    let bound = access.zip(&dispatch.buffers).map(|(binding, name)| match name.as_str() {
        inputs::TRAIN_IMAGES | inputs::TEST_IMAGES => u64::from(n) * IMAGE_PIXELS as u64,
        inputs::TRAIN_LABELS | inputs::TEST_LABELS | inputs::TRAIN_ORDER | inputs::TEST_ORDER => 4 * u64::from(n),
        inputs::TRAIN_METRICS => 8,
        inputs::PARAMETERS | inputs::VELOCITIES if binding.access == Access::Write => 2 * parameters,
        inputs::PARAMETERS => parameters,
        name => 4 * plan.buffers.iter().find(|buffer| buffer.name == name).expect(name).length.at(n),
    });
    bound.sum()
}

#[test]
fn the_counts_of_fused_kernels_are_those_of_loops_and_buffers() {
    let model = Model::new(DROPOUT_RATE);
    let mut left = KERNELS.to_vec();
    for choice in all_choices().iter().filter(|choice| choice.row.name.starts_with("fused")) {
        let (name, plan) = (choice.to_string(), choice.make(&model, &Training::STANDARD, 1));
        left.retain(|kernel| !plan.training.iter().any(|dispatch| dispatch.kernel.name == *kernel));
        for dispatch in &plan.training {
            for n in [1, 3, 128] {
                let of = format!("{} of {name} at batch {n}", dispatch.label());
                assert_eq!(dispatch.flop.at(n), flop(&model, &plan, dispatch, n.into()), "operations of {of}");
                assert_eq!(dispatch.bytes.at(n), bytes(&model, &plan, dispatch, n), "bytes of {of}");
            }
        }
    }
    assert!(left.is_empty(), "{left:?} are in no plan");
}

//! The plan `layered`: one kernel for each layer and pass; the most readable plan, and the one that shows time by layer.

mod builder;
mod dense;

pub(super) use builder::output_of;

use super::plan::{Dispatch, Plan, inputs};
use crate::model::{Model, Operation, Training};
use crate::rng;
use builder::{BATCH_IMAGES, Builder};

/// Name of the plan.
pub const NAME: &str = "layered";

/// Creates the plan for `model`, with dropout masks drawn from `seed`.
pub fn layered(model: &Model, training: &Training, seed: u64) -> Plan {
    let builder = Builder { model, key: rng::stream_key(seed, rng::Stream::Dropout) };
    let mut steps = vec![builder.gather([inputs::TRAIN_IMAGES, inputs::TRAIN_LABELS, inputs::TRAIN_ORDER])];
    let mut evaluation = vec![builder.gather([inputs::TEST_IMAGES, inputs::TEST_LABELS, inputs::TEST_ORDER])];
    let mut outputs = vec![BATCH_IMAGES.to_owned()];
    let mut evaluated = BATCH_IMAGES.to_owned();
    for layer in &model.layers {
        let input = outputs.last().expect("the batch is the first").clone();
        steps.extend(builder.forward(layer, &input, inputs::TRAIN_METRICS));
        outputs.push(output_of(layer));
        if !matches!(layer.operation, Operation::Dropout { .. }) {
            evaluation.extend(builder.forward(layer, &evaluated, inputs::TEST_METRICS));
            evaluated = output_of(layer);
        }
    }
    for (index, layer) in model.layers.iter().enumerate().rev() {
        let before = index.checked_sub(1).map(|before| &model.layers[before]);
        steps.extend(builder.backward(layer, &outputs[index], before));
    }
    steps.push(builder.update(training));
    Plan { name: NAME, parameters: Vec::new(), training: steps, evaluation, buffers: builder.buffers() }
}

/// The forward pass of the dense layers and the loss over the features in `x`, for evaluation.
pub(super) fn classifier(model: &Model, mut x: String, metrics: &str) -> Vec<Dispatch> {
    let layers = model.layers.iter().skip_while(|layer| !matches!(layer.operation, Operation::Dense { .. }));
    let forward = |layer, x: &str| Builder { model, key: [0; 2] }.forward(layer, x, metrics);
    layers.flat_map(|layer| forward(layer, &std::mem::replace(&mut x, output_of(layer)))).collect()
}

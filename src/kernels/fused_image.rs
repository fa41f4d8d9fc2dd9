//! The plan `fused_image`: two kernels a step. One workgroup carries an image from its pixels to its gradients
//! ([`IMAGE_FORWARD_BACKWARD`]), and reads the dense layers' weights from a cache; then every parameter's gradient over
//! the batch is made and used at once ([`GRADIENT_UPDATE_IMAGE`]).

use super::fused::{self, fused};
use super::kernel::Kernel;
use super::plan::{Amount, BufferSpec, Dispatch, Element, Plan, inputs};
use super::table::*;
use crate::model::{IMAGE_PIXELS, Model, Training};

/// Name of the plan.
pub const NAME: &str = "fused_image";

/// Bytes of one value.
const VALUE: u64 = 4;

const STATE: &str = "image.state";
const ACTIVATIONS: &str = "image.activations";

/// Makes the plan for `model`, with dropout masks drawn under `seed`: what the first three kernels of [`fused()`] do is
/// one dispatch, with their constants and fewer buffers.
pub fn fused_image(model: &Model, training: &Training, seed: u64, _values: &[u32]) -> Plan {
    let shipped = fused::PARAMETERS.map(|parameter| parameter.shipped);
    let fused = fused(model, training, seed, &shipped);
    let [forward, classifier, backward, update] = &fused.training[..] else { panic!("fused has four dispatches") };
    let values = |buffers: &[&str]| -> u64 {
        let all = fused.buffers.iter().filter(|buffer| buffers.contains(&buffer.name.as_str()));
        all.map(|buffer| buffer.length.at(1)).sum()
    };
    let state = values(&[fused::POOL1, fused::ARGMAX, fused::DFEATURES]);
    let activations = values(&[fused::FEATURES, fused::HIDDEN]);
    let [deltas, partial] = [fused::DELTAS, fused::PARTIAL].map(|name| values(&[name]));
    let parameters = model.parameter_count() as u64;
    let image = Dispatch {
        kernel: &IMAGE_FORWARD_BACKWARD,
        layer: "all",
        constants: constants(&IMAGE_FORWARD_BACKWARD, &[forward, classifier, backward]),
        buffers: [
            inputs::TRAIN_IMAGES,
            inputs::TRAIN_LABELS,
            inputs::TRAIN_ORDER,
            inputs::PARAMETERS,
            STATE,
            ACTIVATIONS,
            fused::DELTAS,
            fused::PARTIAL,
        ]
        .map(str::to_owned)
        .to_vec(),
        grid: forward.grid,
        flop: Amount::per_image([forward, classifier, backward].map(|dispatch| dispatch.flop.per_image).iter().sum()),
        bytes: Amount::per_image(IMAGE_PIXELS as u64 + VALUE * (state + activations + deltas + partial + 2))
            .plus(VALUE * parameters),
    };
    let update = Dispatch {
        kernel: &GRADIENT_UPDATE_IMAGE,
        buffers: [
            ACTIVATIONS,
            fused::DELTAS,
            fused::PARTIAL,
            inputs::TRAIN_METRICS,
            inputs::VELOCITIES,
            inputs::PARAMETERS,
        ]
        .map(str::to_owned)
        .to_vec(),
        bytes: Amount::per_image(VALUE * (activations + deltas + partial)).plus(VALUE * (4 * parameters + 2)),
        ..update.clone()
    };
    let training = vec![image, update];
    let own = [(STATE, state), (ACTIVATIONS, activations)].map(|(name, length)| BufferSpec {
        name: name.to_owned(),
        element: Element::F32,
        length: Amount::per_image(length),
    });
    let used = |buffer: &BufferSpec| {
        training.iter().chain(&fused.evaluation).any(|dispatch| dispatch.buffers.contains(&buffer.name))
    };
    let buffers = fused.buffers.into_iter().filter(used).chain(own).collect();
    Plan { name: NAME, parameters: Vec::new(), training, evaluation: fused.evaluation, buffers }
}

/// The constants of `kernel`, each from the first of `dispatches` that has it.
///
/// # Panics
/// If none has one of them.
fn constants(kernel: &Kernel, dispatches: &[&Dispatch]) -> Vec<(&'static str, f64)> {
    let given = |name: &&'static str| {
        let mut all = dispatches.iter().flat_map(|dispatch| &dispatch.constants);
        *all.find(|(constant, _)| constant == name).expect("a dispatch gives each constant")
    };
    kernel.constants.iter().map(given).collect()
}

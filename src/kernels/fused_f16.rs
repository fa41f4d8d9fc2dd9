//! The plans `fused_f16` and `fused_f16_arithmetic`: [`fused()`] with 16-bit numbers in the convolutions.

use super::fused::{self, fused};
use super::plan::{Amount, BufferSpec, Element, Plan};
use super::table::*;
use crate::model::{Model, Training};

/// Name of the plan that keeps pool1 in 16 bits.
pub const NAME: &str = "fused_f16";
/// Name of the plan that also computes conv2 in 16 bits.
pub const ARITHMETIC: &str = "fused_f16_arithmetic";

/// Bytes of one 32-bit value.
const VALUE: u64 = 4;

/// As [`fused()`], with what is kept of pool1 for the backward pass in 16 bits.
pub fn fused_f16(model: &Model, training: &Training, seed: u64) -> Plan {
    let mut plan = Plan { name: NAME, ..fused(model, training, seed, &fused::PARAMETERS.map(|one| one.shipped)) };
    let mut saved = 0;
    for buffer in plan.buffers.iter_mut().filter(|buffer| buffer.name == fused::POOL1) {
        saved = buffer.length.per_image / 2;
        *buffer = BufferSpec { element: Element::F16Pair, length: Amount::per_image(saved), ..buffer.clone() };
    }
    for dispatch in plan.training.iter_mut().chain(&mut plan.evaluation) {
        dispatch.kernel = match dispatch.kernel.name {
            name if name == FEATURES_FORWARD.name => &FEATURES_FORWARD_F16,
            name if name == FEATURES_BACKWARD.name => &FEATURES_BACKWARD_F16,
            _ => continue,
        };
        dispatch.bytes.per_image -= VALUE * saved;
    }
    plan
}

/// As [`fused_f16()`], with conv2's products and short sums of them in 16 bits while training. An evaluation is in 32
/// bits, so that what it says is of the trained parameters.
pub fn fused_f16_arithmetic(model: &Model, training: &Training, seed: u64) -> Plan {
    let mut plan = Plan { name: ARITHMETIC, ..fused_f16(model, training, seed) };
    for dispatch in plan.training.iter_mut().filter(|dispatch| dispatch.kernel == &FEATURES_FORWARD_F16) {
        dispatch.kernel = &FEATURES_FORWARD_F16_ARITHMETIC;
    }
    plan
}

//! The plan's counts of operations and bytes are those of loops that count themselves.
//!
//! The loops compute what the reference function of the same name computes, which the check compares with the kernel:
//! what is counted is the kernel's work.

mod dense;
mod fused;
mod kernels;
mod memory;

use gpubench::kernels::layered::layered;
use gpubench::kernels::{Dispatch, KERNELS};
use gpubench::model::{DROPOUT_RATE, Model, Training};
use kernels::{Case, Counted};

/// One, a few, and a batch whose last chunk of a convolution's weight gradient is a smaller one.
const BATCHES: [u32; 3] = [1, 3, 13];

fn dispatches(model: &Model) -> Vec<Dispatch> {
    let plan = layered(model, &Training::STANDARD, 1);
    plan.training.into_iter().chain(plan.evaluation).collect()
}

/// What is wrong with the counts of `dispatch` for a batch of `n`, or with the loops that prove them.
fn disproof(dispatch: &Dispatch, model: &Model, n: u32) -> Option<String> {
    let Counted { memory, outputs } = Case { dispatch, model, n: n as usize }.count();
    let of = format!("{} at batch {n}", dispatch.label());
    for (array, expected) in outputs {
        let found = memory.values(array);
        assert_eq!(found.len(), expected.len(), "{of}");
        for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
            // A NaN is a value that the loops left out.
            let near = (found - expected).abs() <= 1e-12 + 1e-12 * expected.abs();
            assert!(near, "{of}: value {index} is {found}, the reference says {expected}");
        }
    }
    let (flop, bytes) = (dispatch.flop.at(n), dispatch.bytes.at(n));
    if flop != memory.flop() {
        return Some(format!("{of}: the plan counts {flop} operations, the loops made {}", memory.flop()));
    }
    (bytes != memory.bytes())
        .then(|| format!("{of}: the plan counts {bytes} bytes, the loops moved {}", memory.bytes()))
}

fn prove(model: &Model) {
    let dispatches = dispatches(model);
    for kernel in KERNELS.iter().filter(|kernel| !fused::KERNELS.contains(&kernel.name)) {
        assert!(dispatches.iter().any(|dispatch| dispatch.kernel == *kernel), "{} is not counted", kernel.name);
    }
    let wrong: Vec<String> =
        dispatches.iter().flat_map(|dispatch| BATCHES.iter().filter_map(|&n| disproof(dispatch, model, n))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_counts_of_the_pinned_model_are_those_of_its_loops() {
    prove(&Model::new(DROPOUT_RATE));
}

#[test]
fn the_counts_of_a_narrow_model_are_those_of_its_loops() {
    prove(&Model::scaled(DROPOUT_RATE, 0.25).unwrap());
}

#[test]
fn a_count_that_is_off_by_one_is_found() {
    let model = Model::scaled(DROPOUT_RATE, 0.25).unwrap();
    for dispatch in dispatches(&model) {
        let more_flop = Dispatch { flop: dispatch.flop.plus(1), ..dispatch.clone() };
        assert!(disproof(&more_flop, &model, 1).unwrap().contains("operations"));
        let more_bytes = Dispatch { bytes: dispatch.bytes.plus(1), ..dispatch };
        assert!(disproof(&more_bytes, &model, 1).unwrap().contains("bytes"));
    }
}

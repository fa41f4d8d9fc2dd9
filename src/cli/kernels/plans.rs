//! The kernels of plans as rows, and what is to be compiled for them.

use crate::cli::compiler::KernelRequest;
use crate::gpu::device::DEFAULT_WORKGROUP_LIMIT;
use crate::gpu::translate::Translation;
use crate::kernels::{Choice, Dispatch};
use crate::model::{DROPOUT_RATE, Model, Training};
use crate::result::{ListedKernel, ListedPlan, Measured, Stage};

/// Seed of the masks of dropout; it changes constants, not what a compiler makes of them.
const SEED: u64 = 1;

/// A kernel of a plan: its row, and how it is compiled.
pub struct PlanKernel {
    /// Its dispatch; the first, if it has several.
    pub dispatch: Dispatch,
    /// The row, before anything is compiled.
    pub row: ListedKernel,
    /// What is to be compiled.
    pub request: KernelRequest,
}

/// The kernels of a plan for batches of `batch` images, without those of an evaluation that a step has too: all, or those
/// called `name` as KERNEL or KERNEL/LAYER.
pub fn kernels_of(choice: &Choice, batch: u32, name: Option<&str>) -> Vec<PlanKernel> {
    let plan = choice.make(&Model::new(DROPOUT_RATE), &Training { batch, ..Training::STANDARD }, SEED);
    let subgroups = plan.needs_subgroups();
    let mut kernels: Vec<PlanKernel> = Vec::new();
    for (stage, dispatches) in [(Stage::Training, &plan.training), (Stage::Evaluation, &plan.evaluation)] {
        // Each is translated by naga, which takes longest.
        for dispatch in dispatches.iter().filter(|dispatch| name.is_none_or(|name| is_called(dispatch, name))) {
            let request = KernelRequest::of(dispatch, subgroups);
            let same = |one: &&mut PlanKernel| one.request == request && one.dispatch.layer == dispatch.layer;
            match kernels.iter_mut().find(same) {
                Some(same) => same.row.dispatches += u32::from(same.row.stage == stage),
                None => {
                    kernels.push(PlanKernel { row: row(dispatch, stage, batch), dispatch: dispatch.clone(), request })
                }
            }
        }
    }
    kernels
}

fn is_called(dispatch: &Dispatch, name: &str) -> bool {
    let (kernel, layer) = (dispatch.kernel.name, dispatch.layer);
    name == kernel || name.split_once('/') == Some((kernel, layer))
}

/// A row without what a driver says.
fn row(dispatch: &Dispatch, stage: Stage, batch: u32) -> ListedKernel {
    let grid = dispatch.workgroups(batch, DEFAULT_WORKGROUP_LIMIT);
    let shared = Translation::of(dispatch.kernel, &dispatch.constants).map(|one| one.workgroup_bytes());
    ListedKernel {
        kernel: dispatch.kernel.name.to_owned(),
        layer: dispatch.layer.to_owned(),
        stage,
        dispatches: 1,
        grid: grid.map_or_else(|error| Measured::missing(error.to_string()), Measured::Value),
        workgroup: dispatch.constant("WORKGROUP") as u32,
        constants: dispatch.constants.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
        tile: dispatch.kernel.tile.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect(),
        flop: dispatch.flop.at(batch),
        bytes: dispatch.bytes.at(batch),
        workgroup_bytes: shared.map_or_else(Measured::missing, Measured::Value),
        compiled: Measured::missing("nothing was compiled"),
    }
}

/// The plan as a part of a list.
pub fn listed(choice: &Choice, kernels: Vec<PlanKernel>) -> ListedPlan {
    ListedPlan { plan: choice.to_string(), kernels: kernels.into_iter().map(|kernel| kernel.row).collect() }
}

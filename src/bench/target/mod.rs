//! Training targets of the GPU API: one adapter, or several devices in parallel.

mod adapter;
mod data_parallel;

pub use adapter::AdapterTarget;
pub(super) use data_parallel::record_scaling;
pub use data_parallel::{DataParallelTarget, Device, OpenedDataParallel, OpenedDevice, Split};

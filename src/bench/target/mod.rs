//! What trains on GPU adapters: one adapter, or several devices together.

mod adapter;
mod data_parallel;

pub use adapter::AdapterTarget;
pub(super) use data_parallel::close as close_parallel;
pub use data_parallel::{DataParallelTarget, Device, OpenedDataParallel, OpenedDevice, Split};

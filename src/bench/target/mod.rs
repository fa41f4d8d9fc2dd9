//! Training targets of the GPU API: one adapter, or several devices in parallel, the host's cores among them.

mod adapter;
mod data_parallel;

pub use adapter::AdapterTarget;
pub use data_parallel::{
    DataParallelTarget, Device, HostMember, HostTrainer, OpenedDataParallel, OpenedDevice, OpenedHostMember, Place,
    Split,
};

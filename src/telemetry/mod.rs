//! The load of the machine during timed trainings: the kernel's counters at the boundaries of the training's clock, and
//! the device's sensors there and on a sampling thread.

mod accumulator;
mod energy;
pub mod environment;
mod host;
mod nvml;
mod powercap;
mod probe;
mod sampler;
pub mod sensor;
mod sysfs;
mod usage;

pub use probe::{MachineProbe, SYSFS_VARIABLE};
pub use usage::Processes;

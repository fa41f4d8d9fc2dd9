//! Searches by measurement: the fastest plan on an adapter, step times over batch sizes and widths.

mod fit;
mod sweep;
mod tune;

pub use sweep::{SWEEP_NOT_YET, Sizes, SweepJob, sweep};
pub use tune::{shipped_plan, tune, tuning_subject};

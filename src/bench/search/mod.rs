//! Searches by measurement: autotuning of the plan, and sweeps over batch sizes and widths.

mod fit;
mod sweep;
mod tune;

pub(super) use fit::fit as fit_line;
pub use sweep::{SWEEP_NOT_REACHED, Sizes, SweepJob, sweep};
pub use tune::{shipped_plan, tune, tuning_subject};

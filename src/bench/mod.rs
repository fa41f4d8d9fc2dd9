//! The protocol of a run ([`run()`]), what can train ([`target`]), profiles, and searches by measurement.

mod account;
pub mod collective;
pub mod compiler;
mod convergence;
mod describe;
mod disturbance;
pub mod host_timeline;
mod job;
mod observer;
mod pacing;
mod prepared_plan;
pub mod probe;
mod profile;
mod profile_options;
mod rounds;
mod run;
mod search;
mod step_time;
mod stopping;
pub mod target;
mod thinning;
mod train;
pub mod training_target;
mod validate;
mod verify;

pub use collective::{Collective, OneProcess};
pub use describe::{adapter as describe_adapter, tool as describe_tool};
pub use job::{Finished, Job, Setup, initial_result, training_config};
pub use observer::{Observer, Progress, Snapshot};
pub use pacing::{StepChunk, SubmissionPacer};
pub use profile_options::{PROFILED_STEPS, ProfileOptions, STEPS_BEFORE, profile_cost_s};
pub use rounds::add_round;
pub use run::{TrainedRun, record_failure, run, train_first};
pub use search::{SWEEP_NOT_REACHED, Sizes, SweepJob, shipped_plan, sweep, tune, tuning_subject};
pub use stopping::{QUICK_RUN_S, QUICK_TRAIN_S, quick_deadline};
pub use target::{
    AdapterTarget, DataParallelTarget, Device, HostMember, HostTrainer, OpenedDataParallel, OpenedDevice,
    OpenedHostMember, Place, Split,
};
pub use train::CURVE_PARTS;
pub use validate::{ACCEPTED_TEST_ERROR_PCT, difference_in_images, differences_from_standard, validate};
pub use verify::{Finding, verify};

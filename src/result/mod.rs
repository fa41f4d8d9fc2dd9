//! The result of a run: one versioned JSON document that says what was measured, on what, and what is missing.
//!
//! A value that may be missing is a [`Measured`]: the value itself, or `{"missing": "reason"}`; never a null, a blank
//! or a NaN. Readers ignore fields they do not know and refuse a newer [`SCHEMA_VERSION`].

mod account;
mod check;
mod compiled;
mod digest;
mod environment;
mod json;
mod kernel_list;
mod load;
mod measured;
mod missing;
mod parallel;
mod peak_kind;
mod peaks;
mod phases;
mod profile;
mod run_result;
mod schema;
mod setting;
mod settings;
mod stopping;
mod subject;
mod summary;
mod sweep;
mod timeline;
mod tool;
mod training;
mod tuning;
mod turns;

pub use crate::gpu::CommandCounts;
pub use account::{Account, HostTimes, MAX_DISAGREEMENT_PCT, NEAR_ROOF_PCT, TrainingBound, Verdict};
pub use check::{Check, KernelCheck, Outcome, StepCheck};
pub use compiled::{COMPILED_NATURE, Compiled};
pub use digest::{Seal, seal};
pub use environment::{Adapter, AdapterKind, Cpu, Environment, TimestampGrade, Tool};
pub use kernel_list::{KERNELS_SCHEMA, KERNELS_SCHEMA_VERSION, KernelList, ListedKernel, ListedPlan, Stage};
pub use load::{Energy, GpuLoad, Load, Sampling, Spread, Throttling};
pub use measured::Measured;
pub use missing::*;
pub use parallel::{Member, Parallel, Rank, ScalingMode, Synchronisation};
pub use peak_kind::{PEAK_FACTS, PeakFacts, PeakKind, Unit};
pub use peaks::{PEAKS_SCHEMA, PEAKS_SCHEMA_VERSION, Peak, Peaks};
pub use phases::Phases;
pub use profile::{Bound, KernelTime, Method, Profile, mean_share_pct};
pub use run_result::{Data, ModelSize, Plan, PlanKernel, RunResult, SCHEMA, SCHEMA_VERSION, Status};
pub use schema::result_schema;
pub use setting::{Origin, Setting};
pub use settings::Settings;
pub use stopping::{Repeating, RepeatingEnd, Soak, StoppingRule};
pub use subject::Subject;
pub use summary::{Interval, Summary};
pub use sweep::{Sweep, SweepFit, SweepPoint, SweepVariable};
pub use timeline::{Event, Timeline, Track};
pub use tool::{Agreement, OtherTool};
pub use training::{Epoch, Repeat, Sample, Thinned};
pub use tuning::{Candidate, TUNING_SCHEMA, TUNING_SCHEMA_VERSION, Tuning};
pub use turns::{Turns, TurnsEnd};

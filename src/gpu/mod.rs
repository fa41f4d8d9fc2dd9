//! Adapters, devices, pipelines, buffers and commands: everything that uses wgpu.

pub mod adapter;
pub mod adapters;
pub mod buffers;
pub mod commands;
pub mod device;
mod failure;
pub mod meter;
pub mod pipeline_cache;
pub mod pipelines;
mod platform;
pub mod timestamps;
pub mod transfer;

pub use adapter::{AdapterInfo, Timestamps};
pub use adapters::Adapters;
pub use buffers::{Buffers, Readback, Staging};
pub use commands::{BoundDispatch, CommandCounts, EncodedCommands, Recording, Submission};
pub use device::{Gpu, Needs};
pub use meter::{Meter, RepeatedDispatch, Timing};
pub use pipeline_cache::PipelineCacheData;
pub use pipelines::Pipelines;
pub use timestamps::{Span, Stopwatch, TimedRecording};
pub use transfer::Transfer;

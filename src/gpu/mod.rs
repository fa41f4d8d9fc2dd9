//! Adapters, devices, pipelines, buffers and commands: everything that uses wgpu, and what drivers' compilers make of
//! kernels.

pub mod adapter;
pub mod adapters;
pub mod buffers;
pub mod commands;
pub mod device;
pub mod executable;
mod failure;
pub mod meter;
pub mod pipeline_cache;
pub mod pipelines;
mod platform;
pub mod timestamps;
pub mod transfer;
#[cfg(not(target_arch = "wasm32"))]
pub mod translate;
#[cfg(not(target_arch = "wasm32"))]
pub mod vulkan_compiler;
#[cfg(not(target_arch = "wasm32"))]
mod vulkan_device;

pub use adapter::{AdapterInfo, Timestamps};
pub use adapters::Adapters;
pub use buffers::{Buffers, Readback, Staging};
pub use commands::{BoundDispatch, CommandCounts, EncodedCommands, Recording, Submission};
pub use device::{Gpu, Needs};
pub use executable::{CompilerDevice, Executable};
pub use meter::{Meter, RepeatedDispatch, Timing};
pub use pipeline_cache::PipelineCacheData;
pub use pipelines::Pipelines;
pub use timestamps::{Span, Stopwatch, TimedRecording};
pub use transfer::Transfer;

//! Adapters, devices, pipelines, buffers and commands: everything that touches wgpu.

pub mod adapter;
pub mod buffers;
pub mod device;
pub mod meter;
pub mod pipeline_cache;
pub mod pipelines;
pub mod timestamps;
mod wait;

pub use adapter::{AdapterInfo, Adapters, Timestamps};
pub use buffers::{Arriving, Buffers, Staging};
pub use device::{Commands, Encoded, Gpu, Needs, Recording, Submission};
pub use meter::{Meter, Reading, Transfer, Work};
pub use pipeline_cache::PipelineCacheData;
pub use pipelines::{Bound, Pipelines};
pub use timestamps::{Span, Stopwatch, TimedRecording};

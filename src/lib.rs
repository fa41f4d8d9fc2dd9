//! Trains one fixed CNN with WGSL compute shaders and reports how fast the device does it.
//!
//! The modules, each of which imports only from those above it in this list:
//!
//! | module | holds |
//! |---|---|
//! | [`error`] | failures and their exit codes |
//! | [`escape`] | foreign text in a form that no terminal or page interprets |
//! | [`hash`] | SHA-256 as text |
//! | [`rng`] | counter-based random bits, bit-equal to their WGSL twin |
//! | [`model`] | the CNN as data: layers, shapes, parameter layout |
//! | [`stats`] | median, deviation, confidence interval, fitted lines |
//! | [`verdict`] | whether one sample of times is faster than another, slower, the same, or neither can be said |
//! | [`turns`] | the same of two sides that were timed in turns, looked at while rounds are added |
//! | [`data`] | images and labels: IDX files and synthetic digits |
//! | [`weights`] | safetensors files in PyTorch's layout |
//! | [`mod@reference`] | one plain f64 function for each kernel: the oracle |
//! | [`kernels`] | the kernel table, one row for each WGSL file, and plans made of its rows |
//! | [`gpu`] | adapters, devices, pipelines, buffers, timestamps: all of wgpu |
//! | [`trainer`] | the state of a training on the device, and the encoding of its steps |
//! | [`result`] | the versioned schema of results |
//! | [`report`] | results as text, tables, HTML and traces |
//! | [`check`] | the comparison with the reference before any timing |
//! | [`peaks`] | measured peaks of an adapter |
//! | [`mod@bench`] | the protocol: check, train, evaluate, profile, validate; searches by measurement |
//! | [`cpu`] | the same training on the host's cores: SIMD kernels and their target |
//! | `distributed` | ranks that an MPI launcher started, if built with the feature `mpi` |
//! | `telemetry` | power, load and memory of the machine |
//! | `cli` and `web` | the edges: only they, `distributed` and `telemetry` access files, arguments, the terminal or a page |
//!
//! [`bench::run`] is the protocol in one function; [`check`] ensures that only correct kernels are timed. A kernel's
//! WGSL file, entry point, row, reference function, label and key in results share one name.

pub mod bench;
pub mod check;
#[cfg(not(target_arch = "wasm32"))]
pub mod cli;
pub mod cpu;
pub mod data;
#[cfg(all(feature = "mpi", not(target_arch = "wasm32")))]
mod distributed;
pub mod error;
pub mod escape;
pub mod gpu;
pub mod hash;
pub mod kernels;
pub mod model;
pub mod peaks;
pub mod reference;
pub mod report;
pub mod result;
pub mod rng;
pub mod stats;
#[cfg(not(target_arch = "wasm32"))]
pub mod telemetry;
pub mod trainer;
pub mod turns;
pub mod verdict;
#[cfg(target_arch = "wasm32")]
pub mod web;
pub mod weights;

pub use error::{Error, Result};

//! Trains one fixed CNN with WGSL compute shaders and reports how fast the device did it.
//!
//! A run goes through these modules, each of which imports only from those above it in this list:
//!
//! | module | holds |
//! |---|---|
//! | [`error`] | what can go wrong, and the exit code of each kind |
//! | [`model`] | the CNN as data: layers, shapes, where parameters lie |
//! | [`rng`] | counter-based random numbers, bit-equal to their WGSL twin |
//! | [`hash`] | SHA-256 as text |
//! | [`stats`] | median, deviation, bootstrap |
//! | [`data`] | images and labels: IDX files and synthetic digits |
//! | [`mod@reference`] | one plain function for each kernel: what is right |
//! | [`weights`] | weight files in PyTorch's layout |
//! | [`kernels`] | the kernel table, one row for each WGSL file, and plans made of its rows |
//! | [`gpu`] | adapters, devices, pipelines, buffers, commands: all of wgpu |
//! | [`trainer`] | the state of a training on the device, and the recording of its steps |
//! | `cpu` | the same training on the cores of the host |
//! | [`result`] and [`report`] | what was measured, and how it is shown |
//! | [`mod@bench`] | the protocol: check, train, evaluate, judge |
//! | `host` | the protocol's view of the host's cores: the CPU target |
//! | `cli` and `web` | the edges: only they touch files, arguments, the terminal, a page |
//!
//! [`bench::run`] is the whole protocol in one function; [`check`] is why its figures may be believed. A kernel's WGSL
//! file, entry point, row, reference function, label and key in results all bear one name.

pub mod bench;
pub mod check;
#[cfg(not(target_arch = "wasm32"))]
pub mod cli;
#[cfg(not(target_arch = "wasm32"))]
pub mod cpu;
pub mod data;
pub mod error;
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
#[cfg(target_arch = "wasm32")]
pub mod web;
pub mod weights;

pub use error::{Error, Result};

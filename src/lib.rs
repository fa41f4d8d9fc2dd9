//! Trains one fixed CNN with WGSL compute shaders and reports how fast the device did it.

pub mod bench;
#[cfg(not(target_arch = "wasm32"))]
pub mod cli;
pub mod data;
pub mod error;
pub mod gpu;
pub mod kernels;
pub mod model;
pub mod reference;
pub mod report;
pub mod result;
pub mod rng;
pub mod stats;
pub mod trainer;
#[cfg(target_arch = "wasm32")]
pub mod web;
pub mod weights;

pub use error::{Error, Result};

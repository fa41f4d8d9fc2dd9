//! Trains one fixed CNN with WGSL compute shaders and reports how fast the device did it.

pub mod data;
pub mod error;
pub mod gpu;
pub mod kernels;
pub mod model;
pub mod rng;
pub mod trainer;

pub use error::{Error, Result};

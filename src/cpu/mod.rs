//! The CPU lane: the same network, trained on the cores of the host.

mod chunk;
mod dense;
mod dropout;
mod features_backward;
mod features_forward;
mod layout;
mod simd;
mod trace;
mod trainer;
mod update;

pub use simd::Level;
pub use trace::Trace;
pub use trainer::{Cores, Trainer};

//! The measured peaks of an adapter through this API: arithmetic, memory, launches, transfers.

mod access_pattern;
mod fixture;
mod measure;
mod measurement;
mod session;
mod verify;

pub use measure::{check, measure, measure_until, subject};
pub use session::Progress;

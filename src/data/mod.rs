//! Images and labels: IDX files and synthetic digits.

mod dataset;
mod glyphs;
pub mod idx;
pub mod synthetic;

pub use dataset::{Dataset, Identity, Split};

//! Images and labels: IDX files and synthetic digits.

mod dataset;
pub mod format;
mod glyphs;
pub mod gzip;
pub mod idx;
pub mod sets;
pub mod synthetic;

pub use dataset::{Dataset, Identity, Split};

//! The terminal program: arguments, files, progress and downloads, one file per verb.

pub mod data;
pub mod dataset;

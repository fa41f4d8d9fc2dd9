//! The network as data: layers, shapes, parameter layout, and the amount of arithmetic.
//!
//! Every size in the program and in the shaders comes from here.

mod cnn;
mod layer;
mod parameter;
mod training;

pub use cnn::{COUNT_MULTIPLE, DROPOUT_RATE, Model, WIDEST};
pub use layer::{CLASSES, IMAGE_PIXELS, IMAGE_SIDE, Layer, Operation, Shape};
pub use parameter::Parameter;
pub use training::Training;

//! The reference: one plain function per kernel, in f64 throughout, and the whole network composed of them.
//!
//! A function has the name of the kernel that it verifies. It takes f64 slices in the kernels' layouts (images,
//! channels, rows, columns: [N, C, H, W]; weights as in PyTorch) and derives the number of images N from the length of
//! its input. Clarity comes first; the loops are only arranged so that the innermost one runs over adjacent values.
//!
//! A ReLU is part of the layer it follows when going forward. Going backward its derivative is applied by the kernel
//! that passes the gradient to that layer: [`max_pool_backward`] for a convolution, [`dense_backward_input`] for a
//! dense layer. All functions panic on slices that do not fit the layer.
//!
//! Source of the formulas: I. Goodfellow, Y. Bengio, A. Courville, "Deep Learning", 2016, chapters 6 to 9.

mod convolution;
mod dense;
mod elementwise;
mod loss;
mod network;
mod pooling;
mod vector;

pub use convolution::{conv_backward_bias, conv_backward_input, conv_backward_weight, conv_forward};
pub use dense::{dense_backward_bias, dense_backward_input, dense_backward_weight, dense_forward};
pub use elementwise::{batch_gather, dropout_backward, dropout_forward, sgd_update};
pub use loss::{metrics_reduce, softmax_cross_entropy_backward, softmax_cross_entropy_forward};
pub use network::{Network, StepResult, Trace};
pub use pooling::{max_pool_backward, max_pool_forward};

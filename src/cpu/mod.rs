//! The CPU target: the same network, trained on the host's CPU.
//!
//! **The same bits for any number of threads.** A batch is split into chunks of eight images, regardless of the number
//! of threads. One thread runs a chunk through the whole network, forward and backward, so that its activations stay in
//! that core's cache; the results are the inputs and gradients of the dense layers, and a sum of the convolutions'
//! gradients. Then the parameters are distributed: a thread sums the gradients of the convolutions, or of sixteen units
//! of a dense layer, over all chunks in order, and updates their parameters. A step has two barriers.
//!
//! **Sixteen values at a time.** Kernels are written once, for blocks of sixteen values, and compiled for each
//! instruction set: a block is a register of AVX-512, two of AVX2, four of NEON. Channels and units are the lanes; they
//! are padded with zeros to whole blocks, so that any width of the model works. The `pulp` crate selects the
//! instruction set at run time behind a safe interface; WebAssembly has one, chosen when it is compiled. The random
//! numbers are those of [`crate::rng`].
//!
//! **Only what is needed.** A convolution is computed only at positions that its pool covers, in registers until the
//! maximum of a window is known. In the backward pass a gradient affects one position of each window, and positions
//! that a ReLU or dropout has set to 0 are skipped.

pub mod check;
mod chunk;
mod dense;
mod dropout;
mod engine;
mod features_backward;
mod features_forward;
mod layout;
mod member;
mod simd;
mod target;
mod trace;
mod trainer;
mod update;

pub use simd::SimdLevel;
pub use target::{CpuTarget, NAME, NOT_PROFILED};
pub use trace::Trace;
pub use trainer::{CpuThreads, Trainer};

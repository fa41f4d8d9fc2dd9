//! The CPU target: the same network, trained on the cores of the host.
//!
//! **The same bits for any number of threads.** A batch is cut into chunks of eight images, whatever the threads. A chunk goes
//! through the whole network, forward and backward, on one thread, which keeps its activations in its own cache; it leaves the
//! inputs and gradients of the dense layers, and a sum of the convolutions' gradients. Then tensors are shared out: a thread
//! sums the gradients of a convolution, or of sixteen units of a dense layer, over all chunks in their order, and moves the
//! parameters at once. Two barriers end a step.
//!
//! **Sixteen values at a time.** Kernels are written once, for blocks of sixteen values, and compiled for each instruction set: a
//! block is a register of AVX-512, two of AVX2, four of NEON. Channels and units are the lanes; they are padded with zeros to
//! whole blocks, so that any width of the model works. The `pulp` crate chooses the instructions while the program runs and
//! keeps what is unsafe about them to itself. The random numbers are those of [`crate::rng`].
//!
//! **Only what is needed.** A convolution is computed where its pool looks, in registers until the largest of a window is known. On
//! the way back a gradient touches one position of each window, and those that a ReLU or dropout has set to 0 are left out.

pub mod check;
mod chunk;
mod dense;
mod dropout;
mod engine;
mod features_backward;
mod features_forward;
mod layout;
mod simd;
mod target;
mod trace;
mod trainer;
mod update;

pub use simd::Level;
pub use target::{CpuTarget, NAME, NOT_PROFILED};
pub use trace::Trace;
pub use trainer::{Cores, Trainer};

//! Kernels and plans as data: one row for each WGSL file ([`table`]), and lists of dispatches that make a training step
//! ([`plan`]).

mod choice;
pub mod comments;
pub mod expected;
pub mod experimental;
pub mod fused;
pub mod fused_f16;
pub mod fused_image;
pub mod kernel;
pub mod layered;
pub mod peaks;
pub mod plan;
pub mod table;
mod unroll;

pub use choice::{Choice, MakePlan, PLANS, PlanRow, all_choices, plan_named};
pub use expected::{Contents, Expected, F16_ROUNDING, KernelInputs, f16_pair};
pub use kernel::{Access, Binding, Kernel, Step};
pub use plan::{Amount, BufferSpec, Dispatch, Element, Grid, Parameter, Plan};
pub use table::{KERNELS, Pass, TRAINING_KERNELS, Tolerance, TrainingKernel, shader_hash, training_kernel};
pub use unroll::unroll;

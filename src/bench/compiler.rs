//! What the driver's compiler made of the kernels of a plan: the interface to ask it.

use crate::gpu::AdapterInfo;
use crate::kernels::Dispatch;
use crate::result::{Compiled, Measured};

/// Asks drivers what became of kernels. A profile calls it after its steps, so that nothing measured is disturbed.
pub trait KernelCompiler {
    /// What the driver of `adapter` says of the kernel of each dispatch, on a device opened with subgroups or without,
    /// or why it says nothing.
    fn compiled(&self, adapter: &AdapterInfo, dispatches: &[Dispatch], subgroups: bool) -> Vec<Measured<Compiled>>;
}

/// Asks nobody.
#[derive(Debug, Clone, Copy)]
pub struct NoCompiler(
    /// The reason, as it appears in results.
    pub &'static str,
);

impl KernelCompiler for NoCompiler {
    fn compiled(&self, _: &AdapterInfo, dispatches: &[Dispatch], _: bool) -> Vec<Measured<Compiled>> {
        vec![Measured::missing(self.0); dispatches.len()]
    }
}

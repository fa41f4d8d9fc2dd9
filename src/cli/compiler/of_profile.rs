//! The compiler of a profile.

use super::{Compiler, KernelRequest};
use crate::bench::compiler::KernelCompiler;
use crate::error::Error;
use crate::gpu::AdapterInfo;
use crate::kernels::Dispatch;
use crate::result::{Compiled, Measured};

/// Asks the drivers of adapters, in processes of their own.
#[derive(Debug, Clone, Copy)]
pub struct AskDriver;

impl KernelCompiler for AskDriver {
    fn compiled(&self, adapter: &AdapterInfo, dispatches: &[Dispatch], subgroups: bool) -> Vec<Measured<Compiled>> {
        let requests: Vec<KernelRequest> = dispatches.iter().map(|one| KernelRequest::of(one, subgroups)).collect();
        let asked = Compiler::of(adapter)
            .and_then(|compiler| compiler.compile_each(&requests).map_err(|error: Error| error.to_string()));
        asked.map_or_else(|reason| vec![Measured::missing(reason); requests.len()], |(_, compiled)| compiled)
    }
}

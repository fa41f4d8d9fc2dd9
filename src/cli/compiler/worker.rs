//! The process that compiles: a driver that crashes or does not come back ends it alone.

use super::protocol::{KernelRequest, Reply, Request};
use crate::error::{Error, Result};
use crate::gpu::Executable;
use crate::gpu::translate::Translation;
use crate::gpu::vulkan_compiler::VulkanCompiler;
use crate::kernels::KERNELS;
use std::io::Write;

/// The hidden verb.
pub const VERB: &str = "compile-kernels";

/// Reads a [`Request`] from stdin, and writes a [`Reply`] for each of its kernels, as soon as it is there.
///
/// # Errors
/// [`Error::Data`] if stdin holds no request, [`Error::Output`] if stdout cannot be written.
pub fn compile_kernels() -> Result<()> {
    let request: Request = serde_json::from_reader(std::io::stdin().lock())
        .map_err(|error| Error::Data(format!("stdin holds no kernels to compile: {error}")))?;
    let compiler = match VulkanCompiler::open(request.device.as_ref()) {
        Ok(compiler) => compiler,
        Err(missing) => return say(&Reply::Unavailable { device: missing.device, reason: missing.reason }),
    };
    say(&Reply::Device { device: compiler.device().clone(), vulkan: compiler.vulkan() })?;
    for kernel in &request.kernels {
        say(&compiled(&compiler, kernel, request.texts).map_or_else(Reply::Refused, Reply::Compiled))?;
    }
    Ok(())
}

fn compiled(
    compiler: &VulkanCompiler,
    request: &KernelRequest,
    texts: bool,
) -> std::result::Result<Executable, String> {
    let kernel = KERNELS.iter().find(|kernel| kernel.name == request.kernel);
    let kernel = kernel.ok_or_else(|| format!("there is no kernel {}", request.kernel))?;
    let constants: Vec<(&str, f64)> = request.constants.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let spirv = Translation::of(kernel, &constants)?.spirv(compiler.vulkan(), request.subgroups, false)?;
    compiler.compile(&spirv, kernel, request.subgroups, texts)
}

/// Writes a reply. Where nobody reads it any more, nothing more is compiled.
fn say(reply: &Reply) -> Result<()> {
    let failed = |error: &dyn std::fmt::Display| Error::Output(format!("a reply cannot be written: {error}"));
    let line = serde_json::to_string(reply).map_err(|error| failed(&error))?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush()).map_err(|error| failed(&error))
}

//! One kernel in a language: what wgpu makes of it, or what the driver does.

use super::plans::PlanKernel;
use crate::cli::compiler::Compiler;
use crate::cli::output::replace;
use crate::cli::terminal;
use crate::error::{Error, Result};
use crate::gpu::executable::Representation;
use crate::gpu::translate::{Translation, VULKAN_1_3, disassembled};
use std::path::Path;

/// What is printed in place of a tab.
const TAB: &str = "    ";

/// Values of `--show`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// What is compiled: the kernel's file, its loops unrolled, and the shared texts.
    Wgsl,
    /// SPIR-V for Vulkan: disassembled, or the module itself with -o.
    Spirv,
    /// Metal's shading language.
    Msl,
    /// HLSL for DX12.
    Hlsl,
    /// The machine code, where the driver gives it.
    Isa,
}

/// Prints `kernel` in a language, or writes it to a file.
///
/// # Errors
/// [`Error::Adapter`] where the driver gives no machine code, [`Error::Output`] if the file cannot be written.
pub fn show(
    kernel: &PlanKernel,
    language: Language,
    compiler: impl FnOnce() -> Result<std::result::Result<Compiler, String>>,
    file: Option<&Path>,
) -> Result<()> {
    let failed = |words: String| Error::Adapter(format!("{}: {words}", kernel.row.label()));
    let translation = || Translation::of(kernel.dispatch.kernel, &kernel.dispatch.constants).map_err(failed);
    let spirv = |debug| translation()?.spirv(VULKAN_1_3, kernel.request.subgroups, debug).map_err(failed);
    let text = match language {
        Language::Wgsl => kernel.dispatch.kernel.wgsl(),
        Language::Msl => translation()?.msl().map_err(failed)?,
        Language::Hlsl => translation()?.hlsl().map_err(failed)?,
        Language::Spirv => match file {
            Some(file) => {
                let bytes: Vec<u8> = spirv(false)?.iter().flat_map(|word| word.to_le_bytes()).collect();
                return written(file, &bytes);
            }
            None => disassembled(&spirv(true)?).map_err(failed)?,
        },
        Language::Isa => isa(kernel, &compiler()?.map_err(failed)?)?,
    };
    match file {
        Some(file) => written(file, text.as_bytes()),
        // Tabs would be escaped, as all that could move a terminal's cursor.
        None => terminal::output(&text.replace('\t', TAB)),
    }
}

fn written(file: &Path, bytes: &[u8]) -> Result<()> {
    replace(file, bytes)?;
    terminal::message(&format!("written: {}", file.display()));
    Ok(())
}

/// The machine code of a kernel, as the driver writes it.
fn isa(kernel: &PlanKernel, compiler: &Compiler) -> Result<String> {
    let failed = |words: &str| Error::Adapter(format!("{}: n/a ({words})", kernel.row.label()));
    let mut answer = compiler.compile(vec![kernel.request.clone()], true)?;
    if let Some(device) = &answer.device {
        terminal::message(&format!("compiled by {} {} for {}", device.driver, device.driver_info, device.name));
    }
    let executable = match answer.kernels.pop() {
        Some(compiled) => compiled.map_err(|words| failed(&words))?,
        None => return Err(failed(answer.unavailable.as_deref().unwrap_or("nothing was compiled"))),
    };
    let is_code = |one: &&Representation| one.name.to_lowercase().contains("assembly");
    let code: Vec<&Representation> = executable.representations.iter().filter(is_code).collect();
    let texts: Vec<&str> = code.iter().map(|one| one.text.as_str()).filter(|text| !text.trim().is_empty()).collect();
    match texts.is_empty() {
        false => Ok(texts.join("\n")),
        true => Err(failed("the driver gives no machine code")),
    }
}

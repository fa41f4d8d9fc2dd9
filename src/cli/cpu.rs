//! `gpubench --adapter cpu`: training on the host's cores.

use super::args::RunArgs;
use super::target::{Subject, Trainable, names};
use super::terminal;
use crate::cpu::CpuTarget;
use crate::error::{Error, Result};
use crate::gpu::adapter::NONE_FOUND;
use crate::result::{Measured, Setting, Settings, no_peaks, no_tuning};
use crate::telemetry::{MachineProbe, environment};
use clap::Args;

pub use crate::cpu::NAME;

/// Options of the CPU target.
#[derive(Debug, Clone, Default, Args)]
pub struct CpuArgs {
    /// Threads of --adapter cpu [default: as many as there are cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// Refuses the CPU target where `verb` knows adapters alone.
///
/// # Errors
/// [`Error::Usage`] if `request` names the target.
pub fn refuse(request: &Measured<String>, verb: &str) -> Result<()> {
    if !names(request, NAME) {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "gpubench {verb} works through the GPU API alone: leave `--adapter cpu` out, or time the CPU with `gpubench --adapter cpu`"
    )))
}

/// What to say where an adapter or backend was asked for and none was found.
pub fn none_found() -> Error {
    Error::Adapter(format!("{NONE_FOUND}; the host's cores need none: --adapter cpu"))
}

/// The target on this machine with `threads` threads, or as many as there are cores.
///
/// # Errors
/// [`Error::Usage`] for no threads at all.
pub fn target(threads: Option<usize>) -> Result<CpuTarget> {
    let name = environment::processor();
    CpuTarget::new(name.value().cloned().unwrap_or_else(|| "CPU".to_owned()), threads)
}

/// The host's cores as the subject of a run.
///
/// # Errors
/// As [`target`].
pub fn subject<'a>(args: &RunArgs, settings: Settings) -> Result<Subject<'a>> {
    let target = target(args.cpu.threads)?;
    let found = if names(&settings.adapter.value, NAME) { "" } else { "none found, so the CPU target trains: " };
    terminal::talk(&format!("adapter: {found}{}", target.line()));
    if let Some(remark) = target.remark() {
        terminal::talk(&format!("  (note: {remark})"));
    }
    Ok(untold_subject(target, settings))
}

/// As [`subject`], without a word on stderr.
pub fn untold_subject<'a>(target: CpuTarget, settings: Settings) -> Subject<'a> {
    Subject {
        name: target.name.clone(),
        adapter: target.describe(),
        settings: Settings { plan: Setting::default(NAME.to_owned()), ..settings },
        adapter_s: 0.0,
        tuning: no_tuning(),
        tune_s: Measured::missing("the CPU target has one plan"),
        peaks: no_peaks(),
        peaks_s: Measured::missing("the CPU target has no peaks to measure"),
        probe: MachineProbe::new(&[]),
        trainable: Trainable::Cpu(target),
    }
}

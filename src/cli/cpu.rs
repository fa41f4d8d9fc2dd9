//! `gpubench --adapter cpu`: training on the host's cores.

use super::flags::request_is;
use super::run_args::RunArgs;
use super::subject::{Subject, Trainable};
use super::terminal;
use crate::cpu::CpuTarget;
use crate::error::{Error, Result};
use crate::gpu::adapter::NONE_FOUND;
use crate::result::{Measured, Setting, Settings, no_peaks, no_tuning};
use crate::telemetry::{MachineProbe, environment};

pub use crate::cpu::NAME;

/// The error where an adapter or backend was requested and none was found.
pub fn none_found() -> Error {
    Error::Adapter(format!("{NONE_FOUND}; the host's cores need none: --adapter cpu"))
}

/// The CPU target of this machine with `threads` threads, by default one per core.
///
/// # Errors
/// [`Error::Usage`] for 0 threads.
pub fn target(threads: Option<usize>) -> Result<CpuTarget> {
    let name = environment::processor();
    CpuTarget::new(name.value().cloned().unwrap_or_else(|| "CPU".to_owned()), threads)
}

/// The host's cores as the subject of a run, announced on stderr.
///
/// # Errors
/// As [`target`].
pub fn subject<'a>(args: &RunArgs, settings: Settings) -> Result<Subject<'a>> {
    let target = target(args.cpu.threads)?;
    let found = if request_is(&settings.adapter.value, NAME) { "" } else { "none found, so the CPU target trains: " };
    terminal::message(&format!("adapter: {found}{}", target.line()));
    if let Some(warning) = target.oversubscription_warning() {
        terminal::message(&format!("  (note: {warning})"));
    }
    Ok(subject_of(target, settings))
}

/// The CPU target as the subject of a run.
pub fn subject_of<'a>(target: CpuTarget, settings: Settings) -> Subject<'a> {
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

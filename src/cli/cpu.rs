//! `gpubench --adapter cpu`: training on the host's cores.

use super::run_args::RunArgs;
use super::subject::{Subject, Trainable};
use super::terminal;
use crate::cpu::CpuTarget;
use crate::error::Result;
use crate::result::{Measured, Setting, Settings, no_peaks, no_tuning};
use crate::telemetry::{MachineProbe, environment};

pub use crate::cpu::NAME;

/// The CPU target of this machine with `threads` threads, by default one per core.
///
/// # Errors
/// [`crate::Error::Usage`] for 0 threads.
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
    terminal::message(&format!("adapter: {}", target.line()));
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

//! `gpubench --adapter cpu`: training on the host's cores.

use super::run_args::RunArgs;
use super::subject::{Subject, Trainable};
use super::terminal;
use crate::cpu::CpuTarget;
use crate::error::{Error, Result};
use crate::result::{Measured, Setting, Settings, no_peaks, no_tuning};
use crate::telemetry::{MachineProbe, environment};

pub use crate::cpu::NAME;

/// Names the percentage by which steps are slowed down: experiments of `tests/experiments` look whether it is found.
const SLOWDOWN: &str = "GPUBENCH_TEST_SLOWDOWN_PCT";

/// Maximum slowdown, in percent.
const MAX_SLOWDOWN_PCT: f64 = 1000.0;

/// The CPU target of this machine with `threads` threads, by default one per core.
///
/// # Errors
/// [`Error::Usage`] for numbers of threads as [`CpuTarget::new`], and for a slowdown that is no percentage.
pub fn target(threads: Option<usize>) -> Result<CpuTarget> {
    let name = environment::processor();
    let target = CpuTarget::new(name.value().cloned().unwrap_or_else(|| "CPU".to_owned()), threads)?;
    Ok(CpuTarget { slowdown_pct: slowdown_pct()?, ..target })
}

fn slowdown_pct() -> Result<f64> {
    let Some(text) = std::env::var_os(SLOWDOWN) else { return Ok(0.0) };
    let number = text.to_str().and_then(|text| text.parse().ok());
    number.filter(|pct| (0.0..=MAX_SLOWDOWN_PCT).contains(pct)).ok_or_else(|| {
        Error::Usage(format!("{SLOWDOWN} is {}: give 0 to {MAX_SLOWDOWN_PCT}, or unset it", text.display()))
    })
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

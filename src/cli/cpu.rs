//! `gpubench --adapter cpu`: training on the host's cores.

use super::args::RunArgs;
use super::session::{Session, Subject};
use super::terminal;
use crate::cpu::{CpuTarget, NAME, NOT_PROFILED};
use crate::error::{Error, Result};
use crate::gpu::adapter::NONE_FOUND;
use crate::result::{Measured, Origin, Setting, Settings, no_peaks, no_tuning};
use crate::telemetry::MachineProbe;
use crate::telemetry::environment;
use clap::Args;
use web_time::Instant;

/// Options of the CPU target.
#[derive(Debug, Clone, Default, Args)]
pub struct CpuArgs {
    /// Threads of --adapter cpu [default: as many as there are cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

impl CpuArgs {
    /// Refuses threads for an adapter, which has its own.
    ///
    /// # Errors
    /// [`Error::Usage`] where a number was given.
    pub fn refuse_on_adapters(&self) -> Result<()> {
        match self.threads {
            Some(_) => Err(Error::Usage("--threads is for the host's cores: add --adapter cpu".into())),
            None => Ok(()),
        }
    }
}

/// Whether an adapter request names the CPU target.
pub fn is_named(request: &Measured<String>) -> bool {
    request.value().is_some_and(|request| request.trim().eq_ignore_ascii_case(NAME))
}

/// Refuses the CPU target where `verb` knows adapters alone.
///
/// # Errors
/// [`Error::Usage`] if `request` names the target.
pub fn refuse(request: &Measured<String>, verb: &str) -> Result<()> {
    if !is_named(request) {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "gpubench {verb} works through the GPU API alone: leave `--adapter cpu` out, or time the CPU with `gpubench --adapter cpu`"
    )))
}

/// Whether nothing was asked for that a machine without adapters lacks, so that the target may stand in.
pub fn may_stand_in(settings: &Settings) -> bool {
    settings.adapter.origin == Origin::Default && settings.backend.origin == Origin::Default
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

/// Trains on the host's cores; `stands_in` where no adapter was found. Returns the exit code.
///
/// # Errors
/// Whatever ended the run early; what was measured before is in the result file.
pub fn run(args: &RunArgs, settings: Settings, stands_in: bool, started: Instant) -> Result<u8> {
    refuse_what_adapters_have(args)?;
    let target = target(args.cpu.threads)?;
    let found = if stands_in { "none found, so the CPU target trains: " } else { "" };
    terminal::talk(&format!("adapter: {found}{}", target.line()));
    if let Some(remark) = target.remark() {
        terminal::talk(&format!("  (note: {remark})"));
    }
    let (session, file) = Session::begin(args, &target.name, settings.seed.value, started)?;
    let settings = Settings { plan: Setting::default(NAME.to_owned()), ..settings };
    let subject = Subject {
        settings,
        adapter: target.describe(),
        adapter_s: started.elapsed().as_secs_f64(),
        tuning: no_tuning(),
        tune_s: Measured::missing("the CPU target has one plan"),
        peaks: no_peaks(),
        peaks_s: Measured::missing("the CPU target has no peaks to measure"),
        probe: MachineProbe::new(&[]),
    };
    session.measure(file, &target, subject, args)
}

/// Refuses options that mean nothing on the host's cores.
fn refuse_what_adapters_have(args: &RunArgs) -> Result<()> {
    if args.profile || args.trace.is_some() {
        return Err(Error::Usage(NOT_PROFILED.into()));
    }
    let given = [
        ("--backend", "no backend", args.backend.is_some()),
        ("--plan", "one plan", args.plan.is_some()),
        ("--checked", "no shaders", args.checked),
        ("--fresh-peaks", "no peaks", args.fresh_peaks),
    ];
    match given.iter().find(|(_, _, given)| *given) {
        Some((option, has, _)) => Err(Error::Usage(format!("the CPU target has {has}: leave {option} out"))),
        None => Ok(()),
    }
}

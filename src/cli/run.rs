//! `gpubench run`: the main job.

use super::args::{AUTO, ListArgs, RunArgs};
use super::session::{Session, Subject};
use super::{all, cpu, data_parallel, list, peaks, terminal, tune};
use crate::bench::{self, AdapterTarget};
use crate::error::Result;
use crate::gpu::{AdapterInfo, Adapters, adapter};
use crate::kernels::plan_named;
use crate::result::{Measured, Peaks, Settings, Tuning, no_peaks, no_tuning};
use crate::telemetry::MachineProbe;
use web_time::Instant;

/// Larger batches are not worth a search for the fastest plan.
const MOST_TUNED_BATCH: u32 = 4096;

/// Runs the benchmark and shows its result; returns the exit code.
///
/// # Errors
/// Whatever ended the run early; what was measured before is in the result file.
pub fn run(args: &RunArgs) -> Result<u8> {
    let started = Instant::now();
    if args.list {
        list::list(&ListArgs { json: args.json, backend: args.backend.clone() })?;
        return Ok(0);
    }
    args.stopping.fit(args.settings().repeat.value)?;
    if args.data_parallel.adapters.is_some() {
        args.cpu.refuse_on_adapters()?;
        return data_parallel::run(args, started);
    }
    args.data_parallel.refuse_without_adapters()?;
    let mut settings = args.settings();
    if cpu::is_named(&settings.adapter.value) {
        return cpu::run(args, settings, false, started);
    }
    if all::is_named(&settings.adapter.value) {
        return all::run(args, settings, started);
    }
    let adapters = find_adapters(&settings)?;
    if adapters.infos().is_empty() {
        return if cpu::may_stand_in(&settings) {
            cpu::run(args, settings, true, started)
        } else {
            Err(cpu::none_found())
        };
    }
    args.cpu.refuse_on_adapters()?;
    let adapter = adapter::choose(adapters.infos(), settings.adapter.value.value().map(String::as_str))?;
    let adapter_s = started.elapsed().as_secs_f64();
    announce(adapter);
    if adapter.software {
        terminal::talk("  (it measures the CPU through a detour: --adapter cpu measures it directly)");
    }
    let _kept = args.pipelines.guard(&adapters, adapter);

    let (session, file) = Session::begin(args, &adapter.name, settings.seed.value, started)?;
    let start = Instant::now();
    let tuning = choose_plan(&mut settings, args.no_tune, &adapters, adapter)?;
    let tune_s = tuning.clone().map(|_| start.elapsed().as_secs_f64());
    let start = Instant::now();
    let peaks = match args.profiles() {
        true => measured_peaks(&adapters, adapter, args.fresh_peaks),
        false => no_peaks(),
    };
    let peaks_s = peaks.clone().map(|_| start.elapsed().as_secs_f64());
    let target = AdapterTarget { adapters: &adapters, adapter, checked: args.checked };
    let (described, probe) = (bench::describe_adapter(adapter), MachineProbe::new(&[adapter]));
    let subject = Subject { settings, adapter: described, adapter_s, tuning, tune_s, peaks, peaks_s, probe };
    session.measure(file, &target, subject, args)
}

/// The machine's adapters on the backend that was asked for.
pub(super) fn find_adapters(settings: &Settings) -> Result<Adapters> {
    pollster::block_on(Adapters::find(settings.backend.value.value().map(String::as_str)))
}

/// Puts a plan's name in the place of "auto": the fastest by measurement, or the one shipped for this kind of adapter.
pub(super) fn choose_plan(
    settings: &mut Settings,
    no_tune: bool,
    adapters: &Adapters,
    adapter: &AdapterInfo,
) -> Result<Measured<Tuning>> {
    if settings.plan.value != AUTO {
        plan_named(&settings.plan.value)?;
        return Ok(no_tuning());
    }
    // Batches so large take longer to try than they save; a batch that cannot be is refused by the run itself.
    if no_tune || settings.batch.value > MOST_TUNED_BATCH {
        settings.plan.value = bench::shipped_plan(adapter).to_owned();
        return Ok(no_tuning());
    }
    let tuning = tune::cached_or_measured(adapters, adapter, settings.batch.value)?;
    settings.plan.value = tuning.best().unwrap_or(bench::shipped_plan(adapter)).to_owned();
    let source = if tuning.cached { "the fastest, from the cache" } else { "the fastest" };
    terminal::talk(&format!("plan: {} ({source})", settings.plan.value));
    Ok(Measured::Value(tuning))
}

/// The peaks to compare a profile with; a profile can do without, so that a failure is told and no more.
fn measured_peaks(adapters: &Adapters, adapter: &AdapterInfo, fresh: bool) -> Measured<Peaks> {
    match peaks::for_profile(adapters, adapter, fresh) {
        Ok(peaks) => Measured::Value(peaks),
        Err(error) => {
            terminal::talk(&format!("note: the peaks could not be measured: {error}"));
            Measured::missing(error.to_string())
        }
    }
}

/// Trains a few steps, profiles as many, and shows where their time goes; returns the exit code.
///
/// # Errors
/// As [`run`].
pub fn profile(args: &RunArgs) -> Result<u8> {
    let steps = args.steps.or_else(|| {
        (args.epochs.is_none() && args.stopping.soak.is_none() && !args.quick).then_some(bench::PROFILED_STEPS)
    });
    run(&RunArgs { profile: true, steps, ..args.clone() })
}

/// Says on stderr what will be measured.
pub(super) fn announce(adapter: &AdapterInfo) {
    terminal::talk(&format!("adapter: {}", adapter.line()));
    if adapter.software {
        terminal::talk("  (its times say nothing about a GPU)");
    }
}

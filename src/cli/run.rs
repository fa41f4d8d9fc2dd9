//! `gpubench run`: the main job.

use super::args::{AUTO, ListArgs, RunArgs};
use super::load::MachineProbe;
use super::output::{ResultFile, replace};
use super::progress::TerminalObserver;
use super::report::{expect_writable, write_html};
use super::{dataset, environment, list, peaks, terminal, tune};
use crate::bench::{self, Finished, Job};
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters, adapter};
use crate::kernels::plan_named;
use crate::model::Model;
use crate::report;
use crate::result::{Measured, Origin, Peaks, RunResult, Settings, Status, Tuning, no_peaks, no_tuning};
use crate::weights;
use std::path::Path;
use web_time::Instant;

/// Exit code of a run that ended with an INVALID result.
const INVALID: u8 = 6;

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
    let mut settings = args.settings();
    args.steady.fit(settings.repeat.value)?;
    let adapters = pollster::block_on(Adapters::find(settings.backend.value.value().map(String::as_str)))?;
    let adapter = adapter::choose(adapters.infos(), settings.adapter.value.value().map(String::as_str))?;
    let adapter_s = started.elapsed().as_secs_f64();
    announce(adapter);

    // Everything that can be wrong with files is found before anything is measured.
    let init = args.init.as_deref().map(read_weights).transpose()?;
    for path in [&args.save, &args.trace, &args.html].into_iter().flatten() {
        expect_writable(path)?;
    }
    let file = ResultFile::create(&args.output, &adapter.name, settings.seed.value)?;
    let data_start = Instant::now();
    let (dataset, origin) = dataset::load(&args.data, dataset::SYNTHETIC_SEED)?;
    let data_s = data_start.elapsed().as_secs_f64();
    terminal::talk(&format!("data: {}, from {origin}", dataset.name));

    if args.quick {
        terminal::talk(&format!("quick: training ends after {} s", bench::QUICK_TRAIN_S));
    }

    let start = Instant::now();
    let tuning = choose_plan(&mut settings, args.no_tune, &adapters, adapter)?;
    let tune_s = tuning.clone().map(|_| start.elapsed().as_secs_f64());
    let start = Instant::now();
    let peaks = match args.profiles() {
        true => measured_peaks(&adapters, adapter, args.fresh_peaks),
        false => no_peaks(),
    };
    let peaks_s = peaks.clone().map(|_| start.elapsed().as_secs_f64());
    let mut result = bench::begin(settings, environment::environment(bench::describe_adapter(adapter)), &dataset);
    result.started_utc = jiff::Timestamp::now().to_string();
    result.tuning = tuning;
    result.phases.adapter_s = adapter_s.into();
    result.phases.data_s = data_s.into();
    (result.phases.tune_s, result.phases.peaks_s) = (tune_s, peaks_s);
    if origin.contains(dataset::DATA_VARIABLE) {
        result.settings.data.origin = Origin::Environment;
    }
    let probe = MachineProbe::new(adapter);
    let job = Job {
        adapters: &adapters,
        adapter,
        dataset: &dataset,
        init,
        checked: args.checked,
        profile: args.profiles().then(|| args.profile_options()),
        peaks,
        probe: &probe,
        started,
    };
    let Finished { parameters, timeline } = train(&job, &mut result, file, args)?;
    if let Some(page) = &args.html {
        write_html(page, &result)?;
    }
    if let Some(trace) = &args.trace {
        replace(trace, report::chrome_trace(&timeline, &result)?.as_bytes())?;
        terminal::talk(&format!("trace: {} (open it in ui.perfetto.dev or chrome://tracing)", trace.display()));
    }
    if let Some(save) = &args.save {
        replace(save, &weights::to_safetensors(&Model::new(result.settings.dropout.value), &parameters)?)?;
        terminal::talk(&format!("weights: {}", save.display()));
    }
    Ok(if result.status == Status::Invalid { INVALID } else { 0 })
}

/// Puts a plan's name in the place of "auto": the fastest by measurement, or the one shipped for this kind of adapter.
fn choose_plan(
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
        (args.epochs.is_none() && args.steady.soak.is_none() && !args.quick).then_some(bench::PROFILED_STEPS)
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

fn read_weights(path: &Path) -> Result<Vec<f32>> {
    let bytes = std::fs::read(path).map_err(|error| {
        Error::Data(format!("{} cannot be read ({error}); give a safetensors file", path.display()))
    })?;
    weights::from_safetensors(&Model::new(0.0), &bytes)
        .map_err(|error| Error::Data(format!("{}: {error}", path.display())))
}

/// Runs the job and shows its result, also that of a run which ended early if it has trained at all.
fn train(job: &Job<'_>, result: &mut RunResult, file: ResultFile, args: &RunArgs) -> Result<Finished> {
    let mut observer = TerminalObserver::new(file);
    let outcome = pollster::block_on(bench::run(job, result, &mut observer));
    let mut file = observer.finish();
    result.summary.peak_host_memory_bytes = environment::peak_host_memory_bytes();
    let kept = file.write(result);
    if outcome.is_ok() || !result.repeats.is_empty() {
        terminal::data(&if args.json {
            result.to_json()?
        } else {
            terminal::paint(&report::text(result, terminal::width()))
        })?;
    }
    terminal::talk(&format!("result: {}", file.path().display()));
    let finished = outcome?;
    kept?;
    Ok(finished)
}

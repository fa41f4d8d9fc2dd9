//! `gpubench run`: the main job.

use super::args::{ListArgs, RunArgs};
use super::output::{ResultFile, replace, temporary_beside};
use super::progress::TerminalObserver;
use super::{dataset, environment, list, terminal};
use crate::bench::{self, Job};
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters, adapter};
use crate::model::Model;
use crate::report;
use crate::result::{Origin, RunResult, Status};
use crate::weights;
use std::path::Path;
use web_time::Instant;

/// Exit code of a run that ended with an INVALID result.
const INVALID: u8 = 6;

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
    let settings = args.settings();
    let adapters = pollster::block_on(Adapters::find(settings.backend.value.value().map(String::as_str)))?;
    let adapter = adapter::choose(adapters.infos(), settings.adapter.value.value().map(String::as_str))?;
    let adapter_s = started.elapsed().as_secs_f64();
    announce(adapter);

    // Everything that can be wrong with files is found before anything is measured.
    let init = args.init.as_deref().map(read_weights).transpose()?;
    if let Some(save) = &args.save {
        drop(temporary_beside(save)?);
    }
    let file = ResultFile::create(&args.output, &adapter.name, settings.seed.value)?;
    let data_start = Instant::now();
    let (dataset, origin) = dataset::load(&args.data, dataset::SYNTHETIC_SEED)?;
    let data_s = data_start.elapsed().as_secs_f64();
    terminal::talk(&format!("data: {}, from {origin}", dataset.name));

    if args.quick {
        terminal::talk(&format!("quick: training ends after {} s", bench::QUICK_TRAIN_S));
    }

    let mut result = bench::begin(settings, environment::environment(bench::describe_adapter(adapter)), &dataset);
    result.started_utc = jiff::Timestamp::now().to_string();
    result.phases.adapter_s = adapter_s.into();
    result.phases.data_s = data_s.into();
    if origin.contains(dataset::DATA_VARIABLE) {
        result.settings.data.origin = Origin::Environment;
    }
    let job = Job {
        adapters: &adapters,
        adapter,
        dataset: &dataset,
        init,
        profile_steps: args.profile.then(|| args.steps.unwrap_or(bench::PROFILED_STEPS)),
        started,
    };
    let parameters = train(&job, &mut result, file, args)?;
    if let Some(save) = &args.save {
        replace(save, &weights::to_safetensors(&Model::new(result.settings.dropout.value), &parameters)?)?;
        terminal::talk(&format!("weights: {}", save.display()));
    }
    Ok(if result.status == Status::Invalid { INVALID } else { 0 })
}

/// Trains a few steps, profiles as many, and shows where their time goes; returns the exit code.
///
/// # Errors
/// As [`run`].
pub fn profile(args: &RunArgs) -> Result<u8> {
    let steps = args.steps.or_else(|| (args.epochs.is_none() && !args.quick).then_some(bench::PROFILED_STEPS));
    run(&RunArgs { profile: true, steps, ..args.clone() })
}

/// Says which adapter was chosen.
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
fn train(job: &Job<'_>, result: &mut RunResult, file: ResultFile, args: &RunArgs) -> Result<Vec<f32>> {
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
    let parameters = outcome?;
    kept?;
    Ok(parameters)
}

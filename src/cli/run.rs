//! `gpubench run`: the main job.

use super::args::{ListArgs, RunArgs};
use super::output::ResultFile;
use super::progress::TerminalObserver;
use super::{dataset, environment, list, terminal};
use crate::bench::{self, Job};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters, adapter};
use crate::kernels;
use crate::model::Model;
use crate::result::{Measured, RunResult, Settings, Status};
use crate::weights;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use web_time::Instant;

/// Exit code of a run that ended with an INVALID result.
const INVALID: u8 = 6;

/// Runs the benchmark and shows its result; returns the exit code.
///
/// # Errors
/// Whatever ended the run early.
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
    let save = args.save.as_deref().map(SaveFile::create).transpose()?;
    let file = ResultFile::create(&args.output, &adapter.name, settings.seed.value)?;
    let outcome = measured_run(args, settings, &adapters, adapter, init, started, adapter_s, file);
    let (result, parameters) = outcome?;
    if let Some(save) = save {
        save.write(&parameters, result.settings.dropout.value)?;
    }
    Ok(if result.status == Status::Invalid { INVALID } else { 0 })
}

fn announce(adapter: &AdapterInfo) {
    terminal::talk(&format!("adapter: {}", adapter.line()));
    if adapter.software {
        terminal::talk("         its times say nothing about a GPU");
    }
}

#[allow(clippy::too_many_arguments)]
fn measured_run(
    args: &RunArgs,
    settings: Settings,
    adapters: &Adapters,
    adapter: &AdapterInfo,
    init: Option<Vec<f32>>,
    started: Instant,
    adapter_s: f64,
    file: ResultFile,
) -> Result<(RunResult, Vec<f32>)> {
    todo!()
}

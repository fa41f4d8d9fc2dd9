//! The frame of every run: reads and checks files before measuring, writes files after it.

use super::compiler::AskDriver;
use super::output::{ResultFile, expect_outputs, replace};
use super::report::write_html;
use super::run_args::RunArgs;
use super::subject::Subject;
use super::{dataset, input, interrupt, system, terminal};
use crate::bench::{self, Finished, Job, ProfileOptions, Setup};
use crate::data::{Dataset, synthetic};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::report;
use crate::result::{Adapter, Origin, RunResult, Settings, Status, Timeline};
use crate::telemetry::environment;
use crate::weights;
use std::path::Path;
use web_time::Instant;

/// Exit code of a run with an INVALID result.
pub const EXIT_INVALID: u8 = 6;

/// A run whose input files have been read.
pub struct Session {
    init: Option<Vec<f32>>,
    dataset: Dataset,
    origin: String,
    data_s: f64,
    started: Instant,
}

impl Session {
    /// Reads all files that a run needs, so that errors in them are found before anything is measured.
    ///
    /// # Errors
    /// [`Error::Data`] or [`Error::Output`] for the first file that cannot be read or written.
    pub fn read(args: &RunArgs, started: Instant) -> Result<Self> {
        let init = args.init.as_deref().map(read_weights).transpose()?;
        expect_outputs(
            &[("--save", args.save.as_deref()), ("--trace", args.trace.as_deref()), ("--html", args.html.as_deref())],
            // The weights to start from are in memory.
            &[],
        )?;
        let data_start = Instant::now();
        let (dataset, origin) = dataset::load(&args.data, synthetic::SEED)?;
        let data_s = data_start.elapsed().as_secs_f64();
        interrupt::expect_none()?;
        terminal::message(&format!("data: {}, from {origin}", dataset.name));
        if args.quick {
            let (train_s, run_s) = (bench::QUICK_TRAIN_S, bench::QUICK_RUN_S);
            terminal::message(&format!("quick: ends within {run_s} s, training after {train_s} s at the latest"));
        }
        Ok(Self { init, dataset, origin, data_s, started })
    }

    /// As [`Session::read`], and creates the result file, named after `adapter` and `seed`.
    ///
    /// # Errors
    /// As [`Session::read`].
    pub fn begin(args: &RunArgs, adapter: &str, seed: u64, started: Instant) -> Result<(Self, ResultFile)> {
        let session = Self::read(args, started)?;
        Ok((session, ResultFile::create(&args.output()?, adapter, seed)?))
    }

    /// The initial result of a run on `subject`.
    pub fn result(&self, subject: &Subject<'_>) -> RunResult {
        let mut result = self.initial_result(subject.settings.clone(), subject.adapter.clone(), subject.adapter_s);
        result.tuning = subject.tuning.clone();
        (result.phases.tune_s, result.phases.peaks_s) = (subject.tune_s.clone(), subject.peaks_s.clone());
        result
    }

    /// The initial result of a run on `adapter`, which took `adapter_s` seconds to find.
    pub fn initial_result(&self, settings: Settings, adapter: Adapter, adapter_s: f64) -> RunResult {
        let mut result = bench::initial_result(Setup {
            settings,
            environment: environment::environment(adapter),
            dataset: &self.dataset,
            started_utc: system::utc_before(self.started.elapsed()).to_string(),
            adapter_s,
            data_s: self.data_s,
        });
        if self.origin.contains(dataset::DATA_VARIABLE) {
            result.settings.data.origin = Origin::Environment;
        }
        result
    }

    /// The data, in host memory.
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// The inputs of the protocol for `subject`.
    pub fn job<'a>(&'a self, subject: &'a Subject<'_>, profile: Option<ProfileOptions>) -> Job<'a> {
        Job {
            dataset: &self.dataset,
            init: self.init.clone(),
            profile,
            peaks: subject.peaks.clone(),
            probe: &subject.probe,
            compiler: &AskDriver,
            started: self.started,
            deadline: Some(bench::quick_deadline(self.started)),
        }
    }

    /// Shows `result`, even if the run ended early after some training, and writes the requested files; returns the
    /// exit code.
    ///
    /// # Errors
    /// The error that ended the run early; the result file holds what was measured before.
    pub fn finish(
        self,
        mut file: ResultFile,
        mut result: RunResult,
        outcome: Result<Finished>,
        args: &RunArgs,
    ) -> Result<u8> {
        result.summary.peak_host_memory_bytes = environment::peak_host_memory_bytes();
        let (written, format) = (file.write(&result), args.shown());
        let shows = outcome.is_ok() || !result.repeats.is_empty();
        let shown = if shows { format.show(&result, file.kept()) } else { Ok(()) };
        // A card names the file; of a run that ended early stderr does too.
        if !(shows && shown.is_ok() && format.is_card() && outcome.is_ok()) {
            announce(&file);
        }
        let finished = outcome?;
        // One that cannot be written does not cost the others.
        let outputs = [
            written,
            args.html.as_deref().map_or(Ok(()), |page| write_html(page, &result)),
            args.trace.as_deref().map_or(Ok(()), |trace| write_trace(trace, &finished.timeline, &result)),
            args.save.as_deref().map_or(Ok(()), |save| write_weights(save, &finished.parameters, &result)),
            shown,
        ];
        outputs.into_iter().collect::<Result<()>>()?;
        Ok(if result.status == Status::Invalid { EXIT_INVALID } else { 0 })
    }
}

/// Prints the path of a result file on stderr, if it is kept.
pub fn announce(file: &ResultFile) {
    if let Some(path) = file.kept() {
        terminal::message(&format!("result: {}", path.display()));
    }
}

fn write_trace(path: &Path, timeline: &Timeline, result: &RunResult) -> Result<()> {
    replace(path, report::chrome_trace(timeline, result)?.as_bytes())?;
    terminal::message(&format!("trace: {} (open it in ui.perfetto.dev or chrome://tracing)", path.display()));
    Ok(())
}

fn write_weights(path: &Path, parameters: &[f32], result: &RunResult) -> Result<()> {
    replace(path, &weights::to_safetensors(&Model::new(result.settings.dropout.value), parameters)?)?;
    terminal::message(&format!("weights: {}", path.display()));
    Ok(())
}

fn read_weights(path: &Path) -> Result<Vec<f32>> {
    let shown = input::shown(path);
    let wrong = |error: &dyn std::fmt::Display| Error::Data(format!("{shown}: {error}"));
    let bytes = input::bytes(path, input::WEIGHTS_LIMIT_BYTES)
        .map_err(|problem| Error::Data(format!("{shown} cannot be read ({problem}); give a safetensors file")))?;
    let parameters = weights::from_safetensors(&Model::new(0.0), &bytes).map_err(|error| wrong(&error))?;
    for note in weights::notes(&bytes)? {
        terminal::message(&format!("note: {shown}: {note}"));
    }
    Ok(parameters)
}

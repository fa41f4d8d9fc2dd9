//! What every run does around its measuring: files that may be wrong before it, files to be written after it.

use super::args::RunArgs;
use super::load::MachineProbe;
use super::output::{ResultFile, replace};
use super::progress::TerminalObserver;
use super::report::{expect_writable, write_html};
use super::{dataset, environment, input, progress, terminal};
use crate::bench::engine::Lane;
use crate::bench::{self, Finished, Job, ProfileOptions};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::report;
use crate::result::{Adapter, Measured, Origin, Peaks, RunResult, Settings, Status, Tuning};
use crate::weights;
use std::path::Path;
use web_time::Instant;

/// Exit code of a run that ended with an INVALID result.
pub const INVALID: u8 = 6;

/// A run whose files are there.
pub struct Session {
    init: Option<Vec<f32>>,
    dataset: Dataset,
    origin: String,
    data_s: f64,
    started: Instant,
}

/// What a run measures.
pub struct Subject {
    /// What was asked for.
    pub settings: Settings,
    /// What it runs on.
    pub adapter: Adapter,
    /// Seconds that finding it took.
    pub adapter_s: f64,
    /// How its plan was found.
    pub tuning: Measured<Tuning>,
    /// Seconds that finding the plan took.
    pub tune_s: Measured<f64>,
    /// What it reaches at best.
    pub peaks: Measured<Peaks>,
    /// Seconds that measuring the peaks took.
    pub peaks_s: Measured<f64>,
    /// Who measures what its trainings use.
    pub probe: MachineProbe,
}

impl Session {
    /// Reads all files that a run needs, so that what can be wrong with them is found before anything is measured.
    ///
    /// # Errors
    /// [`Error::Data`] or [`Error::Output`] about the first file that is wrong.
    pub fn read(args: &RunArgs, started: Instant) -> Result<Self> {
        let init = args.init.as_deref().map(read_weights).transpose()?;
        for path in [&args.save, &args.trace, &args.html].into_iter().flatten() {
            expect_writable(path)?;
        }
        let data_start = Instant::now();
        let (dataset, origin) = dataset::load(&args.data, dataset::SYNTHETIC_SEED)?;
        let data_s = data_start.elapsed().as_secs_f64();
        // From here on a stop keeps what there is.
        progress::stop_flag();
        terminal::talk(&format!("data: {}, from {origin}", dataset.name));
        if args.quick {
            terminal::talk(&format!("quick: training ends after {} s", bench::QUICK_TRAIN_S));
        }
        Ok(Self { init, dataset, origin, data_s, started })
    }

    /// As [`Session::read`], and makes the result file, named after `adapter` and `seed`.
    ///
    /// # Errors
    /// As [`Session::read`].
    pub fn begin(args: &RunArgs, adapter: &str, seed: u64, started: Instant) -> Result<(Self, ResultFile)> {
        let file = ResultFile::create(&args.output, adapter, seed)?;
        Ok((Self::read(args, started)?, file))
    }

    /// The result of a run on `subject` that has not measured anything yet.
    fn result(&self, subject: &Subject) -> RunResult {
        let environment = environment::environment(subject.adapter.clone());
        let mut result = bench::begin(subject.settings.clone(), environment, &self.dataset);
        result.started_utc = jiff::Timestamp::now().to_string();
        result.tuning = subject.tuning.clone();
        result.phases.adapter_s = subject.adapter_s.into();
        result.phases.data_s = self.data_s.into();
        (result.phases.tune_s, result.phases.peaks_s) = (subject.tune_s.clone(), subject.peaks_s.clone());
        if self.origin.contains(dataset::DATA_VARIABLE) {
            result.settings.data.origin = Origin::Environment;
        }
        result
    }

    /// Measures on `lane`, watched by `observer`; the result stands whether it came to its end or not.
    pub fn run(
        &self,
        lane: &impl Lane,
        subject: Subject,
        profile: Option<ProfileOptions>,
        observer: &mut TerminalObserver,
    ) -> (RunResult, Result<Finished>) {
        let mut result = self.result(&subject);
        let job = Job {
            dataset: &self.dataset,
            init: self.init.clone(),
            profile,
            peaks: subject.peaks,
            probe: &subject.probe,
            started: self.started,
        };
        let outcome = pollster::block_on(bench::run(lane, &job, &mut result, observer));
        result.summary.peak_host_memory_bytes = environment::peak_host_memory_bytes();
        (result, outcome)
    }

    /// Measures on `lane`, shows the result, also that of a run which ended early if it has trained at all, and writes what was
    /// asked for; returns the exit code.
    ///
    /// # Errors
    /// Whatever ended the run early; what was measured before is in the result file.
    pub fn measure(self, file: ResultFile, lane: &impl Lane, subject: Subject, args: &RunArgs) -> Result<u8> {
        let mut observer = TerminalObserver::new(file);
        let profile = args.profiles().then(|| args.profile_options());
        let (result, outcome) = self.run(lane, subject, profile, &mut observer);
        let mut file = observer.finish();
        let kept = file.write(&result);
        if outcome.is_ok() || !result.repeats.is_empty() {
            terminal::data(&if args.json {
                result.to_json()?
            } else {
                terminal::paint(&report::text(&result, terminal::width()))
            })?;
        }
        terminal::talk(&format!("result: {}", file.path().display()));
        let Finished { parameters, timeline } = outcome?;
        kept?;
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
}

fn read_weights(path: &Path) -> Result<Vec<f32>> {
    let shown = input::shown(path);
    let wrong = |error: &dyn std::fmt::Display| Error::Data(format!("{shown}: {error}"));
    let bytes = input::bytes(path, input::WEIGHTS_LIMIT_BYTES)
        .map_err(|problem| Error::Data(format!("{shown} cannot be read ({problem}); give a safetensors file")))?;
    let parameters = weights::from_safetensors(&Model::new(0.0), &bytes).map_err(|error| wrong(&error))?;
    for note in weights::notes(&bytes)? {
        terminal::talk(&format!("note: {shown}: {note}"));
    }
    Ok(parameters)
}

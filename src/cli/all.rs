//! `gpubench --adapter all`: the same training on every adapter and on the host's cores, one after the other.

use super::output::ResultFile;
use super::progress::TerminalObserver;
use super::run_args::RunArgs;
use super::session::{EXIT_INVALID, Session, announce};
use super::subject::{Subject, Trainable};
use super::{cpu, terminal};
use crate::bench::Job;
use crate::error::{Error, Result};
use crate::gpu::Adapters;
use crate::result::{Measured, RunResult, Settings, Status, no_tuning};
use web_time::Instant;

/// One device with its results so far.
struct DeviceRun<'a> {
    subject: Subject<'a>,
    file: Option<ResultFile>,
    result: Option<RunResult>,
    /// The error that excludes the device from further rounds.
    error: Option<Error>,
}

/// Trains on every adapter and on the host's cores in `--repeat` interleaved rounds, so that a machine that slows down
/// favours no device; one result file for each device, and one table. Returns the exit code.
///
/// # Errors
/// The first device's error once the others have finished, or [`Error::Interrupted`]; the result files hold what was
/// measured.
pub fn run(args: &RunArgs, adapters: &Adapters, mut settings: Settings, started: Instant) -> Result<u8> {
    let adapter_s = started.elapsed().as_secs_f64();
    let session = Session::read(args, started)?;
    let rounds = settings.repeat.value;
    settings.repeat.value = 1;
    let on_adapters =
        adapters.infos().iter().map(|adapter| Subject::on_adapter(adapters, adapter, args, settings.clone()));
    let mut subjects: Vec<Subject<'_>> = on_adapters.collect();
    subjects.push(cpu::subject_of(cpu::target(args.cpu.threads)?, settings.clone()));
    let mut runs = Vec::new();
    for subject in subjects {
        runs.push(DeviceRun::new(Subject { adapter_s, ..subject }, args)?);
    }
    'rounds: for round in 0..rounds {
        for run in runs.iter_mut().filter(|run| run.error.is_none()) {
            terminal::message(&format!("round {} of {rounds}: {}", round + 1, run.line()));
            run.train_round(&session, args);
            if run.error == Some(Error::Interrupted) {
                break 'rounds;
            }
        }
    }
    show(&runs, args)?;
    match runs.iter().find_map(|run| run.error.clone()) {
        Some(error) => Err(error),
        None => Ok(if runs.iter().any(DeviceRun::is_invalid) { EXIT_INVALID } else { 0 }),
    }
}

impl<'a> DeviceRun<'a> {
    fn new(subject: Subject<'a>, args: &RunArgs) -> Result<Self> {
        let file = ResultFile::create(&args.output()?, &subject.name, subject.settings.seed.value)?;
        Ok(Self { subject, file: Some(file), result: None, error: None })
    }

    fn line(&self) -> String {
        match &self.subject.trainable {
            Trainable::Adapter(target) => target.adapter.line(),
            Trainable::Cpu(target) => target.line(),
            Trainable::DataParallel(_) => self.subject.name.clone(),
        }
    }

    fn is_invalid(&self) -> bool {
        self.result.as_ref().is_some_and(|result| result.status == Status::Invalid)
    }

    /// Trains once and adds the training to the device's result; an error is reported on stderr.
    fn train_round(&mut self, session: &Session, args: &RunArgs) {
        let Err(error) = self.measure(session, args) else { return };
        if error != Error::Interrupted {
            terminal::message(&format!("note: {} takes no further part: {error}", self.subject.name));
            if let (None, Some(file)) = (&self.result, &mut self.file) {
                let reasons = vec![error.to_string()];
                let result = RunResult { status: Status::Failed, reasons, ..session.result(&self.subject) };
                // The first error is the one that is told.
                let _ = file.write(&result);
                self.result = Some(result);
            }
        }
        self.error = Some(error);
    }

    fn measure(&mut self, session: &Session, args: &RunArgs) -> Result<()> {
        match self.result {
            None => self.subject.choose_plan(args.no_tune)?,
            Some(_) => (self.subject.tuning, self.subject.tune_s) = (no_tuning(), no_tuning()),
        }
        let file = self.file.take().ok_or_else(|| Error::Output("the result file is gone".into()))?;
        let mut observer = TerminalObserver::continuing(file, self.result.take());
        let _pipeline_caches = self.subject.pipeline_cache_guards(args);
        let mut result = session.result(&self.subject);
        let job = Job { deadline: None, ..session.job(&self.subject, None) };
        let outcome = self.subject.trainable.run(&job, &mut result, &mut observer);
        clear_shared_figures(&mut result);
        let result = observer.with_previous(&result);
        let mut file = observer.finish();
        let written = file.write(&result);
        self.file = Some(file);
        self.result = Some(result);
        outcome.map(|_| ()).and(written)
    }
}

/// Clears the figures of the whole process, which include the other devices.
pub fn clear_shared_figures(result: &mut RunResult) {
    let reason = "shared by the devices of --adapter all: run this one alone";
    result.phases.cold_total_s = Measured::missing(reason);
    result.summary.peak_host_memory_bytes = Measured::missing(reason);
    for repeat in &mut result.repeats {
        if let Measured::Value(load) = &mut repeat.load {
            load.peak_host_memory_bytes = Measured::missing(reason);
        }
    }
}

/// Prints what the options of the output ask for of all results on stdout, by default a table with a row for each
/// device, and the paths of the result files on stderr.
fn show(runs: &[DeviceRun<'_>], args: &RunArgs) -> Result<()> {
    let results: Vec<RunResult> = runs.iter().filter_map(|run| run.result.clone()).collect();
    args.format.show_all(&results)?;
    runs.iter().filter_map(|run| run.file.as_ref()).for_each(announce);
    terminal::message("`gpubench table` shows them among the published results");
    Ok(())
}

//! `gpubench --adapter all`: the same training on every adapter and on the host's cores, in turn.

use super::output::ResultFile;
use super::progress::TerminalObserver;
use super::run_args::RunArgs;
use super::session::{INVALID, Session};
use super::subject::{Subject, Trainable, with_target};
use super::{cpu, terminal};
use crate::bench;
use crate::error::{Error, Result};
use crate::gpu::Adapters;
use crate::report;
use crate::result::{Measured, RunResult, Settings, Status, no_tuning};
use web_time::Instant;

/// One device and what it has measured so far.
struct Turn<'a> {
    subject: Subject<'a>,
    file: Option<ResultFile>,
    result: Option<RunResult>,
    /// Why it takes no further turn.
    ended: Option<Error>,
}

/// Trains on every adapter and on the host's cores, `--repeat` times in rounds, so that a machine that slows down is unfair to
/// nobody; one result file for each device, and one table. Returns the exit code.
///
/// # Errors
/// The first device's error once all others are done, or [`Error::Interrupted`]; what was measured is in the result files.
pub fn run(args: &RunArgs, adapters: &Adapters, mut settings: Settings, started: Instant) -> Result<u8> {
    let adapter_s = started.elapsed().as_secs_f64();
    let session = Session::read(args, started)?;
    let rounds = settings.repeat.value;
    settings.repeat.value = 1;
    let on_adapters =
        adapters.infos().iter().map(|adapter| Subject::on_adapter(adapters, adapter, args, settings.clone()));
    let mut subjects: Vec<Subject<'_>> = on_adapters.collect();
    subjects.push(cpu::untold_subject(cpu::target(args.cpu.threads)?, settings.clone()));
    let mut turns = Vec::new();
    for subject in subjects {
        turns.push(Turn::new(Subject { adapter_s, ..subject }, args)?);
    }
    'rounds: for round in 0..rounds {
        for turn in turns.iter_mut().filter(|turn| turn.ended.is_none()) {
            terminal::talk(&format!("round {} of {rounds}: {}", round + 1, turn.line()));
            turn.take(&session, args);
            if turn.ended == Some(Error::Interrupted) {
                break 'rounds;
            }
        }
    }
    show(&turns, args)?;
    match turns.iter().find_map(|turn| turn.ended.clone()) {
        Some(error) => Err(error),
        None => Ok(if turns.iter().any(Turn::is_invalid) { INVALID } else { 0 }),
    }
}

impl<'a> Turn<'a> {
    fn new(subject: Subject<'a>, args: &RunArgs) -> Result<Self> {
        let file = ResultFile::create(&args.output, &subject.name, subject.settings.seed.value)?;
        Ok(Self { subject, file: Some(file), result: None, ended: None })
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

    /// Trains once and adds that to what was measured before.
    fn take(&mut self, session: &Session, args: &RunArgs) {
        if let Err(error) = self.measure(session, args) {
            if error != Error::Interrupted {
                terminal::talk(&format!("note: {} takes no further turn: {error}", self.subject.name));
            }
            self.ended = Some(error);
        }
    }

    fn measure(&mut self, session: &Session, args: &RunArgs) -> Result<()> {
        match self.result {
            None => self.subject.choose_plan(args.no_tune)?,
            Some(_) => (self.subject.tuning, self.subject.tune_s) = (no_tuning(), no_tuning()),
        }
        let file = self.file.take().ok_or_else(|| Error::Output("the result file is gone".into()))?;
        let mut observer = TerminalObserver::adding_to(file, self.result.take());
        let _pipeline_caches = self.subject.pipeline_cache_guards(args);
        let mut result = session.result(&self.subject);
        let job = session.job(&self.subject, None);
        let outcome = pollster::block_on(async {
            with_target!(&self.subject.trainable, |target| bench::run(target, &job, &mut result, &mut observer).await)
        });
        leave_out_what_turns_share(&mut result);
        let result = observer.whole(&result);
        let mut file = observer.finish();
        let kept = file.write(&result);
        self.file = Some(file);
        self.result = Some(result);
        outcome.map(|_| ()).and(kept)
    }
}

/// Takes out what belongs to the program as a whole, in which other devices had their turns before.
fn leave_out_what_turns_share(result: &mut RunResult) {
    let reason = "the devices of --adapter all share it: run this one alone";
    result.phases.cold_total_s = Measured::missing(reason);
    result.summary.peak_host_memory_bytes = Measured::missing(reason);
    for repeat in &mut result.repeats {
        if let Measured::Value(load) = &mut repeat.load {
            load.peak_host_memory_bytes = Measured::missing(reason);
        }
    }
}

/// The table on stdout, or all results as a JSON array; where the files are on stderr.
fn show(turns: &[Turn<'_>], args: &RunArgs) -> Result<()> {
    let results: Vec<RunResult> = turns.iter().filter_map(|turn| turn.result.clone()).collect();
    if args.json {
        let documents = results.iter().map(RunResult::to_json).collect::<Result<Vec<_>>>()?;
        terminal::data(&format!("[\n{}\n]", documents.join(",\n")))?;
    } else {
        terminal::data(&report::devices_text(&results, terminal::width()))?;
    }
    for file in turns.iter().filter_map(|turn| turn.file.as_ref()) {
        terminal::talk(&format!("result: {}", file.path().display()));
    }
    terminal::talk("`gpubench table` shows them among the published results");
    Ok(())
}

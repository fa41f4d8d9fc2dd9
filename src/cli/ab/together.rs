//! Two sides in this process: each in a thread of its own, of which one works at a time.

use super::rounds::{self, Limits, Rounds, Trainers};
use super::sides::{Side, Sides, Trained};
use crate::bench::{Job, Observer, Progress};
use crate::cli::output::ResultFile;
use crate::cli::session::Session;
use crate::cli::subject::Subject;
use crate::cli::target::Target;
use crate::cli::{all, interrupt, terminal};
use crate::error::{Error, Result};
use crate::gpu::Adapters;
use crate::result::{RunResult, Settings};
use crate::turns::MAX_ROUNDS;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::ScopedJoinHandle;
use web_time::Instant;

/// How a side's thread ended.
type Ended = (ResultFile, RunResult, Result<()>);

/// Opens both sides and lets them train in turns.
///
/// # Errors
/// What stands in the way of a side before its first turn. Later errors are the outcome beside what was measured.
pub fn run(
    sides: &Sides,
    folder: &Path,
    limits: &Limits,
    started: Instant,
) -> Result<([Option<Trained>; 2], Rounds, Result<()>)> {
    let [first, second] = sides.sides.each_ref().map(found);
    let found = [first?, second?];
    let session = Session::read(&sides.sides[0].args, started)?;
    let mut subjects = Vec::new();
    for (side, (target, settings, adapters)) in sides.sides.iter().zip(&found) {
        let subject = target.open(adapters.as_ref(), &side.args, settings.clone(), started)?;
        let file = ResultFile::create(folder, &subject.name, subject.settings.seed.value)?;
        subjects.push((subject, file));
    }
    Ok(std::thread::scope(|scope| {
        let mut threads: Vec<ScopedJoinHandle<'_, Ended>> = Vec::new();
        let mut baton = Baton { sides: Vec::new() };
        for (index, (subject, file)) in subjects.into_iter().enumerate() {
            let (go, may_go) = channel();
            let (tell, told) = channel();
            baton.sides.push(Held { go, told, result: None });
            let (session, side) = (&session, &sides.sides[index]);
            let observer = TurnObserver { may_go, tell, file, last: None };
            threads.push(scope.spawn(move || train_side(session, sides, index, side, subject, observer)));
        }
        let (rounds, outcome) = rounds::take(sides, &mut baton, limits);
        // Threads that wait for their turn end.
        drop(baton);
        let mut outcome = outcome;
        let mut trained = [None, None];
        for (place, thread) in trained.iter_mut().zip(threads) {
            match thread.join() {
                Ok((file, mut result, ended)) => {
                    all::clear_shared_figures(&mut result);
                    *place = (!result.repeats.is_empty() || file.kept().is_some()).then_some(Trained { file, result });
                    // The error of the side, rather than that it could not be heard.
                    if let Err(error) = ended.as_ref()
                        && outcome.is_err()
                        && *error != Error::Interrupted
                    {
                        outcome = ended;
                    }
                }
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        (trained, rounds, outcome)
    }))
}

/// The kind of target of a side, its settings, and the machine's adapters if it needs one.
fn found(side: &Side) -> Result<(Target, Settings, Option<Adapters>)> {
    let mut settings = side.args.settings();
    // The turns end earlier; the result says how many trainings there were.
    settings.repeat.value = MAX_ROUNDS as u32 + 1;
    let target = Target::resolve(&side.args, &settings.adapter.value)?;
    if target == Target::All {
        return Err(Error::Usage("all adapters are no side: name one for each".to_owned()));
    }
    let adapters = target.find(&settings)?;
    Ok((target, settings, adapters))
}

/// Trains one side until no further turn comes.
fn train_side(
    session: &Session,
    sides: &Sides,
    index: usize,
    side: &Side,
    mut subject: Subject<'_>,
    mut observer: TurnObserver,
) -> Ended {
    let unmeasured = |subject: &Subject<'_>| RunResult { turns: sides.begun(index), ..session.result(subject) };
    if observer.may_go.recv().is_err() {
        return (observer.file, unmeasured(&subject), Err(Error::Interrupted));
    }
    terminal::message(&format!("side {}: {}", index + 1, sides.shown(index)));
    if let Err(error) = subject.choose_plan(side.args.no_tune) {
        return (observer.file, unmeasured(&subject), Err(error));
    }
    let _pipeline_caches = subject.pipeline_cache_guards(&side.args);
    let mut result = unmeasured(&subject);
    let job = Job { deadline: None, ..session.job(&subject, None) };
    let outcome = subject.trainable.run(&job, &mut result, &mut observer);
    (observer.file, result, outcome.map(|_| ()))
}

/// The side that has it works, until it gives it back.
struct Baton {
    sides: Vec<Held>,
}

/// What a side is told, and what it tells.
struct Held {
    go: Sender<()>,
    told: Receiver<Option<RunResult>>,
    result: Option<RunResult>,
}

impl Trainers for Baton {
    fn prepare(&mut self, side: usize) -> Result<()> {
        let held = &mut self.sides[side];
        // A side that ended says why when it is joined.
        let ended = || Error::Device("a side ended before its turn".to_owned());
        held.go.send(()).map_err(|_| ended())?;
        let told = held.told.recv();
        interrupt::expect_none()?;
        held.result = told.map_err(|_| ended())?;
        Ok(())
    }

    fn train(&mut self, side: usize) -> Result<()> {
        self.prepare(side)
    }

    fn result(&self, side: usize) -> Option<&RunResult> {
        self.sides[side].result.as_ref()
    }
}

/// Observes a side that takes turns.
struct TurnObserver {
    may_go: Receiver<()>,
    tell: Sender<Option<RunResult>>,
    file: ResultFile,
    last: Option<RunResult>,
}

impl Observer for TurnObserver {
    fn phase(&mut self, _name: &str) {}

    fn progress(&mut self, _progress: &Progress) {}

    fn next_training(&mut self) -> bool {
        self.tell.send(self.last.clone()).is_ok() && self.may_go.recv().is_ok()
    }

    fn stop_requested(&self) -> bool {
        interrupt::requested()
    }

    fn checkpoint(&mut self, result: &RunResult) -> Result<()> {
        self.last = Some(result.clone());
        self.file.write(result)
    }
}

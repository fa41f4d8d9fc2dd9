//! The rounds: who trains when, and when there are enough.

use super::sides::{Sides, lot};
use crate::cli::{interrupt, terminal};
use crate::error::{Error, Result};
use crate::report;
use crate::result::{RunResult, TurnsEnd};
use crate::turns::{LOOKS, MAX_ROUNDS};
use crate::verdict::Verdict;
use web_time::Instant;

/// When the turns end.
pub struct Limits {
    /// Seconds from the first round's beginning after which none begins.
    pub max_time_s: f64,
    /// Seconds that one turn of a process may take.
    pub turn_time_s: f64,
    /// How far from 1 a ratio of equal times may be.
    pub margin: f64,
}

/// What trains for both sides.
pub trait Trainers {
    /// Gets a side ready for its first training.
    ///
    /// # Errors
    /// The side's error.
    fn prepare(&mut self, side: usize) -> Result<()>;
    /// Trains a side once and adds the training to its result.
    ///
    /// # Errors
    /// The side's error.
    fn train(&mut self, side: usize) -> Result<()>;
    /// The side's result so far.
    fn result(&self, side: usize) -> Option<&RunResult>;
}

/// How the rounds went.
pub struct Rounds {
    /// Which side trained in each turn.
    pub order: String,
    /// Why they ended.
    pub ended: TurnsEnd,
}

/// Lets both sides train in rounds, in an order drawn by lot, until the verdict is clear or a limit is reached.
pub fn take(sides: &Sides, trainers: &mut dyn Trainers, limits: &Limits) -> (Rounds, Result<()>) {
    let mut order = String::new();
    let ended = rounds(sides, trainers, limits, &mut order);
    let (ended, outcome) = match ended {
        Ok(ended) => (ended, Ok(())),
        Err(error) => (TurnsEnd::Unfinished, Err(error)),
    };
    (Rounds { order, ended }, outcome)
}

fn rounds(sides: &Sides, trainers: &mut dyn Trainers, limits: &Limits, order: &mut String) -> Result<TurnsEnd> {
    for side in drawn() {
        trainers.prepare(side)?;
    }
    let start = Instant::now();
    for round in 1..=MAX_ROUNDS {
        for side in drawn() {
            interrupt::expect_none()?;
            trainers.train(side)?;
            order.push(if side == 0 { '1' } else { '2' });
        }
        let [Some(first), Some(second)] = [trainers.result(0), trainers.result(1)] else {
            return Err(Error::Device("a side has no result after its turn".to_owned()));
        };
        terminal::message(&line(sides, round, [first, second]));
        let out_of_time = start.elapsed().as_secs_f64() >= limits.max_time_s;
        if round == 1 || LOOKS.contains(&round) {
            let comparison = report::compare_runs(vec![first], vec![second], limits.margin);
            if let Some(work) = comparison.other_work() {
                return Err(Error::Data(format!("the sides are not compared: {work}")));
            }
            let step = comparison.steps.first().and_then(|step| step.judged.value());
            if let Some(judged) = step.filter(|judged| judged.estimate.test.is_some()) {
                terminal::message(&format!("look after {round} rounds: {}", judged.verdict.word()));
                if judged.verdict != Verdict::Unclear {
                    return Ok(TurnsEnd::Verdict);
                }
            }
        }
        if out_of_time {
            return Ok(TurnsEnd::MaxTime);
        }
    }
    Ok(TurnsEnd::MostRounds)
}

/// Both sides in the order of a lot.
fn drawn() -> [usize; 2] {
    if lot() & 1 == 0 { [0, 1] } else { [1, 0] }
}

/// "round 3: 1.234 s with --plan fused, 1.240 s with --plan layered".
fn line(sides: &Sides, round: usize, results: [&RunResult; 2]) -> String {
    let of = |side: usize| {
        let train_s = results[side].repeats.last().and_then(|last| last.train_s.value().copied());
        let time = train_s.map_or_else(|| "n/a".to_owned(), |seconds| format!("{seconds:.4} s"));
        format!("{time} with {}", sides.shown(side))
    };
    format!("round {round}: {}, {}", of(0), of(1))
}

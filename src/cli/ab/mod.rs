//! `gpubench ab`: two sides timed in turns until the verdict on them is clear.

mod args;
mod processes;
mod rounds;
mod sides;
mod together;
mod variable;

pub use args::{AbArgs, with_refusals};

use super::compare::{self, Format};
use super::gate::{self, Gate};
use super::output::{expect_writable, results_folder};
use super::session::EXIT_INVALID;
use super::terminal;
use crate::error::{Error, Result};
use crate::report;
use crate::result::{Measured, RepeatingEnd, Status, TurnsEnd};
use crate::verdict;
use rounds::{Limits, Rounds};
use sides::{Sides, Trained};
use web_time::Instant;

/// Times two sides in turns, shows the verdict, and leaves the result of each side; returns the exit code.
///
/// # Errors
/// [`Error::Usage`] for sides that cannot be compared; the error of the side that failed, [`Error::Program`] for a
/// process that crashed, hung or gave no result, or [`Error::Interrupted`]: files then hold what was measured before;
/// [`Error::Data`] for sides that did different work; [`Error::Gate`] for a verdict that --fail-on names.
pub fn ab(args: &AbArgs) -> Result<u8> {
    let started = Instant::now();
    let margin = args.margin.unwrap_or(verdict::DEFAULT_MARGIN);
    gate::expect_coarser(&args.fail_on, margin)?;
    if args.fail_on.iter().any(|gate| matches!(gate, Gate::Kernel(_))) {
        return Err(Error::Usage(
            "--fail-on kernel needs profiles, and turns take none: give slower:3% or unclear".to_owned(),
        ));
    }
    let sides = Sides::of(args)?;
    args.html.as_deref().map_or(Ok(()), expect_writable)?;
    let folder = args.output.clone().map_or_else(results_folder, Ok)?;
    let limits = Limits { max_time_s: args.max_time, turn_time_s: args.turn_time, margin };
    let (trained, rounds, outcome) = match sides.in_processes {
        true => processes::run(&sides, &folder, &limits)?,
        false => together::run(&sides, &folder, &limits, started)?,
    };
    let trained = finish(trained, &rounds, &outcome)?;
    let [Some(first), Some(second)] = &trained else {
        return outcome.and(Err(Error::Interrupted));
    };
    // Sides that did different work have no verdict.
    if !matches!(outcome, Err(Error::Data(_))) {
        let comparison = report::compare_runs(vec![&first.result], vec![&second.result], margin);
        compare::write_html(args.html.as_deref(), std::slice::from_ref(&comparison))?;
        let format = if args.json { Format::Json } else { args.format };
        terminal::output(&compare::shown(format, std::slice::from_ref(&comparison))?)?;
        outcome?;
        compare::pass(&args.fail_on, false, &[comparison])?;
    } else {
        outcome?;
    }
    let invalid = [first, second].iter().any(|side| side.result.status == Status::Invalid);
    Ok(if invalid { EXIT_INVALID } else { 0 })
}

/// Writes how the turns ended into both results, and names their files.
fn finish(mut trained: [Option<Trained>; 2], rounds: &Rounds, outcome: &Result<()>) -> Result<[Option<Trained>; 2]> {
    for (index, side) in trained.iter_mut().enumerate() {
        let Some(Trained { file, result }) = side else { continue };
        if let Measured::Value(turns) = &mut result.turns {
            turns.order.clone_from(&rounds.order);
            turns.ended = rounds.ended;
        }
        result.settings.repeat.value = result.repeats.len().max(1) as u32;
        if let Measured::Value(repeating) = &mut result.repeating
            && rounds.ended != TurnsEnd::Unfinished
        {
            repeating.ended = RepeatingEnd::Count;
        }
        if let (Err(error), Status::Partial) = (outcome, result.status)
            && *error != Error::Interrupted
        {
            result.reasons = vec![format!("the turns ended early: {error}")];
        }
        file.write(result)?;
        if let Some(path) = file.kept() {
            terminal::message(&format!("result of side {}: {}", index + 1, path.display()));
        }
    }
    Ok(trained)
}

//! The two sides: which option they differ in, and what each of them runs with.

use super::args::AbArgs;
use super::variable::Variable;
use crate::cli::output::ResultFile;
use crate::cli::run_args::{CpuArgs, RunArgs};
use crate::error::{Error, Result};
use crate::escape;
use crate::result::{Measured, RunResult, Turns, TurnsEnd};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;

/// What one side runs with.
#[derive(Debug, Clone)]
pub struct Side {
    /// Its value of the option in which the sides differ.
    pub value: String,
    /// The options of its trainings.
    pub args: RunArgs,
    /// The program that trains, if it is not this one.
    pub program: Option<PathBuf>,
    /// The variable that its processes have.
    pub variable: Option<(String, String)>,
}

/// Both sides.
#[derive(Debug)]
pub struct Sides {
    /// The option in which they differ.
    pub option: &'static str,
    /// The first and the second side.
    pub sides: [Side; 2],
    /// Whether each turn is a process of its own.
    pub in_processes: bool,
    /// Which results belong together: the same in both, and in no others.
    pub pair: String,
}

/// A number that no other process draws.
pub fn lot() -> u64 {
    RandomState::new().build_hasher().finish()
}

impl Sides {
    /// The sides that `args` describe.
    ///
    /// # Errors
    /// [`Error::Usage`] unless they differ in exactly one option.
    pub fn of(args: &AbArgs) -> Result<Self> {
        let counts = [
            ("--plan", args.plan.len()),
            ("--adapter", args.adapter.len()),
            ("--binary", args.binary.len()),
            // Given once, it stands against no variable.
            ("--env", if args.env.is_empty() { 0 } else { args.env.len().max(2) }),
        ];
        if let Some((option, count)) = counts.iter().find(|(_, count)| *count > 2) {
            return Err(Error::Usage(format!(
                "there are two sides, and {option} is given {count} times: give it twice, and compare others in a run of their own"
            )));
        }
        let differ: Vec<&str> = counts.iter().filter(|(_, count)| *count == 2).map(|(option, _)| *option).collect();
        let [option] = differ[..] else {
            let what = if differ.is_empty() {
                "nothing makes the two sides differ: give one of --plan, --adapter and --binary twice, or --env NAME=VALUE"
                    .to_owned()
            } else {
                format!("the sides differ in {}: give one of them twice, the others once", differ.join(" and "))
            };
            return Err(Error::Usage(what));
        };
        if args.adapter.iter().any(|adapter| adapter.trim().eq_ignore_ascii_case("all")) {
            return Err(Error::Usage("--adapter all is no side: name one adapter for each".to_owned()));
        }
        let none = Variable(None);
        let variables: Vec<&Variable> = match args.env.as_slice() {
            [only] => vec![&none, only],
            list => list.iter().collect(),
        };
        let side = |index: usize| {
            let plan = of_side(&args.plan, index).cloned();
            let adapter = of_side(&args.adapter, index).cloned();
            let program = of_side(&args.binary, index).cloned();
            let variable = of_side(&variables, index).map_or(&none, |variable| variable);
            let value = match option {
                "--plan" => plan.clone(),
                "--adapter" => adapter.clone(),
                "--binary" => program.as_ref().map(|path| escape::last_part(&path.to_string_lossy()).to_owned()),
                _ => Some(variable.shown()),
            };
            let args = RunArgs { plan, adapter, ..run_args(args) };
            Side { value: value.unwrap_or_default(), args, program, variable: variable.0.clone() }
        };
        let sides = [side(0), side(1)];
        let in_processes = !args.binary.is_empty() || !args.env.is_empty();
        Ok(Self { option, sides, in_processes, pair: format!("{:016x}", lot()) })
    }

    /// The turns of a side before the first one.
    pub fn begun(&self, side: usize) -> Measured<Turns> {
        Measured::Value(Turns {
            pair: self.pair.clone(),
            side: side as u32 + 1,
            option: self.option.to_owned(),
            value: self.sides[side].value.clone(),
            order: String::new(),
            ended: TurnsEnd::Unfinished,
        })
    }

    /// The side in a message: "--plan fused".
    pub fn shown(&self, side: usize) -> String {
        format!("{} {}", self.option, self.sides[side].value)
    }
}

/// What a side has of values of which there are none, one for both, or two.
fn of_side<T>(values: &[T], side: usize) -> Option<&T> {
    values.get(side).or(values.first())
}

/// The options of both sides' trainings, without those in which they may differ.
fn run_args(args: &AbArgs) -> RunArgs {
    RunArgs {
        data: args.data.clone(),
        epochs: args.epochs,
        batch: args.batch,
        steps: args.steps,
        seed: args.seed,
        backend: args.backend.clone(),
        checked: args.checked,
        no_tune: args.no_tune,
        no_profile: true,
        cpu: CpuArgs { threads: args.threads },
        ..RunArgs::default()
    }
}

/// One side after its turns: its result, and the file that holds it.
pub struct Trained {
    /// The file.
    pub file: ResultFile,
    /// The result so far.
    pub result: RunResult,
}

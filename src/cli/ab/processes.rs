//! Two sides as processes: other programs, or this one in another environment. Each turn is a process of its own.

use super::rounds::{self, Limits, Rounds, Trainers};
use super::sides::{Side, Sides, Trained};
use crate::bench;
use crate::cli::interrupt::{self, Unfinished};
use crate::cli::output::ResultFile;
use crate::cli::run_args::RunArgs;
use crate::cli::{input, terminal};
use crate::error::{Error, Result};
use crate::escape;
use crate::result::RunResult;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a program may take to say its version.
const VERSION_LIMIT: Duration = Duration::from_secs(10);
/// How often the end of a process and a signal are looked for.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How long the rest of its output may take to arrive after a process has ended.
const OUTPUT_LIMIT: Duration = Duration::from_secs(5);
/// The most characters of a process's own words that are shown.
const MOST_SHOWN: usize = 300;

/// Lets processes of both sides train in turns.
///
/// # Errors
/// What stands in the way of a side before its first turn. Later errors are the outcome beside what was measured.
pub fn run(sides: &Sides, folder: &Path, limits: &Limits) -> Result<([Option<Trained>; 2], Rounds, Result<()>)> {
    let scratch = || tempfile::Builder::new().prefix("gpubench-").tempdir();
    let (_unfinished, scratch) = Unfinished::create(scratch, |made| made.path().to_owned())
        .map_err(|error| Error::Output(format!("there is no folder for temporary files ({error}); set TMPDIR")))?;
    let mut processes = Processes { sides, folder, scratch, limits, trained: [None, None] };
    let (rounds, outcome) = rounds::take(sides, &mut processes, limits);
    Ok((processes.trained, rounds, outcome))
}

struct Processes<'a> {
    sides: &'a Sides,
    folder: &'a Path,
    scratch: TempDir,
    limits: &'a Limits,
    trained: [Option<Trained>; 2],
}

impl Trainers for Processes<'_> {
    fn prepare(&mut self, side: usize) -> Result<()> {
        let name = self.sides.shown(side);
        let Some(program) = &self.sides.sides[side].program else {
            terminal::message(&format!("side {}: {name}", side + 1));
            return Ok(());
        };
        let version = version(program)?;
        terminal::message(&format!("side {}: {name}, {version}", side + 1));
        Ok(())
    }

    fn train(&mut self, side: usize) -> Result<()> {
        let name = self.sides.shown(side);
        let mut command = command(&self.sides.sides[side], self.scratch.path())?;
        let limit = Duration::from_secs_f64(self.limits.turn_time_s);
        let ended = Process::start(&mut command, &name)?.wait(limit, "--turn-time SECONDS allows more")?;
        let result = ended.result(&name)?;
        match &mut self.trained[side] {
            Some(trained) => bench::add_round(&mut trained.result, &result),
            place => {
                let file =
                    ResultFile::create(self.folder, &result.environment.adapter.name, result.settings.seed.value)?;
                let result = RunResult { turns: self.sides.begun(side), ..result };
                *place = Some(Trained { file, result });
            }
        }
        let Some(Trained { file, result }) = &mut self.trained[side] else { return Ok(()) };
        file.write(result)
    }

    fn result(&self, side: usize) -> Option<&RunResult> {
        self.trained[side].as_ref().map(|trained| &trained.result)
    }
}

/// The first line that a program says of its version.
///
/// # Errors
/// [`Error::Usage`] if it cannot be started or is not gpubench, [`Error::Program`] if it hangs.
fn version(program: &Path) -> Result<String> {
    let shown = input::shown(program);
    let ended =
        Process::start(Command::new(program).arg("--version"), &shown)?.wait(VERSION_LIMIT, "is it gpubench?")?;
    let said: String = ended.stdout.lines().next().unwrap_or_default().chars().take(MOST_SHOWN).collect();
    let is_gpubench = said.strip_prefix("gpubench ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if ended.status.success() && is_gpubench {
        return Ok(escape::line(&said).into_owned());
    }
    let answer = if said.is_empty() { ended.last_words() } else { format!("{:?}", escape::line(&said)) };
    Err(Error::Usage(format!(
        "{shown} is not gpubench: to --version it answers {answer}; name a program built from it"
    )))
}

/// The command of one turn, which writes nothing but its result on stdout and what lies in `scratch`.
fn command(side: &Side, scratch: &Path) -> Result<Command> {
    let own = || {
        std::env::current_exe()
            .map_err(|error| Error::Device(format!("this program does not find itself to start a process: {error}")))
    };
    let mut command = Command::new(side.program.clone().map_or_else(own, Ok)?);
    command.args(["run", "--json", "--no-profile", "--output"]).arg(scratch).args(options(&side.args));
    if let Some((name, value)) = &side.variable {
        command.env(name, value);
    }
    Ok(command)
}

/// The options of a side as they are typed.
fn options(args: &RunArgs) -> Vec<String> {
    let mut options = vec!["--data".to_owned(), args.data.to_string()];
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            options.extend([name.to_owned(), value]);
        }
    };
    add("--epochs", args.epochs.map(|value| value.to_string()));
    add("--batch", args.batch.map(|value| value.to_string()));
    add("--steps", args.steps.map(|value| value.to_string()));
    add("--seed", args.seed.map(|value| value.to_string()));
    add("--threads", args.cpu.threads.map(|value| value.to_string()));
    add("--backend", args.backend.clone());
    add("--adapter", args.adapter.clone());
    add("--plan", args.plan.clone());
    let flags = [("--checked", args.checked), ("--no-tune", args.no_tune)];
    options.extend(flags.iter().filter(|(_, given)| *given).map(|(flag, _)| (*flag).to_owned()));
    options
}

/// A process whose output is read while it runs. It ends with this.
struct Process {
    child: Child,
    name: String,
    output: [Receiver<String>; 2],
}

/// How a process ended.
struct Ended {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

impl Process {
    fn start(command: &mut Command, name: &str) -> Result<Self> {
        let wrong = |error: &dyn std::fmt::Display| Error::Usage(format!("{name} cannot be started ({error})"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| wrong(&error))?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(wrong(&"it has no pipes"));
        };
        let output = [read(stdout), read(stderr)];
        Ok(Self { child, name: name.to_owned(), output })
    }

    /// Waits until the process ends, for `limit` at most.
    ///
    /// # Errors
    /// [`Error::Program`] with `advice` if it takes longer, [`Error::Interrupted`] if a signal came.
    fn wait(mut self, limit: Duration, advice: &str) -> Result<Ended> {
        let start = Instant::now();
        loop {
            interrupt::expect_none()?;
            let lost = |error| Error::Program(format!("{} cannot be waited for ({error})", self.name));
            if let Some(status) = self.child.try_wait().map_err(lost)? {
                // A process that its terminal interrupted, as this one, is no failure.
                interrupt::expect_none()?;
                // What it started may hold the pipes open for longer.
                let [stdout, stderr] =
                    self.output.each_ref().map(|text| text.recv_timeout(OUTPUT_LIMIT).unwrap_or_default());
                return Ok(Ended { status, stdout, stderr });
            }
            if start.elapsed() >= limit {
                let seconds = limit.as_secs_f64();
                return Err(Error::Program(format!(
                    "{} took longer than {seconds} s and was ended; {advice}",
                    self.name
                )));
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a pipe to its end, or to the limit of a result.
fn read(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read until an error is all that there is; nobody may want it any more.
        let _ = pipe.take(input::RESULT_LIMIT_BYTES).read_to_end(&mut bytes);
        let _ = tell.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    told
}

impl Ended {
    /// The result on stdout.
    ///
    /// # Errors
    /// The kind of error that the process ended with, or [`Error::Program`] for any other end.
    fn result(&self, name: &str) -> Result<RunResult> {
        let words = || format!("{name}: {}", self.last_words());
        match self.status.code() {
            // INVALID results are results.
            Some(0 | 6) => RunResult::from_json(&self.stdout).map_err(|error| match error {
                Error::Data(problem) => Error::Data(format!("{name} gave no result that can be read: {problem}")),
                other => other,
            }),
            Some(code @ (2..=5 | 7 | 8)) => Err(Error::of_code(code as u8, words())),
            _ => Err(Error::Program(words())),
        }
    }

    /// How it ended, and the last line that it wrote on stderr.
    fn last_words(&self) -> String {
        let said = self.stderr.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
        let said: String = escape::line(said).chars().take(MOST_SHOWN).collect();
        let colon = if said.is_empty() { "" } else { ": " };
        format!("it ended with {}{colon}{said}", self.status)
    }
}

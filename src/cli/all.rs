//! `gpubench --adapter all`: the same training on every adapter and on the host's cores, in turn.

use super::args::RunArgs;
use super::cpu;
use super::output::ResultFile;
use super::progress::TerminalObserver;
use super::run::{choose_plan, find_adapters};
use super::session::{INVALID, Session, Subject};
use super::terminal;
use crate::bench::{self, AdapterTarget};
use crate::cpu::{CpuTarget, NAME};
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters};
use crate::report;
use crate::result::{Measured, RunResult, Setting, Settings, Status, no_peaks, no_tuning};
use crate::telemetry::MachineProbe;
use web_time::Instant;

/// The word that stands for all adapters where one is named.
const ALL: &str = "all";

/// Whether an adapter request asks for all of them.
pub fn is_named(request: &Measured<String>) -> bool {
    request.value().is_some_and(|request| request.trim().eq_ignore_ascii_case(ALL))
}

/// Where a turn is made.
enum Place<'a> {
    Adapter(&'a AdapterInfo),
    Cores(CpuTarget),
}

/// One device and what it has measured so far.
struct Turn<'a> {
    place: Place<'a>,
    settings: Settings,
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
pub fn run(args: &RunArgs, settings: Settings, started: Instant) -> Result<u8> {
    refuse_what_one_device_has(args)?;
    let adapters = find_adapters(&settings)?;
    let adapter_s = started.elapsed().as_secs_f64();
    let session = Session::read(args, started)?;
    let mut turns = Vec::new();
    for adapter in adapters.infos() {
        turns.push(Turn::new(Place::Adapter(adapter), &settings, args)?);
    }
    turns.push(Turn::new(Place::Cores(cpu::target(args.cpu.threads)?), &settings, args)?);
    let rounds = settings.repeat.value;
    'rounds: for round in 0..rounds {
        for turn in turns.iter_mut().filter(|turn| turn.ended.is_none()) {
            terminal::talk(&format!("round {} of {rounds}: {}", round + 1, turn.place.line()));
            turn.take(&adapters, adapter_s, &session, args);
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

/// Refuses options that mean one device.
fn refuse_what_one_device_has(args: &RunArgs) -> Result<()> {
    let given = [
        ("--save", args.save.is_some()),
        ("--profile, --html and --trace", args.profiles() || args.html.is_some()),
        ("--target-ci", args.stopping.target_ci.is_some()),
        ("--max-time", args.stopping.max_time.is_some()),
        ("--cooldown", args.stopping.cooldown.is_some()),
        ("--soak", args.stopping.soak.is_some()),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((option, _)) => {
            Err(Error::Usage(format!("{option} is for one device: leave it out, or name one --adapter instead of all")))
        }
        None => Ok(()),
    }
}

impl Place<'_> {
    fn name(&self) -> &str {
        match self {
            Place::Adapter(adapter) => &adapter.name,
            Place::Cores(target) => &target.name,
        }
    }

    fn line(&self) -> String {
        match self {
            Place::Adapter(adapter) => adapter.line(),
            Place::Cores(target) => target.line(),
        }
    }
}

impl<'a> Turn<'a> {
    fn new(place: Place<'a>, settings: &Settings, args: &RunArgs) -> Result<Self> {
        let file = ResultFile::create(&args.output, place.name(), settings.seed.value)?;
        let mut settings = Settings { repeat: Setting { value: 1, ..settings.repeat }, ..settings.clone() };
        if matches!(place, Place::Cores(_)) {
            settings.plan = Setting::default(NAME.to_owned());
        }
        Ok(Self { place, settings, file: Some(file), result: None, ended: None })
    }

    fn is_invalid(&self) -> bool {
        self.result.as_ref().is_some_and(|result| result.status == Status::Invalid)
    }

    /// Trains once and adds that to what was measured before.
    fn take(&mut self, adapters: &Adapters, adapter_s: f64, session: &Session, args: &RunArgs) {
        if let Err(error) = self.measure(adapters, adapter_s, session, args) {
            if error != Error::Interrupted {
                terminal::talk(&format!("note: {} takes no further turn: {error}", self.place.name()));
            }
            self.ended = Some(error);
        }
    }

    fn measure(&mut self, adapters: &Adapters, adapter_s: f64, session: &Session, args: &RunArgs) -> Result<()> {
        let (tuning, tune_s) = match &self.place {
            Place::Adapter(adapter) if self.result.is_none() => {
                let start = Instant::now();
                let tuning = choose_plan(&mut self.settings, args.no_tune, adapters, adapter)?;
                let tune_s = tuning.clone().map(|_| start.elapsed().as_secs_f64());
                (tuning, tune_s)
            }
            _ => (no_tuning(), no_tuning()),
        };
        let (adapter, probe) = match &self.place {
            Place::Adapter(adapter) => (bench::describe_adapter(adapter), MachineProbe::new(&[adapter])),
            Place::Cores(target) => (target.describe(), MachineProbe::new(&[])),
        };
        let subject = Subject {
            settings: self.settings.clone(),
            adapter,
            adapter_s,
            tuning,
            tune_s,
            peaks: no_peaks(),
            peaks_s: no_peaks(),
            probe,
        };
        let file = self.file.take().ok_or_else(|| Error::Output("the result file is gone".into()))?;
        let mut observer = TerminalObserver::adding_to(file, self.result.take());
        let (mut result, outcome) = match &self.place {
            Place::Adapter(adapter) => {
                let _kept = args.pipelines.guard(adapters, adapter);
                let target = AdapterTarget { adapters, adapter, checked: args.checked };
                session.run(&target, subject, None, &mut observer)
            }
            Place::Cores(target) => session.run(target, subject, None, &mut observer),
        };
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

//! `gpubench fleet`: the same run on many hosts, through what their owners have to reach them, and one table.

mod args;
mod folder;
mod hosts;
mod outcome;
mod script;

pub use args::FleetArgs;

use super::output::{expect_outputs, replace};
use super::process::{self, Failed};
use super::run_args::RunArgs;
use super::{interrupt, nearest, terminal};
use crate::error::{Error, Result};
use clap::Parser;
use folder::Folder;
use hosts::{Fleet, Host, Through};
use outcome::{Outcome, State};
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Options of a run that a fleet gives itself, or that ask for something else than one result.
const OWN_OPTIONS: [&str; 7] = ["--json", "--format", "--save", "--html", "--output", "-o", "--list"];
/// The exit code of ssh that is its own, not that of the program on the host.
const SSH_FAILED: i32 = 255;
/// The exit code of a shell that does not find a program.
const NOT_FOUND: i32 = 127;

/// Runs on the hosts, gathers their results and prints one table of all.
///
/// # Errors
/// [`Error::Usage`] or [`Error::Data`] if the hosts or the options of the run cannot work, before any host is reached;
/// [`Error::Output`] if nothing can be gathered; [`Error::Program`], after the table was printed, if a host has no
/// valid result.
pub fn fleet(args: &FleetArgs) -> Result<()> {
    let mut fleet = hosts::read(&args.hosts)?;
    if !args.run.is_empty() {
        fleet.args.clone_from(&args.run);
    }
    expect_run(&fleet.args)?;
    let again = again(&args.again, &fleet)?;
    if args.dry_run {
        let line = |host: &Host| format!("{}: {}", host.name, words_of(&host.command(&fleet.args)));
        return terminal::output(&fleet.hosts.iter().map(line).collect::<Vec<_>>().join("\n"));
    }
    let mut folder = Folder::open(&args.output, &fleet.args, &fleet.hosts)?;
    again.iter().try_for_each(|host| folder.forget(host))?;
    folder.write()?;
    if let Some(file) = &args.sbatch {
        expect_outputs(&[("--sbatch", Some(file))], &[&args.hosts])?;
        let (text, jobs) = script::sbatch(&fleet, &folder)?;
        replace(file, text.as_bytes())?;
        let (file, hosts) = (file.display(), args.hosts.display());
        let then = format!("`gpubench fleet {hosts} --output {} --gather`", folder.path().display());
        terminal::message(&format!("script: {file}, {jobs} jobs; run it, and gather their results with {then}"));
        return Ok(());
    }
    let outcomes = if args.gather { gathered(&fleet, &mut folder)? } else { run_all(args, &fleet, folder)? };
    terminal::output(&if args.json { outcome::json(&outcomes)? } else { outcome::text(&outcomes, terminal::width()) })?;
    interrupt::expect_none()?;
    let failed: Vec<&str> = outcomes.iter().filter(|one| !one.state.is_valid()).map(|one| one.host.as_str()).collect();
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Error::Program(format!(
            "without a valid result: {}; the same command tries them again, {} holds their logs",
            failed.join(", "),
            args.output.display()
        ))),
    }
}

/// The options of a run as its own parser takes them.
#[derive(Parser)]
#[command(name = "gpubench run", disable_help_flag = true)]
struct RunCommand {
    #[command(flatten)]
    _run: RunArgs,
}

/// # Errors
/// [`Error::Usage`] if a run does not take these options, or a fleet gives them itself.
fn expect_run(args: &[String]) -> Result<()> {
    let name = |arg: &String| arg.split('=').next().unwrap_or_default().to_owned();
    if let Some(own) = args.iter().map(name).find(|name| OWN_OPTIONS.contains(&name.as_str())) {
        return Err(Error::Usage(format!("{own} is no option of a fleet's run: it gathers one result of each host")));
    }
    match RunCommand::try_parse_from(std::iter::once("gpubench".to_owned()).chain(args.iter().cloned())) {
        Ok(_) => Ok(()),
        Err(error) => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            Err(Error::Usage(format!("the options of the run, {}: {first}", hosts::quoted(args))))
        }
    }
}

/// The hosts that are to run again.
fn again<'a>(names: &[String], fleet: &'a Fleet) -> Result<Vec<&'a str>> {
    let all = || fleet.hosts.iter().map(|host| host.name.as_str());
    if names.iter().any(|name| name == "all") {
        return Ok(all().collect());
    }
    let found = names.iter().map(|name| {
        all().find(|host| host == name).ok_or_else(|| {
            let meant = nearest::nearest(name, all()).map(|host| format!("; did you mean {host}?")).unwrap_or_default();
            Error::Usage(format!("--again {name}: no host has this name{meant}"))
        })
    });
    found.collect()
}

/// A command as it would be typed.
fn words_of(command: &std::process::Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    hosts::quoted(&words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>())
}

/// What is in the folder, jobs that have ended since among it.
fn gathered(fleet: &Fleet, folder: &mut Folder) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for host in &fleet.hosts {
        let state = if folder.has(&host.name) {
            State::of(folder.results(&host.name)?)
        } else if folder.printed(&host.name).exists() {
            folder.gather(&host.name)?.map_or_else(State::Failed, State::of)
        } else {
            State::Failed("it has left nothing yet".to_owned())
        };
        outcomes.push(Outcome { host: host.name.clone(), through: host.through.name(), state, took_s: None });
    }
    Ok(outcomes)
}

/// Runs on each host whose result is not there yet, so many at the same time; the outcomes are in the order of the
/// hosts.
fn run_all(args: &FleetArgs, fleet: &Fleet, folder: Folder) -> Result<Vec<Outcome>> {
    let limit = Duration::from_secs_f64(60.0 * args.time_limit);
    let (next, folder) = (AtomicUsize::new(0), Mutex::new(folder));
    let outcomes = Mutex::new(Vec::new());
    let work = || -> Result<()> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(host) = fleet.hosts.get(number) else { return Ok(()) };
            let begun = Instant::now();
            let (state, was_there) = run_on(host, &fleet.args, &folder, limit)?;
            let took_s = (!was_there).then(|| begun.elapsed().as_secs_f64());
            let outcome = Outcome { host: host.name.clone(), through: host.through.name(), state, took_s };
            terminal::message(&outcome.line());
            outcomes.lock().unwrap_or_else(PoisonError::into_inner).push((number, outcome));
        }
    };
    let threads = fleet.hosts.len().min(args.at_once as usize);
    let ended: Vec<Result<()>> = std::thread::scope(|scope| {
        let started: Vec<_> =
            (0..threads).map_while(|_| std::thread::Builder::new().spawn_scoped(scope, work).ok()).collect();
        if started.is_empty() {
            return vec![work()];
        }
        let lost = || Err(Error::Device("a thread that waits for a host ended early".to_owned()));
        started.into_iter().map(|thread| thread.join().unwrap_or_else(|_| lost())).collect()
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|(number, _)| *number);
    match ended.into_iter().find_map(Result::err) {
        // What was gathered is shown before the end is told.
        None | Some(Error::Interrupted) => Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect()),
        Some(error) => Err(error),
    }
}

/// The state of a host after its run, and whether its result was there before.
fn run_on(host: &Host, args: &[String], folder: &Mutex<Folder>, limit: Duration) -> Result<(State, bool)> {
    let held = || folder.lock().unwrap_or_else(PoisonError::into_inner);
    interrupt::expect_none()?;
    let (there, printed, log) = {
        let folder = held();
        let there = folder.has(&host.name).then(|| folder.results(&host.name)).transpose()?;
        (there.map(State::of).filter(State::is_valid), folder.printed(&host.name), folder.log(&host.name))
    };
    if let Some(state) = there {
        return Ok((state, true));
    }
    terminal::message(&format!("{}: begins, through {}", host.name, host.through.name()));
    let cannot = |path: &Path, error: &std::io::Error| {
        Error::Output(format!("{} cannot be written ({error}); make room or name another --output", path.display()))
    };
    let stdout = File::create(&printed).map_err(|error| cannot(&printed, &error))?;
    let stderr = File::create(&log).map_err(|error| cannot(&log, &error))?;
    let ended = process::run_into(host.command(args), stdout, stderr, &log, limit)?;
    let results = {
        let mut folder = held();
        let results = folder.gather(&host.name)?;
        if results.is_ok() {
            interrupt::keep(&folder.result_path(&host.name), true);
        }
        results
    };
    if printed.metadata().is_ok_and(|file| file.len() == 0) {
        // It says nothing that the reason does not.
        let _ = std::fs::remove_file(&printed);
    }
    Ok(match (ended, results) {
        // A run that ends with a result and another code than 0 says why in the result.
        (_, Ok(results)) => (State::of(results), false),
        (Ok(()), Err(why)) => (State::Failed(why), false),
        (Err(failed), Err(_)) => (State::Failed(advised(host, &failed)), false),
    })
}

/// Why a host has no result, and what to do next.
fn advised(host: &Host, failed: &Failed) -> String {
    let advice = match (&host.through, failed.code) {
        (Through::Ssh { destination, .. }, Some(SSH_FAILED)) => {
            format!("; `ssh {destination} true` has to work without a question: no password, a known host key")
        }
        (Through::Ssh { .. }, Some(NOT_FOUND)) => "; name its place there with program = \"…\"".to_owned(),
        (_, None) if failed.reason.contains("stopped after") => "; --time-limit allows more".to_owned(),
        _ => String::new(),
    };
    format!("{}{advice}", failed.reason)
}

//! `gpubench run` and `gpubench profile`.

use super::all;
use super::distributed;
use super::list::{self, ListArgs};
use super::progress::TerminalObserver;
use super::run_args::RunArgs;
use super::session::Session;
use super::target::Target;
use crate::bench;
use crate::error::Result;
use web_time::Instant;

/// Runs the benchmark and shows its result; returns the exit code.
///
/// # Errors
/// The error that ended the run early; the result file holds what was measured before.
pub fn run(args: &RunArgs) -> Result<u8> {
    let started = Instant::now();
    if args.list {
        list::list(&ListArgs { json: args.format.json, backend: args.backend.clone() })?;
        return Ok(0);
    }
    if args.data_parallel.distributed {
        return distributed::run(args, started);
    }
    let settings = args.settings();
    args.stopping.validate(settings.repeat.value)?;
    let target = Target::resolve(args, &settings.adapter.value)?;
    let adapters = target.find(&settings)?;
    if let (Target::All, Some(adapters)) = (target, &adapters) {
        return all::run(args, adapters, settings, started);
    }
    let mut subject = target.open(adapters.as_ref(), args, settings, started)?;
    let _pipeline_caches = subject.pipeline_cache_guards(args);
    let (session, file) = Session::begin(args, &subject.name, subject.settings.seed.value, started)?;
    subject.choose_plan(args.no_tune)?;
    if args.profiles() || (subject.is_gpu_tuned_in_this_run() && !args.no_profile) {
        subject.measure_peaks(args.fresh_peaks)?;
    } else {
        subject.cached_peaks();
    }

    let mut result = session.result(&subject);
    let job = session.job(&subject, subject.profile_options(args));
    let mut observer = TerminalObserver::new(file);
    let outcome = subject.trainable.run(&job, &mut result, &mut observer);
    session.finish(observer.finish(), result, outcome, args)
}

/// Trains and profiles a few steps and shows where their time goes; returns the exit code.
///
/// # Errors
/// As [`run`].
pub fn profile(args: &RunArgs) -> Result<u8> {
    let steps = args.steps.or_else(|| {
        (args.epochs.is_none() && args.stopping.soak.is_none() && !args.quick).then_some(bench::PROFILED_STEPS)
    });
    run(&RunArgs { profile: true, steps, ..args.clone() })
}

//! The run of a rank.

use super::observer::{RankObserver, RankProbe};
use crate::bench::collective::{self, Collective};
use crate::bench::{self, Job, Place};
use crate::cli::output::ResultFile;
use crate::cli::progress::TerminalObserver;
use crate::cli::run_args::{RunArgs, Scaling};
use crate::cli::session::Session;
use crate::cli::subject::{Subject, Trainable};
use crate::cli::target::Target;
use crate::cli::{cpu, data_parallel, interrupt, no_gpu, panics, terminal};
use crate::data::Dataset;
use crate::distributed::World;
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters, adapter};
use crate::hash::sha256_hex;
use crate::kernels::shader_hash;
use crate::result::{Origin, Settings};
use crate::telemetry::environment;
use clap::ValueEnum;
use std::sync::Arc;
use web_time::Instant;

/// Where launchers tell a rank its number among those on its host: Open MPI, Slurm, Intel MPI, and MPICH.
const LOCAL_RANK_VARIABLES: [&str; 4] =
    ["OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID", "MPI_LOCALRANKID", "PMI_LOCAL_RANK"];

/// Joins the other ranks, trains with them, and leaves them; returns the exit code, the same on all.
///
/// # Errors
/// The error that ended the run early, of whichever rank.
pub fn run(args: &RunArgs, started: Instant) -> Result<u8> {
    let world = World::join(interrupt::requested, |error| terminal::error(&error.to_string()))?;
    let group = world.group();
    if group.rank() > 0 {
        terminal::be_quiet();
    } else if group.ranks() == 1 {
        terminal::message("distributed: one rank, as no launcher started more: `mpirun -n 4 gpubench --distributed`");
    }
    let outcome = panics::caught(|| train(args, &world, started));
    let said = outcome.as_ref().err().filter(|error| **error != Error::Interrupted).cloned();
    if let Some(error) = &said {
        // At once: a launcher that ends all ranks, since one has ended, leaves no time to leave the others first.
        terminal::error(&error.to_string());
    }
    match world.leave(outcome) {
        Err(error) if said.as_ref() == Some(&error) => Ok(error.exit_code()),
        outcome => outcome,
    }
}

fn train(args: &RunArgs, world: &World, started: Instant) -> Result<u8> {
    let group = world.group();
    let settings = collective::all_succeeded(group, settings(args, group))?;
    collective::expect_alike(group, &asked_for(args, &settings))?;
    let adapters = collective::all_succeeded(group, find(args, &settings))?;
    let place = collective::all_succeeded(group, place(args, &adapters, &settings, world))?;
    let mut subject = data_parallel::subject_at(&[place], args, &adapters, settings, group)?;
    subject.adapter_s = started.elapsed().as_secs_f64();
    let _pipeline_caches = subject.pipeline_cache_guards(args);
    let session = collective::all_succeeded(group, Session::read(args, started))?;
    let probe = RankProbe { own: &subject.probe, ranks: group.ranks(), on_host: world.place_on_host().1 };
    let job = Job { probe: &probe, ..session.job(&subject, None) };
    collective::expect_alike(group, &digests(&job))?;
    if let Trainable::DataParallel(target) = &subject.trainable {
        target.own_shares(&bench::training_config(&subject.settings), session.dataset())?;
    }
    let file = collective::all_succeeded(group, result_file(args, &subject, group))?;

    let mut result = session.result(&subject);
    let mut observer = RankObserver { shown: file.map(TerminalObserver::new), world };
    let mut outcome = subject.trainable.run(&job, &mut result, &mut observer);
    if let (Err(_), Some(failure)) = (&outcome, world.failure()) {
        bench::record_failure(&failure, &mut result);
        outcome = Err(failure);
    }
    let code = match observer.shown {
        Some(shown) => {
            drop(job);
            session.finish(shown.finish(), result, outcome, args)?
        }
        None => outcome.map(|_| 0)?,
    };
    let codes = collective::gather(group, &code)?;
    Ok(codes.first().copied().unwrap_or(code))
}

/// The settings of the run: with weak scaling the batch is that of every rank.
fn settings(args: &RunArgs, group: &dyn Collective) -> Result<Settings> {
    let mut settings = args.settings();
    args.stopping.validate(settings.repeat.value)?;
    Target::resolve(args, &settings.adapter.value)?;
    if args.data_parallel.scaling_mode == Some(Scaling::Weak) {
        let each = settings.batch.value;
        settings.batch.value =
            u32::try_from(group.ranks()).ok().and_then(|ranks| each.checked_mul(ranks)).ok_or_else(|| {
                Error::Usage(format!("{} ranks with a batch of {each} each have too many images", group.ranks()))
            })?;
    }
    Ok(settings)
}

/// Everything in which ranks have to be alike, each with its name, but for the data.
fn asked_for(args: &RunArgs, settings: &Settings) -> Vec<(String, String)> {
    let options = &args.data_parallel;
    let known = |built: Option<&'static str>| built.unwrap_or("unknown").to_owned();
    [
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("commit", known(option_env!("GPUBENCH_GIT"))),
        ("set of kernels", shader_hash()),
        ("seed", settings.seed.value.to_string()),
        ("batch", settings.batch.value.to_string()),
        ("number of epochs", settings.epochs.value.to_string()),
        ("limit of steps", settings.steps.value.value().map_or("none".to_owned(), u32::to_string)),
        ("number of trainings", settings.repeat.value.to_string()),
        ("dropout", settings.dropout.value.to_string()),
        ("order of images", if settings.shuffle.value { "shuffled" } else { "that of the files" }.to_owned()),
        ("time limit", if settings.quick.value { "that of --quick" } else { "none" }.to_owned()),
        ("stopping rule", serde_json::to_string(&settings.stopping).unwrap_or_default()),
        ("plan", settings.plan.value.clone()),
        ("moment to synchronise", word(options.sync)),
        ("scaling mode", word(options.scaling_mode)),
        ("split", options.split.as_ref().map_or("equal parts".to_owned(), ToString::to_string)),
        ("number of logical devices", options.logical_devices.unwrap_or(1).to_string()),
        ("kind of shaders", if args.checked { "checked" } else { "unchecked" }.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// The value of an option as it is given.
fn word(value: Option<impl ValueEnum>) -> String {
    let named = value.and_then(|value| value.to_possible_value());
    named.map_or("default".to_owned(), |value| value.get_name().to_owned())
}

/// The digests of what is read from files, each with its name.
fn digests(job: &Job<'_>) -> Vec<(String, String)> {
    let Dataset { train, test, .. } = job.dataset;
    let data = [&train.images, &train.labels, &test.images, &test.labels].map(|bytes| sha256_hex(bytes)).concat();
    let start = job.init.as_deref().map_or("drawn from the seed".to_owned(), |values| {
        sha256_hex(&values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
    });
    let short = |digest: String| digest.chars().take(24).collect();
    vec![
        ("data set".to_owned(), short(sha256_hex(data.as_bytes()))),
        ("file of initial weights".to_owned(), short(start)),
    ]
}

/// The adapters of this rank's host.
fn find(args: &RunArgs, settings: &Settings) -> Result<Adapters> {
    let adapters = Target::resolve(args, &settings.adapter.value)?.find(settings)?;
    adapters.ok_or_else(|| Error::Usage("--distributed trains on adapters or cpu".to_owned()))
}

/// Where this rank trains: what its number on its host takes from --adapters, what --adapter names, the GPU of that
/// number, else the host's cores.
fn place<'a>(args: &RunArgs, adapters: &'a Adapters, settings: &Settings, world: &World) -> Result<Place<'a>> {
    let (counted, on_host) = world.place_on_host();
    let told = LOCAL_RANK_VARIABLES.iter().find_map(|name| std::env::var(name).ok()?.parse().ok());
    let local: usize = told.unwrap_or(counted);
    let threads = Some(args.cpu.threads.unwrap_or_else(|| own_cores(on_host)));
    let infos = adapters.infos();
    let gpus: Vec<&AdapterInfo> = infos.iter().filter(|adapter| !adapter.software).collect();
    let listed = args.data_parallel.adapters.as_ref().map(|list| &list[local % list.len()]);
    let place = match listed.or(settings.adapter.value.value()) {
        Some(request) => data_parallel::place(adapters, request, threads)?,
        None if settings.backend.origin != Origin::Default => Place::Adapter(adapter::choose(infos, None)?),
        None if !gpus.is_empty() => Place::Adapter(gpus[local % gpus.len()]),
        None => {
            terminal::message(&format!("no GPU found: {}; the host's cores train", no_gpu::reason(infos)));
            Place::Host(Arc::new(cpu::target(threads)?))
        }
    };
    let lists_host = args.data_parallel.adapters.iter().flatten().any(|request| data_parallel::names_host(request));
    match place {
        Place::Adapter(_) if args.cpu.threads.is_some() && !lists_host => {
            Err(Error::Usage("--threads is for the host's cores: add --adapter cpu".to_owned()))
        }
        place => Ok(place),
    }
}

/// The cores for each of `ranks` ranks on this host: those that its launcher gave this one, or its part of all.
fn own_cores(ranks: usize) -> usize {
    let given = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let bound = environment::logical_cores().is_some_and(|all| given < all);
    if bound { given } else { (given / ranks).max(1) }
}

/// The result file, of rank 0.
fn result_file(args: &RunArgs, subject: &Subject<'_>, group: &dyn Collective) -> Result<Option<ResultFile>> {
    if group.rank() > 0 {
        return Ok(None);
    }
    ResultFile::create(&args.output()?, &subject.name, subject.settings.seed.value).map(Some)
}

//! `gpubench frameworks run`: frameworks in turns with gpubench itself, each a result like any other.

use super::args::RunFrameworksArgs;
use super::catalogue::{Device, Framework, Made, SCRIPTS, chosen};
use super::devices;
use super::setup;
use super::turn::{self, Setting};
use crate::bench;
use crate::cli::interrupt::{self, Unfinished};
use crate::cli::output::{ResultFile, results_folder};
use crate::cli::run_args::RunArgs;
use crate::cli::{cpu, dataset, process, system, terminal};
use crate::cpu::SimdLevel;
use crate::data::{Dataset, synthetic};
use crate::error::{Error, Result};
use crate::gpu::AdapterInfo;
use crate::model::Model;
use crate::report::{TableView, Tables};
use crate::result::{
    Adapter, AdapterKind, Measured, Member, OtherTool, Parallel, RunResult, Status, Synchronisation, one_process,
};
use crate::telemetry::environment;
use crate::weights;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Steps whose losses are compared; a result tells the loss of each step where there are at most 32.
const COMPARED_STEPS: u32 = 10;
/// The seed of weights, orders and dropout in every round.
const SEED: u64 = 1;

/// A framework that takes turns.
struct Lane<'a> {
    framework: &'a Framework,
    python: PathBuf,
    /// The adapter in software on which it trains, and the file of its driver.
    software: Option<&'a (AdapterInfo, Option<PathBuf>)>,
    file: ResultFile,
    result: RunResult,
    failed: bool,
}

/// Lets the frameworks train in turns with this program and prints the tables of what they did.
///
/// # Errors
/// [`Error::Usage`] for an unknown name, [`Error::Adapter`] if a GPU is asked for and there is none, [`Error::Data`] if
/// the data cannot be read, [`Error::Program`] if a framework has no figures, after the others were shown.
pub fn run(args: &RunFrameworksArgs) -> Result<()> {
    let frameworks = chosen(&args.names)?;
    let (device, found) = devices::device(args.device, args.adapter.as_deref(), args.gpus)?;
    let adapter = found.first();
    // A training that ends after some steps ends within its first epoch.
    let epochs = args.epochs.or(args.steps.map(|_| 1));
    let settings = RunArgs { data: args.data.clone(), epochs, steps: args.steps, ..RunArgs::default() };
    let (dataset, origin) = dataset::load(&args.data, synthetic::SEED)?;
    terminal::message(&format!("data: {}, from {origin}", dataset.name));
    let output = args.output.clone().map_or_else(results_folder, Ok)?;
    let create = || tempfile::Builder::new().prefix("gpubench-frameworks-").tempdir();
    let (_unfinished, work) = Unfinished::create(create, |work| work.path().to_owned()).map_err(|error| {
        Error::Output(format!("no temporary folder can be made ({error}); make room or set TMPDIR"))
    })?;
    write_work(work.path(), &dataset, &settings)?;
    let described = match adapter {
        Some(adapter) => bench::describe_adapter(adapter),
        None => cpu::target(None)?.describe(),
    };
    let logs = setup::folder()?.join("logs");
    fs::create_dir_all(&logs).map_err(|error| Error::Output(format!("{} cannot be made ({error})", logs.display())))?;
    let limit = Duration::from_secs_f64(60.0 * args.time_limit);
    let losses = own_losses(&settings, work.path(), limit)?;
    let (work_folder, gpus) = (work.path(), args.gpus);
    let setting =
        Setting { work: work_folder, logs: &logs, device, gpus, adapter, driver: None, losses: &losses, limit };
    let pythons: Vec<_> = frameworks.iter().map(|one| python_of(one, device, args)).collect::<Result<_>>()?;
    let on_adapter = frameworks.iter().zip(&pythons).any(|(one, python)| one.on_adapter && python.is_ok());
    let software = devices::software(device, on_adapter, args.adapter.as_deref())?;
    let (mut lanes, mut missing) = (Vec::new(), Vec::new());
    let named = |framework: &Framework| args.names.iter().any(|name| name == framework.name);
    for (framework, python) in frameworks.into_iter().zip(pythons) {
        let software = software.as_ref().filter(|_| framework.on_adapter);
        let needs_software = framework.on_adapter && device == Device::Cpu && software.is_none();
        match python {
            Ok(_) if needs_software => {
                terminal::message(&format!("{}: n/a ({})", framework.name, devices::NO_SOFTWARE));
                missing.extend(named(framework).then_some(framework.name));
            }
            Ok(python) => {
                let described = software.map_or(described.clone(), |(adapter, _)| bench::describe_adapter(adapter));
                let name = format!("{} {}", framework.name, described.name);
                let mut result = initial(framework, &settings, &dataset, described);
                if args.gpus > 1 {
                    result.parallel = Measured::Value(parallel(framework, &result, args.gpus));
                }
                let file = ResultFile::create(&output, &name, SEED)?;
                lanes.push(Lane { framework, python, software, file, result, failed: false });
            }
            Err(reason) => {
                terminal::message(&format!("{}: n/a ({reason})", framework.name));
                missing.extend(named(framework).then_some(framework.name));
            }
        }
    }
    let own_on = own_devices(args, &found);
    let mut results = Vec::new();
    for round in 1..=args.rounds {
        terminal::message(&format!("round {round} of {}: gpubench", args.rounds));
        results.extend(own_turn(&settings, own_on.clone(), &output, work.path(), limit)?);
        for lane in lanes.iter_mut().filter(|lane| !lane.failed) {
            terminal::message(&format!("round {round} of {}: {}", args.rounds, lane.framework.name));
            let software = lane.software.map(|(adapter, driver)| (adapter, driver.as_deref()));
            let (adapter, driver) = software.map_or((adapter, None), |(adapter, driver)| (Some(adapter), driver));
            take_turn(lane, &Setting { adapter, driver, ..setting })?;
        }
    }
    missing.extend(lanes.iter().filter(|lane| lane.result.status != Status::Complete).map(|lane| lane.framework.name));
    results.extend(lanes.into_iter().map(|lane| lane.result));
    let views: Vec<TableView> = results.first().map(TableView::of).into_iter().chain([TableView::Progress]).collect();
    terminal::output(&Tables::of_runs(&results).text(&views, terminal::width()))?;
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Error::Program(format!("without figures: {}", missing.join(", ")))),
    }
}

/// The option of a run, and its value, that lets this program train on what the frameworks train on.
fn own_devices(args: &RunFrameworksArgs, gpus: &[AdapterInfo]) -> [String; 2] {
    let indices: Vec<String> = gpus.iter().map(|gpu| gpu.index.to_string()).collect();
    match (&args.adapter, indices.as_slice()) {
        (_, [_, _, ..]) => ["--adapters".to_owned(), indices.join(",")],
        (Some(asked), _) => ["--adapter".to_owned(), asked.clone()],
        (None, [index]) => ["--adapter".to_owned(), index.clone()],
        (None, _) => ["--adapter".to_owned(), cpu::NAME.to_owned()],
    }
}

/// The interpreter of a framework, or why there is none.
fn python_of(framework: &Framework, device: Device, args: &RunFrameworksArgs) -> Result<process::Answer<PathBuf>> {
    if args.gpus > 1 && !framework.several_gpus {
        return Ok(Err("here it trains on one GPU alone".to_owned()));
    }
    let takes_python = [".py", ".R"].iter().any(|ending| framework.script.ends_with(ending));
    if let Some(given) = args.python.as_ref().filter(|_| takes_python) {
        return Ok(Ok(given.clone()));
    }
    let environment = match framework.environment(device) {
        Ok(environment) => environment,
        Err(reason) => return Ok(Err(reason)),
    };
    let needed = environment.program.filter(|_| matches!(environment.made, Made::Python(_)));
    if let Some((_, advice)) = needed.filter(|(program, _)| !setup::runs(program)) {
        return Ok(Err(advice.to_owned()));
    }
    let found = setup::interpreter(&setup::folder()?, environment, device);
    Ok(found.ok_or_else(|| format!("not set up: `gpubench frameworks setup {}`", framework.name)))
}

/// Writes what the scripts read, and the scripts.
fn write_work(work: &Path, dataset: &Dataset, args: &RunArgs) -> Result<()> {
    let settings = args.settings();
    let config = bench::training_config(&settings);
    config.fits(dataset)?;
    let parameters = config.model.initial_parameters(SEED);
    let orders = (0..settings.epochs.value).flat_map(|epoch| config.order(epoch, dataset.train.len()));
    let orders: Vec<u8> = orders.flat_map(u32::to_le_bytes).collect();
    let model = Model::new(settings.dropout.value);
    let write = |name: &str, bytes: &[u8]| {
        let path = work.join(name);
        fs::write(&path, bytes).map_err(|error| {
            Error::Output(format!("{} cannot be written ({error}); make room or set TMPDIR", path.display()))
        })
    };
    fs::create_dir_all(work.join("scripts"))
        .map_err(|error| Error::Output(format!("no folder for scripts: {error}")))?;
    for (name, text) in SCRIPTS {
        write(&format!("scripts/{name}"), text.as_bytes())?;
    }
    write("train-images.u8", &dataset.train.images)?;
    write("train-labels.u8", &dataset.train.labels)?;
    write("test-images.u8", &dataset.test.images)?;
    write("test-labels.u8", &dataset.test.labels)?;
    write("orders.u32", &orders)?;
    write("weights.safetensors", &weights::to_safetensors(&model, &parameters)?)
}

/// The result of a framework before its first turn.
fn initial(framework: &Framework, args: &RunArgs, dataset: &Dataset, adapter: Adapter) -> RunResult {
    let mut settings = args.settings();
    settings.plan.value = framework.name.to_owned();
    let mut result = bench::initial_result(bench::Setup {
        settings,
        environment: environment::environment(adapter),
        dataset,
        started_utc: system::utc_now().to_string(),
        adapter_s: 0.0,
        data_s: 0.0,
    });
    // It looked for no adapter, and its data were read by this program.
    (result.phases.adapter_s, result.phases.data_s) = (not_timed(), not_timed());
    if result.environment.adapter.kind == AdapterKind::Cpu {
        // Hosts of one name may differ in it, and are then not compared.
        result.plan.tuning.insert("simd".to_owned(), SimdLevel::detect().name().to_owned());
    }
    result.check = Measured::missing("another tool: its first losses are compared with gpubench's instead");
    result.tool = Some(OtherTool {
        name: framework.row.to_owned(),
        version: String::new(),
        backend: String::new(),
        agreement: Measured::missing("it did not start"),
    });
    result
}

/// How a framework shares a training between GPUs.
fn parallel(framework: &Framework, result: &RunResult, gpus: u32) -> Parallel {
    let not_told = || Measured::missing("the tool does not tell it");
    let (batch, name) = (result.settings.batch.value, result.environment.adapter.name.clone());
    let member = |gpu: u32| Member {
        name: name.clone(),
        plan: framework.name.to_owned(),
        images_per_batch: batch * (gpu + 1) / gpus - batch * gpu / gpus,
        alone_step_s: Measured::missing("it was not timed alone"),
    };
    Parallel {
        sync: Synchronisation::Step,
        members: (0..gpus).map(member).collect(),
        exchange_s: not_told(),
        exchange_pct: not_told(),
        bytes_per_exchange: 4 * result.model.parameters,
        exchanges_per_epoch: result.steps_per_epoch(),
        scaling_efficiency_pct: not_told(),
        ranks: one_process(),
        scaling_mode: one_process(),
    }
}

fn not_timed() -> Measured<f64> {
    Measured::missing("not a phase of another tool")
}

/// A turn of a framework; its file holds what came of it, whatever that is.
fn take_turn(lane: &mut Lane<'_>, setting: &Setting<'_>) -> Result<()> {
    let outcome = turn::take(lane.framework, &lane.python, setting, &mut lane.result);
    let result = &mut lane.result;
    match &outcome {
        Ok(Ok(())) => bench::validate(result),
        Ok(Err(reason)) => {
            lane.failed = true;
            result.phases.end();
            (result.status, result.reasons) = (Status::Failed, vec![reason.clone()]);
            result.summary.train_s = Measured::missing(reason.as_str());
            terminal::message(&format!("{}: n/a ({reason})", lane.framework.name));
        }
        Err(error) => (result.status, result.reasons) = (Status::Partial, vec![error.to_string()]),
    }
    lane.file.write(result)?;
    outcome.map(|_| ())
}

/// Runs this program with the same data in a process of its own.
fn own(args: &RunArgs, limit: Duration, more: &[String], log: &Path) -> Result<()> {
    let program = std::env::current_exe()
        .map_err(|error| Error::Device(format!("this program does not find itself to start a process: {error}")))?;
    let mut command = Command::new(program);
    command.args(["run", "--no-profile", "--data", &args.data.to_string()]).args(more);
    let outcome = process::run(command, log, limit)?;
    outcome.map_err(|reason| Error::Device(format!("gpubench itself has no figures: {reason}")))
}

/// The losses of the compared steps on the CPU target, from the weights and in the order of every framework.
fn own_losses(args: &RunArgs, work: &Path, limit: Duration) -> Result<Vec<f64>> {
    let folder = work.join("losses");
    let steps = args.steps.map_or(COMPARED_STEPS, |steps| steps.min(COMPARED_STEPS)).to_string();
    let output = folder.display().to_string();
    let more = ["--adapter", cpu::NAME, "--dropout", "0", "--epochs", "1", "--steps", &steps, "--output", &output];
    own(args, limit, &more.map(str::to_owned), &work.join("losses.log"))?;
    let result = newest(&folder, &[])?;
    let epoch = result.as_ref().and_then(|(_, result)| result.repeats.first()?.epochs.first());
    Ok(epoch.map(|epoch| epoch.loss_curve.clone()).unwrap_or_default())
}

/// A turn of this program on the same device, whose result lies beside the others.
fn own_turn(args: &RunArgs, on: [String; 2], output: &Path, work: &Path, limit: Duration) -> Result<Option<RunResult>> {
    let before = names_in(output);
    let shown = output.display().to_string();
    let mut more = [&on[..], &["--output".to_owned(), shown]].concat();
    for (option, value) in [("--epochs", args.epochs), ("--steps", args.steps)] {
        more.extend(value.into_iter().flat_map(|value| [option.to_owned(), value.to_string()]));
    }
    own(args, limit, &more, &work.join("gpubench.log"))?;
    let result = newest(output, &before)?;
    if let Some((file, _)) = &result {
        interrupt::keep(&output.join(file), true);
    }
    Ok(result.map(|(_, result)| result))
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// The result in `folder` that is new since it held `before`, and the name of its file.
fn newest(folder: &Path, before: &[String]) -> Result<Option<(String, RunResult)>> {
    let is_new = |name: &String| name.ends_with(".json") && !before.contains(name);
    let Some(file) = names_in(folder).into_iter().filter(is_new).max() else { return Ok(None) };
    let text = fs::read_to_string(folder.join(&file))
        .map_err(|error| Error::Data(format!("{file} cannot be read ({error})")))?;
    RunResult::from_json(&text).map(|result| Some((file, result)))
}

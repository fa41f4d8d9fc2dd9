//! A turn of a framework: it starts, warms up, is compared, trains under the probe, and tells its errors.

use super::catalogue::{Device, Framework};
use super::worker::Worker;
use crate::bench::probe::{self, Probe};
use crate::cli::process::{self, Answer};
use crate::error::Result;
use crate::gpu::AdapterInfo;
use crate::model::Training;
use crate::result::{Agreement, Epoch, Measured, OtherTool, Repeat, RunResult, Sample, Summary};
use crate::telemetry::{MachineProbe, Processes};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// The largest difference of a loss that float32 arithmetic in another order makes over the compared steps.
pub const TOLERANCE: f64 = 1e-4;
/// Epochs of a training that would outlast the time limit with the standard number.
pub const FEW_EPOCHS: u32 = 2;
/// The share of the time limit that a training may be expected to take.
const EXPECTED_SHARE: f64 = 0.9;

/// What all turns share.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// The folder with digits, weights, orders and scripts.
    pub work: &'a Path,
    /// The folder for logs.
    pub logs: &'a Path,
    /// What is trained on.
    pub device: Device,
    /// How many GPUs train together.
    pub gpus: u32,
    /// The GPU, if it is one, or the adapter of Vulkan that computes in software.
    pub adapter: Option<&'a AdapterInfo>,
    /// The file that names the driver of that adapter to Vulkan's loader, if it is to see no other.
    pub driver: Option<&'a Path>,
    /// This program's losses of the compared steps.
    pub losses: &'a [f64],
    /// How long an answer may take.
    pub limit: Duration,
}

/// The command that runs a framework's script.
fn command(framework: &Framework, python: &Path, setting: &Setting<'_>, result: &RunResult) -> Command {
    let scripts = setting.work.join("scripts");
    let (task, script) = (scripts.join("task.py"), scripts.join(framework.script));
    let mut command = match script.extension().and_then(std::ffi::OsStr::to_str) {
        Some("R") => {
            let mut command = Command::new("Rscript");
            command.arg(script).arg(task).env("RETICULATE_PYTHON", python);
            command
        }
        // The program was built of it.
        Some("rs") => Command::new(python),
        _ => {
            let mut command = Command::new(python);
            command.arg(task).arg(script);
            command
        }
    };
    let settings = &result.settings;
    let device = if setting.device == Device::Gpu { "gpu" } else { "cpu" };
    command.arg("--work").arg(setting.work).args(["--variant", framework.variant, "--device", device]);
    command.args(["--epochs", &settings.epochs.value.to_string()]);
    command.args(["--steps", &settings.steps.value.value().copied().unwrap_or(0).to_string()]);
    if setting.gpus > 1 {
        command.args(["--gpus", &setting.gpus.to_string()]);
    }
    // Nothing is written beside the scripts.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    if setting.device == Device::Cpu {
        command.env("CUDA_VISIBLE_DEVICES", "");
    }
    if let Some(driver) = setting.driver {
        // Vulkan's loader shows the tool this driver and no other.
        command.env("VK_DRIVER_FILES", driver).env("VK_ICD_FILENAMES", driver);
    }
    command
}

/// Lets `framework` train once and adds the training to `result`; the inner error says why it has no figures.
///
/// # Errors
/// [`crate::Error::Interrupted`] if a signal stopped it.
pub fn take(framework: &Framework, python: &Path, setting: &Setting<'_>, result: &mut RunResult) -> Result<Answer<()>> {
    macro_rules! told {
        ($answer:expr) => {
            match $answer {
                Ok(value) => value,
                Err(reason) => return Ok(Err(reason)),
            }
        };
    }
    let log = setting.logs.join(format!("{}.log", framework.name));
    let mut worker = told!(Worker::start(command(framework, python, setting, result), &log));
    let begun = Instant::now();
    let about = told!(worker.answer(setting.limit)?);
    result.phases.device_s = begun.elapsed().as_secs_f64().into();
    let text = |key: &str| process::shown(about[key].as_str().unwrap_or_default());
    let mut tool = OtherTool {
        name: framework.row.to_owned(),
        version: text("version"),
        backend: text("backend"),
        agreement: Measured::missing("its losses were not compared"),
    };
    result.tool = Some(tool.clone());
    if framework.on_adapter {
        told!(same_device(&text("device"), setting.adapter));
    }
    let mut ask = |request: Value| worker.ask(&request, setting.limit);
    let begun = Instant::now();
    told!(ask(json!({"what": "warm_up"}))?);
    result.phases.compile_s = begun.elapsed().as_secs_f64().into();
    let begun = Instant::now();
    let steps = told!(ask(json!({"what": "warm_up"}))?)["steps"].as_u64().unwrap_or(0);
    let warm_s = begun.elapsed().as_secs_f64();
    result.phases.warm_up_s = warm_s.into();
    let losses = told!(ask(json!({"what": "losses", "steps": setting.losses.len()}))?);
    let losses: Vec<f64> = losses["losses"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
    tool.agreement = Agreement::of(setting.losses, &losses, TOLERANCE);
    let agreement = tool.agreement.clone();
    result.tool = Some(tool);
    match agreement {
        Measured::Value(agreement) => told!(agreement.difference().map_or(Ok(()), Err)),
        Measured::Missing { reason } => return Ok(Err(reason)),
    }
    if let Some(expected_s) = too_long(result, warm_s, steps, setting.limit) {
        told!(shorten(result, expected_s, setting.limit));
    }
    told!(ask(json!({"what": "epochs", "epochs": result.settings.epochs.value}))?);
    told!(ask(json!({"what": "prepare"}))?);
    let adapters: Vec<&AdapterInfo> = setting.adapter.into_iter().collect();
    let probe = MachineProbe::of(&adapters, Processes::Group(worker.group()));
    result.phases.idle_s = probe.begin();
    probe.resume();
    let begun = Instant::now();
    let answer = worker.ask(&json!({"what": "train"}), setting.limit)?;
    let train_s = begun.elapsed().as_secs_f64();
    probe.pause();
    let load = probe.end();
    let mut repeat = told!(told_repeat(&told!(answer), train_s, result));
    let begun = Instant::now();
    let errors = told!(worker.ask(&json!({"what": "errors"}), setting.limit)?);
    repeat.evaluate_s = begun.elapsed().as_secs_f64().into();
    let Some(errors) = errors["errors"].as_u64().and_then(|errors| u32::try_from(errors).ok()) else {
        return Ok(Err("it did not tell its errors on the test images".to_owned()));
    };
    let error_pct = 100.0 * f64::from(errors) / f64::from(result.data.test_images);
    repeat.final_test_error_pct = error_pct.into();
    if let Some(last) = repeat.epochs.last_mut() {
        (last.test_errors, last.test_error_pct) = (Measured::Value(errors), error_pct.into());
    }
    let images = images_of(&repeat, result);
    probe::attach(&mut repeat, load, images, result.data.train_images);
    if result.repeats.is_empty() {
        result.phases.train_s = repeat.train_s.clone();
        result.phases.evaluate_s = repeat.evaluate_s.clone();
    }
    result.repeats.push(repeat);
    result.summary = Summary::of(&result.repeats, images, result.model.training_macs);
    Ok(Ok(()))
}

/// Fails if a tool that chooses its adapter itself took another than the one that its row names.
fn same_device(told: &str, adapter: Option<&AdapterInfo>) -> Answer<()> {
    let short = |name: &str| name.split(" (").next().unwrap_or_default().to_owned();
    match adapter {
        Some(adapter) if short(told) != short(&adapter.name) => {
            Err(format!("it computes on {told} instead of {}", adapter.name))
        }
        _ => Ok(()),
    }
}

/// Images of a training: whole epochs, or the batches of its steps.
fn images_of(repeat: &Repeat, result: &RunResult) -> u64 {
    let batch = u64::from(result.settings.batch.value);
    let of_epoch = |steps: u32| (u64::from(steps) * batch).min(u64::from(result.data.train_images));
    repeat.samples.iter().map(|sample| of_epoch(sample.steps)).sum()
}

/// The seconds that the training is expected to take, if they are too many.
fn too_long(result: &RunResult, warm_s: f64, steps: u64, limit: Duration) -> Option<f64> {
    let expected_s = warm_s / steps.max(1) as f64 * f64::from(result.planned_steps());
    let is_standard = result.settings.epochs.value == Training::STANDARD.epochs && result.repeats.is_empty();
    (is_standard && expected_s > EXPECTED_SHARE * limit.as_secs_f64()).then_some(expected_s)
}

/// Lets the training be a few epochs, and says so; fails where these would outlast the time limit too.
fn shorten(result: &mut RunResult, expected_s: f64, limit: Duration) -> Answer<()> {
    let standard = Training::STANDARD.epochs;
    let shortened_s = expected_s * f64::from(FEW_EPOCHS) / f64::from(standard);
    if shortened_s > limit.as_secs_f64() {
        let minutes = (shortened_s / 60.0 / EXPECTED_SHARE).ceil();
        return Err(format!(
            "{FEW_EPOCHS} epochs would take about {shortened_s:.0} s: --time-limit {minutes} allows that, --steps 40 \
             times a few steps"
        ));
    }
    result.settings.epochs.value = FEW_EPOCHS;
    result.standard = false;
    let words = format!("{FEW_EPOCHS} epochs instead of {standard}, which would take about {expected_s:.0} s");
    result.non_standard.push(words);
    Ok(())
}

/// The training that an answer tells of.
fn told_repeat(answer: &Value, train_s: f64, result: &RunResult) -> Answer<Repeat> {
    let epochs: Vec<[f64; 2]> = serde_json::from_value(answer["epochs"].clone())
        .map_err(|error| format!("it did not tell the seconds and the loss of each epoch ({error})"))?;
    let wanted = result.settings.epochs.value as usize;
    if epochs.len() != wanted {
        return Err(format!("it trained {} epochs instead of {wanted}", epochs.len()));
    }
    let within = result.steps_per_epoch().min(result.planned_steps());
    let not_told = || Measured::missing("the tool does not tell it");
    let mut repeat = Repeat { train_s: train_s.into(), commands: not_commands(), ..Repeat::unfinished() };
    for (number, [seconds, loss]) in (1..).zip(epochs) {
        if !loss.is_finite() || !(0.0..=train_s + 1.0).contains(&seconds) {
            return Err(format!("its epoch {number} took {seconds} s with the loss {loss}, which cannot be"));
        }
        repeat.samples.push(Sample {
            epoch: number,
            first_step: (number - 1) * within,
            steps: within,
            duration_s: seconds,
        });
        repeat.epochs.push(Epoch {
            epoch: number,
            train_s: seconds,
            train_loss: loss.into(),
            train_error_pct: not_told(),
            test_loss: not_told(),
            test_errors: Measured::missing("tested after the last epoch alone"),
            test_error_pct: Measured::missing("tested after the last epoch alone"),
            loss_curve: Vec::new(),
        });
    }
    repeat.parameters_sha256 = Measured::missing("the tool keeps its parameters");
    repeat.device_buffer_bytes = Measured::missing("the tool does not tell it");
    Ok(repeat)
}

fn not_commands<T>() -> Measured<T> {
    Measured::missing("the tool submits its own commands")
}

//! The inputs of a run, and its result before anything is measured.

use super::compiler::KernelCompiler;
use super::probe::Probe;
use super::profile_options::ProfileOptions;
use super::stopping;
use super::validate::{difference_in_images, differences_from_standard};
use crate::data::Dataset;
use crate::escape;
use crate::model::{Model, Training};
use crate::result::{self, Environment, Measured, Peaks, Phases, RunResult, Settings, Status, Summary, Timeline};
use crate::trainer::TrainingConfig;
use std::collections::BTreeMap;
use web_time::Instant;

const SOFTWARE_ADAPTER: &str = "a software adapter computes on the CPU: its times say nothing about a GPU";

/// The inputs of [`run`](super::run()) besides the target and the settings.
pub struct Job<'a> {
    /// The data, in host memory.
    pub dataset: &'a Dataset,
    /// Initial parameters in the model's layout; drawn from the seed if `None`.
    pub init: Option<Vec<f32>>,
    /// How to profile after the timed trainings; no profile if `None`.
    pub profile: Option<ProfileOptions>,
    /// Measured peaks of the adapter, which the profile is compared with.
    pub peaks: Measured<Peaks>,
    /// Measures the resources that each timed training uses.
    pub probe: &'a dyn Probe,
    /// Tells of each profiled kernel what the driver's compiler made of it.
    pub compiler: &'a dyn KernelCompiler,
    /// When the program started, for the cold total.
    pub started: Instant,
    /// When a quick run should have tested its first training; `None` if only the time of training is limited.
    pub deadline: Option<Instant>,
}

impl Job<'_> {
    /// The initial parameters, in the layout of `model`.
    pub(super) fn initial_parameters(&self, model: &Model, seed: u64) -> Vec<f32> {
        self.init.clone().unwrap_or_else(|| model.initial_parameters(seed))
    }
}

/// Outputs of a run besides its result.
pub struct Finished {
    /// The trained parameters, in the model's layout.
    pub parameters: Vec<f32>,
    /// Events of the last timed training, and of the profiled steps if there were any.
    pub timeline: Timeline,
}

/// Everything in a result that is known before anything is measured.
pub struct Setup<'a> {
    /// The settings of the run.
    pub settings: Settings,
    /// The machine and the program.
    pub environment: Environment,
    /// The data, in host memory.
    pub dataset: &'a Dataset,
    /// Start of the run, RFC 3339 in UTC.
    pub started_utc: String,
    /// Seconds that finding the adapter took.
    pub adapter_s: f64,
    /// Seconds that reading or generating the data took.
    pub data_s: f64,
}

/// Creates the result of a run that has not measured anything yet; its status is partial.
pub fn initial_result(setup: Setup<'_>) -> RunResult {
    let Setup { mut settings, environment, dataset, started_utc, adapter_s, data_s } = setup;
    // Where things lie on a machine is nobody's concern to whom the result is shown.
    settings.data.value = escape::last_part(&settings.data.value).to_owned();
    settings.init.value = settings.init.value.map(|path| escape::last_part(&path).to_owned());
    let source = dataset.source.as_deref().map(|path| escape::last_part(path).to_owned());
    let name = match (dataset.source.as_deref(), &source) {
        (Some(path), Some(last)) if !path.is_empty() => dataset.name.replace(path, last),
        _ => dataset.name.clone(),
    };
    let mut non_standard = differences_from_standard(&settings, dataset.identity);
    non_standard.extend(difference_in_images(dataset.train.len(), dataset.test.len()));
    let model = Model::new(settings.dropout.value);
    let mut warnings = Vec::new();
    if environment.adapter.software {
        warnings.push(SOFTWARE_ADAPTER.to_owned());
    }
    RunResult {
        schema: result::SCHEMA.to_owned(),
        schema_version: result::SCHEMA_VERSION,
        status: Status::Partial,
        reasons: vec!["the run is under way".to_owned()],
        standard: non_standard.is_empty(),
        non_standard,
        warnings,
        started_utc,
        plan: result::Plan { name: settings.plan.value.clone(), tuning: BTreeMap::new(), kernels: Vec::new() },
        settings,
        environment,
        data: result::Data {
            identity: dataset.identity,
            name,
            source: Measured::or_missing(source, "drawn by this program"),
            train_images: dataset.train.len() as u32,
            test_images: dataset.test.len() as u32,
        },
        model: result::ModelSize {
            parameters: model.parameter_count() as u64,
            forward_macs: model.forward_macs(),
            training_macs: model.training_macs(),
        },
        check: result::not_reached(),
        phases: Phases { adapter_s: adapter_s.into(), data_s: data_s.into(), ..Phases::default() },
        repeats: Vec::new(),
        summary: Summary::default(),
        profile: result::not_profiled(),
        peaks: result::no_peaks(),
        account: result::no_account(),
        sweep: result::no_sweep(),
        tuning: result::no_tuning(),
        parallel: result::not_parallel(),
        turns: result::not_in_turns(),
        repeating: result::not_reached(),
        soak: result::no_soak(),
        tool: None,
    }
}

/// The training that `settings` describe.
pub fn training_config(settings: &Settings) -> TrainingConfig {
    let soaks = settings.stopping.soak_min.value.value().is_some();
    let epochs = if soaks { stopping::SOAK_EPOCHS } else { settings.epochs.value };
    TrainingConfig {
        model: Model::new(settings.dropout.value),
        training: Training { batch: settings.batch.value, epochs, ..Training::STANDARD },
        seed: settings.seed.value,
        shuffle: settings.shuffle.value,
    }
}

/// The seconds since `start`.
pub(super) fn seconds(start: Instant) -> Measured<f64> {
    start.elapsed().as_secs_f64().into()
}

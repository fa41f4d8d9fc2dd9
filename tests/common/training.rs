//! Small trainings inside the test's own process.

use super::sample;
use gpubench::bench::{self, Job, Observer, Progress};
use gpubench::data::Dataset;
use gpubench::model::{DROPOUT_RATE, Model, Training};
use gpubench::result::{RunResult, Setting, Settings, no_peaks};
use gpubench::trainer::TrainingConfig;
use web_time::Instant;

/// The standard network and training, with `batch` images in a step.
pub fn with_batch(batch: u32) -> TrainingConfig {
    TrainingConfig {
        model: Model::new(DROPOUT_RATE),
        training: Training { batch, ..Training::STANDARD },
        seed: 7,
        shuffle: true,
    }
}

/// A training on `dataset` without a profile, peaks or anything that tells the machine's load.
pub fn job(dataset: &Dataset) -> Job<'_> {
    Job {
        dataset,
        init: None,
        profile: None,
        peaks: no_peaks(),
        probe: &bench::probe::NoProbe("not measured in this test"),
        compiler: &bench::compiler::NoCompiler("not asked in this test"),
        started: Instant::now(),
        deadline: None,
    }
}

/// The result of a run that begins on `dataset`, with `epochs` epochs of `batch` images in a step, and `change` to its
/// settings.
pub fn begun(dataset: &Dataset, batch: u32, epochs: u32, change: impl FnOnce(&mut Settings)) -> RunResult {
    let sample = sample::gpu_run(1);
    let mut settings = sample.settings;
    settings.batch = Setting::default(batch);
    settings.epochs = Setting::default(epochs);
    change(&mut settings);
    let started_utc = "2026-01-01T00:00:00Z".to_owned();
    let environment = sample.environment;
    bench::initial_result(bench::Setup { settings, environment, dataset, started_utc, adapter_s: 0.1, data_s: 0.2 })
}

/// Watches nothing and never stops.
pub struct Silent;

impl Observer for Silent {
    fn phase(&mut self, _name: &str) {}
    fn progress(&mut self, _progress: &Progress) {}
    fn stop_requested(&self) -> bool {
        false
    }
    fn checkpoint(&mut self, _result: &RunResult) -> gpubench::Result<()> {
        Ok(())
    }
}

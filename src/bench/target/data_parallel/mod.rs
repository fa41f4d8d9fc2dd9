//! Data-parallel training: each device trains on its part of every batch, and the host averages.
//!
//! With [`Synchronisation::Step`] every device computes the gradients of its part, the host averages them and updates the parameters:
//! the same mathematics as on one device. With momentum 0 and a learning rate of -1 a device's velocities equal its gradients, so
//! that every plan can be used unchanged. With [`Synchronisation::Epoch`] every device trains independently, and the parameters and
//! velocities are averaged at the end of an epoch.

mod device;
mod engine;
mod split;

pub use device::OpenedDevice;
pub use split::{Split, shares};

use crate::bench::describe;
use crate::bench::job::Job;
use crate::bench::observer::Observer;
use crate::bench::pacing::SubmissionPacer;
use crate::bench::prepared_plan::PreparedPlan;
use crate::bench::profile_options::ProfileOptions;
use crate::bench::step_time::time_steps;
use crate::bench::training_target::{LastTraining, OpenedTarget, TrainingEngine, TrainingTarget};
use crate::check;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters, Gpu, Needs, Pipelines};
use crate::kernels::{Plan, plan_named};
use crate::model::Training;
use crate::result::{self, Measured, Outcome, Parallel, RunResult, Synchronisation, Timeline};
use crate::stats;
use crate::trainer::{Share, TrainingConfig};
use engine::DataParallelEngine;
use web_time::Instant;

/// Seconds for which each device is timed alone.
const ALONE_S: f64 = 0.5;

/// A data-parallel training target.
pub struct DataParallelTarget<'a> {
    /// The machine's adapters.
    pub adapters: &'a Adapters,
    /// The devices, in the order of their parts of a batch.
    pub devices: Vec<Device<'a>>,
    /// When the devices synchronise.
    pub sync: Synchronisation,
    /// Whether shaders check indices and bound loops at run time.
    pub checked: bool,
}

/// One device of a data-parallel target.
#[derive(Debug, Clone)]
pub struct Device<'a> {
    /// Its adapter; several devices may be opened on one.
    pub adapter: &'a AdapterInfo,
    /// Display name, unique among the devices.
    pub name: String,
    /// Name of its plan.
    pub plan: String,
    /// Its part of a batch, relative to the other devices' weights.
    pub weight: u32,
}

/// An opened data-parallel target, with compiled kernels.
pub struct OpenedDataParallel<'a> {
    target: &'a DataParallelTarget<'a>,
    /// The devices, in the order of their parts of a batch.
    pub devices: Vec<OpenedDevice>,
    config: TrainingConfig,
    check: check::Report,
}

impl TrainingTarget for DataParallelTarget<'_> {
    type Opened<'a>
        = OpenedDataParallel<'a>
    where
        Self: 'a;

    async fn open(
        &self,
        job: &Job<'_>,
        config: &TrainingConfig,
        result: &mut RunResult,
        observer: &mut dyn Observer,
    ) -> Result<OpenedDataParallel<'_>> {
        let weights: Vec<u32> = self.devices.iter().map(|device| device.weight).collect();
        let shares = shares(config, job.dataset.train.len(), &weights)?;
        let mut opened = OpenedDataParallel {
            target: self,
            devices: Vec::new(),
            config: config.clone(),
            check: check::Report::empty(),
        };
        let mut members = Vec::new();
        let (mut device_s, mut compile_s) = (0.0, 0.0);
        for (device, share) in self.devices.iter().zip(shares) {
            observer.phase(&format!("opening {}", device.name));
            let start = Instant::now();
            let (gpu, whole) = self.open_device(device, config, job.dataset).await?;
            device_s += start.elapsed().as_secs_f64();
            let start = Instant::now();
            let own = device_config(config, share, self.sync);
            let plan = plan_named(&device.plan)?.make(&own.model, &own.training, own.seed);
            let pipelines = Pipelines::compile(&gpu, &plan).await?;
            compile_s += start.elapsed().as_secs_f64();
            observer.phase(&format!("checking {} against the reference", device.name));
            let ready = OpenedDevice { name: device.name.clone(), gpu, pipelines, plan, config: own, share };
            let alone_step_s = opened.check_and_time(&ready, &whole, job.dataset, observer).await?;
            members.push(result::Member {
                name: device.name.clone(),
                plan: device.plan.clone(),
                images_per_batch: share.whole.images,
                alone_step_s,
            });
            opened.devices.push(ready);
        }
        result.phases.device_s = device_s.into();
        result.phases.compile_s = compile_s.into();
        opened.describe(result, members, job.dataset)?;
        Ok(opened)
    }
}

/// The configuration of one device with the share `share` of `config`.
fn device_config(config: &TrainingConfig, share: Share, sync: Synchronisation) -> TrainingConfig {
    let batch = share.whole.images;
    let training = match sync {
        Synchronisation::Step => Training { batch, momentum: 0.0, learning_rate: -1.0, decay: 0.0, ..config.training },
        Synchronisation::Epoch => Training { batch, ..config.training },
    };
    TrainingConfig { training, ..config.clone() }
}

impl DataParallelTarget<'_> {
    /// Opens a device, and makes the plan with which it trains full batches alone.
    async fn open_device(
        &self,
        device: &Device<'_>,
        config: &TrainingConfig,
        dataset: &Dataset,
    ) -> Result<(Gpu, Plan)> {
        let plan = plan_named(&device.plan)?.make(&config.model, &config.training, config.seed);
        let needs = Needs { checked: self.checked, ..config.needs(&plan, dataset) };
        Ok((Gpu::open(self.adapters, device.adapter, needs).await?, plan))
    }
}

impl OpenedDataParallel<'_> {
    /// Compares the kernels and training steps of `device` with the reference, and times a step on it alone if they agree.
    async fn check_and_time(
        &mut self,
        device: &OpenedDevice,
        whole: &Plan,
        dataset: &Dataset,
        observer: &mut dyn Observer,
    ) -> Result<Measured<f64>> {
        let gpu = &device.gpu;
        let pipelines = Pipelines::compile(gpu, whole).await?;
        let report = check::check(gpu, &pipelines, whole, &self.config).await?;
        let passed = report.check.outcome == Outcome::Passed;
        self.check.merge(report);
        if !passed {
            return Ok(Measured::missing("its check failed"));
        }
        observer.phase(&format!("timing {} alone", device.name));
        let prepared = PreparedPlan { gpu, pipelines: &pipelines, plan: whole, config: &self.config };
        let (mut pacer, mut samples_s) = (SubmissionPacer::default(), Vec::new());
        time_steps(&prepared, dataset, ALONE_S, &mut pacer, &mut samples_s, observer).await?;
        Ok(Measured::or_missing(stats::median(&samples_s), "no step was timed"))
    }

    /// Describes the devices and their exchanges in `result`.
    fn describe(&self, result: &mut RunResult, members: Vec<result::Member>, dataset: &Dataset) -> Result<()> {
        let first = &self.devices[0];
        describe::device(result, &first.gpu, &first.plan, first.share.whole.images)?;
        let mut caches: Vec<String> = self.devices.iter().map(|device| device.gpu.pipeline_cache()).collect();
        caches.dedup();
        result.plan.tuning.insert("pipeline_cache".to_owned(), caches.join(" + "));
        let steps = self.config.steps_per_epoch(dataset.train.len());
        if self.target.sync == Synchronisation::Epoch {
            result.standard = false;
            result.non_standard.push("parameters averaged once an epoch".to_owned());
        }
        let parameters = 4 * self.config.model.parameter_count() as u64;
        let (vectors, exchanges) = match self.target.sync {
            Synchronisation::Step => (2, steps),
            Synchronisation::Epoch => (4, 1),
        };
        result.parallel = Measured::Value(Parallel {
            sync: self.target.sync,
            bytes_per_exchange: vectors * parameters * members.len() as u64,
            members,
            exchange_s: result::not_reached(),
            exchange_pct: result::not_reached(),
            exchanges_per_epoch: exchanges,
            scaling_efficiency_pct: result::not_reached(),
        });
        Ok(())
    }
}

impl OpenedTarget for OpenedDataParallel<'_> {
    async fn check(&self) -> Result<check::Report> {
        Ok(self.check.clone())
    }

    fn engine(&self) -> impl TrainingEngine {
        DataParallelEngine::new(&self.devices, &self.config, self.target.sync)
    }

    async fn profile(
        &self,
        _job: &Job<'_>,
        _options: ProfileOptions,
        _last: LastTraining<'_>,
        _result: &mut RunResult,
        _observer: &mut dyn Observer,
    ) -> Result<Timeline> {
        Err(Error::Usage("several devices cannot be profiled together: profile each of them alone".into()))
    }
}

/// Records the efficiency of a data-parallel training of `steps` steps in `train_s` seconds, of which exchanges took `exchange_s`.
pub(in crate::bench) fn record_scaling(parallel: &mut Parallel, exchange_s: f64, train_s: f64, steps: u32) {
    parallel.exchange_s = exchange_s.into();
    parallel.exchange_pct = (100.0 * exchange_s / train_s).into();
    let together = f64::from(steps) / train_s;
    parallel.scaling_efficiency_pct = Measured::or_missing(
        parallel.alone_steps_per_s().map(|alone| 100.0 * together / alone),
        "not every device could be timed alone",
    );
}

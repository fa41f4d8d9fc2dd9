//! Data-parallel training: each member, an adapter or the host's cores, trains on its part of every batch, and the host
//! averages. Several processes may train together, each with some of the devices: their hosts add their sums up through
//! a [`Collective`].
//!
//! With [`Synchronisation::Step`] every member computes the gradients of its part, the host averages them and updates
//! the parameters: the same mathematics as on one device. With momentum 0 and a learning rate of -1 a member's
//! velocities equal its gradients, so that every plan can be used unchanged. With [`Synchronisation::Epoch`] every
//! member trains independently, and the parameters and velocities are averaged at the end of an epoch.

mod device;
mod engine;
mod host_member;
mod sharing;
mod split;
mod worker;

pub use device::{Device, OpenedDevice, Place};
pub use host_member::{HostMember, HostTrainer, OpenedHostMember};
pub use split::{Split, shares};

use crate::bench::collective::{Collective, gather};
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
use crate::result::{
    self, Measured, Outcome, Parallel, Rank, RunResult, ScalingMode, Synchronisation, Timeline, not_reached,
    one_process,
};
use crate::stats;
use crate::trainer::{Share, TrainingConfig};
use device::Trains;
use engine::DataParallelEngine;
use web_time::Instant;

/// Seconds for which each device is timed alone.
const ALONE_S: f64 = 0.5;
/// Reason for the missing time of a member alone.
const CHECK_FAILED: &str = "its check failed";

/// A data-parallel training target.
pub struct DataParallelTarget<'a> {
    /// The machine's adapters.
    pub adapters: &'a Adapters,
    /// The devices of this process, in the order of their parts of a batch.
    pub devices: Vec<Device<'a>>,
    /// The processes that train together.
    pub group: &'a dyn Collective,
    /// What more processes make of the batch.
    pub scaling_mode: ScalingMode,
    /// When the devices synchronise.
    pub sync: Synchronisation,
    /// Whether shaders check indices and bound loops at run time.
    pub checked: bool,
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
        let shares = self.own_shares(config, job.dataset)?;
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
            let own = device_config(config, share, self.sync);
            let (trains, full_plan) = match &device.place {
                Place::Adapter(adapter) => {
                    let start = Instant::now();
                    let (gpu, full_plan) = self.open_adapter(adapter, &device.plan, config, job.dataset).await?;
                    device_s += start.elapsed().as_secs_f64();
                    let start = Instant::now();
                    let plan = plan_named(&device.plan)?.make(&own.model, &own.training, own.seed);
                    let pipelines = Pipelines::compile(&gpu, &plan).await?;
                    compile_s += start.elapsed().as_secs_f64();
                    (Trains::Adapter { gpu: Box::new(gpu), pipelines, plan }, Some(full_plan))
                }
                Place::Host(host) => {
                    let start = Instant::now();
                    let host = host.open()?;
                    device_s += start.elapsed().as_secs_f64();
                    (Trains::Host(host), None)
                }
            };
            observer.phase(&format!("checking {} against the reference", device.name));
            let ready = OpenedDevice { name: device.name.clone(), trains, config: own, share };
            let alone_step_s = opened.check_and_time(&ready, full_plan.as_ref(), job.dataset, observer).await?;
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
    /// The shares of this process's devices: those of the ranks before it come first.
    ///
    /// # Errors
    /// [`Error::Usage`] if a device of any process would get no image of some batch, or as [`Collective::sum`].
    pub fn own_shares(&self, config: &TrainingConfig, dataset: &Dataset) -> Result<Vec<Share>> {
        let own: Vec<u32> = self.devices.iter().map(|device| device.weight).collect();
        let all = gather(self.group, &own)?;
        let before: usize = all.iter().take(self.group.rank()).map(Vec::len).sum();
        let shares = shares(config, dataset.train.len(), &all.concat())?;
        Ok(shares.into_iter().skip(before).take(own.len()).collect())
    }

    /// Opens an adapter, and makes the plan with which it trains full batches alone.
    async fn open_adapter(
        &self,
        adapter: &AdapterInfo,
        plan: &str,
        config: &TrainingConfig,
        dataset: &Dataset,
    ) -> Result<(Gpu, Plan)> {
        let plan = plan_named(plan)?.make(&config.model, &config.training, config.seed);
        let needs = Needs { checked: self.checked, ..config.needs(&plan, dataset) };
        Ok((Gpu::open(self.adapters, adapter, needs).await?, plan))
    }
}

impl OpenedDataParallel<'_> {
    /// Compares the kernels and training steps of `device` with the reference, and times a step on it alone if they
    /// agree; `full_plan` is an adapter's plan for whole batches.
    async fn check_and_time(
        &mut self,
        device: &OpenedDevice,
        full_plan: Option<&Plan>,
        dataset: &Dataset,
        observer: &mut dyn Observer,
    ) -> Result<Measured<f64>> {
        let timing = format!("timing {} alone", device.name);
        let samples_s = match (&device.trains, full_plan) {
            (Trains::Adapter { gpu, .. }, Some(plan)) => {
                let pipelines = Pipelines::compile(gpu, plan).await?;
                if !self.passes(check::check(gpu, &pipelines, plan, &self.config).await?) {
                    return Ok(Measured::missing(CHECK_FAILED));
                }
                observer.phase(&timing);
                let prepared = PreparedPlan { gpu, pipelines: &pipelines, plan, config: &self.config };
                let (mut pacer, mut samples_s) = (SubmissionPacer::default(), Vec::new());
                time_steps(&prepared, dataset, ALONE_S, &mut pacer, &mut samples_s, observer).await?;
                samples_s
            }
            (Trains::Host(host), _) => {
                if !self.passes(host.check(&self.config, &device.name)?) {
                    return Ok(Measured::missing(CHECK_FAILED));
                }
                observer.phase(&timing);
                time_host_steps(host.as_ref(), &self.config, dataset, observer)?
            }
            (Trains::Adapter { .. }, None) => Vec::new(),
        };
        Ok(Measured::or_missing(stats::median(&samples_s), "no step was timed"))
    }

    /// Adds a member's report to that of the target; returns whether it passed.
    fn passes(&mut self, report: check::Report) -> bool {
        let passed = report.check.outcome == Outcome::Passed;
        self.check.merge(report);
        passed
    }

    /// Describes the devices and their exchanges in `result`.
    fn describe(&self, result: &mut RunResult, members: Vec<result::Member>, dataset: &Dataset) -> Result<()> {
        let adapters = self.devices.iter().filter_map(|device| match &device.trains {
            Trains::Adapter { gpu, plan, .. } => Some((gpu, plan, device.share.whole.images)),
            Trains::Host(_) => None,
        });
        let mut caches = Vec::new();
        for (index, (gpu, plan, images)) in adapters.enumerate() {
            if index == 0 {
                describe::device(result, gpu, plan, images)?;
            }
            caches.push(gpu.pipeline_cache());
        }
        for device in &self.devices {
            if let Trains::Host(host) = &device.trains {
                result.plan.tuning.extend(host.tuning().into_iter().map(|(name, value)| (name.to_owned(), value)));
            }
        }
        caches.dedup();
        if !caches.is_empty() {
            result.plan.tuning.insert("pipeline_cache".to_owned(), caches.join(" + "));
        }
        let steps = self.config.steps_per_epoch(dataset.train.len());
        if self.target.sync == Synchronisation::Epoch {
            result.standard = false;
            result.non_standard.push("parameters averaged once an epoch".to_owned());
        }
        let of_ranks = gather(self.target.group, &members)?;
        let ranks = of_ranks.iter().enumerate().map(|(rank, members)| Rank {
            host: self.target.group.host_of(rank),
            devices: members.iter().map(|member| member.name.clone()).collect(),
            images_per_batch: members.iter().map(|member| member.images_per_batch).sum(),
            step_s: not_reached(),
            compute_s: not_reached(),
            wait_s: not_reached(),
            exchange_s: not_reached(),
            update_s: not_reached(),
        });
        let shared = of_ranks.len() > 1;
        let ranks = if shared { Measured::Value(ranks.collect()) } else { one_process() };
        let members = of_ranks.concat();
        let parameters = 4 * self.config.model.parameter_count() as u64;
        let (vectors, exchanges) = match self.target.sync {
            Synchronisation::Step => (2, steps),
            Synchronisation::Epoch => (4, 1),
        };
        result.parallel = Measured::Value(Parallel {
            sync: self.target.sync,
            bytes_per_exchange: vectors * parameters * members.len() as u64,
            members,
            exchange_s: not_reached(),
            exchange_pct: not_reached(),
            exchanges_per_epoch: exchanges,
            scaling_efficiency_pct: not_reached(),
            ranks,
            scaling_mode: if shared { Measured::Value(self.target.scaling_mode) } else { one_process() },
        });
        Ok(())
    }
}

impl OpenedTarget for OpenedDataParallel<'_> {
    async fn check(&self) -> Result<check::Report> {
        Ok(self.check.clone())
    }

    fn engine(&self) -> impl TrainingEngine {
        DataParallelEngine::new(&self.devices, &self.config, self.target.sync, self.target.group)
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

/// Seconds of single steps of whole batches on the host alone, for [`ALONE_S`] seconds after one that warms it up.
fn time_host_steps(
    host: &dyn OpenedHostMember,
    config: &TrainingConfig,
    dataset: &Dataset,
    observer: &dyn Observer,
) -> Result<Vec<f64>> {
    let mut trainer = host.trainer(config, None, dataset, &config.model.initial_parameters(config.seed))?;
    trainer.begin_epoch(0, &config.order(0, dataset.train.len()));
    let full = (dataset.train.len() as u32 / config.training.batch).max(1);
    trainer.steps(0..1);
    let (start, mut samples_s) = (Instant::now(), Vec::new());
    for step in 1.. {
        if start.elapsed().as_secs_f64() >= ALONE_S {
            break;
        }
        if observer.stop_requested() {
            return Err(Error::Interrupted);
        }
        let (began, step) = (Instant::now(), step % full);
        trainer.steps(step..step + 1);
        samples_s.push(began.elapsed().as_secs_f64());
    }
    Ok(samples_s)
}

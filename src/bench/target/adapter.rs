//! Training on one adapter.

use crate::bench::host_timeline::{Activity, HostTimeline};
use crate::bench::job::{Job, seconds};
use crate::bench::observer::Observer;
use crate::bench::pacing::{StepChunk, SubmissionPacer, submit_paced};
use crate::bench::prepared_plan::PreparedPlan;
use crate::bench::profile_options::ProfileOptions;
use crate::bench::training_target::{
    LastTraining, NOT_STARTED, OpenedTarget, TrainingEngine, TrainingTarget, require_started,
};
use crate::bench::{account, describe, profile, train};
use crate::check;
use crate::data::Dataset;
use crate::error::Result;
use crate::gpu::{AdapterInfo, Adapters, CommandCounts, Gpu, Needs, Pipelines};
use crate::kernels::{Plan, plan_named};
use crate::result::{self, Measured, PeakKind, Profile, RunResult, Timeline};
use crate::trainer::{Metrics, Stage, Trainer, TrainingConfig};
use std::ops::{ControlFlow, Range};
use web_time::Instant;

/// One adapter to train on.
pub struct AdapterTarget<'a> {
    /// The machine's adapters.
    pub adapters: &'a Adapters,
    /// The adapter to use.
    pub adapter: &'a AdapterInfo,
    /// Whether shaders check indices and bound loops at run time.
    pub checked: bool,
}

/// One adapter, opened, with the plan's kernels compiled.
pub struct OpenedAdapter<'a> {
    target: &'a AdapterTarget<'a>,
    gpu: Gpu,
    pipelines: Pipelines,
    plan: Plan,
    config: TrainingConfig,
}

impl TrainingTarget for AdapterTarget<'_> {
    type Opened<'a>
        = OpenedAdapter<'a>
    where
        Self: 'a;

    async fn open(
        &self,
        job: &Job<'_>,
        config: &TrainingConfig,
        result: &mut RunResult,
        observer: &mut dyn Observer,
    ) -> Result<OpenedAdapter<'_>> {
        observer.phase("device");
        let start = Instant::now();
        let plan = plan_named(&result.settings.plan.value)?.make(&config.model, &config.training, config.seed);
        let needs = Needs { checked: self.checked, ..config.needs(&plan, job.dataset) };
        let gpu = Gpu::open(self.adapters, self.adapter, needs).await?;
        result.phases.device_s = seconds(start);
        result.plan.name = plan.name.to_owned();
        let parameters = plan.parameters.iter().map(|(name, value)| ((*name).to_owned(), value.to_string()));
        result.plan.tuning.extend(parameters);
        describe::device(result, &gpu, &plan, config.training.batch)?;

        observer.phase("compile");
        let start = Instant::now();
        let pipelines = Pipelines::compile(&gpu, &plan).await?;
        result.phases.compile_s = seconds(start);
        result.plan.tuning.insert("pipeline_cache".to_owned(), gpu.pipeline_cache());
        Ok(OpenedAdapter { target: self, gpu, pipelines, plan, config: config.clone() })
    }
}

impl OpenedAdapter<'_> {
    fn prepared(&self) -> PreparedPlan<'_> {
        PreparedPlan { gpu: &self.gpu, pipelines: &self.pipelines, plan: &self.plan, config: &self.config }
    }

    /// The time account of the last timed training.
    fn time_account(
        &self,
        result: &RunResult,
        last: &LastTraining<'_>,
        device_step: Measured<account::DeviceStep>,
        profile: &Profile,
    ) -> Measured<result::Account> {
        let Some(repeat) = result.repeats.last() else { return Measured::missing("nothing was trained") };
        let Some(&wall_s) = last.wall_s.value() else {
            return result::unfinished();
        };
        let steps = repeat.steps();
        let images = train::images_trained(repeat, &self.config, result.data.train_images);
        let batches = images as f64 / f64::from(self.config.training.batch);
        device_step.map(|device| {
            let peaks = result.peaks.value();
            let submit_s = peaks.and_then(|peaks| peaks.highest(PeakKind::Submit)).map(|ns| ns / 1e9);
            let account = account::account(last.host_timeline, device, submit_s, steps, batches, wall_s);
            result::Account { verdict: account.judge(Some(profile), peaks), ..account }
        })
    }
}

impl OpenedTarget for OpenedAdapter<'_> {
    async fn check(&self) -> Result<check::Report> {
        check::check(&self.gpu, &self.pipelines, &self.plan, &self.config).await
    }

    fn engine(&self) -> impl TrainingEngine {
        DeviceEngine {
            opened: self,
            trainer: None,
            pacer: SubmissionPacer::default(),
            commands_before: self.gpu.commands(),
        }
    }

    async fn profile(
        &self,
        job: &Job<'_>,
        options: ProfileOptions,
        last: LastTraining<'_>,
        result: &mut RunResult,
        observer: &mut dyn Observer,
    ) -> Result<Timeline> {
        let profiled = profile::profile(
            job,
            self.target.adapters,
            self.target.checked,
            &self.prepared(),
            options,
            result,
            observer,
        )
        .await?;
        let mut figures = profiled.profile;
        result.peaks = job.peaks.clone();
        if let Some(peaks) = job.peaks.value() {
            profile::compare_with_peaks(&mut figures, peaks, &self.plan.training, self.config.training.batch);
        }
        result.account = self.time_account(result, &last, profiled.device_step, &figures);
        result.profile = Measured::Value(figures);
        Ok(profiled.timeline)
    }
}

/// Trainings on one adapter.
struct DeviceEngine<'a> {
    opened: &'a OpenedAdapter<'a>,
    /// `None` before the first training.
    trainer: Option<Trainer<'a>>,
    pacer: SubmissionPacer,
    commands_before: CommandCounts,
}

impl DeviceEngine<'_> {
    fn trainer(&self) -> Result<&Trainer<'_>> {
        require_started(self.trainer.as_ref())
    }
}

impl TrainingEngine for DeviceEngine<'_> {
    async fn begin(&mut self, dataset: &Dataset, parameters: &[f32], host_timeline: &mut HostTimeline) -> Result<()> {
        let OpenedAdapter { gpu, pipelines, plan, config, .. } = self.opened;
        (self.commands_before, self.pacer) = (gpu.commands(), SubmissionPacer::default());
        let interval = host_timeline.begin();
        let trainer = match self.trainer.take() {
            Some(trainer) => trainer,
            None => Trainer::prepare(gpu, pipelines, plan, config, dataset).await?,
        };
        host_timeline.end(interval, Activity::Prepare, false, None);
        let interval = host_timeline.begin();
        trainer.upload(dataset, parameters);
        // An empty submission flushes the copies to the device, so that they do not count as part of the first step.
        gpu.wait(gpu.submit(gpu.record())).await?;
        host_timeline.end(interval, Activity::Upload, false, None);
        self.trainer = Some(trainer);
        Ok(())
    }

    async fn begin_epoch(&mut self, epoch: u32, host_timeline: &mut HostTimeline) -> Result<()> {
        let trainer = require_started(self.trainer.as_mut())?;
        let order = host_timeline.time(Activity::Shuffle, || trainer.order(epoch));
        host_timeline.time(Activity::Upload, || trainer.begin_epoch_in_order(epoch, &order));
        Ok(())
    }

    async fn warm_up(&mut self) -> Result<()> {
        let trainer = self.trainer()?;
        trainer.run_first_and_last(Stage::Training).await?;
        trainer.run_first_and_last(Stage::Evaluation).await?;
        trainer.step_metrics(1).await?;
        trainer.evaluation_metrics().await?;
        trainer.parameters().await.map(drop)
    }

    async fn steps(
        &mut self,
        steps: Range<u32>,
        host_timeline: &mut HostTimeline,
        report: &mut dyn FnMut(StepChunk) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut pacer = self.pacer;
        let trainer = self.trainer()?;
        let driven = submit_paced(
            &self.opened.gpu,
            steps,
            &mut pacer,
            host_timeline,
            |range| trainer.encode(Stage::Training, range),
            report,
        )
        .await;
        self.pacer = pacer;
        driven
    }

    async fn step_metrics(&mut self, steps: u32) -> Result<Vec<Metrics>> {
        self.trainer()?.step_metrics(steps).await
    }

    async fn evaluate(&mut self, report: &mut dyn FnMut(StepChunk) -> ControlFlow<()>) -> Result<Metrics> {
        let mut pacer = self.pacer;
        let trainer = self.trainer()?;
        let encode = |range| trainer.encode(Stage::Evaluation, range);
        // The timeline of the training excludes evaluations.
        let mut unused = HostTimeline::new(Instant::now());
        submit_paced(&self.opened.gpu, 0..trainer.evaluation_batches(), &mut pacer, &mut unused, encode, report)
            .await?;
        let metrics = trainer.evaluation_metrics().await?;
        self.pacer = pacer;
        Ok(metrics)
    }

    async fn parameters(&mut self) -> Result<Vec<f32>> {
        self.trainer()?.parameters().await
    }

    fn buffer_bytes(&self) -> Measured<u64> {
        let bytes = self.trainer.as_ref().map(|trainer| trainer.buffers().total_bytes());
        Measured::or_missing(bytes, NOT_STARTED)
    }

    fn commands(&self) -> Measured<CommandCounts> {
        Measured::Value(self.opened.gpu.commands() - self.commands_before)
    }
}

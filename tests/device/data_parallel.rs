//! Training on several devices together, on every adapter of this machine.

use crate::common::named;
use crate::common::training::{Silent, begun, job, with_batch};
use crate::common::trials::{AdapterTest, Outcome, with_each};
use gpubench::bench::host_timeline::{Activity, HostTimeline};
use gpubench::bench::training_target::{OpenedTarget, TrainingEngine, TrainingTarget};
use gpubench::bench::{
    self, DataParallelTarget, Device, Job, Observer, OneProcess, OpenedDataParallel, Place, Progress, StepChunk,
};
use gpubench::check::tolerance;
use gpubench::cpu::CpuTarget;
use gpubench::data::Dataset;
use gpubench::gpu::{Adapters, Gpu, Pipelines};
use gpubench::kernels::{PLANS, fused_f16, plan_named};
use gpubench::model::Training;
use gpubench::result::{Measured, RunResult, ScalingMode, Status, Synchronisation};
use gpubench::trainer::{Stage, Trainer, TrainingConfig};
use gpubench::{Error, Result};
use libtest_mimic::Trial;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use web_time::Instant;

const BATCH: u32 = 24;
const STEPS: u32 = 50;

/// At the full rate training is chaotic; what is compared over many steps is trained at a lower one.
fn at_rate(learning_rate: f64) -> TrainingConfig {
    let standard = with_batch(BATCH);
    TrainingConfig { training: Training { learning_rate, epochs: 2, ..standard.training }, ..standard }
}

/// Images for [`STEPS`] steps, of which the last has fewer.
fn dataset() -> Dataset {
    gpubench::data::synthetic::digits(4, (STEPS * BATCH - 7) as usize, 8)
}

fn result(dataset: &Dataset) -> RunResult {
    begun(dataset, BATCH, 2, |_| ())
}

fn target<'a>(
    adapters: &'a Adapters,
    index: usize,
    plan: &str,
    weights: &[u32],
    sync: Synchronisation,
) -> DataParallelTarget<'a> {
    let device = |(number, &weight): (usize, &u32)| Device {
        place: Place::Adapter(&adapters.infos()[index]),
        name: format!("device {}", number + 1),
        plan: plan.to_owned(),
        weight,
    };
    DataParallelTarget {
        adapters,
        devices: weights.iter().enumerate().map(device).collect(),
        group: &OneProcess,
        scaling_mode: ScalingMode::Strong,
        sync,
        checked: false,
    }
}

/// The same, with the host's cores as one device more.
fn with_host<'a>(target: DataParallelTarget<'a>, weight: u32) -> DataParallelTarget<'a> {
    let host = Arc::new(CpuTarget::new("the host".to_owned(), Some(2)).expect("two threads can train"));
    let host = Device { place: Place::Host(host), name: "the host".to_owned(), plan: "cpu".to_owned(), weight };
    DataParallelTarget { devices: target.devices.into_iter().chain([host]).collect(), ..target }
}

fn keep_on(_: StepChunk) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Losses and parameters of the first `steps` steps on several devices, and seconds of exchange.
async fn together(
    target: &DataParallelTarget<'_>,
    config: &TrainingConfig,
    dataset: &Dataset,
    steps: u32,
) -> Result<(Vec<f32>, Vec<f32>, f64)> {
    let mut result = result(dataset);
    let opened = target.open(&job(dataset), config, &mut result, &mut Silent).await?;
    let mut engine = opened.engine();
    let mut host_timeline = HostTimeline::new(Instant::now());
    engine.begin(dataset, &config.model.initial_parameters(config.seed), &mut host_timeline).await?;
    engine.begin_epoch(0, &mut host_timeline).await?;
    engine.steps(0..steps, &mut host_timeline, &mut keep_on).await?;
    let metrics = engine.step_metrics(steps).await?;
    assert_eq!(metrics.iter().map(|one| one.images).max(), Some(u64::from(BATCH)));
    let losses = metrics.iter().map(|metrics| metrics.loss() as f32).collect();
    let exchange_s = host_timeline.seconds(|interval| interval.activity == Activity::Exchange);
    Ok((losses, engine.parameters().await?, exchange_s))
}

/// The same on one device.
async fn alone(
    adapters: &Adapters,
    index: usize,
    plan: &str,
    config: &TrainingConfig,
    dataset: &Dataset,
    steps: u32,
) -> Result<(Vec<f32>, Vec<f32>)> {
    let plan = plan_named(plan)?.make(&config.model, &config.training, config.seed);
    let gpu = Gpu::open(adapters, &adapters.infos()[index], config.needs(&plan, dataset)).await?;
    let pipelines = Pipelines::compile(&gpu, &plan).await?;
    let start = config.model.initial_parameters(config.seed);
    let mut trainer = Trainer::new(&gpu, &pipelines, &plan, config, dataset, &start).await?;
    trainer.begin_epoch(0);
    gpu.wait(trainer.submit(Stage::Training, 0..steps)?).await?;
    let losses = trainer.step_metrics(steps).await?.iter().map(|metrics| metrics.loss() as f32).collect();
    Ok((losses, trainer.parameters().await?))
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// Every plan makes the same gradients in uneven parts as whole, dropout masks included.
fn the_first_steps_are_those_of_one_device(adapters: &Adapters, index: usize) -> Outcome {
    pollster::block_on(async {
        let (config, dataset) = (at_rate(0.05), dataset());
        let has_subgroups = adapters.infos()[index].subgroups;
        // Rounding to 16 bits makes a difference in the last of 32 a larger one.
        let compared = |name: &&str| (has_subgroups || !name.contains("subgroups")) && *name != fused_f16::ARITHMETIC;
        for plan in PLANS.iter().map(|row| row.name).filter(compared) {
            let (losses, parameters) = alone(adapters, index, plan, &config, &dataset, 4).await?;
            let target = with_host(target(adapters, index, plan, &[3, 1], Synchronisation::Step), 2);
            let (found, moved, _) = together(&target, &config, &dataset, 4).await?;
            let compared = tolerance::compare(&found, &wide(&losses), tolerance::STEP_LOSS);
            assert!(compared.passed, "{plan}: {compared:?}");
            let compared = tolerance::compare(&moved, &wide(&parameters), tolerance::STEP_PARAMETERS);
            assert!(compared.passed, "{plan}: {compared:?}");
        }
        Ok(())
    })
}

fn fifty_losses_are_those_of_one_device(adapters: &Adapters, index: usize) -> Outcome {
    pollster::block_on(async {
        let (config, dataset) = (at_rate(0.01), dataset());
        let plan = bench::shipped_plan(&adapters.infos()[index]);
        let (losses, _) = alone(adapters, index, plan, &config, &dataset, STEPS).await?;
        let target = target(adapters, index, plan, &[3, 1], Synchronisation::Step);
        let (found, _, exchange_s) = together(&target, &config, &dataset, STEPS).await?;
        let compared = tolerance::compare(&found, &wide(&losses), tolerance::FIFTY_STEPS_LOSS);
        assert!(losses[45] < 0.8 * losses[0], "nothing was learnt: {losses:?}");
        assert!(compared.passed, "{compared:?}");
        assert!(exchange_s > 0.0);
        Ok(())
    })
}

/// A whole run, evaluations included; one image less than whole batches, so that the last one is uneven.
fn a_run_tells_who_trained_what(adapters: &Adapters, index: usize) -> Outcome {
    let dataset = dataset();
    let plan = bench::shipped_plan(&adapters.infos()[index]);
    for sync in [Synchronisation::Step, Synchronisation::Epoch] {
        let mut result = result(&dataset);
        let target = with_host(target(adapters, index, plan, &[2], sync), 1);
        let finished = pollster::block_on(bench::run(&target, &job(&dataset), &mut result, &mut Silent))?;
        assert!(finished.parameters.iter().all(|value| value.is_finite()));
        let parallel = result.parallel.value().ok_or("nothing is told")?;
        let parts: Vec<u32> = parallel.members.iter().map(|member| member.images_per_batch).collect();
        assert_eq!(parts, [16, 8]);
        assert!(parallel.members.iter().all(|member| member.alone_step_s.value().is_some_and(|step_s| *step_s > 0.0)));
        let share = *parallel.exchange_pct.value().ok_or("no share")?;
        assert!(share > 0.0 && share < 100.0, "{share}");
        assert!(parallel.scaling_efficiency_pct.value().is_some_and(|efficiency| *efficiency > 0.0));
        let epoch_only = result.non_standard.iter().any(|words| words.contains("averaged once an epoch"));
        assert_eq!(epoch_only, sync == Synchronisation::Epoch);
        let repeat = &result.repeats[0];
        assert_eq!(repeat.epochs.len(), 2);
        let losses: Vec<f64> = repeat.epochs.iter().filter_map(|epoch| epoch.train_loss.value().copied()).collect();
        assert!(losses[1] < losses[0], "{losses:?}");
        let commands = repeat.commands.value().ok_or("no commands")?;
        assert_eq!(commands.timestamps, 0);
        let text = gpubench::report::text(&result, 100);
        assert!(text.contains("Several devices") && text.contains("efficiency"), "{text}");
    }
    Ok(())
}

/// Opens as the target it holds, and leaves behind what ends the second device.
struct Failing<'a> {
    target: DataParallelTarget<'a>,
    ending: EndDevice,
}

type EndDevice = Arc<Mutex<Option<Box<dyn Fn()>>>>;

impl TrainingTarget for Failing<'_> {
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
        let opened = self.target.open(job, config, result, observer).await?;
        *self.ending.lock().expect("nobody panicked") =
            opened.devices[1].gpu().map(|gpu| Box::new(gpu.destroyer()) as Box<dyn Fn()>);
        Ok(opened)
    }
}

/// Ends the second device in the second epoch.
struct Saboteur(EndDevice);

impl Observer for Saboteur {
    fn phase(&mut self, _name: &str) {}
    fn progress(&mut self, progress: &Progress) {
        if let (2, Some(end)) = (progress.epoch.0, &*self.0.lock().expect("nobody panicked")) {
            end();
        }
    }
    fn stop_requested(&self) -> bool {
        false
    }
    fn checkpoint(&mut self, _result: &RunResult) -> Result<()> {
        Ok(())
    }
}

fn a_device_that_is_lost_ends_the_run_and_keeps_its_result(adapters: &Adapters, index: usize) -> Outcome {
    let dataset = dataset();
    let mut result = result(&dataset);
    let plan = bench::shipped_plan(&adapters.infos()[index]);
    let ending = EndDevice::default();
    let target =
        Failing { target: target(adapters, index, plan, &[1, 1], Synchronisation::Step), ending: ending.clone() };
    let outcome = pollster::block_on(bench::run(&target, &job(&dataset), &mut result, &mut Saboteur(ending)));
    let error = outcome.err().ok_or("nothing failed")?;
    assert!(matches!(error, Error::Device(_)), "{error}");
    assert!(error.to_string().starts_with("device 2: "), "{error}");
    assert_eq!(result.status, Status::Failed);
    assert_eq!(result.repeats[0].epochs.len(), 1, "the first epoch was finished");
    assert!(matches!(result.repeats[0].train_s, Measured::Missing { .. }));
    Ok(())
}

const TESTS: &[AdapterTest] = &named![
    the_first_steps_are_those_of_one_device,
    fifty_losses_are_those_of_one_device,
    a_run_tells_who_trained_what,
    a_device_that_is_lost_ends_the_run_and_keeps_its_result,
];

pub fn trials(adapters: &Arc<Adapters>) -> Vec<Trial> {
    with_each(adapters, TESTS)
}

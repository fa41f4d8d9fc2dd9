//! Training on several devices together, on every adapter of this machine; and what the program says to a wrong wish for it.
//!
//! Without an adapter the tests that need one show as ignored, never as passed.

use assert_cmd::Command;
use gpubench::bench::host_timeline::{Activity, HostTimeline};
use gpubench::bench::training_target::{OpenedTarget, TrainingEngine, TrainingTarget};
use gpubench::bench::{self, DataParallelTarget, Device, Job, Observer, OpenedDataParallel, Progress, StepChunk};
use gpubench::check::tolerance;
use gpubench::data::Dataset;
use gpubench::gpu::{Adapters, Gpu, Pipelines};
use gpubench::kernels::{PLANS, plan_named};
use gpubench::model::{DROPOUT_RATE, Model, Training};
use gpubench::result::{Measured, RunResult, Setting, Status, Synchronisation, no_peaks};
use gpubench::trainer::{Stage, Trainer, TrainingConfig};
use gpubench::{Error, Result};
use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex};
use web_time::Instant;

mod common;
mod sample;

const BATCH: u32 = 24;
const STEPS: u32 = 50;

/// At the full rate training is chaotic; what is compared over many steps is trained at a lower one.
fn training_config(learning_rate: f64) -> TrainingConfig {
    TrainingConfig {
        model: Model::new(DROPOUT_RATE),
        training: Training { batch: BATCH, learning_rate, epochs: 2, ..Training::STANDARD },
        seed: 7,
        shuffle: true,
    }
}

/// Images for [`STEPS`] steps, of which the last has fewer.
fn dataset() -> Dataset {
    gpubench::data::synthetic::digits(4, (STEPS * BATCH - 7) as usize, 8)
}

fn job(dataset: &Dataset) -> Job<'_> {
    Job {
        dataset,
        init: None,
        profile: None,
        peaks: no_peaks(),
        probe: &bench::probe::NoProbe("not measured in this test"),
        started: Instant::now(),
    }
}

fn result(dataset: &Dataset) -> RunResult {
    let sample = sample::gpu_run(1);
    let mut settings = sample.settings;
    settings.batch = Setting::default(BATCH);
    settings.epochs = Setting::default(2);
    sample::begin(settings, sample.environment, dataset)
}

fn target<'a>(
    adapters: &'a Adapters,
    index: usize,
    plan: &str,
    weights: &[u32],
    sync: Synchronisation,
) -> DataParallelTarget<'a> {
    let device = |(number, &weight): (usize, &u32)| Device {
        adapter: &adapters.infos()[index],
        name: format!("device {}", number + 1),
        plan: plan.to_owned(),
        weight,
    };
    DataParallelTarget { adapters, devices: weights.iter().enumerate().map(device).collect(), sync, checked: false }
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
    let opened = target.open(&job(dataset), config, &mut result, &mut common::Silent).await?;
    let mut engine = opened.engine();
    let mut host_timeline = HostTimeline::new(Instant::now());
    engine.begin(dataset, &config.model.initial_parameters(config.seed), &mut host_timeline).await?;
    engine.begin_epoch(0, &mut host_timeline).await?;
    engine.steps(steps, &mut host_timeline, &mut keep_on).await?;
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

type Test = fn(&Adapters, usize) -> std::result::Result<(), Failed>;

/// Every plan makes the same gradients in uneven parts as whole, dropout masks included.
fn the_first_steps_are_those_of_one_device(adapters: &Adapters, index: usize) -> std::result::Result<(), Failed> {
    pollster::block_on(async {
        let (config, dataset) = (training_config(0.05), dataset());
        let offered = PLANS.iter().filter(|row| row.base.is_none() || adapters.infos()[index].subgroups);
        for plan in offered.map(|row| row.name) {
            let (losses, parameters) = alone(adapters, index, plan, &config, &dataset, 4).await?;
            let target = target(adapters, index, plan, &[3, 1, 2], Synchronisation::Step);
            let (found, moved, _) = together(&target, &config, &dataset, 4).await?;
            let compared = tolerance::compare(&found, &wide(&losses), tolerance::STEP_LOSS);
            assert!(compared.passed, "{plan}: {compared:?}");
            let compared = tolerance::compare(&moved, &wide(&parameters), tolerance::STEP_PARAMETERS);
            assert!(compared.passed, "{plan}: {compared:?}");
        }
        Ok(())
    })
}

fn fifty_losses_are_those_of_one_device(adapters: &Adapters, index: usize) -> std::result::Result<(), Failed> {
    pollster::block_on(async {
        let (config, dataset) = (training_config(0.01), dataset());
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
fn a_run_tells_who_trained_what(adapters: &Adapters, index: usize) -> std::result::Result<(), Failed> {
    let dataset = dataset();
    let plan = bench::shipped_plan(&adapters.infos()[index]);
    for sync in [Synchronisation::Step, Synchronisation::Epoch] {
        let mut result = result(&dataset);
        let target = target(adapters, index, plan, &[2, 1], sync);
        let finished = pollster::block_on(bench::run(&target, &job(&dataset), &mut result, &mut common::Silent))?;
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
        *self.ending.lock().expect("nobody panicked") = Some(Box::new(opened.devices[1].gpu().ending()));
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

fn a_device_that_is_lost_ends_the_run_and_keeps_its_result(
    adapters: &Adapters,
    index: usize,
) -> std::result::Result<(), Failed> {
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

const TESTS: [(&str, Test); 4] = [
    ("the_first_steps_are_those_of_one_device", the_first_steps_are_those_of_one_device),
    ("fifty_losses_are_those_of_one_device", fifty_losses_are_those_of_one_device),
    ("a_run_tells_who_trained_what", a_run_tells_who_trained_what),
    (
        "a_device_that_is_lost_ends_the_run_and_keeps_its_result",
        a_device_that_is_lost_ends_the_run_and_keeps_its_result,
    ),
];

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("gpubench").expect("the program was built");
    command.args(arguments).env_remove("WGPU_ADAPTER_NAME").env_remove("WGPU_BACKEND").env_remove("GPUBENCH_DATA");
    command
}

/// The program refuses `arguments` with exit code 2 and words that contain `says`.
fn refused(arguments: &[&str], says: &str) -> std::result::Result<(), Failed> {
    let output = program(arguments).output()?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {words}");
    assert!(words.contains(says), "{arguments:?}: {words}");
    assert!(output.stdout.is_empty());
    Ok(())
}

fn wrong_wishes_are_refused() -> std::result::Result<(), Failed> {
    refused(&["--adapters", "0,0"], "twice: name each adapter once")?;
    refused(&["--adapters", "0"], "nobody to share with")?;
    refused(&["--adapters", "0,"], "empty name")?;
    refused(&["--adapters", "cpu,0"], "trains by itself")?;
    refused(&["--adapters", "0", "--adapter", "0"], "cannot be used with")?;
    refused(&["--adapters", "0", "--logical-devices", "0"], "1..=16")?;
    refused(&["--adapters", "0", "--logical-devices", "2", "--split", "1:2:3"], "3 parts for 2 devices")?;
    refused(&["--adapters", "0", "--logical-devices", "2", "--split", "1:0"], "such as 3:1")?;
    refused(&["--split", "1:1"], "name them with --adapters")?;
    refused(&["--sync", "epoch"], "name them with --adapters")?;
    refused(&["--adapters", "0", "--logical-devices", "2", "--profile"], "not profiled at once")?;
    let output = tempfile::tempdir()?;
    let folder = output.path().to_str().ok_or("no path")?;
    let base = ["--adapters", "0", "--data", "synthetic", "--output", folder, "--logical-devices"];
    let with = |more: &[&str]| -> Vec<String> { base.iter().chain(more).map(|word| (*word).to_owned()).collect() };
    let cases = [
        (with(&["3", "--batch", "2"]), "cannot be shared between 3 devices"),
        (with(&["2", "--split", "1000:1"]), "gets no image of a batch"),
    ];
    for (arguments, says) in &cases {
        refused(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), says)?;
    }
    Ok(())
}

fn an_unknown_adapter_is_an_error_that_lists_the_others() -> std::result::Result<(), Failed> {
    let output = program(&["--adapters", "0,voodoo"]).output()?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{words}");
    assert!(words.contains("no adapter matches 'voodoo'"), "{words}");
    Ok(())
}

/// Mesa's and Chromium's software adapters.
const LAVAPIPE: &str = "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json";
const SWIFTSHADER: &str = "/usr/lib/chromium/vk_swiftshader_icd.json";

fn two_kinds_of_adapters_train_together() -> std::result::Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let mut losses = Vec::new();
    for adapters in [&["--adapters", "llvmpipe,swiftshader", "--split", "3:1"][..], &["--adapter", "llvmpipe"]] {
        let mut command = program(adapters);
        command.args(["--data", "synthetic", "--steps", "6", "--json", "--no-tune", "--output"]).arg(folder.path());
        command.env("VK_ICD_FILENAMES", format!("{LAVAPIPE}:{SWIFTSHADER}")).env("NODEVICE_SELECT", "1");
        let output = command.output()?;
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words}");
        let result: Value = serde_json::from_slice(&output.stdout)?;
        let epoch = &result["repeats"][0]["epochs"][0];
        losses.push(
            epoch["loss_curve"].as_array().ok_or("no losses")?.iter().filter_map(Value::as_f64).collect::<Vec<_>>(),
        );
        if adapters[0] == "--adapters" {
            let members = result["parallel"]["members"].as_array().ok_or("no members")?;
            assert_eq!(members.len(), 2);
            assert_eq!((&members[0]["images_per_batch"], &members[1]["images_per_batch"]), (&96.into(), &32.into()));
            assert!(members[1]["name"].as_str().is_some_and(|name| name.contains("SwiftShader")), "{members:?}");
        }
    }
    assert_eq!(losses[0].len(), 6);
    for (both, one) in losses[0].iter().zip(&losses[1]) {
        assert!((both - one).abs() < 1e-3 * one, "{losses:?}");
    }
    Ok(())
}

/// Two rounds on every device: one row and one result file each, with the trainings of both rounds and the same bits in each.
fn every_device_takes_its_turns() -> std::result::Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let mut command =
        program(&["--adapter", "all", "--repeat", "2", "--steps", "3", "--data", "synthetic", "--no-tune"]);
    let output = command.arg("--json").arg("--output").arg(folder.path()).env("NODEVICE_SELECT", "1").output()?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{words}");
    let results: Vec<Value> = serde_json::from_slice(&output.stdout)?;
    assert!(words.contains("round 2 of 2"), "{words}");
    assert_eq!(std::fs::read_dir(folder.path())?.count(), results.len());
    assert_eq!(results.last().ok_or("no result")?["environment"]["adapter"]["backend"], "cpu");
    for result in &results {
        let repeats = result["repeats"].as_array().ok_or("no trainings")?;
        assert_eq!(repeats.len(), 2);
        assert_eq!(repeats[0]["parameters_sha256"], repeats[1]["parameters_sha256"]);
        assert_eq!(result["settings"]["repeat"]["value"], 2);
        assert_eq!(result["status"], "complete");
    }
    refused(&["--adapter", "all", "--soak", "1"], "is for one device")?;
    refused(&["--adapter", "all", "--profile"], "is for one device")
}

fn main() {
    let adapters = Arc::new(common::adapters());
    let none = adapters.infos().is_empty();
    let mut trials = common::trials_with_each(&adapters, &TESTS, |test, adapters, index| test(adapters, index));
    trials.push(Trial::test("wrong_wishes_are_refused", wrong_wishes_are_refused).with_ignored_flag(none));
    let name = "an_unknown_adapter_is_an_error_that_lists_the_others";
    trials.push(Trial::test(name, an_unknown_adapter_is_an_error_that_lists_the_others).with_ignored_flag(none));
    trials.push(Trial::test("every_device_takes_its_turns", every_device_takes_its_turns));
    let both = [LAVAPIPE, SWIFTSHADER].iter().all(|file| Path::new(file).exists());
    let name = "two_kinds_of_adapters_train_together";
    trials.push(Trial::test(name, two_kinds_of_adapters_train_together).with_ignored_flag(!both));
    common::run(trials);
}

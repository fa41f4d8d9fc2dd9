//! Kernels and training on every adapter of this machine, against the reference.

use crate::common::named;
use crate::common::training::with_batch;
use crate::common::trials::{Outcome, ignored_without_features, on_each};
use gpubench::check::{self, tolerance};
use gpubench::gpu::{Adapters, Gpu, Needs, Pipelines};
use gpubench::kernels::{Choice, Dispatch, Plan, all_choices, layered, plan_named};
use gpubench::model::{DROPOUT_RATE, Model, Training};
use gpubench::trainer::{Stage, Trainer, TrainingConfig};
use libtest_mimic::Trial;
use std::sync::{Arc, OnceLock};

/// A device with the compiled plan, shared by all tests of its adapter.
struct Bench {
    gpu: Gpu,
    plan: Plan,
    pipelines: Pipelines,
    config: TrainingConfig,
    layered_losses: LayeredLosses,
}

/// The losses of [`losses`] with the layered plan, or why there are none: trained once for each adapter, by whoever
/// asks first.
type LayeredLosses = Arc<OnceLock<Result<Vec<f64>, String>>>;

impl Bench {
    fn open(
        adapters: &Adapters,
        index: usize,
        choice: &Choice,
        layered_losses: LayeredLosses,
    ) -> Result<Self, gpubench::Error> {
        pollster::block_on(async {
            let config = with_batch(16);
            let plan = choice.make(&config.model, &config.training, config.seed);
            let needs = Needs { subgroups: plan.needs_subgroups(), f16: plan.needs_f16(), ..Needs::default() };
            let gpu = Gpu::open(adapters, &adapters.infos()[index], needs).await?;
            let pipelines = Pipelines::compile(&gpu, &plan).await?;
            Ok(Self { gpu, plan, pipelines, config, layered_losses })
        })
    }
}

type Test = fn(&Bench) -> Outcome;

fn agree_with(bench: &Bench, batches: &[u32]) -> Outcome {
    for &batch in batches {
        let check = check::check_batch(&bench.gpu, &bench.pipelines, &bench.plan, &bench.config, batch);
        let failure = pollster::block_on(check)?;
        if !failure.is_empty() {
            return Err(format!("with a batch of {batch}: {failure}").into());
        }
    }
    Ok(())
}

fn kernels_agree_with_every_batch(bench: &Bench) -> Outcome {
    agree_with(bench, &[1, 3, 17, 96, 128, 260])
}

/// More workgroups than one dimension of a grid may have.
fn kernels_agree_with_a_folded_grid(bench: &Bench) -> Outcome {
    agree_with(bench, &[1000])
}

fn training_steps(bench: &Bench) -> Outcome {
    let report = pollster::block_on(check::check(&bench.gpu, &bench.pipelines, &bench.plan, &bench.config))?;
    if !report.failure.is_empty() {
        return Err(report.failure.into());
    }
    assert_eq!(report.check.steps.len(), 5);
    assert_eq!(report.check.kernels.len(), bench.plan.training.len());
    Ok(())
}

/// The parameters after `steps` steps from the same start, handed over in submissions of `chunk` steps.
async fn trained(bench: &Bench, config: &TrainingConfig, steps: u32, chunk: u32) -> Result<Vec<f32>, gpubench::Error> {
    let dataset = check::random_dataset(6 * 16 + 5, 3);
    let start = config.model.initial_parameters(config.seed);
    let mut trainer = Trainer::new(&bench.gpu, &bench.pipelines, &bench.plan, config, &dataset, &start).await?;
    trainer.begin_epoch(0);
    for first in (0..steps).step_by(chunk as usize) {
        bench.gpu.wait(trainer.submit(Stage::Training, first..steps.min(first + chunk))?).await?;
    }
    trainer.parameters().await
}

fn same_seed_same_bits(bench: &Bench) -> Outcome {
    pollster::block_on(async {
        let one_by_one = trained(bench, &bench.config, 7, 1).await?;
        let at_once = trained(bench, &bench.config, 7, 7).await?;
        assert!(one_by_one.iter().zip(&at_once).all(|(a, b)| a.to_bits() == b.to_bits()), "different bits");
        let other = TrainingConfig { seed: 8, ..bench.config.clone() };
        assert_ne!(one_by_one, trained(bench, &other, 7, 7).await?, "another seed must train another network");
        Ok(())
    })
}

fn evaluation_agrees_with_the_reference(bench: &Bench) -> Outcome {
    pollster::block_on(async {
        let dataset = check::random_dataset(45, 5);
        let parameters = check::random_parameters(&bench.config.model, 5);
        let trainer =
            Trainer::new(&bench.gpu, &bench.pipelines, &bench.plan, &bench.config, &dataset, &parameters).await?;
        bench.gpu.wait(trainer.submit(Stage::Evaluation, 0..trainer.evaluation_batches())?).await?;
        let metrics = trainer.evaluation_metrics().await?;
        let network =
            gpubench::reference::Network::new(bench.config.model.clone(), bench.config.training, &parameters, [0, 0]);
        let indices: Vec<u32> = (0..45).collect();
        let (pixels, labels) = gpubench::reference::batch_gather(&dataset.test.images, &dataset.test.labels, &indices);
        let (loss, correct) = network.evaluate(&pixels, &labels);
        assert_eq!(metrics.images, 45);
        assert_eq!(metrics.correct, u64::from(correct));
        assert!((metrics.loss_sum - loss).abs() < 1e-3, "{} against {loss}", metrics.loss_sum);
        Ok(())
    })
}

fn a_batch_larger_than_the_data_is_refused(bench: &Bench) -> Outcome {
    let dataset = check::random_dataset(8, 1);
    let config = with_batch(9);
    let start = config.model.initial_parameters(1);
    let made = pollster::block_on(Trainer::new(&bench.gpu, &bench.pipelines, &bench.plan, &config, &dataset, &start));
    let error = made.err().ok_or("a batch of 9 was taken from 8 images")?;
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("choose --batch from 1 to 8"), "{error}");
    Ok(())
}

/// A kernel that is wrong must be caught: here conv2 takes another bias than the reference.
fn a_wrong_kernel_is_caught(bench: &Bench) -> Outcome {
    pollster::block_on(async {
        let mut plan = bench.plan.clone();
        let forward = |dispatch: &&mut Dispatch| {
            let label = dispatch.label();
            ["conv_forward/conv2", "image_forward_backward/all"].contains(&&*label)
                || label.starts_with("features_forward")
        };
        let dispatch = plan.training.iter_mut().find(forward).ok_or("the plan has no conv2")?;
        let label = dispatch.label();
        for constant in dispatch.constants.iter_mut().filter(|(name, _)| ["BIAS", "CONV2_BIAS"].contains(name)) {
            constant.1 += 1.0;
        }
        let pipelines = Pipelines::compile(&bench.gpu, &plan).await?;
        let report = check::check(&bench.gpu, &pipelines, &plan, &bench.config).await?;
        assert!(!report.failure.is_empty(), "the check passed a kernel with a wrong bias");
        let failure = check::check_batch(&bench.gpu, &pipelines, &plan, &bench.config, 3).await?;
        assert!(failure.starts_with(&format!("{label} disagrees")), "{failure}");
        Ok(())
    })
}

/// Every kernel passes by itself, but together they do not train as asked: no other images may excuse that.
fn a_wrong_training_is_caught(bench: &Bench) -> Outcome {
    pollster::block_on(async {
        let mut plan = bench.plan.clone();
        // Rounding to 16 bits hides a smaller difference.
        let momentum = if plan.needs_f16() { 0.7 } else { 0.89 };
        for constant in plan.training.iter_mut().flat_map(|dispatch| &mut dispatch.constants) {
            if constant.0 == "MOMENTUM" {
                constant.1 = momentum;
            }
        }
        let pipelines = Pipelines::compile(&bench.gpu, &plan).await?;
        let report = check::check(&bench.gpu, &pipelines, &plan, &bench.config).await?;
        assert!(report.failure.starts_with("training disagrees"), "{}", report.failure);
        assert!(report.warning.is_empty());
        Ok(())
    })
}

/// The losses of 50 steps on digits, where rounding has had time to add up.
async fn losses(gpu: &Gpu, plan: &Plan, pipelines: &Pipelines) -> Result<Vec<f32>, gpubench::Error> {
    // At the full rate training is chaotic: after 30 steps a difference in the last bit has grown to a whole per cent.
    let config =
        TrainingConfig { training: Training { learning_rate: 0.01, ..with_batch(32).training }, ..with_batch(32) };
    let dataset = gpubench::data::synthetic::digits(4, 50 * 32, 8);
    let start = config.model.initial_parameters(config.seed);
    let mut trainer = Trainer::new(gpu, pipelines, plan, &config, &dataset, &start).await?;
    trainer.begin_epoch(0);
    gpu.wait(trainer.submit(Stage::Training, 0..50)?).await?;
    Ok(trainer.step_metrics(50).await?.iter().map(|metrics| metrics.loss() as f32).collect())
}

fn layered_losses(bench: &Bench) -> Result<Vec<f64>, gpubench::Error> {
    pollster::block_on(async {
        let layered = plan_named("layered")?.make(&bench.config.model, &bench.config.training, bench.config.seed);
        let pipelines = Pipelines::compile(&bench.gpu, &layered).await?;
        Ok(losses(&bench.gpu, &layered, &pipelines).await?.into_iter().map(f64::from).collect())
    })
}

fn fifty_losses_agree_with_the_layered_plan(bench: &Bench) -> Outcome {
    let expected = bench.layered_losses.get_or_init(|| layered_losses(bench).map_err(|error| error.to_string()));
    let expected = expected.as_ref().map_err(String::as_str)?;
    let found = pollster::block_on(losses(&bench.gpu, &bench.plan, &bench.pipelines))?;
    let compared = tolerance::compare(&found, expected, tolerance::of_fifty_steps(&bench.plan));
    assert!(expected[45] < 0.8 * expected[0], "nothing was learnt: {expected:?}");
    assert!(compared.passed, "{compared:?}");
    Ok(())
}

/// Networks of other widths pass the same check, and their kernels with batches that fill no tile.
fn other_widths_agree_with_the_reference(bench: &Bench) -> Outcome {
    pollster::block_on(async {
        for width in [0.25, 0.5, 2.0, 4.0] {
            let config = TrainingConfig { model: Model::scaled(DROPOUT_RATE, width)?, seed: 1, ..bench.config.clone() };
            let plan = layered::layered(&config.model, &config.training, config.seed);
            let pipelines = Pipelines::compile(&bench.gpu, &plan).await?;
            let report = check::check(&bench.gpu, &pipelines, &plan, &config).await?;
            assert!(report.failure.is_empty(), "width {width}: {}", report.failure);
            for batch in [1, 3] {
                let failure = check::check_batch(&bench.gpu, &pipelines, &plan, &config, batch).await?;
                assert!(failure.is_empty(), "width {width}: {failure}");
            }
        }
        Ok(())
    })
}

/// A name and what is tested.
type Named = (&'static str, Test);

const TESTS: [Named; 8] = named![
    kernels_agree_with_every_batch,
    training_steps,
    same_seed_same_bits,
    evaluation_agrees_with_the_reference,
    a_batch_larger_than_the_data_is_refused,
    a_wrong_kernel_is_caught,
    a_wrong_training_is_caught,
    fifty_losses_agree_with_the_layered_plan,
];

/// Tests of one plan alone: the others are made for the pinned widths, and none of their grids is folded.
const LAYERED_TESTS: [Named; 2] = named![other_widths_agree_with_the_reference, kernels_agree_with_a_folded_grid];

/// The tests of how a plan divides its work.
const OF_DIVISION: [&str; 2] = ["kernels_agree_with_every_batch", "same_seed_same_bits"];

pub fn trials(adapters: &Arc<Adapters>) -> Vec<Trial> {
    let tests = |index: usize, choice: Choice, layered_losses: LayeredLosses| {
        let plan = choice.to_string();
        let whole = plan == choice.row.name;
        let own = LAYERED_TESTS.into_iter().filter(|_| plan == layered::NAME);
        // Other values of parameters divide the work otherwise, and change nothing else.
        let chosen: Vec<Named> =
            TESTS.into_iter().filter(|(name, _)| whole || OF_DIVISION.contains(name)).chain(own).collect();
        // The first test that is run opens the device, and the others share it.
        let shared = Arc::new((adapters.clone(), choice, layered_losses, OnceLock::new()));
        let test = |(name, test): Named| {
            let shared = shared.clone();
            let run = move || {
                let (adapters, choice, losses, bench) = &*shared;
                match bench.get_or_init(|| Bench::open(adapters, index, choice, losses.clone())) {
                    Ok(bench) => test(bench),
                    Err(error) => Err(error.to_string().into()),
                }
            };
            (format!("{name} of {plan}"), run)
        };
        chosen.into_iter().map(test).collect::<Vec<_>>()
    };
    let of_adapter = |index: usize| {
        let losses = LayeredLosses::default();
        all_choices().into_iter().flat_map(|choice| tests(index, choice, losses.clone())).collect()
    };
    let names = TESTS.into_iter().chain(LAYERED_TESTS).map(|(name, _)| name);
    ignored_without_features(on_each(adapters, names, of_adapter), adapters)
}

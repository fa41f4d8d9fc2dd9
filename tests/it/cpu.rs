//! The CPU target's kernels and training against the reference, and its bits against themselves.

use crate::common::training::with_batch;
use gpubench::check::tolerance;
use gpubench::check::{random_dataset, random_parameters};
use gpubench::cpu::check;
use gpubench::cpu::{CpuThreads, SimdLevel, Trainer};
use gpubench::data::Dataset;
use gpubench::model::{Model, Training};
use gpubench::reference::{Network, batch_gather};
use gpubench::result::Outcome;
use gpubench::rng::{Stream, stream_key};
use gpubench::trainer::{Metrics, TrainingConfig};

const LEVELS: [fn() -> SimdLevel; 2] = [SimdLevel::detect, || SimdLevel::Portable];

#[test]
fn every_pass_agrees_with_the_reference_in_batches_that_fill_no_chunk() {
    for level in LEVELS {
        let cores = CpuThreads::start(2, level()).unwrap();
        for batch in [1, 3, 17, 96, 128] {
            let failure = check::check_batch(&cores, &with_batch(batch), batch).unwrap();
            assert_eq!(failure, "", "batch {batch}, {}", level().name());
        }
    }
}

#[test]
fn other_widths_and_dropout_rates_agree_with_the_reference() {
    let cores = CpuThreads::start(2, SimdLevel::detect()).unwrap();
    for (width, dropout) in [(0.25, 0.5), (0.75, 0.2), (2.0, 0.2), (1.0, 0.0), (1.0, 0.9)] {
        let config = TrainingConfig { model: Model::scaled(dropout, width).unwrap(), ..with_batch(16) };
        let failure = check::check_batch(&cores, &config, 9).unwrap();
        assert_eq!(failure, "", "width {width}, dropout {dropout}");
    }
}

#[test]
fn the_check_compares_every_pass_and_five_steps() {
    for level in LEVELS {
        let report = check::check(&CpuThreads::start(1, level()).unwrap(), &with_batch(16), "a test").unwrap();
        assert_eq!((report.failure.as_str(), report.check.outcome), ("", Outcome::Passed));
        assert_eq!(report.check.steps.len(), 5);
        // Two convolutions with their pools and three gradients less one, dropout, three dense layers with four passes,
        // the loss, the update.
        assert_eq!(report.check.kernels.len(), 4 + 5 + 1 + 12 + 2 + 1);
    }
}

/// A training that is wrong must be caught: the reference trains with another momentum.
#[test]
fn a_wrong_training_parts_from_the_reference() {
    let config = with_batch(32);
    let dataset = random_dataset(5 * 32, 3);
    let start = random_parameters(&config.model, 3);
    let (_, trained) = trained(&CpuThreads::start(1, SimdLevel::detect()).unwrap(), &config, &dataset, &start);
    let close = tolerance::STEP_PARAMETERS;
    for (momentum, agrees) in [(0.9, true), (0.89, false)] {
        let training = Training { momentum, ..config.training };
        let key = stream_key(config.seed, Stream::Dropout);
        let mut network = Network::new(config.model.clone(), training, &start, key);
        for (step, indices) in (0..).zip(config.order(0, dataset.train.len()).chunks(32)) {
            let (pixels, labels) = batch_gather(&dataset.train.images, &dataset.train.labels, indices);
            network.training_step(&pixels, &labels, step);
        }
        assert_eq!(tolerance::compare(&trained, &network.parameters, close).passed, agrees, "momentum {momentum}");
    }
}

/// The sums of each step of an epoch, and the parameters after it.
fn trained(cores: &CpuThreads, config: &TrainingConfig, dataset: &Dataset, start: &[f32]) -> (Vec<Metrics>, Vec<f32>) {
    let mut trainer = Trainer::new(cores, config, dataset, start).unwrap();
    let order = trainer.order(0);
    (trainer.training_steps(&order, 0), trainer.parameters())
}

#[test]
fn the_bits_are_the_same_for_any_number_of_threads() {
    let config = with_batch(50);
    let dataset = random_dataset(6 * 50 + 13, 3);
    let start = random_parameters(&config.model, 3);
    let bits = |threads| {
        let cores = CpuThreads::start(threads, SimdLevel::detect()).unwrap();
        let (metrics, parameters) = trained(&cores, &config, &dataset, &start);
        let tested =
            Trainer::new(&cores, &config, &dataset, &parameters).unwrap().evaluate(0..dataset.test.len() as u32);
        (metrics, parameters.into_iter().map(f32::to_bits).collect::<Vec<_>>(), tested)
    };
    let alone = bits(1);
    for threads in [2, 3, 5] {
        assert!(bits(threads) == alone, "{threads} threads");
    }
    let other = TrainingConfig { seed: 8, ..config.clone() };
    let (_, parameters) = trained(&CpuThreads::start(1, SimdLevel::detect()).unwrap(), &other, &dataset, &start);
    assert_ne!(alone.1, parameters.into_iter().map(f32::to_bits).collect::<Vec<_>>(), "another seed, another network");
}

#[test]
fn steps_one_by_one_are_steps_at_once() {
    let config = with_batch(16);
    let dataset = random_dataset(5 * 16, 4);
    let start = config.model.initial_parameters(7);
    let cores = CpuThreads::start(2, SimdLevel::detect()).unwrap();
    let (metrics, parameters) = trained(&cores, &config, &dataset, &start);
    let mut trainer = Trainer::new(&cores, &config, &dataset, &start).unwrap();
    let order = trainer.order(0);
    let one_by_one: Vec<Metrics> =
        (0..).zip(order.chunks(16)).flat_map(|(step, images)| trainer.training_steps(images, step)).collect();
    assert_eq!((one_by_one, trainer.parameters()), (metrics, parameters));
}

#[test]
fn fifty_losses_agree_with_the_reference() {
    // At the full rate training is chaotic: after 30 steps a difference in the last bit has grown to a whole per cent.
    let config =
        TrainingConfig { training: Training { learning_rate: 0.01, ..with_batch(32).training }, ..with_batch(32) };
    let dataset = gpubench::data::synthetic::digits(4, 50 * 32, 8);
    let start = config.model.initial_parameters(config.seed);
    let key = stream_key(config.seed, Stream::Dropout);
    let mut network = Network::new(config.model.clone(), config.training, &start, key);
    let mut expected = Vec::new();
    for (step, indices) in (0..).zip(config.order(0, dataset.train.len()).chunks(32)) {
        let (pixels, labels) = batch_gather(&dataset.train.images, &dataset.train.labels, indices);
        expected.push(network.training_step(&pixels, &labels, step).loss_sum / labels.len() as f64);
    }
    assert!(expected[45] < 0.8 * expected[0], "nothing was learnt: {expected:?}");
    for level in LEVELS {
        let (metrics, _) = trained(&CpuThreads::start(2, level()).unwrap(), &config, &dataset, &start);
        let found: Vec<f32> = metrics.iter().map(|metrics| metrics.loss() as f32).collect();
        let compared = tolerance::compare(&found, &expected, tolerance::FIFTY_STEPS_LOSS);
        assert!(compared.passed, "{}: {compared:?}", level().name());
    }
}

#[test]
fn evaluation_agrees_with_the_reference() {
    let config = with_batch(16);
    let dataset = random_dataset(45, 5);
    let parameters = random_parameters(&config.model, 5);
    let cores = CpuThreads::start(2, SimdLevel::detect()).unwrap();
    let trainer = Trainer::new(&cores, &config, &dataset, &parameters).unwrap();
    let metrics: Metrics = [trainer.evaluate(0..20), trainer.evaluate(20..45)].into_iter().sum();
    let indices: Vec<u32> = (0..45).collect();
    let (pixels, labels) = batch_gather(&dataset.test.images, &dataset.test.labels, &indices);
    let network = Network::new(config.model.clone(), config.training, &parameters, [0, 0]);
    let (loss, correct) = network.evaluate(&pixels, &labels);
    assert_eq!((metrics.images, metrics.correct), (45, u64::from(correct)));
    assert!((metrics.loss_sum - loss).abs() < 1e-3, "{} against {loss}", metrics.loss_sum);
}

#[test]
fn what_cannot_be_trained_is_refused() {
    assert_eq!(CpuThreads::start(0, SimdLevel::detect()).unwrap_err().exit_code(), 2);
    let cores = CpuThreads::start(1, SimdLevel::detect()).unwrap();
    let config = with_batch(9);
    let start = config.model.initial_parameters(1);
    let error = Trainer::new(&cores, &config, &random_dataset(8, 1), &start).err().unwrap();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("choose --batch from 1 to 8"), "{error}");
}

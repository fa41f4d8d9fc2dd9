//! What the host's work costs: `cargo bench --bench host`; with `-- encode` behind it, a part of it.
//!
//! Encoding is timed on wgpu's `noop` backend, which is wgpu's own share of it, and on each adapter of this machine,
//! which adds the driver's. Only this thread's work is in the figures; the device's is `gpubench run`'s to measure.

#![allow(clippy::unwrap_used, reason = "what cannot be had fails the benchmark")]

#[path = "../common/sample/mod.rs"]
#[allow(dead_code, reason = "the benchmark needs one result of many")]
mod sample;

use divan::Bencher;
use divan::counter::ItemsCount;
use gpubench::check::random_dataset;
use gpubench::gpu::{Adapters, Gpu, Pipelines};
use gpubench::kernels::{PLANS, plan_named};
use gpubench::model::{DROPOUT_RATE, Model, Training};
use gpubench::rng::{Sequence, Stream};
use gpubench::stats;
use gpubench::trainer::{Stage, Trainer, TrainingConfig};
use std::fmt;

/// Steps in a submission.
const STEPS: [u32; 3] = [1, 8, 64];
/// More than the caches of a processor hold.
const OTHER_WORK_BYTES: usize = 256 << 20;
/// Images of the data: enough for the longest submission.
const IMAGES: usize = 64 * 128;

fn main() {
    divan::main();
}

#[divan::bench]
fn permutation_of_60000() -> Vec<u32> {
    Sequence::new(1, Stream::Shuffle, 0).permutation(60_000)
}

/// The interval of a median, from so many samples.
#[divan::bench(args = [10, 100])]
fn median_interval(bencher: Bencher<'_, '_>, samples: usize) {
    let mut sequence = Sequence::new(1, Stream::Check, 0);
    let samples: Vec<f64> = (0..samples).map(|_| 12.0 + f64::from(sequence.next_u32()) / f64::from(u32::MAX)).collect();
    bencher.bench(|| stats::median_interval(&samples));
}

/// A result of so many trainings.
#[divan::bench(args = [1, 10])]
fn result_to_json(bencher: Bencher<'_, '_>, repeats: u32) {
    let result = sample::gpu_run(repeats);
    bencher.bench(|| result.to_json().unwrap());
}

/// One submission of one plan on one adapter.
struct Case {
    backend: Option<&'static str>,
    adapter: usize,
    name: String,
    plan: &'static str,
    steps: u32,
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} x{}", self.name, self.plan, self.steps)
    }
}

/// Every plan with every number of steps on the adapters of `backend`.
fn cases(backend: Option<&'static str>) -> Vec<Case> {
    let adapters = pollster::block_on(Adapters::find(backend)).unwrap();
    let of_adapter = |(adapter, name): (usize, String)| {
        let pairs = PLANS.iter().flat_map(|row| STEPS.map(|steps| (row.name, steps)));
        pairs.map(move |(plan, steps)| Case { backend, adapter, name: name.clone(), plan, steps })
    };
    let names = adapters.infos().iter().map(|info| info.name.split(' ').next().unwrap_or(&info.name).to_owned());
    names.enumerate().flat_map(of_adapter).collect()
}

/// Whether there is no adapter but the one that computes nothing.
fn no_adapter() -> bool {
    cases(None).is_empty()
}

/// A case even where there is no adapter, so that it can show as ignored.
fn cases_or_any() -> Vec<Case> {
    if no_adapter() { cases(Some("noop")).split_off(PLANS.len() * STEPS.len() - 1) } else { cases(None) }
}

/// Runs `work` with a trainer that is ready for the steps of `case`.
fn with_trainer(case: &Case, work: impl FnOnce(&Gpu, &Trainer<'_>)) {
    let config =
        TrainingConfig { model: Model::new(DROPOUT_RATE), training: Training::STANDARD, seed: 1, shuffle: true };
    let plan = plan_named(case.plan).unwrap().make(&config.model, &config.training, config.seed);
    let dataset = random_dataset(IMAGES, 1);
    let parameters = config.model.initial_parameters(config.seed);
    pollster::block_on(async {
        let adapters = Adapters::find(case.backend).await.unwrap();
        let gpu = Gpu::open(&adapters, &adapters.infos()[case.adapter], config.needs(&plan, &dataset)).await.unwrap();
        let pipelines = Pipelines::compile(&gpu, &plan).await.unwrap();
        let mut trainer = Trainer::new(&gpu, &pipelines, &plan, &config, &dataset, &parameters).await.unwrap();
        trainer.begin_epoch(0);
        gpu.wait(gpu.submit(gpu.record())).await.unwrap();
        work(&gpu, &trainer);
    });
}

/// Encodes the steps; what comes of it is thrown away.
fn encode(bencher: Bencher<'_, '_>, case: &Case) {
    with_trainer(case, |_, trainer| {
        bencher
            .counter(ItemsCount::new(case.steps))
            .bench_local(|| trainer.encode(Stage::Training, 0..case.steps).unwrap());
    });
}

#[divan::bench(args = cases(Some("noop")))]
fn encode_without_driver(bencher: Bencher<'_, '_>, case: &Case) {
    encode(bencher, case);
}

/// The same where something else has filled the processor's caches, as a driver does that computes on the CPU.
#[divan::bench(args = cases(Some("noop")), sample_count = 30)]
fn encode_without_driver_or_caches(bencher: Bencher<'_, '_>, case: &Case) {
    let mut other = vec![0u64; OTHER_WORK_BYTES / size_of::<u64>()];
    with_trainer(case, |_, trainer| {
        let others_turn = || divan::black_box(&mut other).iter_mut().for_each(|word| *word += 1);
        let bencher = bencher.counter(ItemsCount::new(case.steps)).with_inputs(others_turn);
        bencher.bench_local_values(|()| trainer.encode(Stage::Training, 0..case.steps).unwrap());
    });
}

/// Encodes the steps, hands them over and hears that they are done, which they are at once.
#[divan::bench(args = cases(Some("noop")))]
fn encode_submit_wait_without_driver(bencher: Bencher<'_, '_>, case: &Case) {
    with_trainer(case, |gpu, trainer| {
        bencher.counter(ItemsCount::new(case.steps)).bench_local(|| {
            let submission = gpu.submit_encoded(trainer.encode(Stage::Training, 0..case.steps).unwrap());
            pollster::block_on(gpu.wait(submission)).unwrap();
        });
    });
}

/// Shows as ignored where there is no adapter.
#[divan::bench(args = cases_or_any(), ignore = no_adapter(), sample_count = 30)]
fn encode_with_driver(bencher: Bencher<'_, '_>, case: &Case) {
    encode(bencher, case);
}

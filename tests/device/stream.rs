//! What a step of the timed plans hands to the device is what a fast training needs: few launches, few bytes, nothing
//! else.
//!
//! 10 epochs in half a second leave 107 us for each of 4,690 steps. That can be proved wrong without a GPU: a plan's
//! launches and bytes are the same everywhere. Tests that record commands show as ignored where there is no adapter.

use crate::common::trials::{Outcome, ignored_without_features, on_each};
use gpubench::check;
use gpubench::gpu::{AdapterInfo, Adapters, Gpu, Pipelines};
use gpubench::kernels::{Dispatch, PLANS, Plan, layered, plan_named};
use gpubench::model::{DROPOUT_RATE, Model, Training};
use gpubench::trainer::{Stage, Trainer, TrainingConfig};
use libtest_mimic::Trial;
use std::sync::Arc;

/// Kernel launches of a step.
const MOST_DISPATCHES: usize = 4;
/// Seconds that a step may take so that 4,690 of them take half a second.
const STEP_S: f64 = 0.5 / 4690.0;
/// Bytes per second of an H100's memory, by its data sheet.
const BYTES_PER_S: f64 = 3.35e12;
/// Operations per second of its float32 units that portable kernels can be expected to reach.
const FLOP_PER_S: f64 = 40e12;
/// The share of a step's time in which its bytes, or its operations, must be done: the rest is for launches and
/// latency.
const SHARE: f64 = 0.25;
/// Images in a step where commands are recorded; their number does not depend on it.
const SMALL_BATCH: u32 = 16;

fn timed_plans() -> impl Iterator<Item = &'static str> {
    PLANS.iter().map(|row| row.name).filter(|name| *name != layered::NAME)
}

fn plan(name: &str) -> Plan {
    plan_named(name).unwrap().make(&Model::new(DROPOUT_RATE), &Training::STANDARD, 1)
}

fn total(plan: &Plan, amount: fn(&Dispatch, u32) -> u64) -> f64 {
    plan.training.iter().map(|dispatch| amount(dispatch, Training::STANDARD.batch)).sum::<u64>() as f64
}

fn few_launches(name: &str) -> Outcome {
    let dispatches = plan(name).training.len();
    assert!(dispatches <= MOST_DISPATCHES, "{dispatches} dispatches a step");
    Ok(())
}

fn few_bytes(name: &str) -> Outcome {
    let bytes = total(&plan(name), |dispatch, batch| dispatch.bytes.at(batch));
    let most = SHARE * STEP_S * BYTES_PER_S;
    assert!(bytes > 0.0 && bytes <= most, "{bytes} bytes a step, of {most}");
    Ok(())
}

fn few_operations(name: &str) -> Outcome {
    let flop = total(&plan(name), |dispatch, batch| dispatch.flop.at(batch));
    let most = SHARE * STEP_S * FLOP_PER_S;
    assert!(flop > 0.0 && flop <= most, "{flop} operations a step, of {most}");
    Ok(())
}

/// An epoch is one list of commands with the plan's launches for each step, the smaller last one too, and nothing else.
fn an_epoch_holds_the_launches_of_its_steps_and_nothing_else(
    adapters: &Adapters,
    info: &AdapterInfo,
    name: &str,
) -> Outcome {
    pollster::block_on(async {
        let training = Training { batch: SMALL_BATCH, ..Training::STANDARD };
        let config = TrainingConfig { model: Model::new(DROPOUT_RATE), training, seed: 1, shuffle: true };
        let plan = plan_named(name)?.make(&config.model, &config.training, config.seed);
        let dataset = check::random_dataset(2 * SMALL_BATCH as usize + 5, 3);
        let gpu = Gpu::open(adapters, info, config.needs(&plan, &dataset)).await?;
        let pipelines = Pipelines::compile(&gpu, &plan).await?;
        let start = config.model.initial_parameters(config.seed);
        let mut trainer = Trainer::new(&gpu, &pipelines, &plan, &config, &dataset, &start).await?;
        gpu.wait(gpu.submit(gpu.record())).await?;
        trainer.begin_epoch(0);
        let before = gpu.commands();
        let steps = trainer.steps_per_epoch();
        gpu.wait(trainer.submit(Stage::Training, 0..steps)?).await?;
        let after = gpu.commands();
        assert_eq!(steps, 3);
        assert_eq!(after.dispatches - before.dispatches, u64::from(steps) * plan.training.len() as u64);
        assert_eq!(after.timestamps, before.timestamps);
        assert_eq!(after.passes - before.passes, 1);
        assert_eq!(after.submissions - before.submissions, 1);
        Ok(())
    })
}

pub fn trials(adapters: &Arc<Adapters>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for name in timed_plans() {
        trials.push(Trial::test(format!("few launches in a step of {name}"), move || few_launches(name)));
        trials.push(Trial::test(format!("few bytes in a step of {name}"), move || few_bytes(name)));
        trials.push(Trial::test(format!("few operations in a step of {name}"), move || few_operations(name)));
        let title = format!("recorded commands of an epoch of {name}");
        let recorded = |index: usize| {
            let adapters = adapters.clone();
            let run = move || {
                an_epoch_holds_the_launches_of_its_steps_and_nothing_else(&adapters, &adapters.infos()[index], name)
            };
            vec![(title.clone(), run)]
        };
        trials.extend(on_each(adapters, [title.as_str()], recorded));
    }
    assert!(!trials.is_empty(), "no plan is timed: the list of plans is broken");
    ignored_without_features(trials, adapters)
}

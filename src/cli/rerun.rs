//! The first losses of a result, computed again on the host's cores.

use crate::bench::{self, CURVE_PARTS, Finding};
use crate::cpu::{CpuThreads, SimdLevel, Trainer};
use crate::data::Dataset;
use crate::error::Result;
use crate::result::{Epoch, RunResult};
use crate::trainer::Metrics;

/// How far a mean loss may be from the one that is computed again, as a share of it, for each step from the start to
/// its end: devices round differently, and training makes more of it with every step.
const TOLERANCE_A_STEP: f64 = 2e-4;

/// The most steps that are trained again: beyond, rounding alone may make more than [`TOLERANCE_A_STEP`] of difference.
pub const MOST_STEPS: i64 = 60;

/// What computing the losses again came to.
pub struct Rerun {
    /// One phrase on what was compared, or why nothing could be.
    pub words: String,
    /// Each part of the first epoch whose loss differs, or that nothing could be compared.
    pub findings: Vec<Finding>,
}

impl Rerun {
    fn not_possible(why: &str) -> Self {
        let words = format!("its losses cannot be computed again: {why}");
        Self {
            findings: vec![Finding { place: "rerun".to_owned(), words: words.clone() }],
            words: "not trained again".to_owned(),
        }
    }
}

/// Trains the first `steps` steps of a result again on `dataset`, from its seed, and compares the mean losses that it
/// holds of successive parts of its first epoch: those that these steps cover, at least one.
///
/// # Errors
/// As [`Trainer::new`].
pub fn rerun(result: &RunResult, dataset: &Dataset, steps: u32) -> Result<Rerun> {
    let first = result.repeats.first().and_then(|repeat| Some((repeat, repeat.epochs.first()?)));
    if result.tool.is_some() {
        return Ok(Rerun::not_possible("another tool trained it"));
    }
    let Some((repeat, epoch)) = first.filter(|(_, epoch)| !epoch.loss_curve.is_empty()) else {
        return Ok(Rerun::not_possible("it holds no losses of parts of an epoch"));
    };
    if result.settings.init.value.value().is_some() {
        return Ok(Rerun::not_possible("it started from weights in a file, which it does not hold"));
    }
    if result.parallel.value().is_some() {
        return Ok(Rerun::not_possible("several devices trained it together"));
    }
    let (images, all) = (dataset.train.len(), result.data.train_images);
    if dataset.identity != result.data.identity || images != all as usize {
        let other = format!(
            "it was trained on {}, and these data are {}; name them with --data",
            result.data.name, dataset.name
        );
        return Ok(Rerun::not_possible(&other));
    }
    let in_epoch = repeat.steps_in(1) as usize;
    let parts = in_epoch.min(CURVE_PARTS);
    if parts == 0 || epoch.loss_curve.len() > parts {
        return Ok(Rerun::not_possible("it does not tell how many steps its first epoch has"));
    }
    let ends: Vec<usize> = (1..=epoch.loss_curve.len()).map(|part| part * in_epoch / parts).collect();
    let compared = ends.iter().filter(|end| **end <= steps as usize).count().max(1);
    let last = ends[compared - 1];
    if last as i64 > MOST_STEPS {
        return Ok(Rerun::not_possible(&format!("the first of its mean losses is that of {last} steps")));
    }
    let losses = losses(result, dataset, last)?;
    if losses.len() < last {
        return Ok(Rerun::not_possible("its samples tell of more steps than its data give"));
    }
    Ok(compare(epoch, &ends[..compared], &losses))
}

/// The metrics of the first `steps` steps, without those that follow.
fn losses(result: &RunResult, dataset: &Dataset, steps: usize) -> Result<Vec<Metrics>> {
    let config = bench::training_config(&result.settings);
    let threads =
        CpuThreads::start(std::thread::available_parallelism().map_or(1, std::num::NonZero::get), SimdLevel::detect())?;
    let mut trainer = Trainer::new(&threads, &config, dataset, &config.model.initial_parameters(config.seed))?;
    let order = trainer.order(0);
    let images = order.len().min(steps * config.training.batch as usize);
    Ok(trainer.training_steps(&order[..images], 0))
}

fn compare(epoch: &Epoch, ends: &[usize], losses: &[Metrics]) -> Rerun {
    let mut findings = Vec::new();
    let (mut begin, mut largest) = (0, 0.0_f64);
    for (part, (&end, &told)) in ends.iter().zip(&epoch.loss_curve).enumerate() {
        let again = losses[begin..end].iter().copied().sum::<Metrics>().loss();
        let difference = (told - again).abs() / again.abs().max(f64::MIN_POSITIVE);
        largest = largest.max(difference);
        if difference.is_nan() || difference > TOLERANCE_A_STEP * end as f64 {
            let words = format!("it is {told}, and training steps {} to {end} again gives {again:.6}", begin + 1);
            findings.push(Finding { place: format!("repeats[0].epochs[0].loss_curve[{part}]"), words });
        }
        begin = end;
    }
    let words = format!(
        "{begin} steps trained again on the host's cores: {} mean losses within {:.2} %",
        ends.len(),
        100.0 * largest
    );
    Rerun { words, findings }
}

//! The check before any timing: compares every kernel and a few training steps on the adapter with the reference.

pub mod tolerance;

use crate::data::{Dataset, Identity, Split};
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Pipelines};
use crate::kernels::plan::inputs;
use crate::kernels::{
    Access, Contents, Dispatch, Element, Expected, F16_ROUNDING, KernelInputs, Plan, Tolerance, TrainingKernel,
    f16_pair, training_kernel,
};
use crate::model::{CLASSES, IMAGE_PIXELS, Model, Training};
use crate::reference::{self, Network};
use crate::result::{self, KernelCheck, Outcome, StepCheck};
use crate::rng::{self, Sequence, Stream};
use crate::trainer::{Stage, Trainer, TrainingConfig, uses};
use tolerance::Comparison;
use web_time::Instant;

/// Images in a full batch of the check: a multiple of neither a tile nor a workgroup.
pub(crate) const BATCH: u32 = 17;
/// Images in the check's last batch: smaller, to show that values beyond it in the buffers stay unchanged.
pub(crate) const LAST_BATCH: u32 = 6;
/// Training steps compared with the reference; the last is a smaller batch.
pub(crate) const STEPS: u32 = 5;
/// Maximum number of trainings to compare until one agrees. Rounding may decide a near tie of a maximum or a ReLU
/// differently from the reference, after which the two trainings diverge although both are correct; a defect makes them
/// diverge every time.
pub(crate) const MAX_ATTEMPTS: u64 = 3;

/// The outcome of a check.
#[derive(Debug, Clone)]
pub struct Report {
    /// The check as results describe it.
    pub check: result::Check,
    /// Seconds of the first step, in which the driver may compile pipelines again.
    pub first_step_s: f64,
    /// A sentence on the first failure; empty if there was none.
    pub failure: String,
    /// A warning about a check that passed; empty if there is none.
    pub warning: &'static str,
}

impl Report {
    /// A passed report without comparisons, to merge others into.
    pub fn empty() -> Self {
        let check = result::Check { outcome: Outcome::Passed, kernels: Vec::new(), steps: Vec::new(), duration_s: 0.0 };
        Self { check, first_step_s: 0.0, failure: String::new(), warning: "" }
    }

    /// Seconds of the check without its first step, which is a phase of its own.
    pub fn rest_s(&self) -> f64 {
        (self.check.duration_s - self.first_step_s).max(0.0)
    }

    /// Adds the comparisons of another device; the first failure and the first warning are kept.
    pub fn merge(&mut self, other: Report) {
        self.check.kernels.extend(other.check.kernels);
        self.check.steps.extend(other.check.steps);
        self.check.duration_s += other.check.duration_s;
        self.first_step_s += other.first_step_s;
        if other.check.outcome == Outcome::Failed {
            self.check.outcome = Outcome::Failed;
        }
        if self.failure.is_empty() {
            self.failure = other.failure;
        }
        if self.warning.is_empty() {
            self.warning = other.warning;
        }
    }
}

pub(crate) const NEAR_TIE: &str = "a training of the check diverged from the reference, as rounding can cause at a near tie; every \
    kernel and another training agree with it";

/// Compares every kernel of `plan` and five training steps of `config` with the reference, in small batches of random
/// images.
///
/// # Errors
/// Errors that prevent the comparison; a failed comparison is in the report.
pub async fn check(gpu: &Gpu, pipelines: &Pipelines, plan: &Plan, config: &TrainingConfig) -> Result<Report> {
    let start = Instant::now();
    let mut report = compare_once(gpu, pipelines, plan, config, config.seed).await?;
    for again in 1..MAX_ATTEMPTS {
        let kernels_agree = report.check.kernels.iter().all(|kernel| kernel.outcome == Outcome::Passed);
        if report.failure.is_empty() || !kernels_agree {
            break;
        }
        let next = compare_once(gpu, pipelines, plan, config, config.seed.wrapping_add(again)).await?;
        if next.failure.is_empty() {
            report = Report { first_step_s: report.first_step_s, warning: NEAR_TIE, ..next };
        }
    }
    report.check.duration_s = start.elapsed().as_secs_f64();
    Ok(report)
}

/// Compares steps and kernels once, with images and parameters drawn from `seed`.
async fn compare_once(
    gpu: &Gpu,
    pipelines: &Pipelines,
    plan: &Plan,
    config: &TrainingConfig,
    seed: u64,
) -> Result<Report> {
    let start = Instant::now();
    let config = TrainingConfig { training: Training { batch: BATCH, ..config.training }, ..config.clone() };
    let dataset = random_dataset(((STEPS - 1) * BATCH + LAST_BATCH) as usize, seed);
    let parameters = random_parameters(&config.model, seed);
    let mut trainer = Trainer::new(gpu, pipelines, plan, &config, &dataset, &parameters).await?;
    let mut checker = Checker { gpu, plan, config: &config, dataset: &dataset, failure: String::new() };
    let (steps, first_step_s) = checker.check_steps(&mut trainer, &parameters).await?;
    let kernels = checker.check_kernels(&trainer, STEPS - 1).await?;
    let outcome = if checker.failure.is_empty() { Outcome::Passed } else { Outcome::Failed };
    let check = result::Check { outcome, kernels, steps, duration_s: start.elapsed().as_secs_f64() };
    Ok(Report { check, first_step_s, failure: checker.failure, warning: "" })
}

/// Compares every kernel of `plan` in one step of `batch` images, in buffers for one image more; returns the failure,
/// empty if none.
///
/// # Errors
/// As [`check`].
pub async fn check_batch(
    gpu: &Gpu,
    pipelines: &Pipelines,
    plan: &Plan,
    config: &TrainingConfig,
    batch: u32,
) -> Result<String> {
    let config = TrainingConfig { training: Training { batch: batch + 1, ..config.training }, ..config.clone() };
    let dataset = random_dataset((2 * batch + 1) as usize, config.seed);
    let parameters = random_parameters(&config.model, config.seed);
    let mut trainer = Trainer::new(gpu, pipelines, plan, &config, &dataset, &parameters).await?;
    trainer.begin_epoch(0);
    let mut checker = Checker { gpu, plan, config: &config, dataset: &dataset, failure: String::new() };
    checker.check_kernels(&trainer, 1).await?;
    Ok(checker.failure)
}

/// Random images and labels, without symmetries that could hide an error.
pub fn random_dataset(images: usize, seed: u64) -> Dataset {
    let split = |case| {
        let mut sequence = Sequence::new(seed, Stream::Check, case);
        Split {
            images: (0..images * IMAGE_PIXELS).map(|_| sequence.next_u32() as u8).collect(),
            labels: (0..images).map(|_| sequence.below(CLASSES as u32) as u8).collect(),
        }
    };
    let name = "random images".to_owned();
    Dataset { identity: Identity::Other, name, source: None, train: split(0), test: split(1) }
}

/// Random parameters; unlike initial ones they have non-zero biases, so that a misplaced bias is detected.
pub fn random_parameters(model: &Model, seed: u64) -> Vec<f32> {
    let mut values = model.initial_parameters(seed);
    let mut sequence = Sequence::new(seed, Stream::Check, 2);
    for parameter in model.parameters.iter().filter(|parameter| parameter.is_bias()) {
        values[parameter.range()].fill_with(|| 0.2 * (sequence.uniform() - 0.5));
    }
    values
}

/// Runs the comparisons and keeps the first failure.
struct Checker<'a> {
    gpu: &'a Gpu,
    plan: &'a Plan,
    config: &'a TrainingConfig,
    dataset: &'a Dataset,
    failure: String,
}

impl Checker<'_> {
    fn record_failure(&mut self, what: &str, buffer: &str, comparison: &Comparison) {
        if !comparison.passed && self.failure.is_empty() {
            self.failure = format!(
                "{what} disagrees with the reference on {}: {buffer}[{}] is {:e}, expected {:e}; the driver computes wrongly \
                 or this program has a defect, so nothing was timed",
                self.gpu.adapter.name, comparison.worst_index, comparison.gpu, comparison.reference
            );
        }
    }

    /// Runs the check's steps on the device and in the reference, and compares losses and final parameters.
    async fn check_steps(&mut self, trainer: &mut Trainer<'_>, parameters: &[f32]) -> Result<(Vec<StepCheck>, f64)> {
        trainer.begin_epoch(0);
        let start = Instant::now();
        self.gpu.wait(trainer.submit(Stage::Training, 0..1)?).await?;
        let first_step_s = start.elapsed().as_secs_f64();
        let rest = trainer.submit(Stage::Training, 1..STEPS)?;
        // The reference runs concurrently with the device.
        let key = rng::stream_key(self.config.seed, Stream::Dropout);
        let mut network = Network::new(self.config.model.clone(), self.config.training, parameters, key);
        let order = trainer.order(0);
        let mut losses = Vec::new();
        for (step, indices) in order.chunks(BATCH as usize).enumerate() {
            let train = &self.dataset.train;
            let (pixels, labels) = reference::batch_gather(&train.images, &train.labels, indices);
            losses.push(network.training_step(&pixels, &labels, step as u32).loss_sum / labels.len() as f64);
        }
        self.gpu.wait(rest).await?;
        let on_gpu: Vec<f32> = trainer.step_metrics(STEPS).await?.iter().map(|sums| sums.loss() as f32).collect();
        let allowed = tolerance::of_steps(self.plan);
        let compared = tolerance::compare(&on_gpu, &losses, allowed.loss);
        self.record_failure("training", "loss", &compared);
        let parameters = trainer.parameters().await?;
        let last = self.config.model.parameter("fc3.weight").offset;
        for (first, end, tolerance) in [(0, last, allowed.parameters), (last, parameters.len(), allowed.last_layer)] {
            let compared = tolerance::compare(&parameters[first..end], &network.parameters[first..end], tolerance);
            let compared = Comparison { worst_index: first + compared.worst_index, ..compared };
            self.record_failure("training", inputs::PARAMETERS, &compared);
        }
        let row = |(step, (&gpu, &reference)): (usize, (&f32, &f64))| StepCheck {
            step: step as u32,
            gpu_loss: gpu.into(),
            reference_loss: reference.into(),
        };
        Ok((on_gpu.iter().zip(&losses).enumerate().map(row).collect(), first_step_s))
    }

    /// Runs the step `step_index` dispatch by dispatch and compares the buffers after each with the reference's results
    /// for the buffers before it.
    async fn check_kernels(&mut self, trainer: &Trainer<'_>, step_index: u32) -> Result<Vec<KernelCheck>> {
        for buffer in &self.plan.buffers {
            let words = trainer.buffers().bytes(&buffer.name) / 4;
            trainer.buffers().write(self.gpu, &buffer.name, &vec![f32::NAN.to_bits(); words as usize]);
        }
        let step = trainer.step_record(step_index);
        let mut rows = Vec::new();
        for (index, dispatch) in self.plan.training.iter().enumerate() {
            self.gpu.expect_no_stop()?;
            let before = self.contents(trainer, dispatch, |_| true).await?;
            self.gpu.wait(trainer.submit_dispatch(index, step_index)?).await?;
            let after = self.contents(trainer, dispatch, |access| access == Access::Write).await?;
            let row = row_of_kernel(dispatch)?;
            let (model, step) = (&self.config.model, &step);
            let inputs = KernelInputs { dispatch, model, step, contents: &before, after: &after };
            let expected = (row.reference)(&inputs);
            rows.push(self.compare(dispatch, row.tolerance, &expected, (&before, &after)));
        }
        Ok(rows)
    }

    /// Reads back the buffers of `dispatch` whose access satisfies `wanted`.
    async fn contents(
        &self,
        trainer: &Trainer<'_>,
        dispatch: &Dispatch,
        wanted: impl Fn(Access) -> bool,
    ) -> Result<Contents> {
        let mut contents = Contents::new();
        for (name, _) in uses(dispatch).into_iter().filter(|(_, access)| wanted(*access)) {
            let words = trainer.buffers().bytes(name) / 4;
            contents.insert(name.to_owned(), trainer.buffers().read(self.gpu, name, words as usize).await?);
        }
        Ok(contents)
    }

    fn compare(
        &mut self,
        dispatch: &Dispatch,
        tolerance: Tolerance,
        expected: &[Expected],
        (before, after): (&Contents, &Contents),
    ) -> KernelCheck {
        let mut worst: Option<Comparison> = None;
        for (buffer, after) in after {
            let expected = expected.iter().find(|expected| expected.buffer == *buffer);
            let compared = compare_buffer(expected, &before[buffer], after, tolerance);
            self.record_failure(&dispatch.label(), buffer, &compared);
            let worse = worst
                .is_none_or(|worst| (!compared.passed && worst.passed) || compared.max_abs_error > worst.max_abs_error);
            if worse {
                worst = Some(compared);
            }
        }
        let worst = worst.expect("every kernel writes something");
        KernelCheck {
            kernel: dispatch.kernel.name.to_owned(),
            layer: dispatch.layer.to_owned(),
            outcome: if worst.passed { Outcome::Passed } else { Outcome::Failed },
            max_abs_error: worst.max_abs_error.into(),
            worst_index: worst.worst_index as u64,
            tolerance_abs: tolerance.absolute,
            tolerance_rel: tolerance.relative,
        }
    }
}

/// The table's row of a dispatch's kernel.
fn row_of_kernel(dispatch: &Dispatch) -> Result<&'static TrainingKernel> {
    let name = dispatch.kernel.name;
    training_kernel(name).ok_or_else(|| Error::Check(format!("{name} is not a training kernel: add it to the table")))
}

/// Compares the expected part of a buffer by value within `tolerance`, and the rest with its previous bits.
fn compare_buffer(expected: Option<&Expected>, before: &[u32], after: &[u32], tolerance: Tolerance) -> Comparison {
    let (first, values) = expected.map_or((0, &[][..]), |expected| (expected.first, &expected.values[..]));
    let element = expected.map_or(Element::F32, |expected| expected.element);
    let in_word = if element == Element::F16Pair { 2 } else { 1 };
    let end = first + values.len() / in_word;
    let as_floats = |word: u32| match element {
        Element::U32 => vec![word as f32],
        Element::F32 => vec![f32::from_bits(word)],
        Element::F16Pair => f16_pair(word).to_vec(),
    };
    // Mask the bits that rounding decides.
    let masked = |(index, word): (usize, &u32)| {
        word & !expected.and_then(|expected| expected.ignored_bits.get(index)).copied().unwrap_or(0)
    };
    let written: Vec<f32> = after[first..end].iter().enumerate().map(masked).flat_map(as_floats).collect();
    let absolute = tolerance.absolute + expected.map_or(0.0, |expected| expected.rounding);
    let tolerance = match element {
        Element::F16Pair => Tolerance { relative: tolerance.relative + F16_ROUNDING, ..tolerance },
        _ => Tolerance { absolute, ..tolerance },
    };
    let compared = tolerance::compare(&written, values, tolerance);
    let compared = Comparison { worst_index: first + compared.worst_index / in_word, ..compared };
    let outside = (0..first).chain(end..after.len()).find(|&index| before[index] != after[index]);
    match outside {
        Some(index) if compared.passed => Comparison {
            worst_index: index,
            gpu: f64::from(as_floats(after[index])[0]),
            reference: f64::from(as_floats(before[index])[0]),
            passed: false,
            ..compared
        },
        _ => compared,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_device_fails_the_merged_report() {
        let failed = |failure: &str| {
            let mut report = Report::empty();
            report.check.outcome = Outcome::Failed;
            report.failure = failure.to_owned();
            report
        };
        let mut joined = Report::empty();
        for report in [Report::empty(), failed("the second"), Report::empty(), failed("the last")] {
            joined.merge(report);
        }
        assert_eq!(joined.check.outcome, Outcome::Failed);
        assert_eq!(joined.failure, "the second");
    }
}

//! The check of the CPU target before any timing: the passes of every layer, and a few training steps, against the
//! reference.

use super::trace::Trace;
use super::trainer::{CpuThreads, Trainer};
use crate::check::tolerance;
use crate::check::{BATCH, LAST_BATCH, MAX_ATTEMPTS, NEAR_TIE, Report, STEPS, random_dataset, random_parameters};
use crate::data::{Dataset, Split};
use crate::error::Result;
use crate::kernels::Tolerance;
use crate::model::{Layer, Operation, Training};
use crate::reference::{self, Network};
use crate::result::{self, KernelCheck, Outcome, StepCheck};
use crate::rng::{Stream, stream_key};
use crate::trainer::TrainingConfig;
use web_time::Instant;

/// Checks every pass and five training steps of `config` on `threads`, in small batches of seeded random images. `name`
/// is the name of the processor.
///
/// # Errors
/// Errors that prevent the check; a failed comparison is part of the report instead.
pub fn check(threads: &CpuThreads, config: &TrainingConfig, name: &str) -> Result<Report> {
    let start = Instant::now();
    let mut report = compare_once(threads, config, name, config.seed)?;
    for again in 1..MAX_ATTEMPTS {
        let passes_agree = report.check.kernels.iter().all(|kernel| kernel.outcome == Outcome::Passed);
        if report.failure.is_empty() || !passes_agree {
            break;
        }
        let next = compare_once(threads, config, name, config.seed.wrapping_add(again))?;
        if next.failure.is_empty() {
            report = Report { first_step_s: report.first_step_s, warning: NEAR_TIE, ..next };
        }
    }
    report.check.duration_s = start.elapsed().as_secs_f64();
    Ok(report)
}

/// Checks every pass in one step of `batch` images; returns the failure, which is empty if the check passed.
///
/// # Errors
/// As [`check`].
pub fn check_batch(threads: &CpuThreads, config: &TrainingConfig, batch: u32) -> Result<String> {
    let config = TrainingConfig { training: Training { batch, ..config.training }, ..config.clone() };
    let dataset = random_dataset(batch as usize, config.seed);
    let mut trainer = Trainer::new(threads, &config, &dataset, &random_parameters(&config.model, config.seed))?;
    let mut comparer = Comparer { name: "this processor", rows: Vec::new(), failure: String::new() };
    let order = trainer.order(0);
    comparer.passes(&mut trainer, &config, &dataset.train, &order, 3)?;
    Ok(comparer.failure)
}

fn compare_once(threads: &CpuThreads, config: &TrainingConfig, name: &str, seed: u64) -> Result<Report> {
    let start = Instant::now();
    let config = TrainingConfig { training: Training { batch: BATCH, ..config.training }, ..config.clone() };
    let dataset = random_dataset(((STEPS - 1) * BATCH + LAST_BATCH) as usize, seed);
    let parameters = random_parameters(&config.model, seed);
    let mut trainer = Trainer::new(threads, &config, &dataset, &parameters)?;
    let mut comparer = Comparer { name, rows: Vec::new(), failure: String::new() };
    let (steps, first_step_s) = comparer.steps(&mut trainer, &config, &dataset, &parameters)?;
    let order = trainer.order(0);
    let last = order.chunks(BATCH as usize).next_back().unwrap_or_default();
    comparer.passes(&mut trainer, &config, &dataset.train, last, STEPS - 1)?;
    let outcome = if comparer.failure.is_empty() { Outcome::Passed } else { Outcome::Failed };
    let duration_s = start.elapsed().as_secs_f64();
    let check = result::Check { outcome, kernels: comparer.rows, steps, duration_s };
    Ok(Report { check, first_step_s, failure: comparer.failure, warning: "" })
}

struct Comparer<'a> {
    name: &'a str,
    rows: Vec<KernelCheck>,
    failure: String,
}

/// `values` in double precision.
fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

impl Comparer<'_> {
    /// Compares `found` with `expected`; the first difference becomes the failure.
    fn compare(&mut self, what: &str, found: &[f32], expected: &[f64], tolerance: Tolerance) -> tolerance::Comparison {
        let compared = tolerance::compare(found, expected, tolerance);
        if !compared.passed && self.failure.is_empty() {
            self.failure = format!(
                "{what} disagrees with the reference on {}: value {} is {:e}, expected {:e}; the processor computes wrongly \
                 or this program has a defect, so nothing was timed",
                self.name, compared.worst_index, compared.gpu, compared.reference
            );
        }
        compared
    }

    /// Compares an output of `kernel` at `layer` within the kernel's tolerance.
    fn pass(&mut self, kernel: &'static str, layer: &Layer, found: &[f32], expected: &[f64]) -> Result<()> {
        self.row(kernel, layer, found, expected, tolerance::of(kernel)?);
        Ok(())
    }

    fn row(&mut self, kernel: &str, layer: &Layer, found: &[f32], expected: &[f64], tolerance: Tolerance) {
        let compared = self.compare(&format!("{kernel}/{}", layer.name), found, expected, tolerance);
        self.rows.push(KernelCheck {
            kernel: kernel.to_owned(),
            layer: layer.name.to_owned(),
            outcome: if compared.passed { Outcome::Passed } else { Outcome::Failed },
            max_abs_error: compared.max_abs_error.into(),
            worst_index: compared.worst_index as u64,
            tolerance_abs: tolerance.absolute,
            tolerance_rel: tolerance.relative,
        });
    }

    /// Runs the check's training steps here and in the reference, and compares losses and final parameters.
    fn steps(
        &mut self,
        trainer: &mut Trainer<'_>,
        config: &TrainingConfig,
        dataset: &Dataset,
        parameters: &[f32],
    ) -> Result<(Vec<StepCheck>, f64)> {
        let order = trainer.order(0);
        let (first, rest) = order.split_at(BATCH as usize);
        let start = Instant::now();
        let mut sums = trainer.training_steps(first, 0);
        let first_step_s = start.elapsed().as_secs_f64();
        sums.extend(trainer.training_steps(rest, 1));
        let key = stream_key(config.seed, Stream::Dropout);
        let mut network = Network::new(config.model.clone(), config.training, parameters, key);
        let mut losses = Vec::new();
        for (step, indices) in (0..).zip(order.chunks(BATCH as usize)) {
            let (pixels, labels) = reference::batch_gather(&dataset.train.images, &dataset.train.labels, indices);
            losses.push(network.training_step(&pixels, &labels, step).loss_sum / labels.len() as f64);
        }
        let found: Vec<f32> = sums.iter().map(|sums| sums.loss() as f32).collect();
        self.compare("training: loss", &found, &losses, tolerance::STEP_LOSS);
        let close = tolerance::STEP_PARAMETERS;
        self.compare("training: parameters", &trainer.parameters(), &network.parameters, close);
        let row = |(step, (&found, &reference)): (u32, (&f32, &f64))| StepCheck {
            step,
            gpu_loss: found.into(),
            reference_loss: reference.into(),
        };
        Ok(((0..).zip(found.iter().zip(&losses)).map(row).collect(), first_step_s))
    }

    /// Compares the output of every pass of step `step` with the reference's output for the same input.
    fn passes(
        &mut self,
        trainer: &mut Trainer<'_>,
        config: &TrainingConfig,
        split: &Split,
        indices: &[u32],
        step: u32,
    ) -> Result<()> {
        let trace = trainer.trace(indices, step);
        let (pixels, labels) = reference::batch_gather(&split.images, &split.labels, indices);
        let traced =
            TracedStep { config, parameters: wide(&trainer.parameters()), trace: &trace, pixels, labels, step };
        traced.features_forward(self)?;
        traced.dense_forward(self)?;
        traced.loss(self)?;
        traced.dense_backward(self)?;
        traced.features_backward(self)?;
        let (mut parameters, mut velocities) = (traced.parameters, wide(&trainer.velocities()));
        let training = &config.training;
        let (rate, momentum) = (f64::from(training.learning_rate_at(step)), f64::from(training.momentum));
        let gradients = wide(&trace.gradients);
        reference::sgd_update(&mut parameters, &mut velocities, &gradients, rate, momentum);
        trainer.training_steps(indices, step);
        let all_parameters = Layer { name: "parameters", ..config.model.layer("loss").clone() };
        let found = [trainer.parameters(), trainer.velocities()].concat();
        self.pass("sgd_update", &all_parameters, &found, &[parameters, velocities].concat())
    }
}

/// A training step: its inputs, and its trace to compare.
struct TracedStep<'a> {
    config: &'a TrainingConfig,
    parameters: Vec<f64>,
    trace: &'a Trace,
    pixels: Vec<f64>,
    labels: Vec<u8>,
    step: u32,
}

const DENSE: [&str; 3] = ["fc1", "fc2", "fc3"];

impl TracedStep<'_> {
    fn layer(&self, name: &str) -> &Layer {
        self.config.model.layer(name)
    }

    fn parameter(&self, layer: &str, part: &str) -> &[f64] {
        &self.parameters[self.config.model.parameter(&format!("{layer}.{part}")).range()]
    }

    fn gradient(&self, layer: &str, part: &str) -> &[f32] {
        &self.trace.gradients[self.config.model.parameter(&format!("{layer}.{part}")).range()]
    }

    fn dropout(&self) -> ([u32; 2], u32, f32) {
        let rate = match self.layer("dropout").operation {
            Operation::Dropout { rate } => rate,
            _ => 0.0,
        };
        (stream_key(self.config.seed, Stream::Dropout), self.step, rate)
    }

    fn features_forward(&self, comparer: &mut Comparer<'_>) -> Result<()> {
        let pooled1 = wide(&self.trace.pooled1);
        for (conv, pool, x, found, argmax) in [
            ("conv1", "pool1", &self.pixels, &self.trace.pooled1, &self.trace.argmax1),
            ("conv2", "pool2", &pooled1, &self.trace.pooled2, &self.trace.argmax2),
        ] {
            let (conv, pool) = (self.layer(conv), self.layer(pool));
            let z = reference::conv_forward(
                conv,
                x,
                self.parameter(conv.name, "weight"),
                self.parameter(conv.name, "bias"),
            );
            let (y, _) = reference::max_pool_forward(pool, &z);
            comparer.pass("conv_forward", conv, found, &y)?;
            // Rounding may decide a near tie differently: what matters is that the chosen position holds a maximum.
            let chosen: Vec<f32> =
                (0..).zip(argmax).map(|(index, &argmax)| z[argmax_in(pool, index, argmax)] as f32).collect();
            comparer.row("max_pool_forward", pool, &chosen, &y, tolerance::of("conv_forward")?);
        }
        let (key, step, rate) = self.dropout();
        let dropped = reference::dropout_forward(&wide(&self.trace.pooled2), key, step, rate);
        comparer.pass("dropout_forward", self.layer("dropout"), &self.trace.dense[0], &dropped)
    }

    fn dense_forward(&self, comparer: &mut Comparer<'_>) -> Result<()> {
        for (name, values) in DENSE.into_iter().zip(self.trace.dense.windows(2)) {
            let (weight, bias) = (self.parameter(name, "weight"), self.parameter(name, "bias"));
            let y = reference::dense_forward(self.layer(name), &wide(&values[0]), weight, bias);
            comparer.pass("dense_forward", self.layer(name), &values[1], &y)?;
        }
        Ok(())
    }

    fn loss(&self, comparer: &mut Comparer<'_>) -> Result<()> {
        let logits = wide(&self.trace.dense[DENSE.len()]);
        let layer = self.layer("loss");
        let (losses, correct) = reference::softmax_cross_entropy_forward(&logits, &self.labels);
        let found: Vec<f32> =
            self.trace.losses.iter().copied().chain(self.trace.correct.iter().map(|&c| c as f32)).collect();
        let expected: Vec<f64> = losses.into_iter().chain(correct.into_iter().map(f64::from)).collect();
        comparer.pass("softmax_cross_entropy_forward", layer, &found, &expected)?;
        let dlogits = reference::softmax_cross_entropy_backward(&logits, &self.labels);
        comparer.pass("softmax_cross_entropy_backward", layer, &self.trace.ddense[DENSE.len()], &dlogits)
    }

    fn dense_backward(&self, comparer: &mut Comparer<'_>) -> Result<()> {
        for (index, name) in DENSE.into_iter().enumerate().rev() {
            let layer = self.layer(name);
            let (x, dy) = (wide(&self.trace.dense[index]), wide(&self.trace.ddense[index + 1]));
            let x_relu = (index > 0).then_some(x.as_slice());
            let dx = reference::dense_backward_input(layer, &dy, self.parameter(name, "weight"), x_relu);
            comparer.pass("dense_backward_input", layer, &self.trace.ddense[index], &dx)?;
            let dweight = reference::dense_backward_weight(layer, &x, &dy);
            comparer.pass("dense_backward_weight", layer, self.gradient(name, "weight"), &dweight)?;
            comparer.pass(
                "dense_backward_bias",
                layer,
                self.gradient(name, "bias"),
                &reference::dense_backward_bias(layer, &dy),
            )?;
        }
        Ok(())
    }

    fn features_backward(&self, comparer: &mut Comparer<'_>) -> Result<()> {
        let trace = self.trace;
        let (key, step, rate) = self.dropout();
        let dfeatures = reference::dropout_backward(&wide(&trace.ddense[0]), key, step, rate);
        let (pooled1, pooled2) = (wide(&trace.pooled1), wide(&trace.pooled2));
        let dy = reference::max_pool_backward(self.layer("pool2"), &dfeatures, &trace.argmax2, &pooled2);
        self.conv_backward(comparer, "conv2", &pooled1, &dy)?;
        let dx = reference::conv_backward_input(self.layer("conv2"), &dy, self.parameter("conv2", "weight"));
        comparer.pass("conv_backward_input", self.layer("conv2"), &trace.dpooled1, &dx)?;
        let dy = reference::max_pool_backward(self.layer("pool1"), &wide(&trace.dpooled1), &trace.argmax1, &pooled1);
        self.conv_backward(comparer, "conv1", &self.pixels, &dy)
    }

    fn conv_backward(&self, comparer: &mut Comparer<'_>, name: &str, x: &[f64], dy: &[f64]) -> Result<()> {
        let layer = self.layer(name);
        let dweight = reference::conv_backward_weight(layer, x, dy);
        comparer.pass("conv_backward_weight", layer, self.gradient(name, "weight"), &dweight)?;
        comparer.pass(
            "conv_backward_bias",
            layer,
            self.gradient(name, "bias"),
            &reference::conv_backward_bias(layer, dy),
        )
    }
}

/// The index in a pool's input of the position `argmax`, 2 x row + column, in the window of output `index`.
fn argmax_in(pool: &Layer, index: usize, argmax: u32) -> usize {
    let (plane, position) = (index / pool.output.positions(), index % pool.output.positions());
    let row = 2 * (position / pool.output.width) + argmax as usize / 2;
    let column = 2 * (position % pool.output.width) + argmax as usize % 2;
    (plane * pool.input.height + row) * pool.input.width + column
}

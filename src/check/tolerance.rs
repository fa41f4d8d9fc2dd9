//! The comparison of a device's 32-bit values with the reference's, and the tolerances of training steps.

use crate::error::{Error, Result};
use crate::kernels::{Plan, Tolerance, training_kernel};

const fn tolerance(name: &'static str, absolute: f64, relative: f64) -> Tolerance {
    Tolerance { name, absolute, relative }
}

/// The losses of a few training steps.
pub const STEP_LOSS: Tolerance = tolerance("training step loss", 1e-5, 1e-5);
/// The parameters after a few training steps.
pub const STEP_PARAMETERS: Tolerance = tolerance("training step parameters", 5e-5, 1e-4);
/// The losses of fifty steps, over which near ties of a maximum or a ReLU may have been decided differently.
pub const FIFTY_STEPS_LOSS: Tolerance = tolerance("50 steps loss", 5e-3, 5e-3);
/// The same with arithmetic in 16 bits.
pub const FIFTY_STEPS_LOSS_F16: Tolerance = tolerance("50 steps loss with f16 arithmetic", 2e-2, 2e-2);

/// The tolerances of a few training steps with a plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepTolerances {
    /// Of the losses.
    pub loss: Tolerance,
    /// Of the parameters before the last layer at the end.
    pub parameters: Tolerance,
    /// Of the last layer's.
    pub last_layer: Tolerance,
}

/// Those of plans that compute in 32 bits.
pub const STEPS: StepTolerances =
    StepTolerances { loss: STEP_LOSS, parameters: STEP_PARAMETERS, last_layer: STEP_PARAMETERS };
/// Those of plans that compute in 16 bits: docs/METHOD.md has the reasons.
pub const STEPS_F16: StepTolerances = StepTolerances {
    loss: tolerance("training step loss with f16 arithmetic", 1e-2, 0.0),
    parameters: tolerance("training step parameters with f16 arithmetic", 1e-2, 0.0),
    last_layer: tolerance("training step parameters of the last layer with f16 arithmetic", 2e-3, 0.0),
};

/// The tolerances of training steps with `plan`.
pub fn of_steps(plan: &Plan) -> StepTolerances {
    if plan.needs_f16() { STEPS_F16 } else { STEPS }
}

/// The tolerance of the losses of fifty steps with `plan`.
pub fn of_fifty_steps(plan: &Plan) -> Tolerance {
    if plan.needs_f16() { FIFTY_STEPS_LOSS_F16 } else { FIFTY_STEPS_LOSS }
}

/// The tolerance of the kernel `name`.
///
/// # Errors
/// [`Error::Check`] if there is no training kernel of that name.
pub fn of(name: &str) -> Result<Tolerance> {
    let row = training_kernel(name).ok_or_else(|| Error::Check(format!("{name} is not a training kernel")))?;
    Ok(row.tolerance)
}

/// The outcome of a comparison, with the value that differs most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Index of the value with the largest error relative to its tolerance.
    pub worst_index: usize,
    /// The device's value there.
    pub gpu: f64,
    /// The reference's value there.
    pub reference: f64,
    /// Largest absolute difference anywhere.
    pub max_abs_error: f64,
    /// Whether every value lies within its tolerance.
    pub passed: bool,
}

/// Compares the device's values with the reference's element by element; a NaN on either side fails.
///
/// # Panics
/// If the lengths differ.
pub fn compare(gpu: &[f32], reference: &[f64], tolerance: Tolerance) -> Comparison {
    assert_eq!(gpu.len(), reference.len(), "{}: lengths differ", tolerance.name);
    let mut worst = Comparison { worst_index: 0, gpu: 0.0, reference: 0.0, max_abs_error: 0.0, passed: true };
    let mut worst_share = f64::NEG_INFINITY;
    for (index, (&gpu, &reference)) in gpu.iter().zip(reference).enumerate() {
        let gpu = f64::from(gpu);
        let error = (gpu - reference).abs();
        let allowed = tolerance.absolute + tolerance.relative * reference.abs();
        let share = match (error.is_nan(), error == 0.0) {
            (true, _) => f64::INFINITY,
            (false, true) => 0.0,
            (false, false) => error / allowed,
        };
        worst.max_abs_error = match error.is_nan() || worst.max_abs_error.is_nan() {
            true => f64::NAN,
            false => worst.max_abs_error.max(error),
        };
        if share > worst_share {
            worst_share = share;
            worst = Comparison { worst_index: index, gpu, reference, ..worst };
        }
    }
    Comparison { passed: worst_share <= 1.0, ..worst }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_does_not_exist_has_no_tolerance() {
        assert_eq!(of("conv_forward").unwrap().name, "conv_forward");
        assert!(of("nonsense").is_err());
    }

    #[test]
    fn the_worst_value_is_reported() {
        let tolerance = tolerance("test", 0.1, 0.0);
        let close = compare(&[1.0, 2.05, 3.0], &[1.0, 2.0, 3.0], tolerance);
        assert!(close.passed && close.worst_index == 1);
        let far = compare(&[1.0, 2.05, 3.5], &[1.0, 2.0, 3.0], tolerance);
        assert!(!far.passed && far.worst_index == 2 && far.reference == 3.0, "{far:?}");
    }

    #[test]
    fn a_nan_fails_on_either_side() {
        let tolerance = tolerance("test", 1e9, 1e9);
        assert!(!compare(&[1.0, f32::NAN], &[1.0, 1.0], tolerance).passed);
        assert!(compare(&[f32::NAN, 1.0], &[1.0, 1.0], tolerance).max_abs_error.is_nan());
        assert!(!compare(&[1.0], &[f64::NAN], tolerance).passed);
        assert!(!compare(&[f32::INFINITY], &[1.0], tolerance).passed);
    }

    #[test]
    fn a_tolerance_of_zero_requires_equal_values() {
        let exact = tolerance("test", 0.0, 0.0);
        assert!(compare(&[0.0, -1.5], &[0.0, -1.5], exact).passed);
        assert!(!compare(&[1e-30], &[0.0], exact).passed);
    }
}

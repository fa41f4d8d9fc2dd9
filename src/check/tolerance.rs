//! How far a device's 32-bit arithmetic may lie from the reference, and the one comparison that uses it.

use crate::error::{Error, Result};

/// |gpu - reference| <= `absolute` + `relative` |reference|.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// Name of the kernel, or of what else is compared.
    pub name: &'static str,
    /// Absolute part.
    pub absolute: f64,
    /// Relative part.
    pub relative: f64,
}

const fn tolerance(name: &'static str, absolute: f64, relative: f64) -> Tolerance {
    Tolerance { name, absolute, relative }
}

/// One row for each kernel, and for the losses and parameters of a few training steps.
///
/// Over 50 steps a maximum or a ReLU that rounding decided otherwise may show in the loss.
/// Copies, masks and integers are exact. Sums of n products allow for rounding that grows with n; gradients are small
/// numbers, so their absolute part is smaller than that of activations.
pub const TOLERANCES: [Tolerance; 30] = [
    tolerance("batch_gather", 0.0, 2e-7),
    tolerance("conv_forward", 3e-6, 2e-6),
    tolerance("max_pool_forward", 0.0, 0.0),
    tolerance("dropout_forward", 0.0, 2e-7),
    tolerance("dense_forward", 3e-6, 2e-6),
    tolerance("softmax_cross_entropy_forward", 2e-6, 1e-5),
    tolerance("metrics_reduce", 1e-6, 2e-6),
    tolerance("softmax_cross_entropy_backward", 2e-7, 1e-5),
    tolerance("dense_backward_input", 2e-7, 2e-6),
    tolerance("dense_backward_weight", 2e-7, 2e-6),
    tolerance("dense_backward_bias", 2e-7, 2e-6),
    tolerance("dropout_backward", 0.0, 2e-7),
    tolerance("max_pool_backward", 0.0, 0.0),
    tolerance("conv_backward_input", 2e-7, 2e-6),
    tolerance("conv_backward_weight", 1e-6, 2e-6),
    tolerance("conv_backward_weight_reduce", 1e-7, 1e-6),
    tolerance("conv_backward_bias", 1e-6, 2e-6),
    tolerance("sgd_update", 1e-8, 5e-7),
    tolerance("features_forward", 6e-6, 4e-6),
    tolerance("features_forward_lanes", 6e-6, 4e-6),
    tolerance("classifier_forward_backward", 6e-6, 1e-5),
    tolerance("classifier_forward_backward_subgroups", 6e-6, 1e-5),
    tolerance("classifier_forward_backward_lanes", 6e-6, 1e-5),
    tolerance("features_backward", 1e-6, 4e-6),
    tolerance("features_backward_lanes", 1e-6, 4e-6),
    tolerance("gradient_update", 1e-6, 2e-6),
    tolerance("gradient_update_lanes", 1e-6, 2e-6),
    tolerance("training step loss", 1e-5, 1e-5),
    tolerance("training step parameters", 5e-5, 1e-4),
    tolerance("50 steps loss", 5e-3, 5e-3),
];

/// The tolerance of `name`.
///
/// # Errors
/// [`Error::Check`] if the table has no such row.
pub fn of(name: &str) -> Result<Tolerance> {
    let row = TOLERANCES.iter().find(|row| row.name == name).copied();
    row.ok_or_else(|| Error::Check(format!("no tolerance is known for {name}: add a row to the table of tolerances")))
}

/// Where a device and the reference differ most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Index of the value that exhausts its tolerance most.
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

/// Compares the device's values with the reference's, one by one; a NaN on either side fails.
///
/// # Panics
/// If there are not equally many values.
pub fn compare(gpu: &[f32], reference: &[f64], tolerance: Tolerance) -> Comparison {
    assert_eq!(gpu.len(), reference.len(), "{}: as many values as the reference has", tolerance.name);
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
    fn every_kernel_has_a_tolerance() {
        for kernel in crate::kernels::KERNELS {
            assert!(of(kernel.name).is_ok(), "{}", kernel.name);
        }
        assert!(of("nonsense").is_err());
    }

    #[test]
    fn the_worst_value_is_found_and_named() {
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
    fn a_tolerance_of_zero_asks_for_equal_values() {
        let exact = tolerance("test", 0.0, 0.0);
        assert!(compare(&[0.0, -1.5], &[0.0, -1.5], exact).passed);
        assert!(!compare(&[1e-30], &[0.0], exact).passed);
    }
}

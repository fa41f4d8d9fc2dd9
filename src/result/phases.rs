//! How long each part of a run took.

use super::{Measured, not_recorded};
use serde::{Deserialize, Serialize};

/// Seconds spent in each part of a run. Warm and cold are never mixed: `train_s` is the first repeat's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phases {
    /// Finding and choosing the adapter.
    pub adapter_s: Measured<f64>,
    /// Opening the device.
    pub device_s: Measured<f64>,
    /// Compiling shaders and building pipelines.
    pub compile_s: Measured<f64>,
    /// Reading or drawing the data.
    pub data_s: Measured<f64>,
    /// Comparing with the reference.
    pub check_s: Measured<f64>,
    /// Moving the data to the device; part of `train_s`.
    pub upload_s: Measured<f64>,
    /// The first training step, where drivers compile for the second time.
    pub first_step_s: Measured<f64>,
    /// Training, from the data in host memory to the last epoch's results.
    pub train_s: Measured<f64>,
    /// Evaluation on the test images.
    pub evaluate_s: Measured<f64>,
    /// Everything from the start of the program to the end of the first training: all the above, `tune_s`, `peaks_s` and `idle_s`
    /// too. What a program costs that is told its plan is the cold total less these three.
    pub cold_total_s: Measured<f64>,
    /// Finding the fastest plan, or reading it from the cache.
    #[serde(default = "not_recorded")]
    pub tune_s: Measured<f64>,
    /// Measuring the adapter's peaks, or reading them from the cache.
    #[serde(default = "not_recorded")]
    pub peaks_s: Measured<f64>,
    /// Measuring the power without work, before the first training.
    #[serde(default = "not_recorded")]
    pub idle_s: Measured<f64>,
}

impl Default for Phases {
    fn default() -> Self {
        let missing = || Measured::missing("the run has not come this far");
        Self {
            adapter_s: missing(),
            device_s: missing(),
            compile_s: missing(),
            data_s: missing(),
            check_s: missing(),
            upload_s: missing(),
            first_step_s: missing(),
            train_s: missing(),
            evaluate_s: missing(),
            cold_total_s: missing(),
            tune_s: missing(),
            peaks_s: missing(),
            idle_s: missing(),
        }
    }
}

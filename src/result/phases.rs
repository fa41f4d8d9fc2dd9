//! How long each part of a run took.

use super::measured::Measured;
use super::missing::{not_in_this_run, not_reached, not_recorded};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Seconds spent in each part of a run. Warm and cold are never mixed: `train_s` is the first repeat's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Phases {
    /// Finding and choosing the adapter.
    pub adapter_s: Measured<f64>,
    /// Opening the device.
    pub device_s: Measured<f64>,
    /// Compiling shaders and building pipelines.
    pub compile_s: Measured<f64>,
    /// Reading or drawing the data.
    pub data_s: Measured<f64>,
    /// Comparing with the reference, without `first_step_s`.
    pub check_s: Measured<f64>,
    /// Moving the data to the device; part of `train_s`.
    pub upload_s: Measured<f64>,
    /// Starting a training and running its first and last batches, before any clock: allocates the memory, and drivers
    /// compile what the check did not run in exactly this form.
    #[serde(default = "not_recorded::<f64>")]
    pub warm_up_s: Measured<f64>,
    /// The first training step of the check, in which drivers may compile again.
    pub first_step_s: Measured<f64>,
    /// Training, from the data in host memory to the last epoch's results.
    pub train_s: Measured<f64>,
    /// Evaluation on the test images.
    pub evaluate_s: Measured<f64>,
    /// Everything from the start of the program to the end of the first training: all the above, `tune_s`, `peaks_s`
    /// and `idle_s` included. A run with a given plan takes the cold total minus these three.
    pub cold_total_s: Measured<f64>,
    /// Finding the fastest plan, or reading it from the cache.
    #[serde(default = "not_recorded::<f64>")]
    pub tune_s: Measured<f64>,
    /// Measuring the adapter's peaks, or reading them from the cache.
    #[serde(default = "not_recorded::<f64>")]
    pub peaks_s: Measured<f64>,
    /// Measuring the idle power, before the first training.
    #[serde(default = "not_recorded::<f64>")]
    pub idle_s: Measured<f64>,
}

impl Phases {
    /// Gives the phases that a finished run has not come to a reason that is true of it.
    pub fn end(&mut self) {
        for phase in self.all_mut() {
            if *phase == not_reached() {
                *phase = not_in_this_run();
            }
        }
    }

    fn all_mut(&mut self) -> [&mut Measured<f64>; 14] {
        [
            &mut self.adapter_s,
            &mut self.device_s,
            &mut self.compile_s,
            &mut self.data_s,
            &mut self.check_s,
            &mut self.warm_up_s,
            &mut self.upload_s,
            &mut self.first_step_s,
            &mut self.train_s,
            &mut self.evaluate_s,
            &mut self.cold_total_s,
            &mut self.tune_s,
            &mut self.peaks_s,
            &mut self.idle_s,
        ]
    }
}

impl Default for Phases {
    fn default() -> Self {
        Self {
            adapter_s: not_reached(),
            device_s: not_reached(),
            compile_s: not_reached(),
            data_s: not_reached(),
            check_s: not_reached(),
            upload_s: not_reached(),
            warm_up_s: not_reached(),
            first_step_s: not_reached(),
            train_s: not_reached(),
            evaluate_s: not_reached(),
            cold_total_s: not_reached(),
            tune_s: not_reached(),
            peaks_s: not_reached(),
            idle_s: not_reached(),
        }
    }
}

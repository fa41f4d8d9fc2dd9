//! How a training was shared between several devices, and what that cost.

use super::measured::Measured;
use super::missing::one_process;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A training shared between several devices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Parallel {
    /// When the devices synchronise.
    pub sync: Synchronisation,
    /// The devices, in the order of their shares of a batch.
    pub members: Vec<Member>,
    /// Seconds of the last timed training that were spent on exchanging gradients or parameters between the devices and
    /// the host.
    pub exchange_s: Measured<f64>,
    /// The same as a share of that training's time, in percent.
    pub exchange_pct: Measured<f64>,
    /// Bytes of one exchange between all devices and the host, in both directions.
    pub bytes_per_exchange: u64,
    /// Exchanges in an epoch.
    pub exchanges_per_epoch: u32,
    /// The joint speed as a share of the sum of the devices' own speeds, in percent; their own speeds were measured
    /// just before the training.
    pub scaling_efficiency_pct: Measured<f64>,
    /// The processes that trained together, in the order of their ranks; may be left out.
    #[serde(default = "one_process::<Vec<Rank>>")]
    pub ranks: Measured<Vec<Rank>>,
    /// What more processes make of the batch; may be left out.
    #[serde(default = "one_process::<ScalingMode>")]
    pub scaling_mode: Measured<ScalingMode>,
}

/// What more processes make of the batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScalingMode {
    /// It stays, and is shared by more: the same training in less time.
    #[default]
    Strong,
    /// It grows with them: each process has as many images as one alone.
    Weak,
}

/// One process of several that trained together, with its times in a mean step of the last timed training. Their sum is
/// that of the step but for what is no part of a step: shuffling, uploads, reporting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rank {
    /// Name of its host.
    pub host: String,
    /// Names of its devices, which are the next of [`Parallel::members`].
    pub devices: Vec<String>,
    /// Its share of a whole batch, in images.
    pub images_per_batch: u32,
    /// Seconds of a step.
    pub step_s: Measured<f64>,
    /// Seconds in which its devices computed gradients.
    pub compute_s: Measured<f64>,
    /// Seconds in which it waited for slower processes.
    pub wait_s: Measured<f64>,
    /// Seconds in which the gradients or parameters of all processes were added up.
    pub exchange_s: Measured<f64>,
    /// Seconds in which gradients or parameters went between its devices and the host, and the host updated them.
    pub update_s: Measured<f64>,
}

/// When devices that train together synchronise their parameters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Synchronisation {
    /// Gradients are averaged in every step: mathematically equal to training on one device.
    #[default]
    Step,
    /// Parameters are averaged once per epoch: mathematically different.
    Epoch,
}

/// One device of several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Member {
    /// Name for people.
    pub name: String,
    /// Its plan.
    pub plan: String,
    /// Its share of a whole batch, in images.
    pub images_per_batch: u32,
    /// Seconds of a step of a whole batch on this device alone.
    pub alone_step_s: Measured<f64>,
}

impl Parallel {
    /// The sum of the devices' own speeds, in steps per second.
    pub fn alone_steps_per_s(&self) -> Option<f64> {
        self.members.iter().map(|member| member.alone_step_s.value().map(|step_s| 1.0 / step_s)).sum()
    }

    /// The mean of a time of a step over all processes.
    pub fn mean_of_ranks(&self, time: impl Fn(&Rank) -> &Measured<f64>) -> Measured<f64> {
        self.ranks.and_then(|ranks| {
            let missing = ranks.iter().find_map(|rank| time(rank).reason());
            let sum: f64 = ranks.iter().filter_map(|rank| time(rank).value()).sum();
            missing.map_or_else(|| (sum / ranks.len() as f64).into(), Measured::missing)
        })
    }
}

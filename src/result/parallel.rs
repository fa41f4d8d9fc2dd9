//! How a training was shared between several devices, and what that cost.

use super::Measured;
use serde::{Deserialize, Serialize};

/// A training shared between several devices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parallel {
    /// When the devices agree.
    pub sync: Synchronisation,
    /// The devices, in the order of their parts of a batch.
    pub members: Vec<Member>,
    /// Seconds of the last timed training in which gradients or parameters went between the devices and the host.
    pub exchange_s: Measured<f64>,
    /// The same as a part of that training's time, in per cent.
    pub exchange_pct: Measured<f64>,
    /// Bytes between the devices and the host in one exchange, both ways, of all devices.
    pub bytes_per_exchange: u64,
    /// Exchanges in an epoch.
    pub exchanges_per_epoch: u32,
    /// Speed together, as a part of the sum of what each device does alone, in per cent; the devices' own times were taken just
    /// before the training.
    pub scaling_efficiency_pct: Measured<f64>,
}

/// When devices that train together agree on the parameters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Synchronisation {
    /// Gradients are averaged in every step: the same mathematics as on one device.
    #[default]
    Step,
    /// Parameters are averaged once an epoch: different mathematics.
    Epoch,
}

/// One device of several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Name for people.
    pub name: String,
    /// Its plan.
    pub plan: String,
    /// Images of a whole batch that it trains.
    pub images_per_batch: u32,
    /// Seconds of a step of a whole batch on it alone.
    pub alone_step_s: Measured<f64>,
}

impl Parallel {
    /// Steps a second of all devices, each alone.
    pub fn alone_steps_per_s(&self) -> Option<f64> {
        self.members.iter().map(|member| member.alone_step_s.value().map(|step_s| 1.0 / step_s)).sum()
    }
}

//! The members of a data-parallel training.

use super::host_member::{HostMember, OpenedHostMember};
use crate::error::Error;
use crate::gpu::{AdapterInfo, CommandCounts, Gpu, Pipelines};
use crate::kernels::Plan;
use crate::trainer::{Share, TrainingConfig};
use std::sync::Arc;

/// One member of a data-parallel target.
#[derive(Clone)]
pub struct Device<'a> {
    /// Where it trains.
    pub place: Place<'a>,
    /// Display name, unique among the members.
    pub name: String,
    /// Name of its plan.
    pub plan: String,
    /// Its part of a batch, relative to the other members' weights.
    pub weight: u32,
}

/// Where a member of a data-parallel target trains.
#[derive(Clone)]
pub enum Place<'a> {
    /// On an adapter; several members may train on one.
    Adapter(&'a AdapterInfo),
    /// On the host.
    Host(Arc<dyn HostMember>),
}

impl<'a> Device<'a> {
    /// Its adapter, if it trains on one.
    pub fn adapter(&self) -> Option<&'a AdapterInfo> {
        match self.place {
            Place::Adapter(adapter) => Some(adapter),
            Place::Host(_) => None,
        }
    }
}

/// An opened member of a data-parallel target.
pub struct OpenedDevice {
    pub(super) name: String,
    pub(super) trains: Trains,
    /// The member's configuration: its part of the batch, and an optimizer that yields gradients or trains
    /// independently.
    pub(super) config: TrainingConfig,
    pub(super) share: Share,
}

/// With what an opened member trains.
pub(super) enum Trains {
    /// An adapter, with compiled kernels.
    Adapter { gpu: Box<Gpu>, pipelines: Pipelines, plan: Plan },
    /// Threads of the host.
    Host(Box<dyn OpenedHostMember>),
}

impl OpenedDevice {
    /// The wgpu device, if it trains on an adapter.
    pub fn gpu(&self) -> Option<&Gpu> {
        match &self.trains {
            Trains::Adapter { gpu, .. } => Some(gpu.as_ref()),
            Trains::Host(_) => None,
        }
    }

    /// Counts of the commands submitted so far; a member on the host takes none.
    pub(super) fn commands(&self) -> CommandCounts {
        self.gpu().map(Gpu::commands).unwrap_or_default()
    }

    /// Prefixes an error's message with the member's name.
    pub(super) fn with_device_name(&self, error: Error) -> Error {
        match error {
            Error::Device(message) => Error::Device(format!("{}: {message}", self.name)),
            Error::Adapter(message) => Error::Adapter(format!("{}: {message}", self.name)),
            other => other,
        }
    }
}

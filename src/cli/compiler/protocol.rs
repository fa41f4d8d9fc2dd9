//! What is written between this program and its process that compiles: JSON, a request on its standard input, then a
//! reply a line.

use crate::gpu::{CompilerDevice, Executable};
use crate::kernels::Dispatch;
use serde::{Deserialize, Serialize};

/// Kernels to compile on a device.
#[derive(Debug, Serialize, Deserialize)]
pub struct Request {
    /// The device; the first that the loader lists if there is none.
    pub device: Option<CompilerDevice>,
    /// The kernels, in the order of the replies.
    pub kernels: Vec<KernelRequest>,
    /// Whether the driver's texts are wanted.
    pub texts: bool,
}

/// A kernel with its constants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KernelRequest {
    /// Its name.
    pub kernel: String,
    /// Its override constants.
    pub constants: Vec<(String, f64)>,
    /// Whether the device is opened with subgroups, which a plan needs as a whole.
    pub subgroups: bool,
}

impl KernelRequest {
    /// The kernel of a dispatch, of a plan that needs subgroups or not.
    pub fn of(dispatch: &Dispatch, subgroups: bool) -> Self {
        let constants = dispatch.constants.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        Self { kernel: dispatch.kernel.name.to_owned(), constants, subgroups }
    }
}

/// A line of the process.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The first line: the device, and the version of Vulkan that it has.
    Device {
        /// The device.
        device: CompilerDevice,
        /// Major and minor number.
        vulkan: (u32, u32),
    },
    /// The only line where no compiler can be asked.
    Unavailable {
        /// The device, if there is one.
        device: Option<CompilerDevice>,
        /// The reason.
        reason: String,
    },
    /// A kernel that was compiled.
    Compiled(Executable),
    /// A kernel that was not, and why.
    Refused(String),
}

//! What a driver's compiler makes of kernels, asked in a process of its own: a driver may crash, hang, or end the
//! process, as Mesa's does for a family that it does not know.

mod of_profile;
mod process;
mod protocol;
mod radv;
mod worker;

pub use of_profile::AskDriver;
pub use process::Answer;
pub use protocol::KernelRequest;
pub use radv::family_of;
pub use worker::{VERB, compile_kernels};

use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, CompilerDevice};
use crate::result::{Compiled, Measured};
use protocol::Request;

/// Whose compiler is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compiler {
    /// That of an adapter's driver.
    Adapter(CompilerDevice),
    /// That of RADV, for a family of AMD GPUs that need not be here.
    Radv(String),
}

impl Compiler {
    /// The compiler of an adapter's driver.
    ///
    /// # Errors
    /// Why it cannot be asked, in words: on other backends than Vulkan.
    pub fn of(adapter: &AdapterInfo) -> std::result::Result<Self, String> {
        if adapter.backend != "vulkan" {
            return Err(format!("no driver on {} tells what its compiler does; Vulkan's do", adapter.backend));
        }
        Ok(Self::Adapter(CompilerDevice {
            name: adapter.name.clone(),
            vendor_id: adapter.vendor_id,
            device_id: adapter.device_id,
            driver: adapter.driver.clone(),
            driver_info: adapter.driver_info.clone(),
        }))
    }

    /// Compiles `kernels`, those that are alike once; gives the answer, and what results say of each of `kernels`.
    ///
    /// # Errors
    /// As [`Compiler::compile`].
    pub fn compile_each(&self, kernels: &[KernelRequest]) -> Result<(Answer, Vec<Measured<Compiled>>)> {
        let mut distinct: Vec<KernelRequest> = Vec::new();
        for kernel in kernels {
            if !distinct.contains(kernel) {
                distinct.push(kernel.clone());
            }
        }
        let answer = self.compile(distinct.clone(), false)?;
        let place = |kernel: &KernelRequest| distinct.iter().position(|one| one == kernel);
        let compiled = kernels.iter().map(|kernel| answer.compiled(place(kernel))).collect();
        Ok((answer, compiled))
    }

    /// Compiles `kernels`, and asks for the driver's texts if `texts`.
    ///
    /// # Errors
    /// [`Error::Adapter`] if RADV is not there or does not know the family; [`Error::Device`] if no process can be
    /// started; [`Error::Interrupted`] if a signal stopped it.
    pub fn compile(&self, kernels: Vec<KernelRequest>, texts: bool) -> Result<Answer> {
        let (device, family) = match self {
            Self::Adapter(device) => (Some(device.clone()), None),
            Self::Radv(family) => (None, Some(family.as_str())),
        };
        let command = || {
            let mut command = process::own()?;
            family.map_or(Ok(()), |family| radv::set_up(&mut command, family))?;
            Ok(command)
        };
        let answer = process::ask(&command, Request { device, kernels, texts }, process::LIMIT)?;
        match family {
            Some(family) if answer.device.is_none() => Err(Error::Adapter(radv::unknown(family, &answer))),
            _ => Ok(answer),
        }
    }
}

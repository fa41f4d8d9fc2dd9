//! The options that several verbs share, and the choice of an adapter that they amount to.

use super::terminal;
use crate::cpu::NAME;
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters, adapter};
use crate::result::{Measured, Origin, Setting};
use clap::Args;

/// The environment variable that names a backend where `--backend` does not.
pub const BACKEND_VARIABLE: &str = "WGPU_BACKEND";
/// The environment variable that names an adapter where `--adapter` does not.
pub const ADAPTER_VARIABLE: &str = "WGPU_ADAPTER_NAME";

/// The environment variable that names a plan where `--plan` does not.
pub const PLAN_VARIABLE: &str = "GPUBENCH_PLAN";
/// The plan that stands for the fastest one.
pub const AUTO: &str = "auto";

/// Which adapter a verb works on.
#[derive(Debug, Clone, Default, Args)]
pub struct AdapterArgs {
    /// Adapter: its index, a part of its name, vendor or driver (nvidia), or its PCI bus id [default: the fastest kind]
    #[arg(long, value_name = "WHICH")]
    pub adapter: Option<String>,
    /// Backend: vulkan, metal, dx12 or auto
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
}

impl AdapterArgs {
    /// The adapter that was asked for, as an option or in the environment.
    pub fn request(&self) -> Setting<Measured<String>> {
        option_or_variable(self.adapter.as_ref(), ADAPTER_VARIABLE)
    }

    /// The backend that was asked for, as an option or in the environment.
    pub fn backend(&self) -> Setting<Measured<String>> {
        option_or_variable(self.backend.as_ref(), BACKEND_VARIABLE)
    }

    /// The machine's adapters on the backend that was asked for.
    ///
    /// # Errors
    /// [`Error::Usage`] if `verb` was asked to work on the CPU target, which has no GPU API, or there is no such backend.
    pub fn find(&self, verb: &str) -> Result<Adapters> {
        if names(&self.request().value, NAME) {
            return Err(Error::Usage(format!(
                "gpubench {verb} works through the GPU API alone: leave `--adapter cpu` out, or time the CPU with `gpubench --adapter cpu`"
            )));
        }
        find_adapters(&self.backend().value)
    }

    /// The one of `adapters` that was asked for, announced on stderr.
    ///
    /// # Errors
    /// [`Error::Adapter`] if there is no such adapter.
    pub fn choose<'a>(&self, adapters: &'a Adapters) -> Result<&'a AdapterInfo> {
        let adapter = adapter::choose(adapters.infos(), self.request().value.value().map(String::as_str))?;
        announce(adapter);
        Ok(adapter)
    }
}

/// An option, else an environment variable, else nothing.
pub fn option_or_variable(option: Option<&String>, variable: &str) -> Setting<Measured<String>> {
    if let Some(value) = option {
        return Setting::new(Measured::Value(value.clone()), Origin::Option);
    }
    match std::env::var(variable).ok().filter(|value| !value.is_empty()) {
        Some(value) => Setting::new(Measured::Value(value), Origin::Environment),
        None => Setting::default(Measured::missing("any")),
    }
}

/// Whether an adapter request is `word`.
pub fn names(request: &Measured<String>, word: &str) -> bool {
    request.value().is_some_and(|request| request.trim().eq_ignore_ascii_case(word))
}

/// The machine's adapters on `backend`, or on every backend where none is named.
///
/// # Errors
/// [`Error::Usage`] if there is no such backend.
pub fn find_adapters(backend: &Measured<String>) -> Result<Adapters> {
    pollster::block_on(Adapters::find(backend.value().map(String::as_str)))
}

/// Says on stderr what is measured.
pub fn announce(adapter: &AdapterInfo) {
    terminal::talk(&format!("adapter: {}", adapter.line()));
    if adapter.software {
        terminal::talk("  (its times say nothing about a GPU)");
    }
}

//! Options shared by several verbs, and the choice of an adapter from them.

use super::{interrupt, no_gpu, panics, terminal};
use crate::cpu::NAME;
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters, Gpu, Needs, adapter};
use crate::result::{Measured, Origin, Setting};
use clap::Args;

/// Environment variable for the default of `--backend`.
pub const BACKEND_VARIABLE: &str = "WGPU_BACKEND";
/// Environment variable for the default of `--adapter`.
pub const ADAPTER_VARIABLE: &str = "WGPU_ADAPTER_NAME";
/// Environment variable for the default of `--plan`.
pub const PLAN_VARIABLE: &str = "GPUBENCH_PLAN";
/// Threads of a driver and of this program beside one for each core.
const DRIVER_THREADS: usize = 6;
/// Value of `--plan` for the fastest plan.
pub const AUTO: &str = "auto";

/// Which adapter a verb works on.
#[derive(Debug, Clone, Default, Args)]
pub struct AdapterArgs {
    /// Adapter: its index, a part of its name, vendor or driver (nvidia), or its PCI bus id [default: the fastest kind]
    #[arg(long, value_name = "WHICH")]
    pub adapter: Option<String>,
    /// Backend: vulkan, metal, dx12 or auto; of several, with commas between, the first that this system has
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
}

impl AdapterArgs {
    /// The requested adapter, from the option or the environment.
    pub fn request(&self) -> Setting<Measured<String>> {
        option_or_variable(self.adapter.as_ref(), ADAPTER_VARIABLE)
    }

    /// The requested backend, from the option or the environment.
    pub fn backend(&self) -> Setting<Measured<String>> {
        option_or_variable(self.backend.as_ref(), BACKEND_VARIABLE)
    }

    /// The machine's adapters on the requested backend.
    ///
    /// # Errors
    /// [`Error::Usage`] if the CPU target is requested, which `verb` does not support, or if there is no such backend;
    /// [`Error::Adapter`] if there is no adapter.
    pub fn find(&self, verb: &str) -> Result<Adapters> {
        if request_is(&self.request().value, NAME) {
            return Err(Error::Usage(format!(
                "gpubench {verb} works through the GPU API alone: leave `--adapter cpu` out, or time the CPU with `gpubench --adapter cpu`"
            )));
        }
        let adapters = find_adapters(&self.backend().value)?;
        expect_threads()?;
        if adapters.infos().is_empty() { Err(no_gpu::none_found()) } else { Ok(adapters) }
    }

    /// The requested adapter among `adapters`, or the first that can be opened, announced on stderr.
    ///
    /// # Errors
    /// [`Error::Adapter`] if there is no such adapter.
    pub fn choose<'a>(&self, adapters: &'a Adapters) -> Result<&'a AdapterInfo> {
        let adapter = match self.request().value.value() {
            Some(request) => adapter::choose(adapters.infos(), Some(request))?,
            None => {
                first_that_opens(adapters, |_| true)?.map_or_else(|| adapter::choose(adapters.infos(), None), Ok)?
            }
        };
        announce(adapter);
        Ok(adapter)
    }
}

/// The value of an option, else of an environment variable, else missing.
pub fn option_or_variable(option: Option<&String>, variable: &str) -> Setting<Measured<String>> {
    if let Some(value) = option {
        return Setting::new(Measured::Value(value.clone()), Origin::Option);
    }
    match std::env::var(variable).ok().filter(|value| !value.is_empty()) {
        Some(value) => Setting::new(Measured::Value(value), Origin::Environment),
        None => Setting::default(Measured::missing("any")),
    }
}

/// Whether an adapter request is `name`, ignoring case.
pub fn request_is(request: &Measured<String>, name: &str) -> bool {
    request.value().is_some_and(|request| request.trim().eq_ignore_ascii_case(name))
}

/// The machine's adapters on `backend`, or on every backend if it is missing.
///
/// # Errors
/// [`Error::Usage`] if there is no such backend, [`Error::Interrupted`] if a signal stopped it.
pub fn find_adapters(backend: &Measured<String>) -> Result<Adapters> {
    let adapters = panics::block_on(Adapters::find(backend.value().map(String::as_str)))?;
    interrupt::expect_none()?;
    Ok(adapters.stopped_by(interrupt::flag()))
}

/// Whether the system lets drivers start their threads: a software adapter's ends the process where it cannot.
///
/// # Errors
/// [`Error::Device`] if it does not.
pub fn expect_threads() -> Result<()> {
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) + DRIVER_THREADS;
    let (ends, threads): (Vec<_>, Vec<_>) = (0..count)
        .map(|_| {
            let (end, ended) = std::sync::mpsc::channel::<()>();
            (end, std::thread::Builder::new().spawn(move || ended.recv().is_ok()))
        })
        .unzip();
    drop(ends);
    let refused = threads.into_iter().filter_map(|thread| thread.map(std::thread::JoinHandle::join).err()).next();
    refused.map_or(Ok(()), |error| {
        Err(Error::Device(format!("{count} threads, as drivers use, cannot be started ({error}): raise `ulimit -u`")))
    })
}

/// The first of the `wanted` adapters on which a device can be opened; those on which none can are named on stderr.
///
/// # Errors
/// [`Error::Interrupted`] if a signal stopped it.
pub fn first_that_opens(adapters: &Adapters, wanted: impl Fn(&AdapterInfo) -> bool) -> Result<Option<&AdapterInfo>> {
    for adapter in adapters.infos().iter().filter(|adapter| wanted(adapter)) {
        match panics::block_on(Gpu::open(adapters, adapter, Needs::default())) {
            Ok(_) => return Ok(Some(adapter)),
            Err(error) => terminal::message(&format!("note: {error}; going on without it")),
        }
        interrupt::expect_none()?;
    }
    Ok(None)
}

/// Prints the adapter on stderr.
pub fn announce(adapter: &AdapterInfo) {
    terminal::message(&format!("adapter: {}", adapter.line()));
    if adapter.software {
        terminal::message("  (its times say nothing about a GPU)");
    }
}

/// A limit in minutes, for `value_parser`.
///
/// # Errors
/// A phrase, if the text is no number from above 0 to 1440.
pub fn minutes(text: &str) -> std::result::Result<f64, String> {
    let minutes: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if minutes > 0.0 && minutes <= 1440.0 { Ok(minutes) } else { Err("minutes from above 0 to 1440".to_owned()) }
}

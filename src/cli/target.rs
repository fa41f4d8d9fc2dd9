//! The target of a run: resolves options to a [`Target`], and a target to a [`Subject`].

use super::flags::{announce, find_adapters, request_is};
use super::run_args::RunArgs;
use super::subject::Subject;
use super::{cpu, data_parallel, terminal};
use crate::error::{Error, Result};
use crate::gpu::{Adapters, adapter};
use crate::result::{Measured, Origin, Settings};
use web_time::Instant;

/// Value of `--adapter` for all adapters.
const ALL: &str = "all";

/// The kind of target that a run trains on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// One adapter of the GPU API.
    Adapter,
    /// The host's cores.
    Cpu,
    /// Several devices in parallel, each on its part of every batch.
    DataParallel,
    /// Every adapter and the host's cores, one after the other.
    All,
}

/// An option that some targets refuse, with advice for each of them.
struct OptionRule {
    option: &'static str,
    given: fn(&RunArgs) -> bool,
    refused: &'static [(Target, &'static str)],
}

macro_rules! rules {
    ($($option:literal $given:expr => [$($target:ident: $advice:expr),*];)*) => {
        &[$(OptionRule { option: $option, given: $given, refused: &[$((Target::$target, $advice)),*] },)*]
    };
}

const SHARES: &str = "shares a training between adapters: name them with --adapters A,B";
const OF_CORES: &str = "is for the host's cores: add --adapter cpu";
const OF_ONE_DEVICE: &str = "is for one device: leave it out, or name one --adapter instead of all";
const NOT_PROFILED_TOGETHER: &str =
    "is for one device, and several cannot be profiled together: leave --adapters out, and profile each with --adapter";
const NOT_PROFILED_ON_CPU: &str = "is for adapters; the CPU target is timed as a whole, not by kernel: leave it out, or choose an adapter with --adapter";

/// The options that some targets refuse; every target accepts all others.
const RULES: &[OptionRule] = rules! {
    "--split" |args| args.data_parallel.split.is_some() => [Adapter: SHARES, Cpu: SHARES, All: SHARES];
    "--sync" |args| args.data_parallel.sync.is_some() => [Adapter: SHARES, Cpu: SHARES, All: SHARES];
    "--logical-devices" |args| args.data_parallel.logical_devices.is_some()
        => [Adapter: SHARES, Cpu: SHARES, All: SHARES];
    "--threads" |args| args.cpu.threads.is_some() => [Adapter: OF_CORES, DataParallel: OF_CORES];
    "--profile" |args| args.profile
        => [Cpu: NOT_PROFILED_ON_CPU, DataParallel: NOT_PROFILED_TOGETHER, All: OF_ONE_DEVICE];
    "--trace" |args| args.trace.is_some()
        => [Cpu: NOT_PROFILED_ON_CPU, DataParallel: NOT_PROFILED_TOGETHER, All: OF_ONE_DEVICE];
    "--html" |args| args.html.is_some() => [DataParallel: NOT_PROFILED_TOGETHER, All: OF_ONE_DEVICE];
    "--save" |args| args.save.is_some() => [All: OF_ONE_DEVICE];
    "--target-ci" |args| args.stopping.target_ci.is_some() => [All: OF_ONE_DEVICE];
    "--max-time" |args| args.stopping.max_time.is_some() => [All: OF_ONE_DEVICE];
    "--cooldown" |args| args.stopping.cooldown.is_some() => [All: OF_ONE_DEVICE];
    "--soak" |args| args.stopping.soak.is_some() => [All: OF_ONE_DEVICE];
    "--backend" |args| args.backend.is_some()
        => [Cpu: "is for adapters; the CPU target has no backend: leave --backend out"];
    "--plan" |args| args.plan.is_some()
        => [Cpu: "is for adapters; the CPU target has one plan: leave --plan out"];
    "--checked" |args| args.checked
        => [Cpu: "is for adapters; the CPU target has no shaders: leave --checked out"];
    "--fresh-peaks" |args| args.fresh_peaks
        => [Cpu: "is for adapters; the CPU target has no peaks: leave --fresh-peaks out"];
};

impl Target {
    /// The target that `args` and the adapter request describe.
    ///
    /// # Errors
    /// [`Error::Usage`] naming an option that the target refuses, with advice.
    pub fn resolve(args: &RunArgs, request: &Measured<String>) -> Result<Self> {
        let target = match args.data_parallel.adapters {
            Some(_) => Target::DataParallel,
            None if request_is(request, cpu::NAME) => Target::Cpu,
            None if request_is(request, ALL) => Target::All,
            None => Target::Adapter,
        };
        target.expect_options(args)?;
        Ok(target)
    }

    /// Fails if `args` has an option that this target refuses.
    fn expect_options(self, args: &RunArgs) -> Result<()> {
        for rule in RULES.iter().filter(|rule| (rule.given)(args)) {
            if let Some((_, advice)) = rule.refused.iter().find(|(target, _)| *target == self) {
                return Err(Error::Usage(format!("{} {advice}", rule.option)));
            }
        }
        Ok(())
    }

    /// Finds the machine's adapters if this target needs them. Without any, falls back to the CPU target unless an adapter or backend
    /// was requested.
    ///
    /// # Errors
    /// [`Error::Adapter`] if there is no adapter and no fallback, [`Error::Usage`] as [`Target::resolve`].
    pub fn find(self, args: &RunArgs, settings: &Settings) -> Result<(Self, Option<Adapters>)> {
        if self == Target::Cpu {
            return Ok((self, None));
        }
        let adapters = find_adapters(&settings.backend.value)?;
        if self == Target::Adapter && adapters.infos().is_empty() {
            if settings.adapter.origin != Origin::Default || settings.backend.origin != Origin::Default {
                return Err(cpu::none_found());
            }
            Target::Cpu.expect_options(args)?;
            return Ok((Target::Cpu, None));
        }
        Ok((self, Some(adapters)))
    }

    /// Chooses the devices of this target and announces them on stderr.
    ///
    /// # Errors
    /// [`Error::Adapter`] or [`Error::Usage`] if `args` match no device of this machine.
    pub fn open<'a>(
        self,
        adapters: Option<&'a Adapters>,
        args: &RunArgs,
        settings: Settings,
        started: Instant,
    ) -> Result<Subject<'a>> {
        let mut subject = match adapters {
            None => cpu::subject(args, settings)?,
            Some(adapters) if self == Target::DataParallel => data_parallel::subject(args, adapters, settings)?,
            Some(adapters) => {
                let request = settings.adapter.value.value().cloned();
                let adapter = adapter::choose(adapters.infos(), request.as_deref())?;
                announce(adapter);
                if adapter.software {
                    terminal::message("  (it measures the CPU indirectly: --adapter cpu measures it directly)");
                }
                Subject::on_adapter(adapters, adapter, args, settings)
            }
        };
        subject.adapter_s = started.elapsed().as_secs_f64();
        Ok(subject)
    }
}

//! The target of a run: resolves options to a [`Target`], and a target to a [`Subject`].

use super::flags::{PLAN_VARIABLE, announce, expect_threads, find_adapters, first_that_opens, request_is};
use super::run_args::RunArgs;
use super::subject::Subject;
use super::{cpu, data_parallel, no_gpu, terminal};
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters, adapter};
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
    "--threads" |args| args.cpu.threads.is_some() => [Adapter: OF_CORES];
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
            None if args.data_parallel.distributed => Target::DataParallel,
            None if request_is(request, cpu::NAME) => Target::Cpu,
            None if request_is(request, ALL) => Target::All,
            None => Target::Adapter,
        };
        match target.refused(args) {
            Some((option, advice)) => Err(Error::Usage(format!("{option} {advice}"))),
            None => Ok(target),
        }
    }

    /// The first option of `args` that this target refuses, with advice.
    fn refused(self, args: &RunArgs) -> Option<(&'static str, &'static str)> {
        let mut given = RULES.iter().filter(|rule| (rule.given)(args));
        given.find_map(|rule| {
            rule.refused.iter().find(|(target, _)| *target == self).map(|(_, advice)| (rule.option, *advice))
        })
    }

    /// Finds the machine's adapters if this target needs them.
    ///
    /// # Errors
    /// [`Error::Adapter`] if there is none and one was requested, [`Error::Usage`] if there is no such backend.
    pub fn find(self, settings: &Settings) -> Result<Option<Adapters>> {
        if self == Target::Cpu {
            return Ok(None);
        }
        let adapters = find_adapters(&settings.backend.value)?;
        expect_threads()?;
        if adapters.infos().is_empty() && self == Target::Adapter && requested(settings) {
            return Err(no_gpu::none_found());
        }
        Ok(Some(adapters))
    }

    /// Chooses the devices of this target and announces them on stderr. Where nothing was requested and no GPU can be
    /// opened, the CPU target trains, unless `args` need an adapter.
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
            Some(adapters) => match choose(adapters, args, &settings)? {
                None => cpu::subject(args, settings)?,
                Some(adapter) => {
                    announce(adapter);
                    if adapter.software {
                        terminal::message("  (it measures the CPU indirectly: --adapter cpu measures it directly)");
                    }
                    Subject::on_adapter(adapters, adapter, args, settings)
                }
            },
        };
        subject.adapter_s = started.elapsed().as_secs_f64();
        Ok(subject)
    }
}

/// Whether an adapter or a backend was requested.
fn requested(settings: &Settings) -> bool {
    settings.adapter.origin != Origin::Default || settings.backend.origin != Origin::Default
}

/// The requested adapter, else the first GPU that can be opened. Where there is none, the first software adapter that
/// can be if `args` need an adapter, else `None`, for the CPU target; stderr says why.
fn choose<'a>(adapters: &'a Adapters, args: &RunArgs, settings: &Settings) -> Result<Option<&'a AdapterInfo>> {
    if requested(settings) {
        let request = settings.adapter.value.value().map(String::as_str);
        return adapter::choose(adapters.infos(), request).map(Some);
    }
    let gpu = first_that_opens(adapters, |adapter| !adapter.software)?;
    if gpu.is_some() {
        return Ok(gpu);
    }
    let why = no_gpu::reason(adapters.infos());
    let plan = (settings.plan.origin != Origin::Default).then_some((PLAN_VARIABLE, None));
    let needs = Target::Cpu.refused(args).map(|(option, advice)| (option, Some(advice))).or(plan);
    let software = |adapter: &AdapterInfo| adapter.software;
    let opened = if needs.is_some() { first_that_opens(adapters, software)? } else { None };
    match (needs, opened) {
        (Some((option, _)), Some(adapter)) => {
            let name = &adapter.name;
            terminal::message(&format!("no GPU found: {why}; {option} needs an adapter, so {name} is taken"));
            Ok(Some(adapter))
        }
        (Some((option, Some(advice))), None) => Err(Error::Usage(format!("no GPU found: {why}; {option} {advice}"))),
        _ => {
            let other = adapters.infos().iter().find(|adapter| adapter.software);
            let other = other
                .map_or(String::new(), |adapter| format!("; for {}: --adapter {}", adapter.name, adapter.short_name()));
            terminal::message(&format!("no GPU found: {why}; the CPU target trains{other}"));
            Ok(None)
        }
    }
}

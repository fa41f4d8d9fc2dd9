//! `gpubench kernels`: the kernels of plans, and what drivers' compilers make of them.

mod plans;
mod show;

use super::compiler::{Answer, Compiler, KernelRequest, family_of};
use super::flags::{AUTO, AdapterArgs, PLAN_VARIABLE, option_or_variable};
use super::nearest::nearest;
use super::terminal;
use crate::error::{Error, Result};
use crate::kernels::{Choice, KERNELS, PLANS, all_choices, plan_named, shader_hash};
use crate::model::Training;
use crate::report;
use crate::result::{COMPILED_NATURE, KernelList, Measured};
use clap::{Args, value_parser};
use plans::PlanKernel;
use show::Language;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
The figures of a compiler are static: they say what it made of a kernel, not how fast that is. Vulkan's drivers give
them (VK_KHR_pipeline_executable_properties); where there are none, the reason stands in their place.

--adapter radv:FAMILY asks Mesa's compiler for an AMD GPU that need not be here: radv:vega10, radv:navi21.

Examples:
  gpubench kernels                                    all plans, on the fastest kind of device
  gpubench kernels --plan fused                       one plan
  gpubench kernels --adapter radv:navi21 --json       for an RDNA 2 GPU that is not here
  gpubench kernels --show wgsl features_forward       what is compiled
  gpubench kernels --show isa conv_forward/conv2      the machine code of one of two layers
  gpubench kernels --show spirv sgd_update -o sgd.spv";

/// Options of `gpubench kernels`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct KernelsArgs {
    /// Only this kernel, or this kernel of a layer: conv_forward, conv_forward/conv2
    #[arg(value_name = "KERNEL")]
    pub kernel: Option<String>,
    /// Which adapter.
    #[command(flatten)]
    pub adapter: AdapterArgs,
    /// Plan, and values of its parameters: fused:images=2 [default: all plans]
    #[arg(long, value_name = "PLAN")]
    pub plan: Option<String>,
    /// Also each value of a plan's parameters that `gpubench tune` may try
    #[arg(long)]
    pub variants: bool,
    /// Batch size
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=60_000), default_value_t = Training::STANDARD.batch)]
    pub batch: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Print the kernel itself in a language
    #[arg(long, value_name = "LANGUAGE", value_enum, conflicts_with_all = ["json", "variants"])]
    pub show: Option<Language>,
    /// Write what --show prints to a file; spirv as the module itself
    #[arg(long, short, value_name = "FILE", requires = "show")]
    pub output: Option<PathBuf>,
}

/// Lists kernels, or shows one.
///
/// # Errors
/// [`Error::Usage`] if there is no such plan or kernel, [`Error::Adapter`] if there is no such adapter or family.
pub fn kernels(args: &KernelsArgs) -> Result<()> {
    let choices = choices(args)?;
    match (&args.kernel, args.show) {
        (None, Some(_)) => {
            let names: Vec<&str> = KERNELS.iter().map(|kernel| kernel.name).collect();
            Err(Error::Usage(format!("--show needs the name of a KERNEL: {}", names.join(", "))))
        }
        (Some(name), _) if !is_kernel(name) => Err(no_such_kernel(name)),
        (_, Some(language)) => show_one(args, &prepared(args, choices)?, language),
        (_, None) => {
            // Found before the kernels are translated, which takes seconds.
            let compiler = compiler(args)?;
            list(args, prepared(args, choices)?, compiler)
        }
    }
}

/// The wanted kernels of the plans that have any.
fn prepared(args: &KernelsArgs, choices: Vec<Choice>) -> Result<Vec<(Choice, Vec<PlanKernel>)>> {
    let mut plans = Vec::new();
    for choice in choices {
        let kernels = plans::kernels_of(&choice, args.batch, args.kernel.as_deref());
        plans.extend((!kernels.is_empty()).then_some((choice, kernels)));
    }
    match &args.kernel {
        Some(name) if plans.is_empty() => Err(no_such_kernel(name)),
        _ => Ok(plans),
    }
}

/// Whether there is a kernel called `name`, or what stands before its layer.
fn is_kernel(name: &str) -> bool {
    let stem = name.split('/').next().unwrap_or(name);
    KERNELS.iter().any(|kernel| kernel.name == stem)
}

/// The plans that the options name.
fn choices(args: &KernelsArgs) -> Result<Vec<Choice>> {
    let wanted = option_or_variable(args.plan.as_ref(), PLAN_VARIABLE).value;
    let named = match wanted.value().filter(|name| *name != AUTO) {
        Some(name) => vec![plan_named(name).map_err(|error| with_nearest(error, name))?],
        None => PLANS.iter().map(Choice::shipped).collect(),
    };
    if !args.variants {
        return Ok(named);
    }
    let is_named = |choice: &Choice| named.iter().any(|one| one.row.name == choice.row.name);
    Ok(all_choices().into_iter().filter(is_named).collect())
}

/// The error of an unknown plan, with the plan that its name is most like.
fn with_nearest(error: Error, name: &str) -> Error {
    let plan = name.split(':').next().unwrap_or(name);
    let names = PLANS.iter().map(|row| row.name);
    if names.clone().any(|known| known == plan) {
        return error;
    }
    match nearest(plan, names) {
        Some(like) => Error::Usage(format!("{error}; the nearest is {like}")),
        None => error,
    }
}

/// Why no plan has a kernel called `name`.
fn no_such_kernel(name: &str) -> Error {
    if is_kernel(name) {
        return Error::Usage(format!("{name} is in no such plan or layer: leave --plan or the layer out"));
    }
    let stem = name.split('/').next().unwrap_or(name);
    let like = nearest(stem, KERNELS.iter().map(|kernel| kernel.name));
    let like = like.map(|like| format!("; the nearest is {like}")).unwrap_or_default();
    Error::Usage(format!("there is no kernel {name:?}{like}; `gpubench kernels` lists all"))
}

/// Whose compiler is asked, or why none is.
fn compiler(args: &KernelsArgs) -> Result<std::result::Result<Compiler, String>> {
    let request = args.adapter.request().value;
    if let Some(family) = request.value().and_then(|request| family_of(request)) {
        return Ok(Ok(Compiler::Radv(family.to_owned())));
    }
    let adapters = match args.adapter.find("kernels") {
        Err(Error::Adapter(_)) if request.value().is_none() => return Ok(Err("there is no adapter".to_owned())),
        found => found?,
    };
    Ok(Compiler::of(args.adapter.choose(&adapters)?))
}

fn show_one(args: &KernelsArgs, plans: &[(Choice, Vec<PlanKernel>)], language: Language) -> Result<()> {
    let mut all = plans.iter().flat_map(|(choice, kernels)| kernels.iter().map(move |kernel| (choice, kernel)));
    let Some((choice, kernel)) = all.next() else { return Ok(()) };
    if all.any(|(_, other)| other.request != kernel.request) && language != Language::Wgsl {
        let label = kernel.row.label();
        terminal::message(&format!("{label} of the plan {choice}: KERNEL/LAYER and --plan name another"));
    }
    show::show(kernel, language, || compiler(args), args.output.as_deref())
}

fn list(
    args: &KernelsArgs,
    plans: Vec<(Choice, Vec<PlanKernel>)>,
    compiler: std::result::Result<Compiler, String>,
) -> Result<()> {
    let mut list = KernelList {
        batch: args.batch,
        shader_hash: shader_hash(),
        compiler: Measured::missing("nothing was compiled"),
        null_device: false,
        nature: COMPILED_NATURE.to_owned(),
        plans: Vec::new(),
    };
    let kernels = plans.iter().flat_map(|(_, kernels)| kernels);
    let requests: Vec<KernelRequest> = kernels.map(|kernel| kernel.request.clone()).collect();
    list.null_device = args.adapter.request().value.value().is_some_and(|request| family_of(request).is_some());
    let (answer, compiled) = match compiler {
        Ok(compiler) => compiler.compile_each(&requests)?,
        Err(reason) => {
            let compiled = vec![Measured::missing(reason.as_str()); requests.len()];
            (Answer { unavailable: Some(reason), ..Answer::default() }, compiled)
        }
    };
    let reason = answer.unavailable.as_deref().unwrap_or("nothing was compiled");
    list.compiler = Measured::or_missing(answer.device.clone().filter(|_| answer.unavailable.is_none()), reason);
    let mut compiled = compiled.into_iter();
    for (choice, mut kernels) in plans {
        for (kernel, compiled) in kernels.iter_mut().zip(&mut compiled) {
            kernel.row.compiled = compiled;
        }
        list.plans.push(plans::listed(&choice, kernels));
    }
    terminal::output(&if args.json { list.to_json()? } else { report::kernels_text(&list, terminal::width()) })
}

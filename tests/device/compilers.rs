//! What compilers of GPUs that are not here make of the kernels: Mesa's RADV, for each of several families of AMD GPUs.
//!
//! `registers.json` holds the registers of each kernel as versions of Mesa give them. More of them fail the test, fewer
//! are accepted; `UPDATE=1 cargo test --test device compilers` writes what there is now. Another version of Mesa may
//! need other registers: what the kernels must keep to in any case holds there alone.

use crate::common::process::{outcome_of, program, refused};
use crate::common::trials::Test;
use gpubench::kernels::{PLANS, fused};
use gpubench::report::kernels_text;
use gpubench::result::{KernelList, ListedKernel, Measured};
use libtest_mimic::{Failed, Trial};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::{Mutex, PoisonError};
use tempfile::TempDir;

/// Families of AMD GPUs: GCN 5 with and without memory of its own, RDNA 1 and 2.
const FAMILIES: [&str; 4] = ["vega10", "renoir", "navi10", "navi21"];
/// Plans that are not made for GPUs.
const OTHER_PLANS: [&str; 1] = [fused::LANES];
/// Subgroups that a SIMD unit must be able to hold.
const LEAST_OCCUPANCY: u64 = 2;
/// Bytes of memory that a workgroup may share: WebGPU's default limit.
const WORKGROUP_BYTES: u32 = 16_384;

const REGISTERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/device/registers.json");

/// Registers by plan, and by kernel with its layer.
type OfPlans = BTreeMap<String, BTreeMap<String, u64>>;

/// Those by version of Mesa, and by family.
type Registers = BTreeMap<String, BTreeMap<String, OfPlans>>;

/// What is wrong, with the plans in which it is.
type Faults = BTreeMap<String, BTreeSet<String>>;

/// One test writes the file at a time.
static FILE: Mutex<()> = Mutex::new(());

/// A trial for each family, ignored where RADV is not installed.
pub fn trials(_: &std::sync::Arc<gpubench::gpu::Adapters>) -> Vec<Trial> {
    let missing = !is_installed();
    let trial = |family: &'static str| {
        let name = format!("no_kernel_spills_or_fills_a_simd_or_takes_more_registers on radv:{family}");
        Trial::test(name, move || keeps_within_bounds(family)).with_ignored_flag(missing)
    };
    let others: [Test; 3] = [
        ("an_unknown_family_is_refused_with_those_that_mesa_knows", an_unknown_family_is_refused),
        ("machine_code_and_figures_fit_a_terminal", machine_code_and_figures_are_shown),
        ("a_null_device_is_never_listed", a_null_device_is_never_listed),
    ];
    let other = |(name, test): Test| {
        let run = move || {
            test();
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(missing)
    };
    FAMILIES.into_iter().map(trial).chain(others.into_iter().map(other)).collect()
}

fn an_unknown_family_is_refused() {
    refused(
        &["kernels", "--adapter", "radv:navi2"],
        4,
        &["no family \"navi2\"; the nearest is navi2", "vega10", "navi21"],
    );
    refused(&["kernels", "--adapter", "radv:"], 4, &["no family \"\"", "navi21"]);
}

fn machine_code_and_figures_are_shown() {
    let folder = TempDir::new().unwrap();
    let run = |arguments: &[&str]| {
        let radv = ["kernels", "--adapter", "RADV:navi21", "--plan", "layered"];
        outcome_of(program(folder.path()).args(radv).args(arguments), 0)
    };
    let (code, told) = run(&["sgd_update", "--show", "isa"]);
    assert!(code.contains("s_endpgm") && told.contains("NAVI21"), "{code}{told}");
    assert!(!code.contains("\\u{9}"), "{code}");
    let list = KernelList::from_json(&run(&["--json"]).0).unwrap();
    let text = kernels_text(&list, 80);
    let words: Vec<&str> = text.split_whitespace().collect();
    assert!(words.join(" ").contains("without that GPU: static figures"), "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line:?}");
    }
}

fn a_null_device_is_never_listed() {
    let folder = TempDir::new().unwrap();
    let list = ["list", "--json", "--backend", "vulkan"];
    let (stdout, _) = outcome_of(program(folder.path()).env("RADV_FORCE_FAMILY", "navi21").args(list), 0);
    assert!(!stdout.contains("Null"), "{stdout}");
}

/// Whether the installed Mesa compiles for the first family.
fn is_installed() -> bool {
    let folder = TempDir::new().unwrap();
    let list = ["kernels", "sgd_update", "--adapter", "radv:vega10", "--plan", "layered", "--json"];
    program(folder.path()).args(list).output().is_ok_and(|output| output.status.success())
}

fn keeps_within_bounds(family: &'static str) -> Result<(), Failed> {
    let (mut found, mut faults, mut version) = (OfPlans::new(), Faults::new(), String::new());
    for row in PLANS.iter().filter(|row| !OTHER_PLANS.contains(&row.name)) {
        let list = compiled(family, row.name)?;
        let device = list.compiler.value().ok_or("no compiler was asked")?;
        assert!(list.null_device && device.name.contains("RADV"), "{device:?}");
        version.clone_from(&device.driver_info);
        for (plan, kernel) in list.plans.iter().flat_map(|plan| plan.kernels.iter().map(|one| (&plan.plan, one))) {
            for fault in faults_of(kernel) {
                faults.entry(format!("{}: {fault}", key(kernel))).or_default().insert(plan.clone());
            }
            if let Some(registers) = kernel.compiled.value().and_then(|compiled| compiled.registers.value()) {
                found.entry(plan.clone()).or_default().insert(key(kernel), *registers);
            }
        }
    }
    for (fault, plan) in kept(&version, family, found) {
        faults.entry(fault).or_default().insert(plan);
    }
    let lines = faults.into_iter().map(|(fault, plans)| {
        let first = plans.first().map(String::as_str).unwrap_or_default();
        let more = if plans.len() > 1 { format!(" and {} more plans", plans.len() - 1) } else { String::new() };
        format!("\n  {fault} ({first}{more})")
    });
    let lines: String = lines.collect();
    if lines.is_empty() { Ok(()) } else { Err(format!("radv:{family}, {version}:{lines}").into()) }
}

/// A plan with every value of its parameters, as RADV compiles it for `family`.
fn compiled(family: &str, plan: &str) -> Result<KernelList, Failed> {
    let folder = TempDir::new().unwrap();
    let list = ["kernels", "--plan", plan, "--variants", "--json", "--adapter"];
    let (stdout, _) = outcome_of(program(folder.path()).args(list).arg(format!("radv:{family}")), 0);
    Ok(KernelList::from_json(&stdout)?)
}

/// A kernel with its layer, and whether it is compiled for an evaluation alone.
fn key(kernel: &ListedKernel) -> String {
    match kernel.stage {
        gpubench::result::Stage::Training => kernel.label(),
        gpubench::result::Stage::Evaluation => format!("{} (evaluation)", kernel.label()),
    }
}

/// What breaks a rule of the kernels, with its figures.
fn faults_of(kernel: &ListedKernel) -> Vec<String> {
    let compiled = match kernel.compiled.value() {
        Some(compiled) => compiled,
        None => return vec![format!("not compiled: {:?}", kernel.compiled.reason())],
    };
    let registers = shown(&compiled.registers);
    let mut faults = Vec::new();
    if compiled.spills.value() != Some(&0) {
        faults.push(format!("{} of its values spill, with {registers} registers", shown(&compiled.spills)));
    }
    if compiled.occupancy.value().is_none_or(|&waves| waves < LEAST_OCCUPANCY) {
        let waves = shown(&compiled.occupancy);
        faults.push(format!("{registers} registers leave {waves} waves a SIMD, {LEAST_OCCUPANCY} are needed"));
    }
    if kernel.workgroup_bytes.value().is_none_or(|&bytes| bytes > WORKGROUP_BYTES) {
        let bytes = shown(&kernel.workgroup_bytes);
        faults.push(format!("{bytes} bytes of workgroup memory, {WORKGROUP_BYTES} are allowed"));
    }
    faults
}

/// A figure, or why there is none.
fn shown<T: ToString>(figure: &Measured<T>) -> String {
    figure.value().map_or_else(|| format!("n/a ({})", figure.reason().unwrap_or_default()), T::to_string)
}

/// Where `found` exceeds the registers of the file: what is wrong, and the plan. With UPDATE=1 the file is written, and
/// nothing is.
fn kept(version: &str, family: &str, mut found: OfPlans) -> Vec<(String, String)> {
    let _one = FILE.lock().unwrap_or_else(PoisonError::into_inner);
    let text = fs::read_to_string(REGISTERS).unwrap_or_else(|_| "{}".to_owned());
    let mut file: Registers = serde_json::from_str(&text).expect("registers by version, family, plan and kernel");
    if std::env::var_os("UPDATE").is_some() {
        leave_out_what_plans_share(&mut found);
        file.entry(version.to_owned()).or_default().insert(family.to_owned(), found);
        fs::write(REGISTERS, serde_json::to_string_pretty(&file).unwrap() + "\n").unwrap();
        return Vec::new();
    }
    let Some(bounds) = file.remove(version).and_then(|mut families| families.remove(family)) else {
        return Vec::new();
    };
    let bound = |plan: &str, kernel: &str| {
        let of = |plan: &str| bounds.get(plan).and_then(|kernels| kernels.get(kernel));
        of(plan).or_else(|| of(shipped(plan)))
    };
    let mut faults = Vec::new();
    for (plan, kernel, registers) in
        found.iter().flat_map(|(plan, kernels)| kernels.iter().map(move |(kernel, count)| (plan, kernel, count)))
    {
        let before = match bound(plan, kernel) {
            Some(bound) if registers <= bound => continue,
            Some(bound) => format!("the bound is {bound}"),
            None => "and it has no bound".to_owned(),
        };
        let accept = "UPDATE=1 cargo test --test device compilers accepts it";
        faults.push((format!("{kernel}: {registers} registers, {before}; {accept}"), plan.clone()));
    }
    faults
}

/// The plan with shipped values that a plan with others is a choice of.
fn shipped(plan: &str) -> &str {
    plan.split(':').next().unwrap_or(plan)
}

/// Keeps of a plan with other values of its parameters only what differs from the one with shipped values.
fn leave_out_what_plans_share(found: &mut OfPlans) {
    let all = found.clone();
    for (plan, kernels) in found.iter_mut().filter(|(plan, _)| shipped(plan) != plan.as_str()) {
        kernels.retain(|kernel, registers| all[shipped(plan)].get(kernel) != Some(registers));
    }
    found.retain(|_, kernels| !kernels.is_empty());
}

//! What compilers of GPUs that are not here make of the kernels: Mesa's RADV, for each of several families of AMD GPUs.
//!
//! `registers.json` holds the registers of each kernel as versions of Mesa give them. More of them fail the test, fewer
//! are accepted; `UPDATE=1 cargo test --test device compilers` writes what there is now. Another version of Mesa may
//! need other registers: what the kernels must keep to in any case holds there alone.

use crate::common::process::{outcome_of, program, refused};
use crate::common::trials::Test;
use gpubench::kernels::fused;
use gpubench::result::{KernelList, ListedKernel};
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
    let (text, _) = run(&[]);
    assert!(text.contains("without that GPU: static figures of the driver's compiler, not measured"), "{text}");
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
    let folder = TempDir::new().unwrap();
    let adapter = format!("radv:{family}");
    let list = ["kernels", "--adapter", &adapter, "--variants", "--json"];
    let (stdout, _) = outcome_of(program(folder.path()).args(list), 0);
    let list = KernelList::from_json(&stdout)?;
    let device = list.compiler.value().ok_or("no compiler was asked")?;
    assert!(list.null_device && device.name.contains("RADV"), "{device:?}");
    let mut faults = BTreeSet::new();
    let mut found = OfPlans::new();
    for plan in list.plans.iter().filter(|plan| !OTHER_PLANS.contains(&plan.plan.as_str())) {
        for kernel in &plan.kernels {
            faults.extend(
                faults_of(kernel).into_iter().map(|fault| format!("{} of {}: {fault}", kernel.label(), plan.plan)),
            );
            if let Some(registers) = kernel.compiled.value().and_then(|compiled| compiled.registers.value()) {
                found.entry(plan.plan.clone()).or_default().insert(key(kernel), *registers);
            }
        }
    }
    faults.extend(kept(&device.driver_info, family, found));
    let faults: Vec<String> = faults.into_iter().collect();
    if faults.is_empty() { Ok(()) } else { Err(format!("on {family}:\n  {}", faults.join("\n  ")).into()) }
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
    let mut faults = Vec::new();
    match compiled.spills.value() {
        Some(0) => {}
        spills => faults.push(format!("{spills:?} registers spill; it has {:?}", compiled.registers.value())),
    }
    match compiled.occupancy.value() {
        Some(&waves) if waves >= LEAST_OCCUPANCY => {}
        waves => faults.push(format!(
            "{:?} registers leave {waves:?} waves a SIMD, at least {LEAST_OCCUPANCY} are needed",
            compiled.registers.value()
        )),
    }
    match kernel.workgroup_bytes.value() {
        Some(&bytes) if bytes <= WORKGROUP_BYTES => {}
        bytes => faults.push(format!("{bytes:?} bytes of workgroup memory, {WORKGROUP_BYTES} are allowed")),
    }
    faults
}

/// Where `found` exceeds the registers of the file. With UPDATE=1 the file is written, and nothing does.
fn kept(version: &str, family: &str, found: OfPlans) -> Vec<String> {
    let _one = FILE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut file: Registers = fs::read_to_string(REGISTERS)
        .map(|text| {
            serde_json::from_str(&text).expect("registers.json holds registers by version, family, plan and kernel")
        })
        .unwrap_or_default();
    if std::env::var_os("UPDATE").is_some() {
        file.entry(version.to_owned()).or_default().insert(family.to_owned(), found);
        fs::write(REGISTERS, serde_json::to_string_pretty(&file).unwrap() + "\n").unwrap();
        return Vec::new();
    }
    let Some(bounds) = file.remove(version).and_then(|mut families| families.remove(family)) else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    for (plan, kernels) in &found {
        for (kernel, registers) in kernels {
            let accept = "UPDATE=1 cargo test --test device compilers accepts it";
            match bounds.get(plan).and_then(|kernels| kernels.get(kernel)) {
                Some(bound) if registers <= bound => {}
                Some(bound) => {
                    faults.push(format!("{kernel} of {plan} takes {registers} registers, before {bound}; {accept}"))
                }
                None => {
                    faults.push(format!("{kernel} of {plan} takes {registers} registers and has no bound; {accept}"))
                }
            }
        }
    }
    faults
}

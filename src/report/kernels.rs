//! The kernels of plans, with what drivers' compilers say of them.

use super::layout::{GAP, Table, joined, paragraph};
use super::numbers::{Notes, fixed, thousands, three_digits};
use crate::result::{Compiled, KernelList, ListedKernel, ListedPlan, Measured, Stage};

/// What stands behind the name of a kernel that is compiled for evaluations alone.
const EVALUATION: &str = "(eval)";
/// Narrower terminals have the time of compiling with the constants.
const ALL_FROM_WIDTH: u16 = 98;

/// A column of the figures of a compiler: its heading, whether narrow terminals go without it, and its cells.
type Column = (&'static str, bool, fn(&Compiled, &mut Notes) -> String);

pub(super) const REGISTERS: Column =
    ("regs", false, |compiled, notes| notes.or_mark(&count(&compiled.registers), whole));
pub(super) const SPILLS: Column = ("spills", false, |compiled, notes| notes.or_mark(&count(&compiled.spills), whole));
pub(super) const OCCUPANCY: Column =
    ("waves\n/SIMD", false, |compiled, notes| notes.or_mark(&count(&compiled.occupancy), whole));

const COMPILED: [Column; 7] = [
    REGISTERS,
    SPILLS,
    ("scratch\n[B]", false, |compiled, notes| notes.or_mark(&count(&compiled.scratch_bytes), whole)),
    OCCUPANCY,
    ("code\n[B]", false, |compiled, notes| notes.or_mark(&count(&compiled.code_bytes), whole)),
    ("instr.", false, |compiled, notes| notes.or_mark(&count(&compiled.instructions), whole)),
    ("built in\n[ms]", true, |compiled, notes| notes.or_mark(&compiled.compile_s, milliseconds)),
];

/// A count as the number that it is.
pub(super) fn count(figure: &Measured<u64>) -> Measured<f64> {
    figure.clone().map(|count| count as f64)
}

/// A whole number.
pub(super) fn whole(value: f64) -> String {
    thousands(&fixed(value, 0))
}

fn milliseconds(seconds: f64) -> String {
    three_digits(1e3 * seconds)
}

/// The kernels of each plan for a terminal of `width` columns.
pub fn text(list: &KernelList, width: u16) -> String {
    joined(list.plans.iter().map(|plan| of_plan(plan, list, width)).chain([paragraph(about(list), width)])) + "\n"
}

fn of_plan(plan: &ListedPlan, list: &KernelList, width: u16) -> String {
    let headline = format!("Kernels of {}, batches of {}", plan.plan, list.batch);
    let compiled = match plan.kernels.iter().any(|kernel| kernel.compiled.value().is_some()) {
        true => compiled(plan, width).text(0, width),
        false => String::new(),
    };
    joined([headline, counted(plan).text(GAP, width), compiled, details(plan, width)])
}

/// What a row is called: the kernel, its layer if it serves several, and whether it is compiled for evaluations alone.
fn name(row: &ListedKernel, plan: &ListedPlan) -> String {
    let same = |other: &&ListedKernel| other.kernel == row.kernel && other.stage == row.stage;
    let name = if plan.kernels.iter().filter(same).count() > 1 { row.label() } else { row.kernel.clone() };
    if row.stage == Stage::Evaluation { format!("{name} {EVALUATION}") } else { name }
}

/// What the plan counts.
fn counted(plan: &ListedPlan) -> Table {
    let headings = ["kernel", "grid", "group\nsize", "MFLOP", "MB", "shared\n[B]"];
    Table::of(&headings, 1, &plan.kernels, |row, notes| {
        let mut cells = vec![name(row, plan)];
        cells.push(match &row.grid {
            Measured::Value(grid) => shape(*grid),
            Measured::Missing { reason } => format!("n/a{}", notes.mark(reason)),
        });
        cells.push(row.workgroup.to_string());
        cells.push(three_digits(row.flop as f64 / 1e6));
        cells.push(three_digits(row.bytes as f64 / 1e6));
        cells.push(notes.or_mark(&row.workgroup_bytes.clone().map(f64::from), whole));
        cells
    })
}

/// A grid without the dimensions of one workgroup.
fn shape(grid: [u32; 3]) -> String {
    let dimensions = 1 + grid.iter().rposition(|&count| count > 1).unwrap_or(0);
    grid[..dimensions].iter().map(u32::to_string).collect::<Vec<_>>().join("x")
}

/// What the driver's compiler says.
fn compiled(plan: &ListedPlan, width: u16) -> Table {
    let columns: Vec<&Column> =
        COMPILED.iter().filter(|(_, dispensable, _)| !*dispensable || width >= ALL_FROM_WIDTH).collect();
    let headings: Vec<&str> = std::iter::once("kernel").chain(columns.iter().map(|(heading, ..)| *heading)).collect();
    Table::of(&headings, 1, &plan.kernels, |row, notes| {
        let mut cells = vec![name(row, plan)];
        cells.extend(columns.iter().map(|(_, _, cell)| match &row.compiled {
            Measured::Value(compiled) => cell(compiled, notes),
            Measured::Missing { reason } => format!("n/a{}", notes.mark(reason)),
        }));
        cells
    })
}

/// The constants of each kernel, and what else is known of it.
fn details(plan: &ListedPlan, width: u16) -> String {
    let line = |row: &ListedKernel| {
        let calls = if row.dispatches > 1 { format!(" ×{}", row.dispatches) } else { String::new() };
        let compiled = row.compiled.value().map(|compiled| {
            let time = compiled.compile_s.value().map(|seconds| format!(" compile_ms={}", milliseconds(*seconds)));
            let size = compiled.subgroup_size.value().map(|size| format!(" subgroup={size}"));
            [time, size].into_iter().flatten().collect::<String>()
        });
        let constants = row.constants.iter().map(|(name, value)| format!(" {name}={}", constant(*value)));
        let tile = row.tile.iter().map(|(name, size)| format!(" {name}={size}"));
        let constants: String = constants.chain(tile).collect();
        paragraph(format!("{}{calls}:{}{constants}", name(row, plan), compiled.unwrap_or_default()), width)
    };
    let lines: Vec<String> = plan.kernels.iter().map(line).collect();
    lines.join("\n")
}

/// A constant: what is no whole number is one of 32 bits, and has no more digits than those give.
fn constant(value: f64) -> String {
    if value.fract() == 0.0 { value.to_string() } else { (value as f32).to_string() }
}

/// Whose compiler it was, and what its figures are.
fn about(list: &KernelList) -> String {
    match &list.compiler {
        Measured::Value(device) => {
            let here = if list.null_device { ", without that GPU" } else { "" };
            format!("Compiled by {} {} for {}{here}: {}.", device.driver, device.driver_info, device.name, list.nature)
        }
        Measured::Missing { reason } => {
            format!("registers, spills, scratch, occupancy, code size, instructions, time of compiling: n/a ({reason})")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::explain;

    #[test]
    fn every_column_is_explained() {
        for heading in
            COMPILED.iter().map(|(heading, ..)| *heading).chain(["grid", "group\nsize", "MFLOP", "MB", "shared\n[B]"])
        {
            assert!(explain::figure(heading).is_some(), "{heading:?}");
        }
    }

    #[test]
    fn a_grid_is_as_long_as_it_needs() {
        assert_eq!(shape([1, 1, 1]), "1");
        assert_eq!(shape([128, 1, 1]), "128");
        assert_eq!(shape([36_000, 2, 1]), "36000x2");
    }
}

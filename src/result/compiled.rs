//! What a driver's compiler says of a kernel, as part of a result.

use super::measured::Measured;
use crate::gpu::Executable;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const NOT_REPORTED: &str = "this driver does not report it";

/// Drivers' names of each figure. Several names of one driver are parts of a sum; drivers do not share names.
///
/// Source: Mesa's RADV, ANV, V3DV and Turnip, AMD's AMDVLK, NVIDIA's driver.
const REGISTERS: &[&str] = &["VGPRs", "Register Count", "numUsedVgprs"];
const SCALAR_REGISTERS: &[&str] = &["SGPRs", "numUsedSgprs"];
const SPILLS: &[&str] = &["Spilled VGPRs", "Spilled SGPRs", "Spill Count", "Spills"];
const SCRATCH: &[&str] = &["Scratch size", "Scratch Memory Size", "Local Memory Size", "scratchMemUsageInBytes"];
const OCCUPANCY: &[&str] = &["Subgroups per SIMD", "Max Waves Per Core"];
const CODE: &[&str] = &["Code size", "Binary Size"];
const INSTRUCTIONS: &[&str] = &["Instructions", "Instruction Count"];

/// What the figures of a driver's compiler are.
pub const COMPILED_NATURE: &str = "static figures of the driver's compiler, not measured";

/// A kernel as a driver compiled it: static figures, a compiler's and not measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Compiled {
    /// Registers of an invocation.
    pub registers: Measured<u64>,
    /// Registers of a subgroup whose value all its invocations share.
    pub scalar_registers: Measured<u64>,
    /// Registers that did not fit, and are kept elsewhere.
    pub spills: Measured<u64>,
    /// Bytes of memory for what is not in registers: of a subgroup or an invocation, as the driver counts.
    pub scratch_bytes: Measured<u64>,
    /// Subgroups that a SIMD unit holds at a time.
    pub occupancy: Measured<u64>,
    /// Bytes of machine code.
    pub code_bytes: Measured<u64>,
    /// Instructions of the machine code.
    pub instructions: Measured<u64>,
    /// Invocations of a subgroup.
    pub subgroup_size: Measured<u32>,
    /// Seconds that the driver took to compile it, without any cache of its own.
    pub compile_s: Measured<f64>,
    /// Every figure of the driver by the driver's own name.
    #[serde(default)]
    pub reported: BTreeMap<String, Measured<f64>>,
}

impl From<&Executable> for Compiled {
    fn from(executable: &Executable) -> Self {
        let sum = |names: &[&str]| {
            let named = executable.statistics.iter().filter(|one| names.contains(&one.name.as_str()));
            let counts = named.map(|one| one.value).filter(|value| value.is_finite() && *value >= 0.0);
            let sum = counts.fold(None, |sum: Option<f64>, value| Some(sum.unwrap_or(0.0) + value));
            Measured::or_missing(sum.map(|sum| sum as u64), NOT_REPORTED)
        };
        let size = Some(executable.subgroup_size).filter(|size| *size > 0);
        let reported = executable.statistics.iter().map(|one| (one.name.clone(), one.value.into()));
        Self {
            registers: sum(REGISTERS),
            scalar_registers: sum(SCALAR_REGISTERS),
            spills: sum(SPILLS),
            scratch_bytes: sum(SCRATCH),
            occupancy: sum(OCCUPANCY),
            code_bytes: sum(CODE),
            instructions: sum(INSTRUCTIONS),
            subgroup_size: Measured::or_missing(size, NOT_REPORTED),
            compile_s: executable.compile_s.into(),
            reported: reported.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::executable::Statistic;

    fn of(statistics: &[(&str, f64)]) -> Compiled {
        let statistic = |(name, value): &(&str, f64)| Statistic { name: (*name).to_owned(), value: *value };
        let statistics = statistics.iter().map(statistic).collect();
        Compiled::from(&Executable { subgroup_size: 64, compile_s: 0.5, statistics, representations: Vec::new() })
    }

    #[test]
    fn figures_are_found_under_each_drivers_names() {
        let radv = [("VGPRs", 96.0), ("SGPRs", 32.0), ("Spilled VGPRs", 2.0), ("Spilled SGPRs", 1.0)];
        let radv =
            of(&[&radv[..], &[("Scratch size", 0.0), ("Subgroups per SIMD", 5.0), ("Code size", 812.0)]].concat());
        assert_eq!((radv.registers.value(), radv.scalar_registers.value()), (Some(&96), Some(&32)));
        assert_eq!((radv.spills.value(), radv.scratch_bytes.value()), (Some(&3), Some(&0)));
        assert_eq!((radv.occupancy.value(), radv.code_bytes.value()), (Some(&5), Some(&812)));
        let nvidia = of(&[("Register Count", 40.0), ("Binary Size", 2048.0)]);
        assert_eq!((nvidia.registers.value(), nvidia.code_bytes.value()), (Some(&40), Some(&2048)));
        let anv = of(&[("Instruction Count", 300.0), ("Spill Count", 0.0), ("Scratch Memory Size", 0.0)]);
        assert_eq!((anv.instructions.value(), anv.spills.value()), (Some(&300), Some(&0)));
    }

    #[test]
    fn what_a_driver_does_not_report_is_missing_with_its_reason() {
        let none = of(&[("Loop Count", 3.0), ("Cycles", f64::NAN)]);
        assert_eq!(none.registers.reason(), Some(NOT_REPORTED));
        assert_eq!(none.reported["Loop Count"], Measured::Value(3.0));
        assert!(none.reported["Cycles"].reason().is_some());
        let json = serde_json::to_string(&none).unwrap();
        assert_eq!(serde_json::from_str::<Compiled>(&json).unwrap(), none);
    }
}

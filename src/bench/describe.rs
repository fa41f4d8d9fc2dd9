//! The device, the program and the plan as results describe them.

use crate::error::Result;
use crate::gpu::{AdapterInfo, Gpu, Timestamps};
use crate::kernels::{self, Plan};
use crate::result::{Adapter, AdapterKind, Measured, PlanKernel, RunResult, TimestampGrade, Tool};
use std::collections::BTreeMap;

/// The adapter as results describe it, before it is opened.
pub fn adapter(info: &AdapterInfo) -> Adapter {
    let reported =
        |text: &str, reason: &str| Measured::or_missing(Some(text.to_owned()).filter(|text| !text.is_empty()), reason);
    Adapter {
        name: info.name.clone(),
        kind: match info.kind.as_str() {
            "discrete" => AdapterKind::DiscreteGpu,
            "integrated" => AdapterKind::IntegratedGpu,
            "virtual" => AdapterKind::VirtualGpu,
            "cpu" => AdapterKind::Cpu,
            _ => AdapterKind::Other,
        },
        software: info.software,
        backend: info.backend.clone(),
        driver: reported(&info.driver, "the driver does not report its name"),
        driver_info: reported(&info.driver_info, "the driver does not report its version"),
        vendor_id: Measured::Value(info.vendor_id),
        device_id: Measured::Value(info.device_id),
        pci_bus_id: reported(&info.pci_bus_id, "the driver does not report one"),
        timestamps: match info.timestamps {
            Timestamps::InsidePasses => TimestampGrade::InsidePasses,
            Timestamps::InsideEncoders => TimestampGrade::InsideEncoders,
            Timestamps::PassBoundaries => TimestampGrade::Passes,
            Timestamps::Unsupported => TimestampGrade::None,
        },
        limits: BTreeMap::new(),
        features: Vec::new(),
    }
}

/// This program, as results describe it.
pub fn tool() -> Tool {
    let known = |text: Option<&str>, reason: &str| Measured::or_missing(text.map(str::to_owned), reason);
    Tool {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        git: known(option_env!("GPUBENCH_GIT"), "not built from a git repository"),
        shader_hash: kernels::shader_hash(),
        rustc: known(option_env!("GPUBENCH_RUSTC"), "the compiler did not report its version"),
        profile: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
    }
}

/// Fills in the limits, features and kernels of an opened device.
///
/// # Errors
/// [`crate::Error::Usage`] if a dispatch exceeds the adapter's limit of workgroups.
pub fn device(result: &mut RunResult, gpu: &Gpu, plan: &Plan, batch: u32) -> Result<()> {
    result.environment.adapter.limits = gpu.limits();
    result.environment.adapter.features = gpu.features();
    let checks = if gpu.checked() { "on" } else { "off" };
    result.plan.tuning.insert("shader_runtime_checks".to_owned(), checks.to_owned());
    result.plan.kernels = plan_kernels(plan, batch, gpu.workgroup_limit())?;
    Ok(())
}

/// The kernels of a training step with their costs; dispatches of one kernel and layer share a row.
fn plan_kernels(plan: &Plan, batch: u32, workgroup_limit: u32) -> Result<Vec<PlanKernel>> {
    let mut rows: Vec<PlanKernel> = Vec::new();
    for dispatch in &plan.training {
        let (flop, bytes) = (dispatch.flop.at(batch), dispatch.bytes.at(batch));
        let same = rows.iter_mut().find(|row| row.kernel == dispatch.kernel.name && row.layer == dispatch.layer);
        match same {
            Some(row) => {
                row.dispatches_per_step += 1;
                row.flop_per_step += flop;
                row.bytes_per_step += bytes;
            }
            None => rows.push(PlanKernel {
                kernel: dispatch.kernel.name.to_owned(),
                layer: dispatch.layer.to_owned(),
                dispatches_per_step: 1,
                flop_per_step: flop,
                bytes_per_step: bytes,
                workgroups: dispatch.workgroups(batch, workgroup_limit)?,
            }),
        }
    }
    Ok(rows)
}

//! `gpubench list`: the adapters of this machine.

use super::flags::{BACKEND_VARIABLE, find_adapters, option_or_variable};
use super::{cpu, no_gpu, terminal};
use crate::cpu::{CpuTarget, NAME};
use crate::error::{Error, Result};
use crate::escape;
use crate::gpu::AdapterInfo;
use crate::result::Origin;
use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};

/// Options of `gpubench list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Only this backend: vulkan, metal, dx12 or auto
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
}

/// Lists the adapters on stdout, as a table or as JSON.
///
/// # Errors
/// [`Error::Usage`] for an unknown backend.
pub fn list(args: &ListArgs) -> Result<()> {
    let backend = option_or_variable(args.backend.as_ref(), BACKEND_VARIABLE);
    let adapters = find_adapters(&backend.value)?;
    // The CPU target belongs to no backend.
    let target = if backend.origin == Origin::Default { Some(cpu::target(None)?) } else { None };
    let (compile_only, found): (Vec<_>, Vec<_>) = adapters.infos().iter().partition(|info| info.is_null_device());
    for device in compile_only {
        let name = &device.name;
        terminal::message(&format!(
            "left out: {name}: nothing runs on it; `gpubench kernels` compiles for such a device"
        ));
    }
    if args.json {
        return terminal::output(&json(&found, target.as_ref())?);
    }
    if found.is_empty() {
        terminal::message(&no_gpu::none_found().to_string());
        if target.is_none() {
            return Ok(());
        }
    }
    terminal::output(&table(&found, target.as_ref()))
}

/// The adapters, followed by the CPU target, whose index is its name in `--adapter`.
fn json(adapters: &[&AdapterInfo], target: Option<&CpuTarget>) -> Result<String> {
    let failed = |error| Error::Output(format!("the list cannot be written as JSON: {error}"));
    let mut rows: Vec<serde_json::Value> =
        adapters.iter().map(serde_json::to_value).collect::<serde_json::Result<_>>().map_err(failed)?;
    rows.extend(target.map(|target| {
        serde_json::json!({
            "index": NAME,
            "name": target.name,
            "kind": "cpu",
            "software": false,
            "backend": NAME,
            "threads": target.threads,
        })
    }));
    Ok(escape::json(&serde_json::to_string_pretty(&rows).map_err(failed)?).into_owned())
}

fn table(adapters: &[&AdapterInfo], target: Option<&CpuTarget>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["", "name", "type", "backend", "driver", "PCI bus id", "software", "timestamps"]);
    for adapter in adapters {
        table.add_row([
            adapter.index.to_string(),
            adapter.name.clone(),
            adapter.kind.clone(),
            adapter.backend.clone(),
            format!("{} {}", adapter.driver, adapter.driver_info).trim().to_owned(),
            if adapter.pci_bus_id.is_empty() { "n/a (not reported)".to_owned() } else { adapter.pci_bus_id.clone() },
            if adapter.software { "yes" } else { "no" }.to_owned(),
            adapter.timestamps.to_string(),
        ]);
    }
    if let Some(target) = target {
        let threads = format!("{} threads", target.threads);
        table.add_row([NAME, &target.name, "cpu", NAME, &threads, "n/a (none)", "no", "n/a (none)"]);
    }
    table.to_string()
}

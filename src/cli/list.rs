//! `gpubench list`: the adapters of this machine.

use super::args::{BACKEND_VARIABLE, ListArgs, option_or_variable};
use super::{cpu, terminal};
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters, adapter};
use crate::host::{self, OnCores};
use crate::result::Origin;
use comfy_table::{ContentArrangement, Table, presets};

/// Lists the adapters on stdout, as a table or as JSON.
///
/// # Errors
/// [`Error::Usage`] for an unknown backend.
pub fn list(args: &ListArgs) -> Result<()> {
    let backend = option_or_variable(args.backend.as_ref(), BACKEND_VARIABLE);
    let adapters = pollster::block_on(Adapters::find(backend.value.value().map(String::as_str)))?;
    // The host's cores belong to no backend.
    let lane = if backend.origin == Origin::Default { Some(cpu::lane(None)?) } else { None };
    if args.json {
        return terminal::data(&json(adapters.infos(), lane.as_ref())?);
    }
    if adapters.infos().is_empty() {
        terminal::talk(adapter::NONE_FOUND);
        if lane.is_none() {
            return Ok(());
        }
    }
    terminal::data(&table(adapters.infos(), lane.as_ref()))
}

/// The adapters, and the lane as one more whose index is the name by which `--adapter` knows it.
fn json(adapters: &[AdapterInfo], lane: Option<&OnCores>) -> Result<String> {
    let failed = |error| Error::Output(format!("the list cannot be written as JSON: {error}"));
    let mut rows: Vec<serde_json::Value> =
        adapters.iter().map(serde_json::to_value).collect::<serde_json::Result<_>>().map_err(failed)?;
    rows.extend(lane.map(|lane| {
        serde_json::json!({
            "index": host::NAME,
            "name": lane.name,
            "kind": "cpu",
            "software": false,
            "backend": host::NAME,
            "threads": lane.threads,
        })
    }));
    serde_json::to_string_pretty(&rows).map_err(failed)
}

fn table(adapters: &[AdapterInfo], lane: Option<&OnCores>) -> String {
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
            if adapter.pci_bus_id.is_empty() { "n/a (not told)".to_owned() } else { adapter.pci_bus_id.clone() },
            if adapter.software { "yes" } else { "no" }.to_owned(),
            adapter.timestamps.to_string(),
        ]);
    }
    if let Some(lane) = lane {
        let threads = format!("{} threads", lane.threads);
        table.add_row([host::NAME, &lane.name, "cpu", host::NAME, &threads, "n/a (none)", "no", "n/a (none)"]);
    }
    table.to_string()
}

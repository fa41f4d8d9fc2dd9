//! `gpubench list`: the adapters of this machine.

use super::args::{BACKEND_VARIABLE, ListArgs, option_or_variable};
use super::terminal;
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters, adapter};
use comfy_table::{ContentArrangement, Table, presets};

/// Lists the adapters on stdout, as a table or as JSON.
///
/// # Errors
/// [`Error::Usage`] for an unknown backend.
pub fn list(args: &ListArgs) -> Result<()> {
    let backend = option_or_variable(args.backend.as_ref(), BACKEND_VARIABLE);
    let adapters = pollster::block_on(Adapters::find(backend.value.value().map(String::as_str)))?;
    if args.json {
        let text = serde_json::to_string_pretty(adapters.infos())
            .map_err(|error| Error::Output(format!("the list cannot be written as JSON: {error}")))?;
        return terminal::data(&text);
    }
    if adapters.infos().is_empty() {
        terminal::talk(adapter::NONE_FOUND);
        return Ok(());
    }
    terminal::data(&table(adapters.infos()))
}

fn table(adapters: &[AdapterInfo]) -> String {
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
    table.to_string()
}

//! `gpubench frameworks list`: what there is, what is set up, what cannot be had and why.

use super::catalogue::{Device, FRAMEWORKS, Framework};
use super::setup;
use crate::cli::terminal;
use crate::error::{Error, Result};
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::json;

/// Lists the frameworks on stdout, as a table or as JSON.
///
/// # Errors
/// [`Error::Usage`] if the user has no home folder.
pub fn list(as_json: bool, device: Device) -> Result<()> {
    let folder = setup::folder()?;
    let state = |one: &Framework| match one.environment(device) {
        Err(reason) => format!("n/a ({reason})"),
        Ok(environment) if setup::interpreter(&folder, environment, device).is_some() => "set up".to_owned(),
        Ok(environment) => format!("not set up (about {} MB)", environment.size_mb(device)),
    };
    let requirements = |one: &Framework| match one.environment(device) {
        Ok(environment) => environment.requirements(device).to_vec(),
        Err(_) => Vec::new(),
    };
    if as_json {
        let rows = FRAMEWORKS.iter().map(|one| {
            let environment = one.environment(device).ok();
            json!({
                "name": one.name,
                "row": one.row,
                "device": device,
                "set_up": environment.is_some_and(|of| setup::interpreter(&folder, of, device).is_some()),
                "state": state(one),
                "requirements": requirements(one),
            })
        });
        let text = serde_json::to_string_pretty(&rows.collect::<Vec<_>>());
        return terminal::output(&text.map_err(|error| Error::Output(format!("the list cannot be written: {error}")))?);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(terminal::width()).set_header(["name", "row in tables", "state", "requirements"]);
    for one in &FRAMEWORKS {
        table.add_row([one.name.to_owned(), one.row.to_owned(), state(one), requirements(one).join(", ")]);
    }
    terminal::output(&table.to_string())
}

//! Completions of shells, and manual pages, made from the command line.

use super::terminal;
use crate::error::{Error, Result};
use clap::Command;
use clap_complete::{Shell, generate};
use std::path::Path;

/// Prints the completions of `shell` for `command`.
///
/// # Errors
/// [`Error::Output`] if stdout cannot be written.
pub fn completions(mut command: Command, shell: Shell) -> Result<()> {
    let (mut script, name) = (Vec::new(), command.get_name().to_owned());
    generate(shell, &mut command, name, &mut script);
    terminal::output(&String::from_utf8_lossy(&script))
}

/// Prints the manual page of `command`, or writes those of it and of all its verbs to `folder`.
///
/// # Errors
/// [`Error::Output`] if they cannot be written.
pub fn man(command: Command, folder: Option<&Path>) -> Result<()> {
    let failed = |error: std::io::Error| Error::Output(format!("the manual page cannot be written ({error})"));
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder)).map_err(failed)?;
        terminal::message(&format!("manual pages: {}", folder.display()));
        return Ok(());
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).map_err(failed)?;
    terminal::output(&String::from_utf8_lossy(&page))
}

//! `gpubench explain`: what the figures of the reports mean.

use super::terminal;
use crate::error::{Error, Result};
use crate::report;
use clap::Args;

/// Options of `gpubench explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Figure, column or JSON field, in any case and with or without its unit; the list of all without one
    #[arg(value_name = "FIGURE")]
    pub figure: Vec<String>,
}

/// Prints what a figure is, how it is measured and which values are good; without a name, all figures.
///
/// # Errors
/// [`Error::Usage`] with the nearest names if there is no such figure.
pub fn explain(args: &ExplainArgs) -> Result<()> {
    let name = args.figure.join(" ");
    if args.figure.is_empty() {
        return terminal::output(&report::figures_text(terminal::width()));
    }
    match report::figure(&name) {
        Some(figure) => terminal::output(&report::figure_text(figure, terminal::width())),
        None => Err(Error::Usage(unknown(&name))),
    }
}

fn unknown(name: &str) -> String {
    let nearest = match report::nearest_figures(name).join(", ") {
        nearest if nearest.is_empty() => String::new(),
        nearest => format!("; the nearest are {nearest}"),
    };
    format!("there is no figure {name:?}{nearest}; `gpubench explain` lists all")
}

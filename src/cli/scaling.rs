//! `gpubench scaling`: what many devices like a measured one would do.

use super::output::{expect_outputs, replace};
use super::result_files;
use super::terminal;
use crate::error::{Error, Result};
use crate::report::{self, Cluster, Link};
use clap::{Args, value_parser};
use std::path::{Path, PathBuf};

/// Options of `gpubench scaling`.
#[derive(Debug, Args)]
pub struct ScalingArgs {
    /// Results of one device with one plan, best at several batches, as `gpubench sweep` times them; those of several
    /// devices are compared with the prediction
    #[arg(value_name = "FILE or FOLDER", required = true)]
    pub results: Vec<PathBuf>,
    /// Latency of a message between machines, in microseconds
    #[arg(long, value_name = "US", value_parser = positive, allow_negative_numbers = true)]
    pub latency: f64,
    /// Rate of large messages between machines, in 10^9 bytes a second
    #[arg(long, value_name = "GB/S", value_parser = positive, allow_negative_numbers = true)]
    pub bandwidth: f64,
    /// Devices of a machine
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=64))]
    pub devices_per_machine: u32,
    /// Latency of a message within a machine, in microseconds [default: as between machines]
    #[arg(long, value_name = "US", value_parser = positive, allow_negative_numbers = true)]
    pub inside_latency: Option<f64>,
    /// Rate of large messages within a machine, in 10^9 bytes a second [default: as between machines]
    #[arg(long, value_name = "GB/S", value_parser = positive, allow_negative_numbers = true)]
    pub inside_bandwidth: Option<f64>,
    /// Images of a step, over all devices or on each [default: the batch of the results]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub batch: Option<u32>,
    /// Write the prediction as a page that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

fn positive(text: &str) -> std::result::Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if number > 0.0 && number <= 1e9 { Ok(number) } else { Err("a number above 0, at most 10^9".to_owned()) }
}

/// Prints the prediction, and writes its page where one is asked for.
///
/// # Errors
/// [`Error::Data`] if a result cannot be read, or the results are not those of one device; [`Error::Output`] if the
/// page cannot be written.
pub fn scaling(args: &ScalingArgs) -> Result<()> {
    let inputs: Vec<&Path> = args.results.iter().map(PathBuf::as_path).collect();
    expect_outputs(&[("--html", args.html.as_deref())], &inputs)?;
    let collected = result_files::collect(&args.results);
    collected.notes().for_each(|note| terminal::message(&format!("note: {note}")));
    if let Some(problem) = collected.problems.first() {
        return Err(Error::Data(problem.clone()));
    }
    let link = |latency: f64, bandwidth: f64| Link { latency_s: 1e-6 * latency, bytes_per_s: 1e9 * bandwidth };
    let inside = (args.inside_latency.unwrap_or(args.latency), args.inside_bandwidth.unwrap_or(args.bandwidth));
    let cluster = Cluster {
        inside: link(inside.0, inside.1),
        between: link(args.latency, args.bandwidth),
        devices_per_machine: args.devices_per_machine,
    };
    let results: Vec<_> = collected.stored.into_iter().map(|loaded| (loaded.file, loaded.result)).collect();
    let scaling = report::scaling(&results, cluster, args.batch)?;
    if let Some(page) = &args.html {
        replace(page, report::scaling_html(&scaling).as_bytes())?;
        terminal::message(&format!("page: {}", page.display()));
    }
    let as_json = || serde_json::to_string_pretty(&scaling).map_err(|error| Error::Output(format!("no JSON: {error}")));
    terminal::output(&if args.json { as_json()? } else { report::scaling_text(&scaling, terminal::width()) })
}

//! Terminal output: results to stdout, messages to stderr.

use crate::error::{Error, Result};
use crate::escape;
use crate::result::Status;
use console::{Style, Term};
use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether another process tells what this one has to say.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Writes `text` and a line break to stdout, hidden characters escaped. A closed pipe is not an error.
///
/// # Errors
/// [`Error::Output`] if stdout cannot be written for another reason.
pub fn output(text: &str) -> Result<()> {
    write_out(&escape::lines(text))
}

/// Writes reports to stdout, with bold headlines and coloured stamps if stdout is a terminal and `NO_COLOR` is not set.
///
/// # Errors
/// As [`output`].
pub fn reports(reports: impl Iterator<Item = String>) -> Result<()> {
    let painted: Vec<String> = reports.map(|report| paint(escape::lines(report.trim_end()).as_ref())).collect();
    write_out(&painted.join("\n\n\n"))
}

fn write_out(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::Output(format!("standard output cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// Leaves messages to another process, which does the same; errors are still told.
#[cfg(feature = "mpi")]
pub fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Writes a message to stderr, hidden characters escaped, ignoring errors.
pub fn message(text: &str) {
    if !QUIET.load(Ordering::Relaxed) {
        tell(text);
    }
}

/// Writes an error to stderr, as [`message`] does.
pub fn error(text: &str) {
    tell(&format!("error: {text}"));
}

fn tell(text: &str) {
    // In one piece: what starts ranks may put the words of several on one line otherwise.
    let _ = std::io::stderr().lock().write_all(format!("{}\n", escape::lines(text)).as_bytes());
}

/// Columns of the terminal on stdout, 80 to 160; the default width of reports if stdout is not a terminal.
pub fn width() -> u16 {
    Term::stdout().size_checked().map_or(crate::report::DEFAULT_WIDTH, |(_, columns)| columns.clamp(80, 160))
}

/// A report with a bold headline and coloured stamps.
fn paint(report: &str) -> String {
    // A blank line follows the headline of a whole report, not that of a card.
    let end = report.find("\n\n").or_else(|| report.find('\n')).unwrap_or(report.len());
    let (headline, rest) = report.split_at(end);
    let mut painted = format!("{}{rest}", Style::new().for_stdout().bold().apply_to(headline));
    let stamp = Style::new().for_stdout().red().bold();
    for word in [Status::Invalid, Status::Failed, Status::Partial].iter().filter_map(|status| status.stamp()) {
        painted = painted.replace(word, &stamp.apply_to(word).to_string());
    }
    painted
}

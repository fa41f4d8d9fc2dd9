//! What is written where: data to stdout, talk to stderr.

use crate::error::{Error, Result};
use crate::result::Status;
use console::{Style, Term};
use std::io::{ErrorKind, Write};

/// Writes `text` and a line break to stdout. A reader that went away is no error.
///
/// # Errors
/// [`Error::Output`] if stdout cannot be written for another reason.
pub fn data(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::Output(format!("standard output cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes a line to stderr. Where even that fails nobody is left to be told.
pub fn talk(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Columns of the terminal behind stdout, 80 at least; the default of reports where stdout is no terminal.
pub fn width() -> u16 {
    Term::stdout().size_checked().map_or(crate::report::DEFAULT_WIDTH, |(_, columns)| columns.clamp(80, 160))
}

/// A report with its headline set off and its stamps in colour, if stdout is a terminal and `NO_COLOR` is not set.
pub fn paint(report: &str) -> String {
    let (headline, rest) = report.split_once("\n\n").unwrap_or((report, ""));
    let mut painted = format!("{}\n\n{rest}", Style::new().for_stdout().bold().apply_to(headline));
    let stamp = Style::new().for_stdout().red().bold();
    for word in [Status::Invalid, Status::Failed, Status::Partial].iter().filter_map(|status| status.stamp()) {
        painted = painted.replace(word, &stamp.apply_to(word).to_string());
    }
    painted
}

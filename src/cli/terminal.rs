//! What is written where: data to stdout, talk to stderr.

use crate::error::{Error, Result};
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

//! Errors as one sentence that a user can act on, and the exit code of each kind.

/// Every way a run can fail. The text is one sentence that says what to do next.
///
/// [`Error::exit_code`] gives the documented process exit code of each kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An invalid option or combination of options (exit code 2, as for an unknown option).
    #[error("{0}")]
    Usage(String),
    /// Input data that is missing, damaged or of the wrong shape (exit code 3).
    #[error("{0}")]
    Data(String),
    /// No adapter, no matching adapter, or one that lacks what the run needs (exit code 4).
    #[error("{0}")]
    Adapter(String),
    /// A kernel or the training steps disagree with the reference on this adapter (exit code 5).
    #[error("{0}")]
    Check(String),
    /// A result, weights or cache file could not be written (exit code 7).
    #[error("{0}")]
    Output(String),
    /// The device was lost, ran out of memory or refused a command while running (exit code 8).
    #[error("{0}")]
    Device(String),
    /// A page that is checked has other tables than the results give (exit code 9).
    #[error("{0}")]
    Differs(String),
    /// A comparison came to what `--fail-on` names (exit code 10).
    #[error("{0}")]
    Gate(String),
    /// Another program, a framework or a side of a comparison in turns, could not be set up, crashed, hung or gave no
    /// figures (exit code 11).
    #[error("{0}")]
    Program(String),
    /// A result file was changed, or its figures contradict each other (exit code 12).
    #[error("{0}")]
    Verify(String),
    /// The user interrupted the run; the partial result is kept (exit code 130).
    #[error("interrupted; the partial result was kept")]
    Interrupted,
}

impl Error {
    /// The process exit code of this kind of error.
    ///
    /// 0 is success and 6 a run with a result that is stamped INVALID; neither is an `Error`. 1 is reserved for panics
    /// and other defects of the program itself.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Usage(_) => 2,
            Error::Data(_) => 3,
            Error::Adapter(_) => 4,
            Error::Check(_) => 5,
            Error::Output(_) => 7,
            Error::Device(_) => 8,
            Error::Differs(_) => 9,
            Error::Gate(_) => 10,
            Error::Program(_) => 11,
            Error::Verify(_) => 12,
            Error::Interrupted => 130,
        }
    }

    /// The error of another process that ended with `code` and `words`; of a code that is none of these, a defect
    /// included, a failure of its device.
    pub fn of_code(code: u8, words: String) -> Self {
        match code {
            2 => Error::Usage(words),
            3 => Error::Data(words),
            4 => Error::Adapter(words),
            5 => Error::Check(words),
            7 => Error::Output(words),
            9 => Error::Differs(words),
            10 => Error::Gate(words),
            11 => Error::Program(words),
            12 => Error::Verify(words),
            130 => Error::Interrupted,
            _ => Error::Device(words),
        }
    }
}

/// The result of anything that can fail with an [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn an_error_is_found_by_its_code() {
        for code in (0..=u8::MAX).filter(|code| ![0, 1, 6].contains(code)) {
            let error = Error::of_code(code, "words".to_owned());
            let known = [2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 130].contains(&code);
            assert_eq!(error.exit_code(), if known { code } else { 8 });
        }
    }
}

//! A value of `--env`.

/// A value of `--env`: a variable, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable(pub Option<(String, String)>);

/// Parses a value of `--env`.
///
/// # Errors
/// What to type.
pub fn variable(text: &str) -> Result<Variable, String> {
    match text.split_once('=') {
        _ if text.is_empty() => Ok(Variable(None)),
        Some((name, value)) if !name.is_empty() && !text.contains('\0') => {
            Ok(Variable(Some((name.to_owned(), value.to_owned()))))
        }
        _ => Err("give NAME=VALUE, or '' for a side without a variable".to_owned()),
    }
}

impl Variable {
    /// In a message and in results.
    pub fn shown(&self) -> String {
        self.0.as_ref().map_or_else(|| "none".to_owned(), |(name, value)| format!("{name}={value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_parsed_or_refused_with_what_to_type() {
        assert_eq!(variable(""), Ok(Variable(None)));
        let set = |name: &str, value: &str| Ok(Variable(Some((name.to_owned(), value.to_owned()))));
        assert_eq!(variable("A=1"), set("A", "1"));
        assert_eq!(variable("A="), set("A", ""));
        assert_eq!(variable("A=b=c"), set("A", "b=c"));
        for text in ["A", "=1", "=", "A=\0"] {
            assert!(variable(text).is_err_and(|says| says.contains("NAME=VALUE")), "{text:?}");
        }
    }
}

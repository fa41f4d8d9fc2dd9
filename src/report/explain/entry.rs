//! An entry of the table of figures.

/// A figure: what it is, how it is measured, what is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figure {
    /// Its name.
    pub name: &'static str,
    /// Its other names: headings of columns, fields of the JSON.
    pub aliases: &'static [&'static str],
    /// What it is.
    pub meaning: &'static str,
    /// How it is measured.
    pub measured: &'static str,
    /// Which values are good.
    pub good: &'static str,
}

/// Makes a list of figures where [`Figure`] is in scope: name, other names, meaning, measurement, good values.
macro_rules! figures {
    ($($name:literal $aliases:expr, $meaning:literal, $measured:literal, $good:literal;)*) => {
        &[$(Figure {
            name: $name,
            aliases: &$aliases,
            meaning: $meaning,
            measured: $measured,
            good: $good,
        }),*]
    };
}
pub(super) use figures;

//! Numbers as text, and missing values with their reasons.

use crate::result::Measured;

/// The text of a value that is not a finite number.
const NOT_FINITE: &str = "n/a (not a finite number)";

/// `value` with about three significant digits and thousands separated: 0.123, 1.23, 12.3, 123, 1,234.
pub(super) fn three_digits(value: f64) -> String {
    if !value.is_finite() {
        return NOT_FINITE.to_owned();
    }
    let size = value.abs();
    let decimals = match size {
        _ if size == 0.0 || size >= 99.95 => 0,
        _ if size >= 9.995 => 1,
        _ if size >= 0.9995 => 2,
        _ => 3,
    };
    thousands(without_sign_of_zero(&format!("{value:.decimals$}")))
}

/// Removes the sign of a number that was rounded to 0 from below.
fn without_sign_of_zero(number: &str) -> &str {
    let digits = number.strip_prefix('-').unwrap_or(number);
    if digits.chars().all(|letter| matches!(letter, '0' | '.')) { digits } else { number }
}

/// `value` with a fixed number of decimals.
pub(super) fn fixed(value: f64, decimals: usize) -> String {
    match value.is_finite() {
        true => without_sign_of_zero(&format!("{value:.decimals$}")).to_owned(),
        false => NOT_FINITE.to_owned(),
    }
}

/// A ratio with two decimals, or about three digits from 10 on.
pub(super) fn ratio(value: f64) -> String {
    if value < 9.995 { format!("{value:.2}") } else { three_digits(value) }
}

/// `value` with no more decimals than it has: 57, 0.9.
pub(super) fn as_given(value: f64) -> String {
    thousands(&value.to_string())
}

/// A decimal number with commas between the thousands of its whole part.
pub(super) fn thousands(number: &str) -> String {
    let (whole, fraction) = number.split_at(number.find('.').unwrap_or(number.len()));
    let (sign, digits) = whole.split_at(whole.len() - whole.trim_start_matches('-').len());
    let mut grouped = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + fraction
}

/// A count of bytes in decimal units.
pub(super) fn bytes(count: u64) -> String {
    let count = count as f64;
    if count >= 1e9 { format!("{} GB", three_digits(count / 1e9)) } else { format!("{} MB", three_digits(count / 1e6)) }
}

/// The value written by `write`, or "n/a (reason)".
pub(super) fn or_reason<T>(measured: &Measured<T>, write: impl Fn(&T) -> String) -> String {
    match measured {
        Measured::Value(value) => write(value),
        Measured::Missing { reason } => format!("n/a ({reason})"),
    }
}

/// The number written by `write`, or "n/a (reason)" where it is missing or not finite.
pub(super) fn finite(measured: &Measured<f64>, write: impl Fn(f64) -> String) -> String {
    or_reason(measured, |value| if value.is_finite() { write(*value) } else { NOT_FINITE.to_owned() })
}

/// A deviation in percent of its figure, or why the deviation is missing.
pub(super) fn percent_of(deviation: &Measured<f64>, figure: &Measured<f64>) -> Measured<f64> {
    match (deviation, figure) {
        (Measured::Value(deviation), Measured::Value(figure)) => (100.0 * deviation / figure).into(),
        (missing, _) => missing.clone(),
    }
}

/// A time in UTC to the minute, without the letters of RFC 3339.
pub(super) fn minute(utc: &str) -> String {
    utc.get(..16).unwrap_or(utc).replace('T', " ")
}

/// The numbered notes below a table. Equal texts share one number.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<String>);

impl Notes {
    /// The superscript number of the note `text`, which is added if it is new.
    pub(super) fn mark(&mut self, text: &str) -> String {
        let index = self.0.iter().position(|note| note == text).unwrap_or_else(|| {
            self.0.push(text.to_owned());
            self.0.len() - 1
        });
        superscript(index + 1)
    }

    /// The value written by `write`, or "n/a" with the mark of a note that gives the reason.
    pub(super) fn or_mark(&mut self, measured: &Measured<f64>, write: impl Fn(f64) -> String) -> String {
        match measured {
            Measured::Value(value) if value.is_finite() => write(*value),
            Measured::Value(_) => format!("n/a{}", self.mark("not a finite number")),
            Measured::Missing { reason } => format!("n/a{}", self.mark(reason)),
        }
    }

    /// Each note: its mark and its text.
    pub(super) fn iter(&self) -> impl Iterator<Item = (String, &str)> {
        self.0.iter().enumerate().map(|(index, text)| (superscript(index + 1), text.as_str()))
    }
}

/// `number` in superscript digits.
fn superscript(number: usize) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    number.to_string().bytes().map(|digit| DIGITS[usize::from(digit - b'0')]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits_and_group_thousands() {
        let cases = [
            (0.0, "0"),
            (0.01234, "0.012"),
            (0.99951, "1.00"),
            (1.234, "1.23"),
            (9.996, "10.0"),
            (12.34, "12.3"),
            (99.96, "100"),
            (1234.6, "1,235"),
            (1_234_567.0, "1,234,567"),
            (-1234.0, "-1,234"),
            (-0.0001, "0.000"),
        ];
        for (value, text) in cases {
            assert_eq!(three_digits(value), text, "{value}");
        }
        assert_eq!(as_given(0.9), "0.9");
        assert_eq!(as_given(1326.0), "1,326");
        assert_eq!(bytes(312_400_000), "312 MB");
        assert_eq!(bytes(8_200_000_000), "8.20 GB");
    }

    #[test]
    fn a_reason_has_one_number_however_often_it_is_given() {
        let mut notes = Notes::default();
        assert_eq!(notes.or_mark(&Measured::missing("not published"), as_given), "n/a¹");
        assert_eq!(notes.mark("only one GPU was used"), "²");
        assert_eq!(notes.or_mark(&Measured::missing("not published"), as_given), "n/a¹");
        assert_eq!(notes.or_mark(&Measured::Value(3.0), as_given), "3");
        assert_eq!(superscript(10), "¹⁰");
    }
}

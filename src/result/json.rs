//! Indented JSON without nulls: a number that is not finite becomes a missing value. Lists of numbers stay on one line.

use crate::escape;
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};
use std::io::{Result, Write};

/// The reason given for a number that is not finite.
pub(super) const NOT_FINITE: &str = "not a finite number";

/// `value` as indented JSON that ends in a line break, without hidden characters.
pub(super) fn to_string(value: &impl Serialize) -> serde_json::Result<String> {
    let mut bytes = Vec::new();
    let layout = Layout { pretty: PrettyFormatter::new(), pending: None, inline: Vec::new() };
    value.serialize(&mut Serializer::with_formatter(&mut bytes, layout))?;
    bytes.push(b'\n');
    let document = String::from_utf8(bytes).map_err(serde::ser::Error::custom)?;
    Ok(escape::json(&document).into_owned())
}

/// The formatter of serde_json with two differences: null is written as {"missing": ...}, and an array that begins with
/// a number is written on one line.
struct Layout {
    pretty: PrettyFormatter<'static>,
    /// Set between the begin of an array value and its first token: whether it is the first value of its array.
    pending: Option<bool>,
    /// For each open array, whether it is written on one line.
    inline: Vec<bool>,
}

impl Layout {
    /// Writes the separator before a pending array value; `number` says whether the value is a number.
    fn separate<W: ?Sized + Write>(&mut self, writer: &mut W, number: bool) -> Result<()> {
        let Some(first) = self.pending.take() else { return Ok(()) };
        if let Some(inline) = self.inline.last_mut().filter(|_| first) {
            *inline = number;
        }
        match (self.inline.last(), first) {
            (Some(true), true) => Ok(()),
            (Some(true), false) => writer.write_all(b", "),
            _ => self.pretty.begin_array_value(writer, first),
        }
    }
}

/// Writes a number of type `$type` with the method `$method` of the usual formatter.
macro_rules! number {
    ($method:ident, $type:ty) => {
        fn $method<W: ?Sized + Write>(&mut self, writer: &mut W, value: $type) -> Result<()> {
            self.separate(writer, true)?;
            self.pretty.$method(writer, value)
        }
    };
}

impl Formatter for Layout {
    number!(write_u8, u8);
    number!(write_u16, u16);
    number!(write_u32, u32);
    number!(write_u64, u64);
    number!(write_i8, i8);
    number!(write_i16, i16);
    number!(write_i32, i32);
    number!(write_i64, i64);
    number!(write_f32, f32);
    number!(write_f64, f64);

    fn write_null<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.separate(writer, true)?;
        write!(writer, "{{\"missing\": \"{NOT_FINITE}\"}}")
    }

    fn write_bool<W: ?Sized + Write>(&mut self, writer: &mut W, value: bool) -> Result<()> {
        self.separate(writer, false)?;
        self.pretty.write_bool(writer, value)
    }

    fn begin_string<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.separate(writer, false)?;
        self.pretty.begin_string(writer)
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.separate(writer, false)?;
        self.inline.push(false);
        self.pretty.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        if self.inline.pop() == Some(true) {
            // The inner formatter has seen no values, so that it ends the array without a line break.
            let mut unused = Vec::new();
            self.pretty.end_array(&mut unused)?;
            return writer.write_all(b"]");
        }
        self.pretty.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, _writer: &mut W, first: bool) -> Result<()> {
        self.pending = Some(first);
        Ok(())
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        match self.inline.last() {
            Some(true) => Ok(()),
            _ => self.pretty.end_array_value(writer),
        }
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.separate(writer, false)?;
        self.pretty.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.pretty.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> Result<()> {
        self.pretty.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.pretty.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.pretty.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_numbers_stay_on_one_line_and_all_else_is_indented() {
        let value = serde_json::json!({"a": [1, 2.5, -3], "b": [], "c": ["x", [4]], "d": [{"e": [true, 1]}]});
        let text = to_string(&value).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        assert!(text.contains("\"a\": [1, 2.5, -3],\n"), "{text}");
        assert!(text.contains("\"b\": [],\n"), "{text}");
        assert!(text.contains("\"x\",\n    [4]\n"), "{text}");
        assert!(text.contains("[\n        true,\n        1\n      ]"), "{text}");
    }

    #[test]
    fn a_number_that_is_not_finite_is_missing_in_a_list_too() {
        let text = to_string(&[1.0, f64::NAN]).unwrap();
        assert_eq!(text, "[1.0, {\"missing\": \"not a finite number\"}]\n");
    }
}

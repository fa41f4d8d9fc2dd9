//! Unrolls loops of a WGSL text: a line `// unroll` above a loop asks for it.
//!
//! Arrays of a function stay in registers only where every index into them is a constant. Not all compilers unroll the
//! loops that this takes, and some do so only for short ones, so the text that they get has no such loop:
//!
//! ```text
//! // unroll
//! for (var x = 0u; x < WIDTH; x++) {
//!     sums[x] += weight * row[x + 1u];
//! }
//! ```
//!
//! becomes, if the text says `const WIDTH = 2u;`:
//!
//! ```text
//! sums[0u] += weight * row[0u + 1u];
//! sums[1u] += weight * row[1u + 1u];
//! ```
//!
//! The loop has exactly the form above and counts up by one. Its bounds are sums, products and quotients of unsigned
//! literals, constants of the text that are themselves such expressions, and counters of unrolled loops around it. A
//! body that declares values becomes a block. Without the expansion the text is valid WGSL that computes the same.

use super::comments::{UNROLL as MARKER, code};
use std::collections::BTreeMap;

/// Constants of a text by name.
type Constants = BTreeMap<String, u32>;

/// The WGSL `text` with every marked loop replaced by its turns, one after the other.
///
/// # Errors
/// In words, if a marker stands above anything but a loop of the form above, bounds are no constants, the loop makes no
/// turn, or its body has a `break` or `continue`.
pub fn unroll(text: &str) -> Result<String, String> {
    if !text.contains(MARKER) {
        return Ok(text.to_owned());
    }
    let constants = constants(text);
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut lines = expand(&lines, &constants)?;
    lines.push(String::new());
    Ok(lines.join("\n"))
}

/// The constants of a text whose values are sums, products and quotients of literals and constants before them.
fn constants(text: &str) -> Constants {
    let mut constants = Constants::new();
    for line in text.lines() {
        let declared = line.strip_prefix("const ").and_then(|rest| code(rest).strip_suffix(';')?.split_once(" = "));
        if let Some((name, Ok(value))) = declared.map(|(name, value)| (name, evaluate(value, &constants))) {
            constants.insert(name.to_owned(), value);
        }
    }
    constants
}

fn expand(lines: &[String], constants: &Constants) -> Result<Vec<String>, String> {
    let mut expanded = Vec::new();
    let mut rest = lines;
    while let [line, after @ ..] = rest {
        rest = after;
        if line.trim() != MARKER {
            expanded.push(line.clone());
            continue;
        }
        let head = after.first().map_or("the end of the text", |head| head.trim());
        let (counter, first, end) =
            parse(head, constants).map_err(|error| format!("`{MARKER}` above `{head}`: {error}"))?;
        let length = body_length(after).ok_or_else(|| format!("`{head}` is never closed"))?;
        let body = &after[1..=length];
        if let Some(word) =
            ["break", "continue"].into_iter().find(|word| body.iter().any(|line| has_word(code(line), word)))
        {
            return Err(format!("`{head}` has a `{word}`, so it cannot be unrolled"));
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        let block = declares(body);
        for value in first..end {
            let turn: Vec<String> = body.iter().filter_map(|line| substituted(line, counter, value)).collect();
            expanded.extend(block.then(|| format!("{indent}{{")));
            expanded.extend(expand(&turn, constants)?);
            expanded.extend(block.then(|| format!("{indent}}}")));
        }
        rest = &after[length + 2..];
    }
    Ok(expanded)
}

/// The counter of a loop, its first value and the value before which it ends.
fn parse<'a>(head: &'a str, constants: &Constants) -> Result<(&'a str, u32, u32), String> {
    let form = || "not of the form `for (var i = 0u; i < N; i++) {`".to_owned();
    let inside = head.strip_prefix("for (var ").and_then(|rest| rest.strip_suffix(") {")).ok_or_else(form)?;
    let [start, condition, update] = inside.split("; ").collect::<Vec<_>>()[..] else { return Err(form()) };
    let (counter, first) = start.split_once(" = ").ok_or_else(form)?;
    let bound = condition.strip_prefix(counter).and_then(|rest| rest.strip_prefix(" < ")).ok_or_else(form)?;
    if update.strip_prefix(counter) != Some("++") {
        return Err(form());
    }
    let (first, end) = (evaluate(first, constants)?, evaluate(bound, constants)?);
    if first >= end {
        return Err(format!("it makes no turn from {first} to {end}"));
    }
    Ok((counter, first, end))
}

/// A sum of products and quotients, without parentheses.
fn evaluate(expression: &str, constants: &Constants) -> Result<u32, String> {
    let operand = |word: Option<&str>| {
        let word = word.unwrap_or_default();
        let literal = word.strip_suffix('u').unwrap_or(word).parse::<u32>().ok();
        let value = literal.or_else(|| constants.get(word).copied());
        value.map(i64::from).ok_or_else(|| format!("`{expression}` is no constant"))
    };
    let beyond = || format!("`{expression}` does not fit 32 bits");
    let mut words = expression.split_whitespace();
    // The sum of the terms before the last, and the last, with its sign.
    let (mut sum, mut term) = (0i64, operand(words.next())?);
    while let Some(operator) = words.next() {
        let value = operand(words.next())?;
        (sum, term) = match operator {
            "*" => (sum, term.checked_mul(value).ok_or_else(beyond)?),
            "/" => (sum, term.checked_div(value).ok_or_else(beyond)?),
            "+" => (sum + term, value),
            "-" => (sum + term, -value),
            _ => return Err(format!("`{expression}` is no constant")),
        };
    }
    u32::try_from(sum.saturating_add(term)).map_err(|_| beyond())
}

/// Lines of the body of the loop that begins with the first of `lines`.
fn body_length(lines: &[String]) -> Option<usize> {
    let mut depth = 0;
    for (at, line) in lines.iter().enumerate() {
        depth += code(line).matches('{').count();
        depth -= code(line).matches('}').count().min(depth);
        if depth == 0 {
            return Some(at - 1);
        }
    }
    None
}

/// Whether a body declares a value outside the blocks within it.
fn declares(body: &[String]) -> bool {
    let mut depth = 0;
    body.iter().any(|line| {
        let declares = depth == 0 && ["let ", "var ", "const "].iter().any(|word| line.trim_start().starts_with(word));
        depth += code(line).matches('{').count();
        depth -= code(line).matches('}').count().min(depth);
        declares
    })
}

/// A line of a body with `value` in the counter's place; comments are left out, but for markers.
fn substituted(line: &str, counter: &str, value: u32) -> Option<String> {
    if line.trim() == MARKER {
        return Some(line.to_owned());
    }
    let code = code(line);
    if code.trim().is_empty() {
        return None;
    }
    let mut out = String::new();
    for (word, before) in words(code) {
        // Behind a point stands a member, which may have the counter's name.
        if word == counter && before != Some('.') { out += &format!("{value}u") } else { out += word }
    }
    Some(out)
}

fn has_word(code: &str, wanted: &str) -> bool {
    words(code).any(|(word, _)| word == wanted)
}

/// The identifiers of `code` and the stretches between them, each with the letter before it.
fn words(code: &str) -> impl Iterator<Item = (&str, Option<char>)> {
    let of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = &code[at..];
        let inside = of_name(rest.chars().next()?);
        let word = &rest[..rest.find(|letter| of_name(letter) != inside).unwrap_or(rest.len())];
        let before = code[..at].chars().next_back();
        at += word.len();
        Some((word, before))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(text: &str) -> String {
        unroll(text).unwrap_err()
    }

    #[test]
    fn a_marked_loop_becomes_its_turns() {
        let text = "const N = 2u;\n// unroll\nfor (var x = 0u; x < N; x++) {\n    // Why.\n    a[x] = v.x + x1; // x\n}\nb();\n";
        assert_eq!(unroll(text).unwrap(), "const N = 2u;\n    a[0u] = v.x + x1;\n    a[1u] = v.x + x1;\nb();\n");
    }

    #[test]
    fn a_body_that_declares_a_value_becomes_a_block() {
        let text = "    // unroll\n    for (var x = 1u; x < 2u; x++) {\n        let y = x;\n        f(y);\n    }\n";
        assert_eq!(unroll(text).unwrap(), "    {\n        let y = 1u;\n        f(y);\n    }\n");
    }

    #[test]
    fn loops_within_loops_see_the_counters_around_them() {
        let text = "// unroll\nfor (var y = 0u; y < 2u; y++) {\n// unroll\nfor (var x = y; x < y + 2u; x++) {\nf(y, x);\n}\n}\n";
        assert_eq!(unroll(text).unwrap(), "f(0u, 0u);\nf(0u, 1u);\nf(1u, 1u);\nf(1u, 2u);\n");
    }

    #[test]
    fn other_loops_and_texts_without_a_marker_stay_as_they_are() {
        let text = "for (var x = 0u; x < N; x++) {\n    f(x);\n}\n";
        assert_eq!(unroll(text).unwrap(), text);
        let marked = format!("// unroll\nfor (var y = 0u; y < 1u; y++) {{\n{text}}}\n");
        assert_eq!(unroll(&marked).unwrap(), text);
    }

    #[test]
    fn constants_are_sums_and_products_of_those_before_them() {
        let found =
            constants("const A = 3u; // three\nconst B = 2u * A + 9u / 2u - 1u - A;\nconst C = 1.5;\nlet D = 1u;\n");
        assert_eq!(found, Constants::from([("A".to_owned(), 3), ("B".to_owned(), 6)]));
    }

    #[test]
    fn a_marker_above_anything_else_is_an_error() {
        assert!(error_of("// unroll\nlet x = 1u;\n").contains("above `let x = 1u;`: not of the form"));
        assert!(error_of("// unroll\n").contains("the end of the text"));
        assert!(error_of("// unroll\nfor (var x = 0u; x < 4u; x += 2u) {\n}\n").contains("not of the form"));
        assert!(error_of("// unroll\nfor (var x = 0u; y < 4u; x++) {\n}\n").contains("not of the form"));
        assert!(error_of("// unroll\nfor (var x = 0u; x < 4u; x++) {\n").contains("never closed"));
    }

    #[test]
    fn bounds_that_are_no_constants_or_hold_no_turn_are_errors() {
        assert!(
            error_of("// unroll\nfor (var x = 0u; x < step.batch; x++) {\n}\n").contains("`step.batch` is no constant")
        );
        assert!(error_of("// unroll\nfor (var x = n; x < 4u; x++) {\n}\n").contains("`n` is no constant"));
        assert!(error_of("// unroll\nfor (var x = 2u; x < 2u; x++) {\n}\n").contains("no turn"));
        assert!(error_of("// unroll\nfor (var x = 2u - 3u; x < 2u; x++) {\n}\n").contains("does not fit"));
    }

    #[test]
    fn a_loop_that_is_left_early_is_an_error() {
        assert!(error_of("// unroll\nfor (var x = 0u; x < 2u; x++) {\nif x > a { break; }\n}\n").contains("`break`"));
        assert!(error_of("// unroll\nfor (var x = 0u; x < 2u; x++) {\ncontinue;\n}\n").contains("`continue`"));
    }
}

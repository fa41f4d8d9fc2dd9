//! The digest of a result file: it shows that the file is as it was written.

use crate::hash::sha256_hex;
use serde::Deserialize;

/// What a digest begins with.
const METHOD: &str = "sha256:";

/// What a document says of its own digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seal {
    /// The digest is that of the rest.
    Intact,
    /// There is none.
    Absent,
    /// It is another one than that of the rest, or none that this program writes.
    Broken,
}

/// `document`, a JSON object that ends in a line break, with its digest as the last field.
pub(super) fn sealed(document: &str) -> String {
    let body = document.trim_end().trim_end_matches('}').trim_end();
    format!("{body},\n  \"digest\": \"{}\"\n}}\n", digest(&tokens(document)))
}

/// Whether the digest of `document` is that of the rest of it.
pub fn seal(document: &str) -> Seal {
    #[derive(Deserialize)]
    struct Sealed {
        #[serde(default)]
        digest: Option<serde_json::Value>,
    }
    let Ok(Sealed { digest: Some(named) }) = serde_json::from_str(document) else { return Seal::Absent };
    let Some(named) = named.as_str() else { return Seal::Broken };
    let tokens = tokens(document);
    // Between quotation marks that are not escaped, so that no text inside the document can look like it.
    let field = format!("\"digest\":\"{named}\"");
    let cut = [format!(",{field}"), format!("{field},")].into_iter().find_map(|field| {
        let at = tokens.rfind(&field)?;
        Some(format!("{}{}", &tokens[..at], &tokens[at + field.len()..]))
    });
    if cut.is_some_and(|rest| digest(&rest) == named) { Seal::Intact } else { Seal::Broken }
}

fn digest(tokens: &str) -> String {
    format!("{METHOD}{}", sha256_hex(tokens.as_bytes()))
}

/// `json` without the white space between its tokens, and every other byte as it is: numbers that differ in a digit
/// alone differ, even where they are read as the same number.
pub(super) fn tokens(json: &str) -> String {
    let (mut inside, mut escaped) = (false, false);
    let kept = json.chars().filter(|&letter| {
        let keep = inside || !letter.is_ascii_whitespace();
        inside ^= letter == '"' && !escaped;
        escaped = inside && letter == '\\' && !escaped;
        keep
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "{\n  \"a\": [1.0, 2],\n  \"b\": \"x \\\" \\\\\"\n}\n";

    #[test]
    fn a_document_is_intact_until_a_token_changes() {
        let file = sealed(DOCUMENT);
        assert_eq!(seal(&file), Seal::Intact);
        assert_eq!(seal(&file.replace('\n', "\r\n\t")), Seal::Intact);
        assert_eq!(seal(DOCUMENT), Seal::Absent);
        for (from, to) in [("1.0", "1.1"), ("1.0", "1.00"), ("x ", "x"), ("\"b\"", "\"c\""), ("sha256:", "sha512:")] {
            assert_eq!(seal(&file.replacen(from, to, 1)), Seal::Broken, "{from} to {to}");
        }
        assert_eq!(seal("{\"a\":1,\"digest\":5}"), Seal::Broken);
    }

    #[test]
    fn text_that_looks_like_a_digest_is_text() {
        let file = sealed("{\n  \"a\": \",\\\"digest\\\":\\\"x\\\"\"\n}\n");
        assert_eq!(seal(&file), Seal::Intact);
    }
}

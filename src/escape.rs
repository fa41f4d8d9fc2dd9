//! Foreign text in a form that no terminal, editor or page interprets: names of files, adapters and tensors, strings of
//! result files.

use std::borrow::Cow;

/// Whether a character changes how the text around it is shown: a control character (C0, DEL, C1), a separator of lines
/// or paragraphs, or a control of the bidirectional algorithm.
///
/// Source: Unicode Technical Report 36, section 2.1, and N. Boucher, R. Anderson, "Trojan source: invisible
/// vulnerabilities", 2021.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` on one line, each hidden character written as `\u{1b}`.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |letter| is_hidden(letter).then(|| format!("\\u{{{:x}}}", u32::from(letter))))
}

/// As [`line()`], but line breaks stay: for text that this program has laid out.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |letter| (is_hidden(letter) && letter != '\n').then(|| format!("\\u{{{:x}}}", u32::from(letter))))
}

/// The same JSON document with hidden characters inside its strings written as `\u009b`; those below U+0020 already
/// are.
pub fn json(document: &str) -> Cow<'_, str> {
    escaped(document, |letter| {
        (is_hidden(letter) && letter >= '\u{7f}').then(|| format!("\\u{:04x}", u32::from(letter)))
    })
}

/// The last part of a path, which tells nothing about the machine; a text without one stays as it is.
pub fn last_part(path: &str) -> &str {
    path.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().filter(|name| !name.is_empty()).unwrap_or(path)
}

fn escaped(text: &str, escape: impl Fn(char) -> Option<String>) -> Cow<'_, str> {
    if !text.chars().any(|letter| escape(letter).is_some()) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match escape(letter) {
            Some(escape) => shown.push_str(&escape),
            None => shown.push(letter),
        }
    }
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_written_out_and_others_stay() {
        let evil = "a\u{1b}[31m\u{9b}\u{7f}\u{202e}\u{2066}\u{200f}\u{61c}\r\n\tb";
        assert_eq!(line(evil), r"a\u{1b}[31m\u{9b}\u{7f}\u{202e}\u{2066}\u{200f}\u{61c}\u{d}\u{a}\u{9}b");
        assert!(lines(evil).contains("\\u{d}\n\\u{9}b"), "{}", lines(evil));
        let plain = "NVIDIA GeForce GTX 1080 Ti, 十, é, \u{1f600}";
        assert!(matches!(line(plain), Cow::Borrowed(same) if same == plain));
    }

    #[test]
    fn a_json_document_stays_the_same_document() {
        let text = "\u{9b}\u{202e}\u{7f}\u{1b}\n é";
        let document = serde_json::to_string(text).unwrap();
        assert!(document.contains('\u{9b}'));
        let shown = json(&document);
        assert!(!shown.chars().any(is_hidden), "{shown}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
    }

    #[test]
    fn a_path_is_reduced_to_its_last_part() {
        for (path, last) in [
            ("/work/shared/data/mnist", "mnist"),
            ("../data/mnist/", "mnist"),
            (r"C:\Users\someone\mnist", "mnist"),
            ("mnist", "mnist"),
            ("auto", "auto"),
            ("/", "/"),
            ("", ""),
        ] {
            assert_eq!(last_part(path), last, "{path}");
        }
    }
}

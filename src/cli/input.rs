//! Files that others wrote, or a shell redirected: read within a limit, from standard input where the name is `-`.

use crate::escape;
use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// The name that stands for standard input.
const STDIN: &str = "-";

/// The most bytes of a result file, or of a list of them. One result has some hundred kilobytes at most.
pub const RESULT_LIMIT_BYTES: u64 = 64 << 20;

/// The most bytes of a file of weights: the network has 262 KB of them, in 64-bit numbers twice as many, and names are
/// short.
pub const WEIGHTS_LIMIT_BYTES: u64 = 16 << 20;

/// What a file is called in messages and tables, on one line.
pub fn shown(path: &Path) -> String {
    if is_stdin(path) { "standard input".to_owned() } else { escape::line(&path.to_string_lossy()).into_owned() }
}

/// Whether a name stands for standard input.
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == STDIN
}

/// The whole content of a file, or of standard input.
///
/// # Errors
/// A phrase that says why it cannot be read: it is not there, is no regular file, has more than `limit_bytes`, or, of
/// standard input, it is a terminal or was read before.
pub fn bytes(path: &Path, limit_bytes: u64) -> Result<Vec<u8>, String> {
    if is_stdin(path) {
        static READ: AtomicBool = AtomicBool::new(false);
        if std::io::stdin().is_terminal() {
            return Err("it is a terminal; redirect a file to it, or name the file".to_owned());
        }
        if READ.swap(true, Ordering::Relaxed) {
            return Err("it can be read only once; name a file".to_owned());
        }
        return up_to(std::io::stdin().lock(), limit_bytes);
    }
    let metadata = path.metadata().map_err(|error| error.to_string())?;
    if metadata.is_dir() {
        return Err("it is a folder; name a file in it".to_owned());
    }
    // Looked at before it is opened: opening a named pipe would wait for a writer.
    if !metadata.is_file() {
        return Err("it is no regular file but a pipe or a device; redirect it to standard input and give -".to_owned());
    }
    up_to(File::open(path).map_err(|error| error.to_string())?, limit_bytes)
}

fn up_to(reader: impl Read, limit_bytes: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    reader.take(limit_bytes + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > limit_bytes {
        return Err(format!("it has more than {} MiB, which no such file has", limit_bytes >> 20));
    }
    Ok(bytes)
}

/// The content of a text file as [`bytes`] reads it, in UTF-8 or UTF-16, as PowerShell writes what is redirected,
/// without its byte-order mark.
///
/// # Errors
/// As [`bytes`], and if it is not text.
pub fn text(path: &Path, limit_bytes: u64) -> Result<String, String> {
    decoded(&bytes(path, limit_bytes)?)
}

/// Text in UTF-8 or UTF-16 without its byte-order mark.
///
/// # Errors
/// A phrase, if it is neither.
pub fn decoded(bytes: &[u8]) -> Result<String, String> {
    let utf16 = |bytes: &[u8], word: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes.as_chunks::<2>();
        if !rest.is_empty() {
            return Err("its text in UTF-16 is cut off inside a letter".to_owned());
        }
        let units = pairs.iter().map(|pair| word(*pair));
        char::decode_utf16(units).collect::<Result<String, _>>().map_err(|_| "its text is no UTF-16".to_owned())
    };
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        // JSON and Markdown begin with ASCII, of which UTF-16 without a mark has a zero in every pair of bytes.
        [first, 0, ..] if *first != 0 => utf16(bytes, u16::from_le_bytes),
        [0, second, ..] if *second != 0 => utf16(bytes, u16::from_be_bytes),
        _ => utf8(bytes),
    }
}

fn utf8(bytes: &[u8]) -> Result<String, String> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|error| format!("its text is no UTF-8: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_in_every_encoding_that_shells_write() {
        let text = "{\"name\": \"Größe 😀\"}";
        let units: Vec<u16> = text.encode_utf16().collect();
        let le: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let be: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            [b"\xff\xfe", &le[..]].concat(),
            [b"\xfe\xff", &be[..]].concat(),
            le.clone(),
            be,
        ] {
            assert_eq!(decoded(&bytes).unwrap(), text);
        }
        assert_eq!(decoded(b"").unwrap(), "");
        for (bytes, says) in [
            (&le[..7], "cut off"),
            (b"\xff\xfe\x00\xd8", "no UTF-16"),
            (b"{\xff}", "no UTF-8"),
            (b"\0\0\xff", "no UTF-8"),
        ] {
            assert!(decoded(bytes).unwrap_err().contains(says), "{bytes:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_never_ends_is_refused_before_it_is_opened() {
        for path in ["/dev/zero", "/dev/null", "/"] {
            let problem = bytes(Path::new(path), 100).unwrap_err();
            assert!(problem.contains("device") || problem.contains("folder"), "{path}: {problem}");
        }
        assert_eq!(up_to(std::io::repeat(7), 2 << 20).unwrap_err(), "it has more than 2 MiB, which no such file has");
    }
}

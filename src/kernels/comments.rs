//! WGSL texts without their comments; the build script uses this file too, for what a page downloads.

/// The line that asks for the loop below it to be unrolled: a comment that means something.
pub const UNROLL: &str = "// unroll";

/// A line of WGSL without its comment and the blanks before it.
pub fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default().trim_end()
}

/// The WGSL `text` without comments other than [`UNROLL`]. Every line stays, if only as an empty one, so that line
/// numbers in messages of a compiler are those of the file.
///
/// Comments in `/* */` are not known here: no file has them.
pub fn without_comments(text: &str) -> String {
    let kept = |line: &'_ str| if line.trim() == UNROLL { line.to_owned() } else { code(line).to_owned() };
    text.split('\n').map(kept).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_and_lines_and_markers_stay() {
        let text = "// Header.\n\nlet a = b / c; // why\n    // unroll\n    for (;;) {\n    // unrolled\n    }\n";
        let expected = "\n\nlet a = b / c;\n    // unroll\n    for (;;) {\n\n    }\n";
        assert_eq!(without_comments(text), expected);
        assert_eq!(without_comments(expected), expected);
    }
}

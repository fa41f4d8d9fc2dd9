//! Generated tables between markers in Markdown files.
//!
//! A line `<!-- gpubench table: frame=NAME -->` starts a region and a line `<!-- end of gpubench table -->` ends it, both without
//! indentation; the text between them is generated.

use crate::error::{Error, Result};
use crate::report::TableView;
use std::ops::Range;

const BEGIN: &str = "<!-- gpubench table";
const END: &str = "<!-- end of gpubench table -->";

/// A region between two markers.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// Name of the frame.
    pub name: String,
    /// The tables of the frame.
    pub parts: Vec<TableView>,
    /// Line number of its first marker, from 1.
    pub line: usize,
    /// Byte range between the lines of its markers.
    between: Range<usize>,
}

/// Finds the regions of a Markdown file, in order.
///
/// # Errors
/// [`Error::Data`], with the line, if there is no region, one has no end, or one names a frame that does not exist.
pub fn find(text: &str) -> Result<Vec<Region>> {
    let mut found: Vec<Region> = Vec::new();
    let mut open: Option<Region> = None;
    let mut next = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let (start, number) = (next, index + 1);
        next += line.len();
        let line = line.trim_end();
        match (&mut open, line.starts_with(BEGIN), line == END) {
            (None, true, _) => {
                let (name, parts) = named(line, number)?;
                open = Some(Region { name, parts, line: number, between: next..next });
            }
            (Some(_), false, true) => {
                found.extend(open.take().map(|region| Region { between: region.between.start..start, ..region }));
            }
            (None, _, true) => {
                return Err(Error::Data(format!("line {number} ends a table that has no start; remove it")));
            }
            (Some(region), true, _) => return Err(unterminated(region)),
            _ => {}
        }
    }
    match open {
        Some(region) => Err(unterminated(&region)),
        None if found.is_empty() => {
            Err(Error::Data(format!("it holds no table; put {BEGIN}: frame=NAME --> and {END} on lines of their own")))
        }
        None => Ok(found),
    }
}

fn unterminated(region: &Region) -> Error {
    Error::Data(format!("the table of line {} does not end; put {END} on a line after it", region.line))
}

/// Parses a start marker.
fn named(line: &str, number: usize) -> Result<(String, Vec<TableView>)> {
    let inner =
        line.strip_prefix(BEGIN).and_then(|rest| rest.strip_prefix(':')).and_then(|rest| rest.strip_suffix("-->"));
    let name = inner
        .and_then(|inner| inner.trim().strip_prefix("frame="))
        .ok_or_else(|| Error::Data(format!("line {number} is no marker of a table; write {BEGIN}: frame=NAME -->")))?;
    let parts = TableView::named(name).map_err(|error| Error::Data(format!("line {number}: {error}")))?;
    Ok((name.to_owned(), parts))
}

/// Returns `text` with `content` in each of its regions, with the line endings of `text`.
pub fn replaced(text: &str, regions: &[Region], content: impl Fn(&Region) -> String) -> String {
    let mut updated = String::new();
    let mut copied = 0;
    for region in regions {
        updated += &text[copied..region.between.start];
        updated += &with_line_ends_of(text, &content(region));
        copied = region.between.end;
    }
    updated + &text[copied..]
}

/// The first region that differs from `content`.
pub fn first_difference(text: &str, regions: &[Region], content: impl Fn(&Region) -> String) -> Option<Region> {
    let differs = |region: &&Region| text[region.between.clone()] != with_line_ends_of(text, &content(region));
    regions.iter().find(differs).cloned()
}

fn with_line_ends_of(text: &str, content: &str) -> String {
    if text.contains("\r\n") { content.replace('\n', "\r\n") } else { content.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Page\n\n<!-- gpubench table: frame=by-tool -->\nold\n<!-- end of gpubench table -->\n\nText.\n\
        <!-- gpubench table: frame=all -->\n<!-- end of gpubench table -->";

    #[test]
    fn the_text_between_markers_is_replaced_and_nothing_else() {
        for page in [PAGE.to_owned(), PAGE.replace('\n', "\r\n")] {
            let regions = find(&page).unwrap();
            let found: Vec<(&str, usize)> = regions.iter().map(|one| (one.name.as_str(), one.line)).collect();
            assert_eq!(found, [("by-tool", 3), ("all", 8)]);
            assert_eq!((regions[0].parts.len(), &regions[1].parts), (1, &TableView::all()));
            let content = |one: &Region| format!("\n{}\n\n", one.name);
            assert_eq!(first_difference(&page, &regions, content).map(|one| one.line), Some(3));
            let new = replaced(&page, &regions, content);
            let expected = PAGE.replace("old\n", "\nby-tool\n\n").replace("all -->\n", "all -->\n\nall\n\n");
            assert_eq!(new.replace("\r\n", "\n"), expected);
            assert_eq!(new.matches('\n').count() == new.matches("\r\n").count(), page.contains('\r'));
            let again = find(&new).unwrap();
            assert_eq!((replaced(&new, &again, content), first_difference(&new, &again, content)), (new, None));
        }
    }

    #[test]
    fn wrong_markers_are_refused_with_their_line() {
        let begin = "<!-- gpubench table: frame=by-tool -->";
        let cases = [
            ("", "it holds no table"),
            ("    <!-- gpubench table: frame=by-tool -->", "it holds no table"),
            (begin, "the table of line 1 does not end"),
            (&format!("a\n{begin}\n{begin}\n{END}\n"), "the table of line 2 does not end"),
            (&format!("a\n{END}\n"), "line 2 ends a table that has no start"),
            (
                "<!-- gpubench table: frame=by-colour -->",
                "line 1: there is no table \"by-colour\"; choose one of all, by-tool,",
            ),
            ("<!-- gpubench table by-tool -->", "line 1 is no marker"),
            ("<!-- gpubench table: frame=by-tool", "line 1 is no marker"),
            ("<!-- gpubench table: -->", "line 1 is no marker"),
        ];
        for (page, expected) in cases {
            let error = find(page).unwrap_err();
            assert!(error.exit_code() == 3 && error.to_string().contains(expected), "{page:?}: {error}");
        }
    }
}

//! Tables between markers in Markdown files.
//!
//! A line `<!-- gpubench table: frame=NAME -->` begins a table and a line `<!-- end of gpubench table -->` ends it; both begin
//! at the start of their lines, and what stands between them is made anew.

use crate::error::{Error, Result};
use crate::report::TableView;
use std::ops::Range;

const BEGIN: &str = "<!-- gpubench table";
const END: &str = "<!-- end of gpubench table -->";

/// A table in a Markdown file.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// Name of what it shows.
    pub name: String,
    /// What it shows.
    pub parts: Vec<TableView>,
    /// Number of the line of its first marker, from 1.
    pub line: usize,
    /// The bytes between the lines of its markers.
    between: Range<usize>,
}

/// The tables of a Markdown file, in order.
///
/// # Errors
/// [`Error::Data`], with the line, if there is none, one does not end, or one names a table that does not exist.
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
                found.extend(open.take().map(|marked| Region { between: marked.between.start..start, ..marked }));
            }
            (None, _, true) => {
                return Err(Error::Data(format!("line {number} ends a table that nothing began; remove it")));
            }
            (Some(marked), true, _) => return Err(endless(marked)),
            _ => {}
        }
    }
    match open {
        Some(marked) => Err(endless(&marked)),
        None if found.is_empty() => {
            Err(Error::Data(format!("it holds no table; put {BEGIN}: frame=NAME --> and {END} on lines of their own")))
        }
        None => Ok(found),
    }
}

fn endless(marked: &Region) -> Error {
    Error::Data(format!("the table of line {} does not end; put {END} on a line after it", marked.line))
}

/// What a first marker asks for.
fn named(line: &str, number: usize) -> Result<(String, Vec<TableView>)> {
    let inner =
        line.strip_prefix(BEGIN).and_then(|rest| rest.strip_prefix(':')).and_then(|rest| rest.strip_suffix("-->"));
    let name = inner
        .and_then(|inner| inner.trim().strip_prefix("frame="))
        .ok_or_else(|| Error::Data(format!("line {number} is no marker of a table; write {BEGIN}: frame=NAME -->")))?;
    let parts = TableView::named(name).map_err(|error| Error::Data(format!("line {number}: {error}")))?;
    Ok((name.to_owned(), parts))
}

/// `text` with `content` between the markers of each of its tables, in the line ends of `text`.
pub fn replaced(text: &str, marked: &[Region], content: impl Fn(&Region) -> String) -> String {
    let mut whole = String::new();
    let mut copied = 0;
    for one in marked {
        whole += &text[copied..one.between.start];
        whole += &with_line_ends_of(text, &content(one));
        copied = one.between.end;
    }
    whole + &text[copied..]
}

/// The first of the tables that holds something else than `content`.
pub fn first_difference(text: &str, marked: &[Region], content: impl Fn(&Region) -> String) -> Option<Region> {
    let differs = |one: &&Region| text[one.between.clone()] != with_line_ends_of(text, &content(one));
    marked.iter().find(differs).cloned()
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
    fn what_stands_between_markers_is_replaced_and_nothing_else() {
        for page in [PAGE.to_owned(), PAGE.replace('\n', "\r\n")] {
            let marked = find(&page).unwrap();
            let found: Vec<(&str, usize)> = marked.iter().map(|one| (one.name.as_str(), one.line)).collect();
            assert_eq!(found, [("by-tool", 3), ("all", 8)]);
            assert_eq!((marked[0].parts.len(), &marked[1].parts), (1, &TableView::all()));
            let content = |one: &Region| format!("\n{}\n\n", one.name);
            assert_eq!(first_difference(&page, &marked, content).map(|one| one.line), Some(3));
            let new = replaced(&page, &marked, content);
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
            (&format!("a\n{END}\n"), "line 2 ends a table that nothing began"),
            (
                "<!-- gpubench table: frame=by-colour -->",
                "line 1: there is no table \"by-colour\"; choose one of all, by-tool,",
            ),
            ("<!-- gpubench table by-tool -->", "line 1 is no marker"),
            ("<!-- gpubench table: frame=by-tool", "line 1 is no marker"),
            ("<!-- gpubench table: -->", "line 1 is no marker"),
        ];
        for (page, says) in cases {
            let error = find(page).unwrap_err();
            assert!(error.exit_code() == 3 && error.to_string().contains(says), "{page:?}: {error}");
        }
    }
}

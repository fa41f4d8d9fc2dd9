//! The page of the tables: a bar for each row, published and live told apart.

use super::{has_class, parsed, titles, words_of};
use crate::common::process::outcome;
use crate::common::{ROOT, sample};
use gpubench::report::{LoadedResult, TableView, Tables, tables_html};
use std::fs;
use tempfile::TempDir;

#[test]
fn every_row_is_a_bar_and_a_name_runs_nothing() {
    let mut hostile = sample::gpu_run(1);
    hostile.environment.adapter.name = "<script>alert(1)</script>\u{1b}[31m\u{202e}".to_owned();
    let mut short = sample::gpu_run(1);
    (short.standard, short.non_standard) = (false, vec!["3 <b>epochs</b>".to_owned()]);
    let stored = [("a.json", hostile), ("b.json", sample::software_run()), ("c.json", short)]
        .map(|(file, result)| LoadedResult { file: file.to_owned(), result });
    let tables = Tables::of(&stored);
    let page = tables_html(&tables, &TableView::all());
    let words = words_of(&page);
    assert!(words.contains("<script>alert(1)</script>\\u{1b}[31m\\u{202e}") && words.contains("3 <b>epochs</b>"));
    let document = parsed(&page);
    let all = ["By tool", "By GPU number and type", "GPU against CPU", "GPU generations"];
    assert_eq!(titles(&document), [&all[..], &["The tools since 2016-17", "Results that no table holds"]].concat());
    let count =
        |class: &str| document.descendants().filter(|node| node.has_tag_name("li") && has_class(node, class)).count();
    assert_eq!((count("live"), count("published")), (4, 11 + 3 + 3 + 9));
    let page = tables_html(&tables, &TableView::named("by-gpu").unwrap());
    assert_eq!(titles(&parsed(&page)), ["By GPU number and type"]);
}

#[test]
fn the_program_writes_the_page_of_the_committed_results() {
    let folder = TempDir::new().unwrap();
    let results = format!("{ROOT}/results");
    let (stdout, stderr) = outcome(folder.path(), &["table", &results, "--html", "page.html"], 0);
    assert!(stdout.is_empty() && stderr.contains("page: page.html"), "{stderr}");
    let words = words_of(&fs::read_to_string(folder.path().join("page.html")).unwrap());
    assert!(words.contains("AVX-512 · gpubench") && words.contains("CPU 32 cores · Keras (tensorflow)"), "{words}");
    let (_, stderr) = outcome(folder.path(), &["table", &results, "--html", "p", "--format", "csv"], 2);
    assert!(stderr.contains("cannot be used with"), "{stderr}");
}

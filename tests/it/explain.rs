//! `gpubench explain` as a process.

use crate::common::process::{outcome, refused};
use gpubench::report::figure_groups;
use tempfile::TempDir;

#[test]
fn a_figure_is_explained_by_any_of_its_names() {
    let folder = TempDir::new().unwrap();
    for name in [&["images/s"][..], &["IMAGES_PER_S"], &["images", "per", "s"]] {
        let (stdout, stderr) = outcome(folder.path(), &[&["explain"], name].concat(), 0);
        assert!(stdout.starts_with("images/s\n\n") && stderr.is_empty(), "{stdout}{stderr}");
        for part in ["\nwhat ", "\nmeasured ", "\ngood ", "Training images processed"] {
            assert!(stdout.contains(part), "{part:?} is not in: {stdout}");
        }
    }
}

#[test]
fn without_a_name_every_figure_is_listed() {
    let folder = TempDir::new().unwrap();
    let (stdout, _) = outcome(folder.path(), &["explain"], 0);
    for group in figure_groups() {
        assert!(stdout.contains(&format!("{}\n\n", group.title)), "{}", group.title);
        for figure in &group.figures {
            assert!(stdout.contains(&format!("\n{}", figure.name)), "{}", figure.name);
        }
    }
    assert!(stdout.lines().all(|line| line.chars().count() <= 100), "{stdout}");
}

#[test]
fn an_unknown_figure_is_refused_with_the_nearest_names() {
    refused(&["explain", "verdikt"], 2, &["there is no figure \"verdikt\"", "the nearest are verdict"]);
    refused(&["explain", "xyzzy"], 2, &["there is no figure \"xyzzy\"; `gpubench explain` lists all"]);
    refused(&["explain", "\u{1b}[31m"], 2, &["there is no figure"]);
}

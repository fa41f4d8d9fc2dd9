//! `gpubench table` as a process, and the tables in the project's own pages.

use crate::common::process::{PROGRAM, outcome, outcome_of, results_folder};
use crate::common::{ROOT, sample, stored_result};
use gpubench::result::SCHEMA_VERSION;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A folder with one good result, and others as they come.
fn folder_with(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("results")).unwrap();
    fs::write(folder.path().join("results/good.json"), sample::gpu_run(1).to_json().unwrap()).unwrap();
    for (name, content) in files {
        fs::write(folder.path().join("results").join(name), content).unwrap();
    }
    folder
}

#[test]
fn one_bad_file_hides_no_good_one() {
    let good = sample::gpu_run(1).to_json().unwrap();
    let version = format!("\"schema_version\": {SCHEMA_VERSION}");
    let newer = good.replacen(&version, "\"schema_version\": 99", 1);
    let mut old: serde_json::Value = serde_json::from_str(&good).unwrap();
    old["schema_version"] = 1.into();
    old.as_object_mut().unwrap().remove("plan");
    let cases = [
        (newer.as_str(), "schema version 99, this program reads versions up to", "use a newer gpubench"),
        (&good[..good.len() / 2], "this gpubench result is damaged", "EOF"),
        ("nothing like it", "this is not JSON", "line 1"),
        ("\u{feff}{}", "not a gpubench result", "missing field"),
        ("{\"name\": \"package\"}", "not a gpubench result", "missing field"),
        ("[1, 2]", "not a gpubench result", "give a JSON file"),
        ("{\"schema\": \"gpubench.peaks\", \"schema_version\": 1}", "\"gpubench.peaks\"", "give a result file"),
        ("", "it is empty", "first stage"),
        (&old.to_string(), "damaged or incomplete", "missing field `plan`"),
    ];
    for (content, says, more) in cases {
        let folder = folder_with(&[("bad.json", content)]);
        let (stdout, stderr) = outcome(folder.path(), &["table", "results"], 3);
        assert!(stdout.contains("Imaginary GPU 9000") && stdout.contains("Tesla K80"), "{stdout}");
        let line = stderr.lines().find(|line| line.starts_with("not read: results/bad.json: ")).unwrap();
        assert!(line.contains(says) && line.contains(more), "{line}");
        assert!(stderr.contains("error: the tables lack 1 of what was named"), "{stderr}");
    }
}

#[test]
fn a_file_that_is_not_text_is_named() {
    let folder = folder_with(&[]);
    fs::write(folder.path().join("results/bytes.json"), b"\xff\xfe\x00").unwrap();
    let (stdout, stderr) = outcome(folder.path(), &["table", "results"], 3);
    assert!(stdout.contains("Imaginary GPU 9000") && stderr.contains("bytes.json: it cannot be read"), "{stderr}");
}

#[test]
fn places_without_results_are_named_and_the_others_shown() {
    let folder = folder_with(&[]);
    let path = folder.path();
    fs::create_dir_all(path.join("empty/inner")).unwrap();
    fs::create_dir(path.join("other")).unwrap();
    fs::write(path.join("other/README.md"), "# No result").unwrap();
    for (place, says) in [
        ("empty", "empty holds no JSON file"),
        ("other", "other holds no JSON file"),
        ("nowhere", "nowhere cannot be read"),
        ("nowhere/a.json", "nowhere/a.json cannot be read"),
    ] {
        let (stdout, stderr) = outcome(path, &["table", place, "results"], 3);
        assert!(stdout.contains("Imaginary GPU 9000"), "{stdout}");
        assert!(stderr.contains(&format!("not read: {says}")), "{stderr}");
    }
    // Nobody named the folder that is taken otherwise.
    let (stdout, stderr) = outcome(&path.join("empty"), &["table"], 0);
    assert!(stdout.contains("Tesla K80") && !stdout.contains("Imaginary"), "{stdout}");
    assert!(stderr.contains("gpubench/results cannot be read") && stderr.contains("published rows alone"), "{stderr}");
}

#[test]
fn the_users_results_and_those_of_a_checkout_are_shown_unless_others_are_named() {
    let folder = folder_with(&[]);
    let (path, own) = (folder.path(), results_folder(folder.path()));
    fs::create_dir_all(&own).unwrap();
    let mut mine = sample::gpu_run(1);
    mine.environment.adapter.name = "My GPU 1".to_owned();
    fs::write(own.join("mine.json"), mine.to_json().unwrap()).unwrap();
    let shows = |arguments: &[&str], [user, checkout]: [bool; 2]| {
        let (stdout, _) = outcome(&path.join("below"), arguments, 0);
        assert_eq!([stdout.contains("My GPU 1"), stdout.contains("Imaginary GPU 9000")], [user, checkout], "{stdout}");
    };
    fs::create_dir(path.join("below")).unwrap();
    // The folder that `outcome` is given is where it looks for the user's data too.
    fs::rename(path.join("data"), path.join("below/data")).unwrap();
    shows(&["table"], [true, false]);
    fs::write(path.join("Cargo.toml"), "[package]\nname = \"other\"\n").unwrap();
    shows(&["table"], [true, false]);
    fs::write(path.join("Cargo.toml"), "[package]\nname = \"gpubench\"\n").unwrap();
    shows(&["table"], [true, true]);
    shows(&["table", "../results"], [false, true]);
}

#[test]
fn an_older_result_is_shown_and_what_it_lacks_is_told() {
    let folder = TempDir::new().unwrap();
    let old = stored_result();
    let name = old.file_name().unwrap().to_str().unwrap();
    let (stdout, stderr) = outcome(folder.path(), &["table", old.to_str().unwrap(), "--format", "csv"], 0);
    assert!(stdout.contains("375.302187197") && stdout.contains(name), "{stdout}");
    for words in ["schema version 1", "account", "peaks", "repeats.commands", "sweep", "tuning"] {
        assert!(stderr.contains(words), "{words:?} is not in: {stderr}");
    }
}

#[test]
fn a_run_that_is_given_twice_counts_once() {
    let folder = folder_with(&[("copy.json", &sample::gpu_run(1).to_json().unwrap())]);
    let (stdout, stderr) = outcome(folder.path(), &["table", "results", "results/good.json", "--format", "csv"], 0);
    assert!(stdout.contains(",copy.json,") && !stdout.contains("good.json"), "{stdout}");
    assert_eq!(stderr.matches("and 1 more: the same run as copy.json, counts once").count(), 1, "{stderr}");
}

#[test]
fn formats_and_frames_are_chosen_and_unknown_ones_refused() {
    let mut short = sample::gpu_run(1);
    short.standard = false;
    short.non_standard = vec!["3 epochs instead of 10".to_owned()];
    let folder = folder_with(&[("short.json", &short.to_json().unwrap())]);
    let (stdout, stderr) =
        outcome(folder.path(), &["table", "results", "--frame", "by-gpu", "--format", "markdown"], 0);
    assert!(stdout.starts_with("| device |") && stdout.contains("GRID K520") && !stdout.contains("mxnet"), "{stdout}");
    assert_eq!(stderr, "left out: short.json: non-standard: 3 epochs instead of 10\n");
    let (stdout, stderr) = outcome(folder.path(), &["table", "results"], 0);
    assert!(
        stdout.contains("short.json") && stdout.contains("3 epochs instead of 10") && stderr.is_empty(),
        "{stderr}"
    );
    let (stdout, _) = outcome(folder.path(), &["table", "results", "--frame", "left-out"], 0);
    assert!(stdout.contains("short.json") && !stdout.contains("Tesla"), "{stdout}");
    let (stdout, _) = outcome(folder.path(), &["table", "results", "--format", "csv"], 0);
    let lines: Vec<BTreeMap<String, String>> =
        csv::Reader::from_reader(stdout.as_bytes()).deserialize().map(|line| line.unwrap()).collect();
    assert_eq!(lines.len(), (11 + 3 + 3 + 9) + 4 + 1, "our row stands in all four tables");
    for (arguments, says) in [
        (
            ["table", "results", "--frame", "by-colour"],
            "there is no table \"by-colour\"; choose one of all, by-tool, by-gpu",
        ),
        (["table", "results", "--format", "html"], "invalid value 'html'"),
    ] {
        let (stdout, stderr) = outcome(folder.path(), &arguments, 2);
        assert!(stdout.is_empty() && stderr.contains(says), "{stderr}");
    }
    let (_, stderr) = outcome(folder.path(), &["table", "results", "--frame", "by-gpu", "--update", "README.md"], 2);
    assert!(stderr.contains("cannot be used with"), "{stderr}");
}

const PAGE: &str = "# Mine\n\n<!-- gpubench table: frame=by-tool -->\n<!-- end of gpubench table -->\n\nMore.\n";

#[test]
fn pages_are_updated_checked_and_only_touched_between_the_markers() {
    let folder = folder_with(&[]);
    let path = folder.path();
    let read = |name: &str| fs::read_to_string(path.join(name)).unwrap();
    fs::write(path.join("a.md"), PAGE).unwrap();
    fs::write(path.join("b.md"), PAGE.replace("by-tool", "gpu-against-cpu")).unwrap();
    let (_, stderr) = outcome(path, &["table", "results", "--check", "a.md", "b.md"], 9);
    assert!(stderr.contains("error: a.md: the table of line 3 (by-tool)"), "{stderr}");
    assert!(stderr.contains("`gpubench table results --update a.md` writes it"), "{stderr}");
    assert_eq!(read("a.md"), PAGE, "checking changes nothing");
    let (stdout, stderr) = outcome(path, &["table", "results", "--update", "a.md", "b.md"], 0);
    assert!(stdout.is_empty() && stderr == "updated: a.md\nupdated: b.md\n", "{stderr}");
    let page = read("a.md");
    assert!(page.starts_with("# Mine\n\n<!-- gpubench table: frame=by-tool -->\n\n| device |"), "{page}");
    assert!(page.ends_with("markdown`.\n\n<!-- end of gpubench table -->\n\nMore.\n"), "{page}");
    let (printed, _) = outcome(path, &["table", "results", "--frame", "by-tool", "--format", "markdown"], 0);
    assert!(
        page.contains(&printed) && page.contains("Made by `gpubench table results --frame by-tool --format markdown`.")
    );
    assert!(read("b.md").contains("CPU 32 cores") && page.contains("Imaginary GPU 9000"));
    outcome(path, &["table", "results", "--check", "a.md", "b.md"], 0);
    let (_, stderr) = outcome(path, &["table", "results", "--update", "a.md"], 0);
    assert_eq!(stderr, "unchanged: a.md\n");
    // A changed figure, or a new result, is a difference.
    fs::write(path.join("a.md"), page.replace("| 12.3 |", "| 12.2 |")).unwrap();
    outcome(path, &["table", "results", "--check", "a.md"], 9);
    outcome(path, &["table", "results/good.json", "--update", "a.md"], 0);
    assert!(read("a.md").contains("`gpubench table results/good.json --frame by-tool"), "{}", read("a.md"));
    assert_eq!(fs::read_dir(path).unwrap().count(), 3, "no temporary file is left");
}

#[test]
fn wrong_pages_are_refused_and_none_is_touched() {
    let folder = folder_with(&[]);
    let path = folder.path();
    fs::write(path.join("good.md"), PAGE).unwrap();
    let cases = [
        (PAGE.replace("<!-- end of gpubench table -->", ""), "bad.md: the table of line 3 does not end"),
        (
            PAGE.replace("by-tool", "by-colour"),
            "bad.md: line 3: there is no table \"by-colour\"; choose one of all, by-tool",
        ),
        ("# Nothing here\n".to_owned(), "bad.md: it holds no table"),
    ];
    for (page, says) in &cases {
        fs::write(path.join("bad.md"), page).unwrap();
        for what in ["--update", "--check"] {
            let (_, stderr) = outcome(path, &["table", "results", what, "good.md", "bad.md"], 3);
            assert!(stderr.contains(says), "{stderr}");
        }
        assert_eq!(fs::read_to_string(path.join("bad.md")).unwrap(), *page);
    }
    for (name, says) in [("nowhere.md", "nowhere.md: it cannot be read"), ("results", "results: it cannot be read")] {
        let (_, stderr) = outcome(path, &["table", "results", "--update", "good.md", name], 3);
        assert!(stderr.contains(says), "{stderr}");
    }
    fs::write(path.join("results/bad.json"), "{").unwrap();
    let (stdout, stderr) = outcome(path, &["table", "results", "--update", "good.md"], 3);
    assert!(stdout.is_empty() && stderr.contains("so no page was touched"), "{stderr}");
    assert_eq!(fs::read_to_string(path.join("good.md")).unwrap(), PAGE);
}

/// A process whose files cannot grow stands for a full disk.
#[test]
#[cfg(unix)]
fn a_page_that_cannot_be_written_keeps_what_it_held() {
    let folder = folder_with(&[]);
    fs::write(folder.path().join("a.md"), PAGE).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" table results --update a.md", PROGRAM]);
    let (_, stderr) = outcome_of(command.current_dir(folder.path()), 7);
    assert!(stderr.contains("a.md cannot be written"), "{stderr}");
    assert_eq!(fs::read_to_string(folder.path().join("a.md")).unwrap(), PAGE);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary file is left");
}

#[test]
fn the_projects_pages_hold_the_tables_of_its_results() {
    for page in ["README.md", "results/README.md"] {
        let text = fs::read_to_string(Path::new(ROOT).join(page)).unwrap();
        assert!(text.contains("\n<!-- gpubench table: frame="), "{page} has no table");
    }
    outcome(Path::new(ROOT), &["table", "results", "--check", "README.md", "results/README.md"], 0);
}

//! Peaks are kept in a cache that is not believed blindly, and reported with what is missing.

use crate::common::sample::peaks::{peaks, subject};
use gpubench::cli::cache::{Lookup, file, read, write};
use gpubench::report::peaks_text;
use gpubench::result::{PEAK_FACTS, Peaks, Subject};
use std::fs;
use tempfile::TempDir;

fn ignored_because(folder: &TempDir, subject: &Subject) -> String {
    match read::<Peaks>(folder.path(), subject) {
        Lookup::Rejected(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn kept_peaks_come_back_marked_as_cached() {
    let folder = TempDir::new().unwrap();
    assert_eq!(read::<Peaks>(folder.path(), &subject()), Lookup::Miss);
    let peaks = peaks(subject());
    write(&folder.path().join("a/b"), &peaks).unwrap();
    let Lookup::Hit(back) = read::<Peaks>(&folder.path().join("a/b"), &subject()) else { panic!("not found") };
    assert_eq!(*back, Peaks { cached: true, ..peaks });
    assert_eq!(fs::read_dir(folder.path().join("a/b")).unwrap().count(), 1, "a temporary file is left");
}

#[test]
fn peaks_of_another_subject_are_ignored_with_what_differs() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), &peaks(subject())).unwrap();
    let driver = Subject { driver: "NVIDIA 560.2".into(), ..subject() };
    let why = ignored_because(&folder, &driver);
    assert_eq!(why, "the kept peaks are of another driver (NVIDIA 550.1, now NVIDIA 560.2): measured again");
    let version = Subject { version: "0.2.0".into(), ..subject() };
    assert!(ignored_because(&folder, &version).contains("another version (0.1.0, now 0.2.0)"));
    let shaders = Subject { shader_hash: "cd".repeat(32), ..subject() };
    assert!(ignored_because(&folder, &shaders).contains("another set of shaders"));
    // Another adapter, or the same in another slot or under another backend, has a file of its own.
    for other in [
        Subject { adapter: "GeForce GTX 1070".into(), ..subject() },
        Subject { pci_bus_id: "0000:02:00.0".into(), ..subject() },
        Subject { backend: "dx12".into(), ..subject() },
    ] {
        assert_eq!(read::<Peaks>(folder.path(), &other), Lookup::Miss);
        assert_ne!(file(folder.path(), &other), file(folder.path(), &subject()));
    }
}

#[test]
fn damaged_caches_are_ignored_with_a_reason() {
    let folder = TempDir::new().unwrap();
    let path = file(folder.path(), &subject());
    let good = peaks(subject()).to_json().unwrap();
    assert!(Peaks::from_json(&good).is_ok());
    let cases = [
        (String::new(), "EOF"),
        ("not JSON".to_owned(), "expected"),
        (good[..good.len() / 2].to_owned(), "EOF"),
        (good.replace("gpubench.peaks", "gpubench.result"), "gpubench.result"),
        (good.replace("\"schema_version\": 1", "\"schema_version\": 2"), "of version 2"),
        (good.replace("11340.0", "1e300"), "not plausible"),
        (good.replace("\"median\": 4321.0", "\"median\": 0.0"), "not plausible"),
        (good.replace("\"median\": 4321.0", "\"median\": -5.0"), "not plausible"),
        (good.replace("\"median\": 4321.0", "\"median\": null"), "missing"),
        (good.replace("\"median\": 4321.0", "\"median\": 1e999"), "number out of range"),
        (good.replace("dependent_dispatch", "warp_drive"), "warp_drive"),
    ];
    for (text, says) in cases {
        assert_ne!(text, good, "{says}");
        fs::write(&path, &text).unwrap();
        let why = ignored_because(&folder, &subject());
        assert!(why.contains(says) && why.contains("is damaged") && why.contains("measured again"), "{says}: {why}");
    }
    fs::write(&path, [0xff, 0xff]).unwrap();
    assert!(ignored_because(&folder, &subject()).contains("cannot be read"));
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_to_be_noted() {
    let folder = TempDir::new().unwrap();
    let in_the_way = folder.path().join("file");
    fs::write(&in_the_way, b"in the way").unwrap();
    let error = write(&in_the_way, &peaks(subject())).unwrap_err();
    assert_eq!(error.exit_code(), 7);
    assert_eq!(fs::read(&in_the_way).unwrap(), b"in the way");
}

#[test]
fn the_report_names_what_is_in_and_out_of_cache_and_why_something_is_missing() {
    let peaks = peaks(subject());
    let text = peaks_text(&peaks, true, 100);
    for says in ["256 KiB, in cache", "256 MiB, out of cache", "11,340", "4.32", "us", "a pass costs nothing", "n/a¹"]
    {
        assert!(text.contains(says), "{says:?} is not in:\n{text}");
    }
    for facts in PEAK_FACTS.iter().filter(|facts| peaks.figures.iter().any(|figure| figure.kind == facts.kind)) {
        let words: Vec<&str> = facts.sentence.split_whitespace().collect();
        assert!(text.contains(&words[..3].join(" ")), "{} is not explained", facts.name);
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let plain = peaks_text(&peaks, false, 80);
    assert!(plain.len() < text.len() && !plain.contains("inf") && !plain.contains("NaN"), "{plain}");
    assert!(plain.lines().all(|line| line.chars().count() <= 80), "{plain}");
}

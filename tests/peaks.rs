//! Peaks: measured on every adapter of this machine, proved, and kept in a cache that is not believed blindly.
//!
//! Without an adapter the tests that need one show as ignored, never as passed.

#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod common;

use gpubench::Error;
use gpubench::cli::cache::{Cached, file, keep, read};
use gpubench::cli::peaks::cached_in_or_measured;
use gpubench::gpu::{AdapterInfo, Adapters};
use gpubench::kernels::Kernel;
use gpubench::kernels::peaks::{PEAK_KERNELS, needs_f16};
use gpubench::peaks;
use gpubench::report::peaks_text;
use gpubench::result::{Measured, PEAK_FACTS, Peak, PeakKind, Peaks, Subject};
use libtest_mimic::Failed;
use std::fs;
use std::ops::ControlFlow;
use std::sync::Arc;
use tempfile::TempDir;

fn subject() -> Subject {
    Subject {
        adapter: "GeForce GTX 1080 Ti".into(),
        pci_bus_id: "0000:01:00.0".into(),
        backend: "vulkan".into(),
        driver: "NVIDIA 550.1".into(),
        version: "0.1.0".into(),
        shader_hash: "ab".repeat(32),
    }
}

fn figure(kind: PeakKind, bytes: u64, median: f64) -> Peak {
    let deviation = Measured::Value(median / 100.0);
    Peak { kind, bytes: Measured::Value(bytes), median: median.into(), deviation, samples: vec![median; 7] }
}

fn sample(subject: Subject) -> Peaks {
    Peaks {
        subject,
        measured_utc: "2026-01-02T03:04:05Z".into(),
        cached: false,
        clock: "device figures by the device's timestamps".into(),
        duration_s: 4.5,
        figures: vec![
            figure(PeakKind::Fp32MultiplyAdd, 0, 11_340.0),
            figure(PeakKind::StorageRead, 256 << 10, 1900.0),
            figure(PeakKind::StorageRead, 256 << 20, 420.0),
            figure(PeakKind::DependentDispatch, 0, 4321.0),
            Peak {
                bytes: Measured::missing("memory plays no part"),
                median: Measured::missing("a pass costs nothing"),
                deviation: Measured::missing("a pass costs nothing"),
                ..figure(PeakKind::Pass, 0, 3.0)
            },
        ],
    }
}

fn ignored_because(folder: &TempDir, subject: &Subject) -> String {
    match read::<Peaks>(folder.path(), subject) {
        Cached::Ignored(why) => why,
        other => panic!("{other:?}"),
    }
}

fn kept_peaks_come_back_marked_as_cached() {
    let folder = TempDir::new().unwrap();
    assert_eq!(read::<Peaks>(folder.path(), &subject()), Cached::Nothing);
    let peaks = sample(subject());
    keep(&folder.path().join("a/b"), &peaks).unwrap();
    let Cached::Found(back) = read::<Peaks>(&folder.path().join("a/b"), &subject()) else { panic!("not found") };
    assert_eq!(*back, Peaks { cached: true, ..peaks });
    assert_eq!(fs::read_dir(folder.path().join("a/b")).unwrap().count(), 1, "a temporary file is left");
}

fn peaks_of_another_subject_are_ignored_with_what_differs() {
    let folder = TempDir::new().unwrap();
    keep(folder.path(), &sample(subject())).unwrap();
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
        assert_eq!(read::<Peaks>(folder.path(), &other), Cached::Nothing);
        assert_ne!(file(folder.path(), &other), file(folder.path(), &subject()));
    }
}

fn damaged_caches_are_ignored_with_a_reason() {
    let folder = TempDir::new().unwrap();
    let path = file(folder.path(), &subject());
    let good = sample(subject()).to_json().unwrap();
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
    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(ignored_because(&folder, &subject()).contains("cannot be read"));
}

fn a_folder_that_cannot_be_written_is_an_error_to_be_noted() {
    let folder = TempDir::new().unwrap();
    let in_the_way = folder.path().join("file");
    fs::write(&in_the_way, b"in the way").unwrap();
    let error = keep(&in_the_way, &sample(subject())).unwrap_err();
    assert_eq!(error.exit_code(), 7);
    assert_eq!(fs::read(&in_the_way).unwrap(), b"in the way");
}

fn the_report_names_what_is_in_and_out_of_cache_and_why_something_is_missing() {
    let peaks = sample(subject());
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

type Test = fn(&Adapters, &AdapterInfo) -> Result<(), Failed>;

/// Every figure is there and sane, or tells why it is not; on an adapter that computes rightly only these reasons can be.
fn every_figure_is_sane_or_has_its_reason(adapters: &Adapters, info: &AdapterInfo) -> Result<(), Failed> {
    const REASONS: [&str; 4] =
        ["the machine is too busy", "a pass costs no more", "offers no 16-bit", "were 0, negative"];
    let mut told = 0;
    let mut progress = |_: &str| {
        told += 1;
        ControlFlow::Continue(())
    };
    let peaks = pollster::block_on(peaks::measure(adapters, info, &mut progress))?;
    assert!(told >= 15, "{told}");
    assert_eq!(peaks.implausible(), None);
    for facts in PEAK_FACTS {
        assert!(peaks.figures.iter().any(|figure| figure.kind == facts.kind), "{} is not there", facts.name);
    }
    let measured = peaks.figures.iter().filter(|figure| figure.median.value().is_some()).count();
    for figure in &peaks.figures {
        match figure.median.reason() {
            Some(reason) => assert!(REASONS.iter().any(|known| reason.contains(known)), "{:?}: {reason}", figure.kind),
            None => assert!(figure.samples.len() >= 3 && figure.deviation.value().is_some(), "{figure:?}"),
        }
    }
    assert!(2 * measured > peaks.figures.len(), "only {measured} of {} figures", peaks.figures.len());
    let highest = peaks.highest(PeakKind::Fp32MultiplyAdd).ok_or("no rate of FP32 multiply-adds")?;
    assert!(highest > 5.0, "{highest} GFLOP/s");
    let launch_ns = peaks.launch_ns().ok_or("no cost of a dependent dispatch")?;
    assert!((10.0..1e7).contains(&launch_ns), "{launch_ns} ns");
    let bandwidth = peaks.bandwidth(1 << 20).ok_or("no bandwidth")?;
    assert!((0.05..50_000.0).contains(&bandwidth), "{bandwidth} GB/s");
    assert_eq!(Peaks::from_json(&peaks.to_json()?)?, peaks);
    Ok(())
}

fn every_kernel_does_its_work(adapters: &Adapters, info: &AdapterInfo) -> Result<(), Failed> {
    for kernel in PEAK_KERNELS {
        match pollster::block_on(peaks::check(adapters, info, kernel)) {
            // An adapter without 16-bit numbers cannot compile it.
            Err(Error::Adapter(_)) if needs_f16(kernel) => {}
            outcome => outcome?,
        }
    }
    Ok(())
}

/// Kernels that leave out a part of their work, as a compiler might, or do another.
fn wrong_kernels_are_caught(adapters: &Adapters, info: &AdapterInfo) -> Result<(), Failed> {
    let wrong = [
        ("fp32_multiply_add", "i < LOOPS", "i < LOOPS - 1u"),
        ("fp32_multiply_add", "q = q * a + b;\n        r = r * a + b;\n    }", "r = r * a + b;\n    }"),
        ("fp32_multiply_add", "y[id.x] =", "y[id.x + 1u] ="),
        ("storage_read", "i < loops", "i < 1u"),
        ("storage_read", "odd += x[(at + 3u * LOOP_STEP) & mask];", ""),
        ("storage_write", "y[third] = value + third;", ""),
        ("storage_write", "y[second] = value + second;", "y[second] = value;"),
        ("storage_copy", "y[fourth] = d;", "y[fourth] = c;"),
        ("storage_copy", "y[first] = a;", ""),
        ("workgroup_read", "i < loops", "i < 1u"),
        ("workgroup_read", "odd += tile[(at + STRIDE) % VALUES];", ""),
        ("empty_dependent", "y[0] += 1u", "y[0] = 1u"),
    ];
    for (name, right, other) in wrong {
        let row = PEAK_KERNELS.iter().find(|kernel| kernel.name == name).ok_or(name)?;
        assert!(row.source.contains(right), "{name} no longer says {right:?}");
        let source: &'static str = Box::leak(row.source.replace(right, other).into_boxed_str());
        let kernel: &'static Kernel = Box::leak(Box::new(Kernel { source, ..kernel_like(row) }));
        match pollster::block_on(peaks::check(adapters, info, kernel)) {
            Err(Error::Check(words)) => assert!(words.contains("computes otherwise"), "{words}"),
            outcome => return Err(format!("{name} with {other:?} in place of {right:?}: {outcome:?}").into()),
        }
    }
    Ok(())
}

fn kernel_like(row: &Kernel) -> Kernel {
    let Kernel { name, source, shared, bindings, constants, tile } = *row;
    Kernel { name, source, shared, bindings, constants, tile }
}

fn whoever_watches_can_stop_it(adapters: &Adapters, info: &AdapterInfo) -> Result<(), Failed> {
    let mut progress = |what: &str| match what.starts_with("storage") {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let outcome = pollster::block_on(peaks::measure(adapters, info, &mut progress));
    assert_eq!(outcome.err(), Some(Error::Interrupted));
    Ok(())
}

fn what_the_cache_holds_is_not_measured_again(adapters: &Adapters, info: &AdapterInfo) -> Result<(), Failed> {
    let folder = TempDir::new()?;
    let kept = sample(peaks::subject(info));
    keep(folder.path(), &kept)?;
    let peaks = cached_in_or_measured(Some(folder.path()), adapters, info)?;
    assert_eq!(peaks, Peaks { cached: true, ..kept });
    Ok(())
}

/// Tests that need no adapter.
const WITHOUT: [(&str, fn()); 5] = [
    ("kept_peaks_come_back_marked_as_cached", kept_peaks_come_back_marked_as_cached),
    ("peaks_of_another_subject_are_ignored_with_what_differs", peaks_of_another_subject_are_ignored_with_what_differs),
    ("damaged_caches_are_ignored_with_a_reason", damaged_caches_are_ignored_with_a_reason),
    (
        "a_folder_that_cannot_be_written_is_an_error_to_be_noted",
        a_folder_that_cannot_be_written_is_an_error_to_be_noted,
    ),
    (
        "the_report_names_what_is_in_and_out_of_cache_and_why_something_is_missing",
        the_report_names_what_is_in_and_out_of_cache_and_why_something_is_missing,
    ),
];

/// Tests that need an adapter.
const WITH: [(&str, Test); 5] = [
    ("every_figure_is_sane_or_has_its_reason", every_figure_is_sane_or_has_its_reason),
    ("every_kernel_does_its_work", every_kernel_does_its_work),
    ("wrong_kernels_are_caught", wrong_kernels_are_caught),
    ("whoever_watches_can_stop_it", whoever_watches_can_stop_it),
    ("what_the_cache_holds_is_not_measured_again", what_the_cache_holds_is_not_measured_again),
];

fn main() {
    let adapters = Arc::new(common::adapters());
    let call = |test: Test, adapters: &Adapters, index: usize| test(adapters, &adapters.infos()[index]);
    let mut trials = common::trials(&WITHOUT, &[]);
    trials.extend(common::trials_with_each(&adapters, &WITH, call));
    common::run_one_by_one(trials);
}

//! Everything that reads what others wrote, as functions of bytes that must not panic whatever the bytes are.
//!
//! `cargo +nightly fuzz run NAME` searches for bytes that break one of them; `tests/inputs_fuzz.rs` runs each on some
//! thousands of mutated inputs, the same ones every time.

use gpubench::bench::Split;
use gpubench::bench::probe::Probe;
use gpubench::cli::{input, markdown_regions, result_files};
use gpubench::data::format::Format;
use gpubench::data::idx::{self, FILES};
use gpubench::data::{gzip, sets::SETS};
use gpubench::gpu::{AdapterInfo, Timestamps, adapter};
use gpubench::kernels::plan_named;
use gpubench::model::Model;
use gpubench::report::{self, LoadedResult, TableView, Tables};
use gpubench::result::{Peaks, RunResult, Timeline, Tuning};
use gpubench::telemetry::MachineProbe;
use gpubench::telemetry::sensor::Absent;
use gpubench::weights;

/// What is given bytes, and tells whether it took them for what it reads.
pub type Target = fn(&[u8]) -> bool;

/// All targets by their names, which are those of the programs in `fuzz_targets`.
pub const TARGETS: [(&str, Target); 12] = [
    ("idx", idx),
    ("idx_gzip", idx_gzip),
    ("text", text),
    ("result_json", result_json),
    ("tuning_json", tuning_json),
    ("published_csv", published_csv),
    ("weights", weights),
    ("split", split),
    ("plan", plan),
    ("adapter_request", adapter_request),
    ("markdown_markers", markdown_markers),
    ("procfs", procfs),
];

/// Plain IDX files: MNIST's images and labels, and QMNIST's rows of labels.
pub fn idx(data: &[u8]) -> bool {
    let qmnist = SETS.iter().find(|set| set.name == "QMNIST").map(|set| set.files[1]);
    let mut accepted = false;
    for file in [FILES[0], FILES[1]].into_iter().chain(qmnist) {
        if let Ok((bytes, facts)) = idx::check(&file, "file", data.to_vec()) {
            assert!(facts.items <= bytes.len(), "a file holds what its header promises");
            accepted = true;
        }
    }
    accepted
}

/// IDX files in gzip data, and damaged gzip data.
pub fn idx_gzip(data: &[u8]) -> bool {
    let limit_bytes = 100_000;
    if let Ok(bytes) = gzip::decompress(data, limit_bytes) {
        assert!(bytes.len() <= limit_bytes, "no more than the limit is decompressed");
    }
    let mut wrapped = b"\x1f\x8b".to_vec();
    wrapped.extend_from_slice(data);
    [data, &wrapped].into_iter().any(|raw| idx::check(&FILES[1], "file", raw.to_vec()).is_ok())
}

/// Text in any encoding, and formats that are known by their first bytes.
pub fn text(data: &[u8]) -> bool {
    let _ = Format::of(data).map(|format| (format.name(), format.advice()));
    let Ok(text) = input::decoded(data) else { return false };
    let again = input::decoded(text.as_bytes());
    assert!(text.starts_with('\u{feff}') || text.contains('\0') || again == Ok(text), "UTF-8 is read as it is");
    true
}

/// Results and lists of them, through everything that shows them.
pub fn result_json(data: &[u8]) -> bool {
    let Ok(text) = input::decoded(data) else { return false };
    let Ok(documents) = result_files::documents(&text) else { return false };
    let mut accepted = false;
    for document in documents.into_iter().take(10) {
        let Ok(result) = RunResult::from_json(document) else { continue };
        print(&result);
        let json = result.to_json().expect("what was read can be written");
        let again = RunResult::from_json(&json).expect("what was written can be read");
        assert_eq!(again.to_json().as_ref(), Ok(&json), "what is written is what is read");
        let stored = [LoadedResult { file: "file.json".to_owned(), result }];
        let tables = Tables::of(&stored);
        let parts = TableView::all();
        let _ = (tables.text(&parts, 100), tables.markdown(&parts), tables.csv(&parts));
        let _ = report::tables_html(&tables, &parts);
        accepted = true;
    }
    accepted
}

/// Everything that prints a result, but for the tables of many.
fn print(result: &RunResult) {
    for width in [1, 100] {
        let _ = report::text(result, width);
        let _ = report::card(result, Some("file.json"), width);
    }
    let _ = (report::markdown(result), report::html(result), report::html_fragment(result));
    let _ = report::devices_text(std::slice::from_ref(result), 80);
    let comparison = report::compare(result, result);
    let _ = (comparison.text(80), comparison.markdown());
    let comparisons = [comparison];
    let _ = (report::comparisons_json(&comparisons), report::comparisons_html(&comparisons));
    let _ = report::action_benchmark(&[result]);
    let _ = report::chrome_trace(&Timeline::default(), result);
    let _ = (result.to_json_line(), gpubench::bench::verify(result));
}

/// What is kept of measured plans and peaks.
pub fn tuning_json(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let tuning = Tuning::from_json(text).map(|tuning| report::tuning_text(&tuning, 80));
    let peaks = Peaks::from_json(text).map(|peaks| report::peaks_text(&peaks, true, 80));
    tuning.is_ok() || peaks.is_ok()
}

/// The table of the published comparison.
pub fn published_csv(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    report::parse_published(text).is_ok()
}

/// Weights in safetensors files.
pub fn weights(data: &[u8]) -> bool {
    let model = Model::new(0.0);
    let read = weights::from_safetensors(&model, data);
    let notes = weights::notes(data);
    let Ok(values) = read else { return false };
    assert!(values.len() == model.parameter_count() && values.iter().all(|value| value.is_finite()));
    assert!(notes.is_ok(), "what was read has notes");
    true
}

/// How a batch is shared, such as `3:1`.
pub fn split(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let Ok(split) = text.parse::<Split>() else { return false };
    assert_eq!(split.to_string().parse(), Ok(split), "a split is read as it is written");
    true
}

/// Names of plans with their parameters.
pub fn plan(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let Ok(choice) = plan_named(text) else { return false };
    let name = choice.to_string();
    assert_eq!(plan_named(&name).map(|choice| choice.to_string()), Ok(name), "a plan is read as it is written");
    true
}

/// Requests for an adapter.
pub fn adapter_request(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let info = |index: usize, name: &str, kind: &str, pci_bus_id: &str| AdapterInfo {
        index,
        name: name.to_owned(),
        vendor: "NVIDIA".to_owned(),
        vendor_id: 0x10de,
        device_id: 1,
        kind: kind.to_owned(),
        software: kind == "cpu",
        backend: "vulkan".to_owned(),
        driver: "driver".to_owned(),
        driver_info: "1.2".to_owned(),
        pci_bus_id: pci_bus_id.to_owned(),
        timestamps: Timestamps::InsidePasses,
        subgroups: true,
    };
    let adapters = [info(0, "Größe 9000", "discrete", "0000:01:00.0"), info(1, "llvmpipe", "cpu", "")];
    adapter::choose(&adapters, Some(text)).is_ok_and(|chosen| !chosen.line().is_empty())
}

/// Markers of tables in Markdown files.
pub fn markdown_markers(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let Ok(found) = markdown_regions::find(text) else { return false };
    let content = |one: &markdown_regions::Region| format!("\n{}\n\n", one.name);
    let new = markdown_regions::replaced(text, &found, content);
    let again = markdown_regions::find(&new).expect("the markers are still there");
    assert_eq!(again.len(), found.len(), "no table comes or goes");
    assert_eq!(markdown_regions::first_difference(&new, &again, content), None, "what was written is there");
    true
}

/// The kernel's counters of processor time.
pub fn procfs(data: &[u8]) -> bool {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    std::fs::create_dir(folder.path().join("self")).expect("a folder can be made in it");
    let counters = |bytes: &[u8]| {
        for file in ["stat", "self/stat", "self/status"] {
            std::fs::write(folder.path().join(file), bytes).expect("a file can be written in it");
        }
    };
    counters(data);
    let probe = MachineProbe::with(Box::new(Absent("no sensor".into())), folder.path());
    let _ = probe.begin();
    probe.resume();
    // Counters grow or go backwards, and cores come and go.
    let mut later = data.to_vec();
    later.iter_mut().filter(|byte| **byte == b'1').for_each(|byte| *byte = b'2');
    later.truncate(if data.last() == Some(&b'\n') { data.len() } else { data.len() / 2 });
    counters(&later);
    probe.pause();
    probe.end().value().is_some_and(|load| load.busiest_cpu_pct.value().is_some())
}

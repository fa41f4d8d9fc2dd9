//! Hosts of one name with and without AVX-512: their rows are apart, and no ratio goes from one to the other.

use crate::common::sample;
use gpubench::report::{LoadedResult, TableView, Tables};
use gpubench::result::{AdapterKind, Measured, OtherTool};
use std::collections::BTreeMap;

/// A training on the cores of a host with so much memory, by this program with a SIMD level or by another tool.
fn on_cores(file: &str, seconds: f64, memory: u64, simd: Option<&str>, tool: Option<&str>) -> LoadedResult {
    let mut result = sample::gpu_run(1);
    let adapter = &mut result.environment.adapter;
    adapter.name = "Imaginary CPU @ 2.00GHz".to_owned();
    (adapter.kind, adapter.backend) = (AdapterKind::Cpu, "cpu".to_owned());
    result.environment.cpu.memory_bytes = Measured::Value(memory);
    result.plan.tuning.extend(simd.map(|level| ("simd".to_owned(), level.to_owned())));
    (result.repeats[0].train_s, result.summary.train_s) = (seconds.into(), seconds.into());
    result.tool = tool.map(|name| OtherTool {
        name: name.to_owned(),
        version: "1.0".to_owned(),
        backend: String::new(),
        agreement: Measured::missing("made up"),
    });
    LoadedResult { file: file.to_owned(), result }
}

/// The rows of the table of CPUs by the names of their files.
fn rows(loaded: &[LoadedResult]) -> BTreeMap<String, BTreeMap<String, String>> {
    let view = TableView::named("gpu-against-cpu").unwrap();
    let csv = Tables::of(loaded).csv(&view).unwrap();
    let lines = csv::Reader::from_reader(csv.as_bytes()).into_deserialize::<BTreeMap<String, String>>();
    lines.map(|line| line.unwrap()).map(|line| (line["source"].clone(), line)).collect()
}

#[test]
fn ratios_stay_on_one_host() {
    let tensorflow = Some("Keras (tensorflow)");
    let all = [
        on_cores("wide.json", 10.0, 1, Some("avx512"), None),
        on_cores("narrow.json", 20.0, 2, Some("avx2"), None),
        // Its file does not tell a level, but that of a host which is described alike does.
        on_cores("tensorflow.json", 200.0, 2, None, tensorflow),
        on_cores("other.json", 300.0, 3, None, tensorflow),
        on_cores("jax.json", 400.0, 2, Some("avx2"), Some("Keras (jax)")),
    ];
    let rows = rows(&all);
    let ratio = |file: &str, key: &str| rows[file][key].parse::<f64>().unwrap();
    for (file, device, best, beside_tensorflow) in [
        ("wide.json", "2 cores, AVX-512", 1.0, 10.0 / 130.0),
        ("narrow.json", "2 cores, AVX2", 1.0, 0.1),
        ("tensorflow.json", "2 cores, AVX2", 10.0, 1.0),
        ("other.json", "2 cores", 1.0, 1.0),
        ("jax.json", "2 cores, AVX2", 20.0, 2.0),
    ] {
        assert_eq!(rows[file]["device"], format!("Imaginary CPU @ 2.00GHz, {device}"));
        assert_eq!(ratio(file, "ratio_to_best"), best, "{file}");
        assert_eq!(ratio(file, "ratio_to_tensorflow"), beside_tensorflow, "{file}");
    }
    // The published rows are divided by the best of theirs.
    assert_eq!(rows["published 2016-17"]["ratio_to_best"], (130.0_f64 / 37.0).to_string());
}

#[test]
fn results_of_two_hosts_share_no_row() {
    let all = [
        on_cores("a.json", 200.0, 1, Some("avx512"), Some("mxnet")),
        on_cores("b.json", 400.0, 2, Some("avx2"), Some("mxnet")),
        on_cores("c.json", 420.0, 2, Some("avx2"), Some("mxnet")),
    ];
    let rows = rows(&all);
    assert_eq!((rows["a.json"]["train_s"].as_str(), rows["b.json, c.json"]["train_s"].as_str()), ("200", "410"));
}

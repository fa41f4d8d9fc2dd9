//! The sources keep to the architecture: a file imports only from those before it, and nothing grows beyond its budget.
//!
//! The table [`ROOMS`] is the architecture. `docs/ARCHITECTURE.md` shows it; `UPDATE=1 cargo test --test it
//! architecture` writes it there.

mod imports;

use imports::{Graph, Source, files_with, root, sources};
use std::fs;
use std::path::Path;

/// A top-level module of the crate: what it holds, and its files from the bottom to the top.
struct Room {
    name: &'static str,
    holds: &'static str,
    /// Files and folders of the room in the order in which they import; `mod` is the room's own file.
    files: &'static [&'static str],
}

macro_rules! rooms {
    ($($name:literal [$($file:literal)*] $holds:literal)*) => {
        [$(Room { name: $name, holds: $holds, files: &[$($file),*] }),*]
    };
}

/// The rooms from the bottom to the top: each uses only those before it.
const ROOMS: &[Room] = &rooms! {
    "error" [] "failures and their exit codes"
    "escape" [] "foreign text in a form that no terminal or page interprets"
    "hash" [] "SHA-256 as text"
    "rng" [] "counter-based random bits, equal to their WGSL twin"
    "model" ["layer" "training" "parameter" "cnn" "mod"] "the CNN as data: shapes, parameter layout, counts"
    "stats" [] "median, deviation, confidence interval, fitted lines"
    "verdict" [] "whether one sample of times is faster than another, slower, the same, or neither can be said"
    "turns" [] "whether two sides that were timed in turns differ, looked at while rounds are added"
    "data" ["dataset" "format" "glyphs" "gzip" "idx" "synthetic" "sets" "mod"] "IDX files and synthetic digits"
    "weights" [] "safetensors files in PyTorch's layout"
    "reference" [
        "elementwise" "vector" "convolution" "dense" "loss" "pooling" "network" "mod"
    ] "one plain f64 function for each kernel: the oracle"
    "kernels" [
        "comments" "unroll" "kernel" "peaks" "plan" "expected" "table" "experimental" "layered" "fused" "fused_f16"
        "fused_image" "choice" "mod"
    ] "kernel rows with their tolerances and expected values, and plans made of them, as data"
    "gpu" [
        "executable" "translate" "vulkan_device" "vulkan_compiler" "adapter" "commands" "failure" "platform"
        "pipeline_cache" "adapters" "device" "buffers" "pipelines" "timestamps" "meter" "transfer" "mod"
    ] "all of wgpu: adapters, devices, pipelines, buffers, timestamps; what drivers' compilers make of kernels"
    "trainer" ["config" "metrics" "mod"] "the state of a training on the device, and the encoding of its steps"
    "result" [
        "digest" "json" "peak_kind" "setting" "subject" "timeline" "measured" "tool" "compiled" "kernel_list" "check"
        "environment" "missing" "load" "parallel" "peaks" "stopping" "sweep" "tuning" "profile" "account" "phases" "settings"
        "training" "summary" "turns" "run_result" "schema" "mod"
    ] "the versioned schema of results"
    "report" [
        "numbers" "layout" "explain" "work" "account" "differences" "devices" "load" "parallel" "peaks" "kernels"
        "profile" "published" "sweep" "tuning" "summary" "answer" "card" "compare" "compare_json" "compare_text" "action" "scaling" "trace" "html" "text" "mod"
    ] "results as text, tables, HTML, traces"
    "check" ["tolerance" "mod"] "the comparison with the reference before any timing"
    "peaks" [
        "access_pattern" "measurement" "fixture" "session" "verify" "measure" "mod"
    ] "measured ceilings of an adapter"
    "bench" [
        "collective" "compiler" "convergence" "describe" "disturbance" "host_timeline" "observer" "prepared_plan" "probe"
        "profile_options" "stopping" "thinning"
        "account" "pacing"
        "validate" "job" "step_time" "search" "training_target" "train" "verify" "profile" "target" "run" "rounds" "mod"
    ] "the protocol; what can train (`target/`), profiles, searches by measurement"
    "cpu" [
        "simd" "dropout" "layout" "dense" "features_forward" "features_backward" "chunk" "update" "trainer" "engine"
        "trace" "check" "target" "member" "mod"
    ] "the network on the host's cores: SIMD kernels, their trainer, check and target"
    "telemetry" [
        "usage" "host" "sensor" "accumulator" "environment" "nvml" "sysfs" "energy" "powercap" "sampler" "probe" "mod"
    ] "NVML, sysfs, powercap, procfs, and the sampler that reads them"
    "distributed" ["wire" "watch" "group" "mod"] "ranks that an MPI launcher started, if built with the feature `mpi`"
    "cli" [
        "input" "markdown_regions" "nearest" "site" "stopping" "system" "terminal" "doctor" "explain" "format" "manual" "interrupt" "panics"
        "process"
        "compiler" "locate"
        "no_gpu" "output" "dataset" "flags" "kernels" "progress" "result_files" "serve" "cache" "baselines" "gate" "compare"
        "data" "report" "table" "rerun" "verify" "pipeline_cache" "peaks" "run_args" "tune"
        "subject" "cpu" "data_parallel" "session" "frameworks" "fleet" "scaling" "all" "list" "sweep" "target" "distributed"
        "run" "ab" "publish" "mod"
    ] "the terminal program: one file for each verb, with its arguments"
    "web" [
        "classify" "compare" "events" "host" "link" "observer" "request" "shown" "run" "mod"
    ] "what a page can call"
    "lib" [] "the crate's root"
    "main" [] "the terminal program's entry"
    "build" [] "the build script"
};

/// Rooms that depend on a machine which a browser does not have.
const EDGES: [&str; 6] = ["telemetry", "distributed", "cli", "main", "web", "build"];

/// The place of a room among all, and the room.
fn room(name: &str) -> (usize, &'static Room) {
    let found = ROOMS.iter().enumerate().find(|(_, room)| room.name == name);
    found.unwrap_or_else(|| panic!("{name} has no room: give it one"))
}

#[test]
fn a_room_uses_only_rooms_before_it() {
    let graph = Graph::of(sources());
    let mut seen = 0;
    for (module, named) in &graph.edges {
        for other in named.iter().filter(|other| other[0] != module[0]) {
            seen += 1;
            let (from, to) = (room(&module[0]).0, room(&other[0]).0);
            assert!(to < from, "{} may not use {}", module.join("::"), other.join("::"));
        }
    }
    assert!(seen > 200, "only {seen} imports were found: the search is broken");
}

#[test]
fn the_files_of_a_room_use_only_those_before_them() {
    let graph = Graph::of(sources());
    let mut seen = 0;
    for (module, named) in &graph.edges {
        let files = room(&module[0]).1.files;
        let place = |module: &[String]| {
            let entry = Source::entry(module);
            let place = files.iter().position(|file| *file == entry);
            place.unwrap_or_else(|| panic!("{} has no place in its room: give it one", module.join("::")))
        };
        for other in named.iter().filter(|other| other[0] == module[0] && Source::entry(other) != Source::entry(module))
        {
            seen += 1;
            assert!(place(other) < place(module), "{} may not use {}", module.join("::"), other.join("::"));
        }
    }
    assert!(seen > 100, "only {seen} imports were found: the search is broken");
    for room in ROOMS {
        for file in room.files.iter().filter(|file| **file != "mod") {
            let there = |source: &Source| source.room() == room.name && Source::entry(&source.module) == *file;
            assert!(
                graph.sources.iter().any(there),
                "{}::{file} has a place in its room, but does not exist",
                room.name
            );
        }
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let graph = Graph::of(sources());
    // Files that use nothing that is left are taken away until none is left, or only circles are.
    let mut left = graph.edges.clone();
    loop {
        let free: Vec<Vec<String>> = left
            .iter()
            .filter(|(_, named)| named.iter().all(|other| !left.contains_key(other)))
            .map(|(module, _)| module.clone())
            .collect();
        if free.is_empty() {
            break;
        }
        free.iter().for_each(|module| drop(left.remove(module)));
    }
    let Some(mut module) = left.keys().next() else { return };
    let mut way: Vec<&Vec<String>> = Vec::new();
    while !way.contains(&module) {
        way.push(module);
        module = left[module].iter().find(|other| left.contains_key(*other)).unwrap();
    }
    let start = way.iter().position(|one| *one == module).unwrap();
    let names: Vec<String> = way[start..].iter().map(|module| module.join("::")).collect();
    panic!("these files import each other in a circle: {}", names.join(" -> "));
}

#[test]
fn only_the_edges_touch_files_arguments_and_the_terminal() {
    const FORBIDDEN: [&str; 7] =
        ["std::fs", "std::env::", "std::io::stdout", "std::io::stderr", "println!", "std::process", "std::net"];
    for source in sources().iter().filter(|source| !EDGES.contains(&source.room())) {
        for word in FORBIDDEN {
            assert!(!source.code.contains(word), "{} uses {word}", source.path.display());
        }
    }
}

#[test]
fn only_the_gpu_module_and_the_crate_root_know_the_target() {
    for source in sources().iter().filter(|source| source.code.contains("target_arch")) {
        assert!(["gpu", "lib"].contains(&source.room()), "{} asks for the target", source.path.display());
    }
}

#[test]
fn only_the_distributed_module_uses_mpi() {
    for source in sources().iter().filter(|source| source.room() != "distributed") {
        assert!(!source.code.contains("mpi::"), "{} uses mpi", source.path.display());
    }
}

#[test]
fn only_the_gpu_module_uses_wgpu() {
    for source in sources().iter().filter(|source| source.room() != "gpu") {
        assert!(!source.code.contains("wgpu::"), "{} uses wgpu", source.path.display());
    }
}

#[test]
fn files_stay_within_their_budgets() {
    // Whole files, tests included: so many lines of so many characters.
    let budgets = [("src", "rs", 400, 120), ("tests", "rs", 400, 120), ("web", "js", 400, 120)];
    for (folder, extension, lines, width) in budgets {
        let mut paths = Vec::new();
        files_with(extension, &root().join(folder), &mut paths);
        assert!(!paths.is_empty(), "no files in {folder}");
        for path in paths.iter().filter(|path| !path.components().any(|part| part.as_os_str() == "node_modules")) {
            within(path, lines, width);
        }
    }
    let mut shaders = Vec::new();
    files_with("wgsl", &root().join("shaders"), &mut shaders);
    for path in &shaders {
        within(path, 250, 120);
    }
}

/// Expects at most so many lines of at most so many characters, but for lines that a long literal makes longer.
fn within(path: &Path, most_lines: usize, width: usize) {
    let text = fs::read_to_string(path).unwrap();
    let count = text.lines().count();
    assert!(count <= most_lines, "{} has {count} lines: find the missing idea", path.display());
    for (number, line) in text.lines().enumerate() {
        let literal = line.contains(['"', '`']) && path.extension().is_some_and(|extension| extension != "wgsl");
        let long = line.chars().count() > width && !literal;
        assert!(!long, "{}:{} is longer than {width} characters", path.display(), number + 1);
    }
}

const BEGIN: &str = "<!-- rooms: made by `UPDATE=1 cargo test --test it architecture` -->";
const END: &str = "<!-- end of rooms -->";

#[test]
fn the_page_shows_the_rooms_that_are_enforced() {
    let path = root().join("docs/ARCHITECTURE.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the page has the marker where the rooms begin");
    let (_, after) = rest.split_once(END).expect("the page has the marker where the rooms end");
    let mut table = "\n| module | holds | its files, bottom to top |\n|---|---|---|\n".to_owned();
    for room in ROOMS {
        let files: Vec<String> =
            room.files.iter().filter(|file| **file != "mod").map(|file| format!("`{file}`")).collect();
        table += &format!("| `{}` | {} | {} |\n", room.name, room.holds, files.join(" "));
    }
    let wanted = format!("{before}{BEGIN}{table}{END}{after}");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    assert!(text == wanted, "docs/ARCHITECTURE.md shows other rooms: UPDATE=1 cargo test --test it architecture");
}

//! The sources keep to the architecture: a file imports only from those before it, and nothing grows beyond its budget.
//!
//! The table [`ROOMS`] is the architecture. `docs/ARCHITECTURE.md` shows it; `UPDATE=1 cargo test --test it architecture`
//! writes it there.

#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

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
    "hash" [] "SHA-256 as text"
    "rng" [] "counter-based random bits, equal to their WGSL twin"
    "model" ["layer" "parameter" "training" "cnn" "mod"] "the CNN as data: shapes, parameter layout, counts"
    "stats" [] "median, deviation, bootstrap, fitted lines"
    "data" ["dataset" "idx" "glyphs" "synthetic" "mod"] "IDX files and synthetic digits"
    "weights" [] "safetensors files in PyTorch's layout"
    "reference" ["vector" "elementwise" "convolution" "pooling" "dense" "loss" "network" "mod"] "one plain f64 function for each kernel: the oracle"
    "kernels" ["kernel" "plan" "expected" "table" "peaks" "layered" "fused" "choice" "mod"] "kernel rows with their tolerances and expected values, and plans made of them, as data"
    "gpu" [
        "platform" "failure" "commands" "adapter" "pipeline_cache" "adapters" "device" "buffers" "pipelines" "timestamps"
        "meter" "transfer" "mod"
    ] "all of wgpu: adapters, devices, pipelines, buffers, timestamps"
    "trainer" ["metrics" "config" "mod"] "the state of a training on the device, and the encoding of its steps"
    "result" [
        "json" "measured" "missing" "check" "environment" "load" "timeline" "sweep" "parallel" "setting" "stopping" "settings"
        "phases" "profile" "account" "peak_kind" "subject" "peaks" "tuning" "training" "summary" "run_result" "mod"
    ] "the versioned schema of results"
    "report" ["numbers" "mod"] "results as text, tables, HTML, traces"
    "check" ["tolerance" "mod"] "the comparison with the reference before any timing"
    "peaks" ["access_pattern" "measurement" "fixture" "verify" "session" "measure" "mod"] "measured ceilings of an adapter"
    "bench" [
        "host_timeline" "observer" "pacing" "probe" "profile_options" "prepared_plan" "describe" "stopping" "validate" "job"
        "training_target" "train" "step_time" "account" "profile" "target" "search" "run" "rounds" "mod"
    ] "the protocol; what can train (`target/`), profiles, searches by measurement"
    "cpu" [
        "simd" "layout" "dropout" "dense" "features_forward" "features_backward" "chunk" "update" "trainer" "trace" "check"
        "engine" "target" "mod"
    ] "the network on the host's cores: SIMD kernels, their trainer, check and target"
    "telemetry" [
        "sensor" "sysfs" "powercap" "nvml" "accumulator" "energy" "host" "sampler" "environment" "probe" "mod"
    ] "NVML, sysfs, powercap, procfs, and the sampler that reads them"
    "cli" [
        "terminal" "output" "markdown_regions" "result_files" "stopping" "dataset" "cache" "data" "flags" "progress"
        "pipeline_cache" "compare" "serve" "table" "report" "run_args" "peaks" "tune" "subject" "cpu" "data_parallel" "session"
        "all" "list" "sweep" "target" "run" "mod"
    ] "the terminal program: one file for each verb, with its arguments"
    "web" ["classify" "host" "observer" "request" "mod"] "what a page can call"
    "lib" [] "the crate's root"
    "main" [] "the terminal program's entry"
    "build" [] "the build script"
};

/// Rooms that depend on a machine which a browser does not have.
const EDGES: [&str; 5] = ["telemetry", "cli", "main", "web", "build"];

/// A source file of the crate.
struct Source {
    path: PathBuf,
    /// Its module, such as `["gpu", "device"]`; a folder's `mod.rs` is the folder.
    module: Vec<String>,
    /// Its text without its tests and comments.
    code: String,
}

impl Source {
    fn room(&self) -> &str {
        &self.module[0]
    }

    fn is_folder(&self) -> bool {
        self.path.ends_with("mod.rs")
    }

    /// What its folder's order calls it: its first name below the room, `mod` for the room itself.
    fn entry(module: &[String]) -> &str {
        module.get(1).map_or("mod", String::as_str)
    }
}

fn files_with(extension: &str, folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_with(extension, &path, found);
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut paths = Vec::new();
    files_with("rs", &src, &mut paths);
    paths.sort();
    let source = |path: PathBuf| {
        let relative = path.strip_prefix(&src).unwrap().with_extension("");
        let mut module: Vec<String> = relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        if module.len() > 1 && module.last().unwrap() == "mod" {
            module.pop();
        }
        let text = fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        Source { path, module, code: code.join("\n") }
    };
    paths.into_iter().map(source).collect()
}

/// The paths of a `use` tree, each without braces: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn leaves(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((head, rest)) = tree.split_once('{') else {
        return vec![tree.split(" as ").next().unwrap().trim().to_owned()];
    };
    let inner = rest.rsplit_once('}').unwrap().0;
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, character) in inner.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    let parts = parts.into_iter().filter(|part| !part.trim().is_empty());
    parts.flat_map(leaves).map(|leaf| format!("{}{leaf}", head.trim())).collect()
}

/// The characters of a path, a `use` tree included.
fn path_at(text: &str) -> &str {
    let mut depth = 0;
    let end = text.char_indices().find(|&(_, character)| match character {
        '{' => {
            depth += 1;
            false
        }
        '}' => {
            depth -= 1;
            depth < 0
        }
        _ if depth > 0 => false,
        ':' | '_' | '*' => false,
        _ => !character.is_alphanumeric(),
    });
    &text[..end.map_or(text.len(), |(at, _)| at)]
}

/// The file graph: which files each file names in its code, items that a folder re-exports traced to the file that has them.
struct Graph {
    sources: Vec<Source>,
    edges: BTreeMap<Vec<String>, BTreeSet<Vec<String>>>,
}

impl Graph {
    fn of(sources: Vec<Source>) -> Self {
        let modules: BTreeSet<Vec<String>> = sources.iter().map(|source| source.module.clone()).collect();
        let exports: BTreeMap<Vec<String>, BTreeMap<String, Vec<String>>> =
            sources.iter().filter(|source| source.is_folder()).map(|one| (one.module.clone(), exports(one))).collect();
        let mut edges = BTreeMap::new();
        for source in &sources {
            let named = paths_in(source, &modules).into_iter().filter_map(|path| resolve(&path, &modules, &exports));
            let named: BTreeSet<Vec<String>> = named.filter(|module| *module != source.module).collect();
            edges.insert(source.module.clone(), named);
        }
        Self { sources, edges }
    }
}

/// What a folder's file re-exports: the name, and the path it stands for.
fn exports(source: &Source) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for statement in source.code.split(';').filter_map(|statement| statement.split_once("pub").map(|(_, rest)| rest)) {
        let Some((_, tree)) = statement.split_once("use ") else { continue };
        let tree: String = tree.split_whitespace().collect::<Vec<_>>().join(" ");
        for leaf in leaves(&tree) {
            let parts: Vec<String> = leaf.trim_start_matches("self::").split("::").map(str::to_owned).collect();
            let path = if parts[0] == "crate" { parts[1..].to_vec() } else { [&source.module[..], &parts].concat() };
            found.insert(parts.last().unwrap().clone(), path);
        }
    }
    found
}

/// The absolute paths that a file's code names, re-exports left out.
fn paths_in(source: &Source, modules: &BTreeSet<Vec<String>>) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let code: String =
        source.code.split(';').filter(|statement| !is_declaration(statement)).collect::<Vec<_>>().join(";");
    let own: &[String] = &source.module;
    let mut add = |base: &[String], rest: &str| {
        for leaf in leaves(path_at(rest)) {
            let parts = leaf.split("::").filter(|part| !part.is_empty()).map(str::to_owned);
            found.push(base.iter().cloned().chain(parts).collect());
        }
    };
    // `pub(in crate::...)` says who may see, not what is used.
    for (at, _) in code.match_indices("crate::").filter(|(at, _)| !code[..*at].ends_with("in ")) {
        add(&[], &code[at + 7..]);
    }
    for (at, _) in code.match_indices("super::") {
        if !code[..at].ends_with("super::") {
            let mut rest = &code[at..];
            let mut base = own;
            while let Some(after) = rest.strip_prefix("super::") {
                base = &base[..base.len() - 1];
                rest = after;
            }
            add(base, rest);
        }
    }
    // A folder's file names what lies in it without a prefix.
    for child in
        modules.iter().filter(|module| source.is_folder() && module.len() == own.len() + 1 && module.starts_with(own))
    {
        let name = format!("{}::", child.last().unwrap());
        for (at, _) in code.match_indices(&name) {
            if !code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':') {
                add(own, &code[at..]);
            }
        }
    }
    found
}

/// Whether a statement is a `mod` or a `pub use`, which depend on nothing.
fn is_declaration(statement: &str) -> bool {
    let last = statement.trim_start().lines().filter(|line| !line.starts_with("#[")).collect::<Vec<_>>().join(" ");
    let last = last.trim_start();
    (last.starts_with("pub") && last.split("use ").count() > 1 && !last.contains("fn "))
        || last.trim_start_matches("pub").trim_start().starts_with("mod ")
}

/// The file that holds what `path` names.
fn resolve(
    path: &[String],
    modules: &BTreeSet<Vec<String>>,
    exports: &BTreeMap<Vec<String>, BTreeMap<String, Vec<String>>>,
) -> Option<Vec<String>> {
    let known = (1..=path.len()).rev().map(|length| &path[..length]).find(|prefix| modules.contains(*prefix))?;
    let exported = path.get(known.len()).and_then(|name| exports.get(known)?.get(name));
    match exported {
        Some(target) if target.as_slice() != path => resolve(target, modules, exports),
        _ => Some(known.to_vec()),
    }
}

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
fn a_use_tree_is_read_whole() {
    assert_eq!(leaves("a::{b, c::{d as e, f}}"), ["a::b", "a::c::d", "a::c::f"]);
    assert_eq!(path_at("gpu::{Gpu, device::{A}}; x"), "gpu::{Gpu, device::{A}}");
    assert_eq!(path_at("check::compare(a)"), "check::compare");
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
fn only_the_gpu_module_uses_wgpu() {
    for source in sources().iter().filter(|source| source.room() != "gpu") {
        assert!(!source.code.contains("wgpu::"), "{} uses wgpu", source.path.display());
    }
}

#[test]
fn files_stay_within_their_budgets() {
    // Whole files, tests included: so many lines of so many characters.
    let budgets = [("src", "rs", 400, 120), ("tests", "rs", 400, 120), ("web", "js", 400, 140)];
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
        let literal = line.contains('"') && path.extension().is_some_and(|extension| extension == "rs");
        let long = line.chars().count() > width && !literal && !line.trim_start().starts_with("//");
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

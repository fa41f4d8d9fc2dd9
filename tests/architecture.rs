//! The sources keep to the architecture: a module imports only from those before it, and nothing grows beyond its budget.

#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

/// The modules from the bottom to the top; those of one row may use each other.
const ROWS: [&[&str]; 11] = [
    &["error", "hash"],
    &["model", "rng", "stats"],
    &["data", "reference", "weights", "kernels"],
    &["gpu"],
    &["trainer"],
    &["cpu"],
    &["result", "report"],
    &["bench"],
    &["host"],
    &["cli"],
    &["main", "web", "lib", "build"],
];

/// Modules whose files would make the library depend on a machine it does not have in a browser.
const EDGES: [&str; 4] = ["cli", "main", "web", "build"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source file: the module of the crate it belongs to, its path, its text without its tests.
fn modules() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    let module = |path: PathBuf| {
        let inner = path.strip_prefix(&root).unwrap().iter().next().unwrap().to_str().unwrap();
        let name = inner.trim_end_matches(".rs").to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned();
        (name, path, code)
    };
    paths.into_iter().map(module).collect()
}

fn row(module: &str) -> usize {
    ROWS.iter().position(|row| row.contains(&module)).unwrap_or_else(|| panic!("{module} has no row: give it one"))
}

/// The top-level modules that a text names as `crate::name`, alone or in braces.
fn imports(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for rest in line.split("crate::").skip(1) {
            let list = rest.strip_prefix('{').map_or(rest, |list| list.split('}').next().unwrap_or(list));
            let parts = if rest.starts_with('{') { list.split(',').collect() } else { vec![list] };
            for part in parts {
                let name: String = part.trim().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                if name.chars().next().is_some_and(|first| first.is_ascii_lowercase()) {
                    names.push(name);
                }
            }
        }
    }
    names
}

#[test]
fn a_module_imports_only_from_those_before_it() {
    let mut seen = 0;
    for (module, path, code) in modules() {
        for import in imports(&code) {
            seen += 1;
            assert!(row(&import) <= row(&module), "{} may not use crate::{import}", path.display());
        }
    }
    assert!(seen > 50, "only {seen} imports were found: the search is broken");
}

#[test]
fn only_the_edges_touch_files_arguments_and_the_terminal() {
    const FORBIDDEN: [&str; 7] =
        ["std::fs", "std::env::", "std::io::stdout", "std::io::stderr", "println!", "std::process", "std::net"];
    for (module, path, code) in modules().into_iter().filter(|(module, _, _)| !EDGES.contains(&module.as_str())) {
        for word in FORBIDDEN {
            assert!(!code.contains(word), "{} ({module}) uses {word}", path.display());
        }
    }
}

#[test]
fn only_the_gpu_module_and_the_crate_root_know_the_target() {
    for (module, path, code) in modules() {
        if code.contains("target_arch") {
            assert!(["gpu", "lib"].contains(&module.as_str()), "{} asks for the target", path.display());
        }
    }
}

#[test]
fn only_the_gpu_module_uses_wgpu() {
    for (module, path, code) in modules().into_iter().filter(|(module, _, _)| module != "gpu") {
        assert!(!code.contains("wgpu::"), "{} ({module}) uses wgpu", path.display());
    }
}

#[test]
fn files_and_shaders_stay_within_their_budgets() {
    for (_, path, code) in modules() {
        let lines = code.lines().count();
        assert!(lines <= 450, "{} has {lines} lines: find the missing idea", path.display());
    }
    let shaders = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let folders = ["", "shared", "peaks"].map(|folder| fs::read_dir(shaders.join(folder)).unwrap());
    for entry in folders.into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "wgsl") {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            assert!(lines <= 250, "{} has {lines} lines: find the missing idea", path.display());
        }
    }
}

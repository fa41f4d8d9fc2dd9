//! The file graph of the crate, read from its sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A source file of the crate.
pub struct Source {
    pub path: PathBuf,
    /// Its module, such as `["gpu", "device"]`; a folder's `mod.rs` is the folder.
    pub module: Vec<String>,
    /// Its text without its tests and comments.
    pub code: String,
}

impl Source {
    pub fn room(&self) -> &str {
        &self.module[0]
    }

    pub fn is_folder(&self) -> bool {
        self.path.ends_with("mod.rs")
    }

    /// What its folder's order calls it: its first name below the room, `mod` for the room itself.
    pub fn entry(module: &[String]) -> &str {
        module.get(1).map_or("mod", String::as_str)
    }
}

pub fn files_with(extension: &str, folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_with(extension, &path, found);
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn sources() -> Vec<Source> {
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

/// The file graph: which files each file names in its code, items that a folder re-exports traced to the file that has
/// them.
pub struct Graph {
    pub sources: Vec<Source>,
    pub edges: BTreeMap<Vec<String>, BTreeSet<Vec<String>>>,
}

impl Graph {
    pub fn of(sources: Vec<Source>) -> Self {
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

#[test]
fn a_use_tree_is_read_whole() {
    assert_eq!(leaves("a::{b, c::{d as e, f}}"), ["a::b", "a::c::d", "a::c::f"]);
    assert_eq!(path_at("gpu::{Gpu, device::{A}}; x"), "gpu::{Gpu, device::{A}}");
    assert_eq!(path_at("check::compare(a)"), "check::compare");
}

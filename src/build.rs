//! Tells the program which commit, which compiler and which wgpu it was built from, and readies the WGSL texts that it
//! embeds.

#[allow(dead_code, reason = "the crate uses the rest of the file")]
#[path = "kernels/comments.rs"]
mod comments;

use std::path::Path;
use std::process::Command;
use std::{env, fs, io};

fn main() {
    let page = env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|architecture| architecture == "wasm32");
    embed_shaders(page).unwrap_or_else(|error| panic!("the WGSL texts cannot be readied: {error}"));
    embed_published().unwrap_or_else(|error| panic!("results/published.csv cannot be readied: {error}"));
    if page {
        // The page's profile strips everything, but wasm-bindgen has to know what the module may use.
        println!("cargo::rustc-link-arg-cdylib=--keep-section=target_features");
    }
    // Uncommitted changes are told of as they were at the last change of HEAD or of the index.
    for file in [".git/HEAD", ".git/index", "src", "shaders", "results/published.csv", "Cargo.toml"] {
        if Path::new(file).exists() {
            println!("cargo::rerun-if-changed={file}");
        }
    }
    println!("cargo::rerun-if-changed=Cargo.lock");
    if let Some(version) = locked("wgpu") {
        println!("cargo::rustc-env=GPUBENCH_WGPU={version}");
    }
    if let Some(commit) = output("git", &["describe", "--always", "--abbrev=12"]) {
        // `describe --dirty` rewrites the index of a fresh clone, for which the next build would start over.
        let changes = ["--no-optional-locks", "status", "--porcelain", "--untracked-files=no"];
        let dirty = if output("git", &changes).is_some() { "-dirty" } else { "" };
        println!("cargo::rustc-env=GPUBENCH_GIT={commit}{dirty}");
    }
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    if let Some(version) = output(&rustc, &["--version"]) {
        println!("cargo::rustc-env=GPUBENCH_RUSTC={version}");
    }
}

/// Copies the folders of `shaders/` to where the crate includes them from; for a page without comments, which are a
/// quarter of the texts and would be downloaded by everybody.
fn embed_shaders(page: bool) -> io::Result<()> {
    let out = env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    for folder in ["shaders", "shaders/shared", "shaders/peaks", "shaders/experimental"] {
        let to = Path::new(&out).join(folder);
        fs::create_dir_all(&to)?;
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().filter(|_| path.extension().is_some_and(|extension| extension == "wgsl"));
            let Some(name) = name else { continue };
            let text = fs::read_to_string(&path)?;
            fs::write(to.join(name), if page { comments::without_comments(&text) } else { text })?;
        }
    }
    Ok(())
}

/// Columns of the published rows that hold text.
const TEXTS: [&str; 5] = ["frame", "instance", "device", "tool", "note"];

/// Puts the published rows where the crate includes them from, as JSON: a page reads that anyway, and would have to
/// hold a reader of CSV for this table alone.
fn embed_published() -> Result<(), Box<dyn std::error::Error>> {
    let mut reader = csv::Reader::from_path("results/published.csv")?;
    let header = reader.headers()?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record?;
        let mut row = serde_json::Map::new();
        for (column, text) in header.iter().zip(&record) {
            let value = match text {
                "" if column != "note" => serde_json::Value::Null,
                _ if TEXTS.contains(&column) => text.into(),
                _ => serde_json::from_str(text)?,
            };
            row.insert(column.to_owned(), value);
        }
        rows.push(row);
    }
    let out = env::var_os("OUT_DIR").ok_or("there is no OUT_DIR")?;
    fs::write(Path::new(&out).join("published.json"), serde_json::to_string(&rows)?)?;
    Ok(())
}

/// The version of a dependency in `Cargo.lock`.
fn locked(name: &str) -> Option<String> {
    let lock = fs::read_to_string("Cargo.lock").ok()?;
    let after = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?.1;
    after.split('"').next().map(str::to_owned)
}

/// The first line of what a command prints, if it succeeds.
fn output(command: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(command).args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(str::to_owned).filter(|line| !line.is_empty())
}

//! Tells the program which commit, which compiler and which wgpu it was built from.

use std::process::Command;

fn main() {
    if std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|architecture| architecture == "wasm32") {
        // The page's profile strips everything, but wasm-bindgen has to know what the module may use.
        println!("cargo::rustc-link-arg-cdylib=--keep-section=target_features");
    }
    // Uncommitted changes are told of as they were at the last change of HEAD or of the index.
    for file in [".git/HEAD", ".git/index", "src", "shaders", "Cargo.toml"] {
        if std::path::Path::new(file).exists() {
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
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    if let Some(version) = output(&rustc, &["--version"]) {
        println!("cargo::rustc-env=GPUBENCH_RUSTC={version}");
    }
}

/// The version of a dependency in `Cargo.lock`.
fn locked(name: &str) -> Option<String> {
    let lock = std::fs::read_to_string("Cargo.lock").ok()?;
    let after = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?.1;
    after.split('"').next().map(str::to_owned)
}

/// The first line of what a command prints, if it succeeds.
fn output(command: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(command).args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(str::to_owned).filter(|line| !line.is_empty())
}

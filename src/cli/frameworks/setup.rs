//! `gpubench frameworks setup`: a virtual environment or a program for each, whole or not at all.

use super::catalogue::{BURN, Device, Environment, Framework, Made};
use crate::cli::interrupt::{self, Unfinished};
use crate::cli::process::{self, Answer};
use crate::cli::terminal;
use crate::error::{Error, Result};
use crate::hash;
use etcetera::BaseStrategy;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long an installation may take.
const INSTALL_LIMIT: Duration = Duration::from_secs(3600);
/// The file that an environment which is whole holds: the hash of its requirements.
const MARK: &str = "gpubench-requirements";
/// How the folders begin in which environments are made.
const DRAFT_PREFIX: &str = ".setup-";
/// How often it is looked whether another set-up has ended.
const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(200);
/// How an installer tells that the disk is full.
const DISK_FULL: [&str; 2] = ["No space left on device", "os error 28"];

/// The folder of all environments: `gpubench/frameworks` in the user's data folder.
///
/// # Errors
/// [`Error::Usage`] if the user has no home folder.
pub fn folder() -> Result<PathBuf> {
    etcetera::choose_base_strategy()
        .map(|strategy| strategy.data_dir().join("gpubench").join("frameworks"))
        .map_err(|error| Error::Usage(format!("there is no folder for environments ({error}); set HOME")))
}

/// The interpreter, or the program, of an environment that is set up, with the present requirements.
pub fn interpreter(folder: &Path, environment: &Environment, device: Device) -> Option<PathBuf> {
    let home = folder.join(environment.folder(device));
    let mark = fs::read_to_string(home.join(MARK)).ok()?;
    (mark == wanted(environment, device)).then(|| match environment.made {
        Made::Python(_) => python_in(&home),
        Made::Cargo(_) => program_in(&home),
    })
}

/// The program that cargo built.
fn program_in(home: &Path) -> PathBuf {
    home.join(format!("gpubench-burn{}", std::env::consts::EXE_SUFFIX))
}

fn python_in(home: &Path) -> PathBuf {
    if cfg!(windows) { home.join("Scripts").join("python.exe") } else { home.join("bin").join("python") }
}

/// The hash of what an environment is made of.
fn wanted(environment: &Environment, device: Device) -> String {
    let mut parts = environment.requirements(device).to_vec();
    if let Made::Cargo(features) = environment.made {
        parts.extend(BURN.iter().map(|(_, text)| *text).chain([features]));
    }
    hash::sha256_hex(parts.join("\n").as_bytes())
}

/// Sets up the environment of each framework that lacks it.
///
/// # Errors
/// [`Error::Usage`] for a framework that cannot be had; [`Error::Program`] if an environment cannot be made,
/// [`Error::Output`] if the disk is full, [`Error::Interrupted`] if a signal stopped it. Nothing half-made is left.
pub fn setup(frameworks: &[&Framework], device: Device, python: Option<&Path>) -> Result<()> {
    let folder = folder()?;
    let mut wanted = Vec::new();
    for framework in frameworks {
        match framework.environment(device) {
            Ok(environment) => wanted.push((framework.name, environment)),
            // `all` names it too.
            Err(reason) if frameworks.len() > 1 => {
                terminal::message(&format!("left out: {}: {reason}", framework.name));
            }
            Err(reason) => return Err(Error::Usage(format!("{}: {reason}", framework.name))),
        }
    }
    fs::create_dir_all(&folder).map_err(|error| cannot_write(&folder, &error))?;
    let _lock = alone_in(&folder)?;
    let mut failed = Vec::new();
    for (name, environment) in wanted {
        if interpreter(&folder, environment, device).is_some() {
            terminal::message(&format!("{name}: is set up"));
            continue;
        }
        match make(name, &folder, environment, device, python) {
            // The others may be had all the same.
            Err(Error::Program(reason)) if frameworks.len() > 1 => {
                terminal::message(&format!("{name}: n/a ({reason})"));
                failed.push(name);
            }
            outcome => outcome?,
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Error::Program(format!("not set up: {}", failed.join(", ")))),
    }
}

/// Waits until no other set-up is at work in `folder`, removes what killed ones left, and keeps others out while the
/// file that it gives is open.
fn alone_in(folder: &Path) -> Result<File> {
    let failed = |error: std::io::Error| cannot_write(folder, &error);
    let lock = File::create(folder.join(".lock")).map_err(failed)?;
    let mut waits = false;
    while let Err(TryLockError::WouldBlock) = lock.try_lock() {
        if !waits {
            terminal::message("waiting for another `gpubench frameworks setup` to end");
            waits = true;
        }
        interrupt::expect_none()?;
        std::thread::sleep(LOCK_POLL_INTERVAL);
    }
    for entry in fs::read_dir(folder).map_err(failed)?.flatten() {
        if entry.file_name().to_string_lossy().starts_with(DRAFT_PREFIX) {
            fs::remove_dir_all(entry.path()).map_err(failed)?;
        }
    }
    Ok(lock)
}

fn cannot_write(folder: &Path, error: &std::io::Error) -> Error {
    Error::Output(format!("{} cannot be written ({error}); free space there or set XDG_DATA_HOME", folder.display()))
}

/// How an environment comes to be.
enum Recipe {
    /// By packages for this interpreter.
    Install(PathBuf),
    /// By Cargo, with these features.
    Build(&'static str),
}

impl Recipe {
    /// What is told while it happens.
    fn name(&self) -> &'static str {
        match self {
            Self::Install(_) => "installing",
            Self::Build(_) => "building",
        }
    }
}

/// Makes an environment under another name and renames it when it is whole.
fn make(name: &str, folder: &Path, environment: &Environment, device: Device, python: Option<&Path>) -> Result<()> {
    let failed = |error: std::io::Error| cannot_write(folder, &error);
    if let Some((program, advice)) = environment.program.filter(|(program, _)| !runs(program)) {
        return Err(Error::Program(format!("{name} needs {program}: {advice}")));
    }
    let recipe = match environment.made {
        Made::Python(range) => Recipe::Install(find_python(name, range, python)?),
        Made::Cargo(features) => Recipe::Build(features),
    };
    let (requirements, size_mb) = (environment.requirements(device), environment.size_mb(device));
    let home = folder.join(environment.folder(device));
    let (doing, place) = (recipe.name(), home.display());
    terminal::message(&format!("{name}: {doing} {} into {place} (about {size_mb} MB)", requirements.join(", ")));
    if let Some(free_mb) = free_mb(folder).filter(|free_mb| *free_mb < size_mb) {
        return Err(Error::Output(format!(
            "{name} needs about {size_mb} MB, and {} has {free_mb} MB free: make room or set XDG_DATA_HOME",
            folder.display()
        )));
    }
    let begun = Instant::now();
    let create = || tempfile::Builder::new().prefix(DRAFT_PREFIX).tempdir_in(folder);
    let (_unfinished, draft) = Unfinished::create(create, |draft| draft.path().to_owned()).map_err(failed)?;
    let log = draft.path().join("log");
    let made = draft.path().join("environment");
    match recipe {
        Recipe::Install(python) => {
            run_all(name, commands(&python, &made, requirements), &log)?;
            try_imports(name, environment, &made, &log)?;
        }
        Recipe::Build(features) => build(name, features, draft.path(), &made, &log)?,
    }
    fs::write(made.join(MARK), wanted(environment, device)).map_err(failed)?;
    if home.exists() {
        fs::remove_dir_all(&home).map_err(failed)?;
    }
    fs::rename(&made, &home).map_err(failed)?;
    let (size_mb, took_s) = (size_of(&home) / 1_000_000, begun.elapsed().as_secs_f64());
    terminal::message(&format!("{name}: is set up, {size_mb} MB in {took_s:.0} s"));
    Ok(())
}

/// Runs the commands of a set-up.
fn run_all(name: &str, commands: Vec<Command>, log: &Path) -> Result<()> {
    for command in commands {
        process::run(command, log, INSTALL_LIMIT)?.map_err(|reason| cannot_install(name, log, &reason))?;
    }
    Ok(())
}

/// Tries whether a virtual environment works.
fn try_imports(name: &str, environment: &Environment, made: &Path, log: &Path) -> Result<()> {
    let imports = environment.modules.iter().map(|module| format!("import {module}")).collect::<Vec<_>>().join("\n");
    let mut works = Command::new(python_in(made));
    works.args(["-c", &format!("{imports}\n{}", environment.works)]).env("CUDA_VISIBLE_DEVICES", "");
    process::run(works, log, INSTALL_LIMIT)?
        .map_err(|reason| Error::Program(format!("{name} was installed, but does not work: {reason}")))
}

/// Builds Burn's program with cargo below `draft`, and keeps of it what lies in `made`.
fn build(name: &str, features: &str, draft: &Path, made: &Path, log: &Path) -> Result<()> {
    let failed = |error: std::io::Error| cannot_write(draft, &error);
    let (project, target) = (draft.join("project"), draft.join("target"));
    [&project, made].into_iter().try_for_each(fs::create_dir).map_err(failed)?;
    for (file, text) in BURN {
        fs::write(project.join(file), text).map_err(failed)?;
    }
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--quiet", "--features", features, "--target-dir"]).arg(&target);
    // Not the toolchain and settings of a project in which gpubench is started.
    cargo.current_dir(&project).env_remove("RUSTFLAGS").env_remove("CARGO_BUILD_TARGET");
    run_all(name, vec![cargo], log)?;
    fs::copy(program_in(&target.join("release")), program_in(made)).map(drop).map_err(failed)
}

/// The commands that make the environment `made`: with uv where it is there, else with venv and pip.
fn commands(python: &Path, made: &Path, requirements: &[&str]) -> Vec<Command> {
    let (mut create, mut install) = match runs("uv") {
        true => {
            let (mut create, mut install) = (Command::new("uv"), Command::new("uv"));
            create.args(["venv", "--quiet", "--python"]).arg(python);
            install.args(["pip", "install", "--quiet", "--python"]).arg(python_in(made));
            (create, install)
        }
        false => {
            let (mut create, mut install) = (Command::new(python), Command::new(python_in(made)));
            create.args(["-m", "venv"]);
            install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "2"]);
            (create, install)
        }
    };
    create.arg(made);
    install.args(requirements);
    vec![create, install]
}

fn cannot_install(name: &str, log: &Path, reason: &str) -> Error {
    let text = fs::read_to_string(log).unwrap_or_default();
    match DISK_FULL.iter().any(|words| text.contains(words)) {
        true => Error::Output(format!("{name} cannot be set up: the disk is full; make room or set XDG_DATA_HOME")),
        false => Error::Program(format!("{name} cannot be set up, and nothing is left of it: {reason}")),
    }
}

/// An interpreter from the minor version `oldest` to `newest`: `given`, or the first on the path.
fn find_python(name: &str, [oldest, newest]: [u32; 2], given: Option<&Path>) -> Result<PathBuf> {
    let range = format!("Python 3.{oldest} to 3.{newest}");
    let supports = |version: &Answer<(u32, u32)>| {
        version.as_ref().is_ok_and(|(major, minor)| *major == 3 && (oldest..=newest).contains(minor))
    };
    if let Some(given) = given {
        let version = version_of(given);
        return match (&version, supports(&version)) {
            (_, true) => Ok(given.to_owned()),
            (Ok((major, minor)), false) => Err(Error::Program(format!(
                "{name} needs {range}, and {} is Python {major}.{minor}: name another with --python",
                given.display()
            ))),
            (Err(reason), false) => Err(Error::Program(format!("{} is no Python: {reason}", given.display()))),
        };
    }
    let versioned = (oldest..=newest).rev().map(|minor| format!("python3.{minor}"));
    let names: Vec<PathBuf> =
        ["python3".to_owned(), "python".to_owned()].into_iter().chain(versioned).map(PathBuf::from).collect();
    let found: Vec<(PathBuf, Answer<(u32, u32)>)> = names
        .into_iter()
        .map(|name| {
            let version = version_of(&name);
            (name, version)
        })
        .collect();
    if let Some((python, _)) = found.iter().find(|(_, version)| supports(version)) {
        return Ok(python.clone());
    }
    let others: Vec<String> =
        found.iter().filter_map(|(_, version)| version.as_ref().ok()).map(|(a, b)| format!("{a}.{b}")).collect();
    Err(Error::Program(match others.is_empty() {
        true => format!("{name} needs {range}, and there is no Python: install one, or name it with --python"),
        false => {
            format!("{name} needs {range}, and there is {}: install one, or name it with --python", others.join(", "))
        }
    }))
}

/// The version of an interpreter, or why it has none.
fn version_of(python: &Path) -> Answer<(u32, u32)> {
    let ask = ["-c", "import sys; print(*sys.version_info[:2])"];
    let output = Command::new(python).args(ask).stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut numbers = text.split_whitespace().map_while(|word| word.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if output.status.success() => Ok((major, minor)),
        _ => Err(format!("it does not tell its version ({})", output.status)),
    }
}

/// Whether a program can be started.
pub fn runs(program: &str) -> bool {
    let quiet =
        |command: &mut Command| command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet(Command::new(program).arg("--version")).is_ok_and(|status| status.success())
}

/// Megabytes that are free where `folder` lies, if the system tells.
#[cfg(unix)]
fn free_mb(folder: &Path) -> Option<u64> {
    let told = nix::sys::statvfs::statvfs(folder).ok()?;
    Some(told.blocks_available() as u64 * told.fragment_size() as u64 / 1_000_000)
}

#[cfg(not(unix))]
fn free_mb(_: &Path) -> Option<u64> {
    None
}

/// Bytes of all files in a folder.
fn size_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}

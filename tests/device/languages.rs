//! The HLSL and the MSL that wgpu makes of every kernel of every plan, as compilers read them: glslang's front end for
//! HLSL, and a C++ compiler with a stand-in for Metal's standard library (`metal/metal_stdlib`).
//!
//! DX12 and Metal compile on Windows and macOS alone. What these compilers refuse, those would too; what they accept is
//! well formed and well typed, but not what the real ones need accept.

use gpubench::gpu::translate::Translation;
use gpubench::kernels::{Dispatch, Kernel, all_choices};
use gpubench::model::{DROPOUT_RATE, Model, Training};
use libtest_mimic::{Failed, Trial};
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// The folder of the stand-in for Metal's standard library.
const METAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/device/metal");

/// A language, the program that reads it, and what makes its command.
struct Language {
    name: &'static str,
    compiler: &'static str,
    extension: &'static str,
    write: fn(&Translation) -> Result<String, String>,
    adapt: fn(&str) -> String,
    arguments: fn(&Path, &Kernel) -> Vec<String>,
}

const LANGUAGES: [Language; 2] = [
    Language {
        name: "hlsl",
        compiler: "glslangValidator",
        extension: "hlsl",
        write: Translation::hlsl,
        adapt: with_named_zeros,
        // -D: the text is HLSL. -V: SPIR-V of it is made, which is checked further than the text.
        arguments: |file, kernel| {
            let file = file.display().to_string();
            let output = format!("{file}.spv");
            ["-D", "-V", "-S", "comp", "-e", kernel.name, "-o", &output, &file].map(str::to_owned).to_vec()
        },
    },
    Language {
        name: "msl",
        compiler: "c++",
        extension: "cpp",
        write: Translation::msl,
        adapt: with_called_swizzles,
        // Attributes of Metal mean nothing to C++.
        arguments: |file, _| {
            let file = file.display().to_string();
            ["-std=c++17", "-fsyntax-only", "-Wno-attributes", "-I", METAL, &file].map(str::to_owned).to_vec()
        },
    },
];

/// HLSL in which zeros cast to arrays, `(float[4])0`, are variables: DX12's compilers take them, glslang does not.
fn with_named_zeros(text: &str) -> String {
    let (mut rest, mut body, mut zeros) = (text, String::new(), String::new());
    for index in 0.. {
        let Some(end) = rest.find("])0;") else { break };
        let start = rest[..end].rfind('(').expect("a cast has its parenthesis");
        let (element, lengths) = rest[start + 1..=end].split_at(rest[start + 1..].find('[').expect("an array"));
        zeros += &format!("static {element} zero_{index}{lengths};\n");
        body += &format!("{}zero_{index};", &rest[..start]);
        rest = &rest[end + 4..];
    }
    zeros + &body + rest
}

/// MSL in which swizzles are functions, which C++ has in place of fields that overlap.
fn with_called_swizzles(text: &str) -> String {
    let mut text = text.to_owned();
    for swizzle in [".xy", ".zw", ".xyz", ".yzw"] {
        for after in [' ', ')', ',', ';'] {
            text = text.replace(&format!("{swizzle}{after}"), &format!("{swizzle}(){after}"));
        }
    }
    text
}

/// A trial for each language, ignored where nothing reads it.
pub fn trials(_: &std::sync::Arc<gpubench::gpu::Adapters>) -> Vec<Trial> {
    let trial = |language: &'static Language| {
        let missing = Command::new(language.compiler).arg("--version").output().is_err();
        let name = format!("every_kernel_is_{} that {} reads", language.name, language.compiler);
        Trial::test(name, move || is_read(language)).with_ignored_flag(missing)
    };
    LANGUAGES.iter().map(trial).collect()
}

/// Every kernel with every set of constants of all plans, once.
fn kernels() -> Vec<Dispatch> {
    let mut all: Vec<Dispatch> = Vec::new();
    for choice in all_choices() {
        let plan = choice.make(&Model::new(DROPOUT_RATE), &Training::STANDARD, 1);
        for dispatch in plan.training.into_iter().chain(plan.evaluation) {
            if !all.iter().any(|one| one.kernel == dispatch.kernel && one.constants == dispatch.constants) {
                all.push(dispatch);
            }
        }
    }
    all
}

fn is_read(language: &'static Language) -> Result<(), Failed> {
    let folder = TempDir::new().unwrap();
    let read = |kernel: &Kernel, text: &str| -> Result<(), String> {
        let file = folder.path().join(format!("{}.{}", kernel.name, language.extension));
        fs::write(&file, (language.adapt)(text)).unwrap();
        let output = Command::new(language.compiler).args((language.arguments)(&file, kernel)).output();
        let output = output.map_err(|error| error.to_string())?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).lines().take(5).collect::<Vec<_>>().join("\n    ");
        if output.status.success() { Ok(()) } else { Err(said) }
    };
    let mut refused = Vec::new();
    let mut texts: Vec<String> = Vec::new();
    for dispatch in kernels() {
        let text = Translation::of(dispatch.kernel, &dispatch.constants).and_then(|one| (language.write)(&one))?;
        if texts.contains(&text) {
            continue;
        }
        refused.extend(read(dispatch.kernel, &text).err().map(|said| format!("{}:\n    {said}", dispatch.label())));
        if texts.is_empty() {
            for fault in
                ["float fault() { return missing; }", "float fault( {", "float fault(float2 x) { return x.q; }"]
            {
                assert!(read(dispatch.kernel, &format!("{text}\n{fault}\n")).is_err(), "{fault:?} is accepted");
            }
        }
        texts.push(text);
    }
    assert!(texts.len() > 40, "only {} texts", texts.len());
    if refused.is_empty() { Ok(()) } else { Err(refused.join("\n").into()) }
}

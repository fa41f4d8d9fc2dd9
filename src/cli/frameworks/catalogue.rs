//! The frameworks and the environments that they run in, as data.

use crate::cli::nearest::nearest;
use crate::error::{Error, Result};

/// The scripts, by their names.
pub const SCRIPTS: [(&str, &str); 9] = [
    ("task.py", include_str!("../../../frameworks/task.py")),
    ("keras.py", include_str!("../../../frameworks/keras.py")),
    ("keras.R", include_str!("../../../frameworks/keras.R")),
    ("theano.py", include_str!("../../../frameworks/theano.py")),
    ("mxnet.py", include_str!("../../../frameworks/mxnet.py")),
    ("torch.py", include_str!("../../../frameworks/torch.py")),
    ("jax.py", include_str!("../../../frameworks/jax.py")),
    ("tinygrad.py", include_str!("../../../frameworks/tinygrad.py")),
    ("neon.py", include_str!("../../../frameworks/neon.py")),
];

/// The project of Burn's program, as cargo reads it.
pub const BURN: [(&str, &str); 2] = [
    ("Cargo.toml", include_str!("../../../frameworks/burn/manifest.toml")),
    ("main.rs", include_str!("../../../frameworks/burn/main.rs")),
];

/// What a framework trains on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// A GPU, through the framework's own libraries.
    Gpu,
    /// The host's cores.
    Cpu,
}

/// A virtual environment that one or several frameworks share, or a program that cargo builds.
#[derive(Debug, PartialEq, Eq)]
pub struct Environment {
    /// Its name, which its folder has too.
    pub name: &'static str,
    /// How it is made.
    pub made: Made,
    /// Pinned requirements for the CPU.
    pub cpu: &'static [&'static str],
    /// Pinned requirements for a GPU; empty if there are none.
    pub gpu: &'static [&'static str],
    /// Modules that it must import.
    pub modules: &'static [&'static str],
    /// What else must run in it: a script of Python that ends with words if something is missing.
    pub works: &'static str,
    /// Megabytes on disk, for the CPU and for a GPU, as seen on x86-64 Linux.
    pub megabytes: [u64; 2],
    /// A program that must be there, and how to get it.
    pub program: Option<(&'static str, &'static str)>,
}

/// How an environment is made.
#[derive(Debug, PartialEq, Eq)]
pub enum Made {
    /// With Python 3, from its oldest to its newest minor version.
    Python([u32; 2]),
    /// With cargo, from [`BURN`] with these features.
    Cargo(&'static str),
}

/// A framework, or a way of using one: a row of the tables.
#[derive(Debug, PartialEq, Eq)]
pub struct Framework {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its name in tables.
    pub row: &'static str,
    /// The script that trains with it.
    pub script: &'static str,
    /// The script's variant.
    pub variant: &'static str,
    /// The name of its environment, or why there is none.
    pub environment: std::result::Result<&'static str, &'static str>,
    /// Whether it is a way to train on GPUs alone.
    pub gpu_only: bool,
    /// Whether it trains on an adapter of Vulkan, in software where there is no GPU.
    pub on_adapter: bool,
    /// Whether its script trains on several GPUs too.
    pub several_gpus: bool,
}

/// Every environment. The sizes are those seen with the pinned versions.
pub const ENVIRONMENTS: [Environment; 9] = [
    Environment {
        name: "keras-tensorflow",
        made: Made::Python([11, 13]),
        cpu: &["tensorflow-cpu==2.21.*", "keras==3.15.*"],
        gpu: &["tensorflow[and-cuda]==2.21.*", "keras==3.15.*"],
        modules: &["tensorflow", "keras"],
        works: "",
        megabytes: [1400, 6000],
        program: None,
    },
    Environment {
        name: "torch",
        made: Made::Python([11, 13]),
        cpu: &["torch==2.15.*", "keras==3.15.*", "numpy"],
        gpu: &["torch==2.15.*", "keras==3.15.*", "numpy"],
        modules: &["torch"],
        works: "",
        megabytes: [5400, 5400],
        program: None,
    },
    Environment {
        name: "jax",
        made: Made::Python([11, 13]),
        cpu: &["jax==0.10.*", "keras==3.15.*"],
        gpu: &["jax[cuda13]==0.10.*", "keras==3.15.*"],
        modules: &["jax"],
        works: "",
        megabytes: [600, 4000],
        program: None,
    },
    Environment {
        name: "r-keras",
        made: Made::Python([11, 12]),
        cpu: &["tensorflow-cpu==2.18.*", "keras==3.15.*", "numpy<2"],
        gpu: &["tensorflow[and-cuda]==2.18.*", "keras==3.15.*", "numpy<2"],
        modules: &["tensorflow", "keras"],
        works: HAS_RETICULATE,
        megabytes: [1300, 6000],
        program: Some(("Rscript", "there is no R: install it with reticulate (Debian: r-base-core r-cran-reticulate)")),
    },
    Environment {
        name: "keras-theano",
        made: Made::Python([8, 11]),
        cpu: &["Theano-PyMC==1.1.2", "keras==2.3.1", "numpy<1.24", "setuptools<81"],
        gpu: &[],
        modules: &["numpy", "scipy"],
        works: LINKS_OPENBLAS,
        megabytes: [220, 0],
        program: Some(("g++", "Theano compiles C++: install g++ and OpenBLAS (Debian: g++ libopenblas-dev)")),
    },
    Environment {
        name: "mxnet",
        made: Made::Python([8, 11]),
        cpu: &["mxnet==1.9.1", "numpy<1.24"],
        gpu: &["mxnet-cu112==1.9.1", "numpy<1.24"],
        modules: &["mxnet"],
        works: "",
        megabytes: [250, 1100],
        program: None,
    },
    Environment {
        name: "tinygrad",
        made: Made::Python([11, 13]),
        cpu: TINYGRAD,
        gpu: TINYGRAD,
        modules: &["tinygrad", "numpy", "pydawn"],
        works: "",
        megabytes: [180, 180],
        program: None,
    },
    burn("burn", "tuned"),
    burn("burn-plain", ""),
];

/// Theano links what it compiles to OpenBLAS.
const LINKS_OPENBLAS: &str = "
import os, subprocess, sys, tempfile
with tempfile.TemporaryDirectory() as folder:
    library = os.path.join(folder, 'linked.so')
    if subprocess.run(['g++', '-shared', '-o', library, '-lopenblas']).returncode:
        sys.exit('OpenBLAS is missing: install it (Debian: libopenblas-dev)')
";

/// What R reaches Python with.
const HAS_RETICULATE: &str = "
import subprocess, sys
if subprocess.run(['Rscript', '-e', 'library(reticulate)']).returncode:
    sys.exit('R has no reticulate: install it (Debian: r-cran-reticulate)')
";

const TINYGRAD: &[&str] = &["tinygrad==0.14.0", "dawn-python==0.3.0", "numpy"];

/// Builds an environment of Burn. Its size is that of the build; the program itself is small.
const fn burn(name: &'static str, features: &'static str) -> Environment {
    Environment {
        name,
        made: Made::Cargo(features),
        cpu: &["burn =0.22.0"],
        gpu: &["burn =0.22.0"],
        modules: &[],
        works: "",
        megabytes: [2500, 2500],
        program: Some(("cargo", "it is built with cargo, and there is none: install Rust (https://rustup.rs)")),
    }
}

const NO_CNTK: &str = "no package of CNTK for any Python of today; --python names an interpreter that has one";
const IN_BROWSERS: &str = "it trains in a browser: `make compare-tfjs` in gpubench's repository compares it there";
const NO_NEON: &str = "no package of neon for any Python of today, and its sources ended in 2018; --python names an \
    interpreter that has it";

/// Builds a row of [`FRAMEWORKS`].
const fn framework(
    name: &'static str,
    row: &'static str,
    script: &'static str,
    variant: &'static str,
    environment: std::result::Result<&'static str, &'static str>,
) -> Framework {
    Framework { name, row, script, variant, environment, gpu_only: false, on_adapter: false, several_gpus: false }
}

/// Every framework, those of the published comparison first.
pub const FRAMEWORKS: [Framework; 19] = [
    framework("keras-tensorflow", "Keras (tensorflow)", "keras.py", "tensorflow", Ok("keras-tensorflow")),
    framework("keras-torch", "Keras (torch)", "keras.py", "torch", Ok("torch")),
    framework("keras-jax", "Keras (jax)", "keras.py", "jax", Ok("jax")),
    framework("r-keras", "R Keras (TF)", "keras.R", "tensorflow", Ok("r-keras")),
    framework("keras-theano", "Keras (theano)", "theano.py", "theano", Ok("keras-theano")),
    Framework { several_gpus: true, ..framework("mxnet", "mxnet", "mxnet.py", "", Ok("mxnet")) },
    Framework { several_gpus: true, ..framework("torch", "PyTorch eager", "torch.py", "eager", Ok("torch")) },
    Framework {
        several_gpus: true,
        ..framework("torch-compiled", "PyTorch compiled", "torch.py", "compile", Ok("torch"))
    },
    Framework {
        gpu_only: true,
        ..framework("torch-graph", "PyTorch compiled, CUDA graph", "torch.py", "compile+graph", Ok("torch"))
    },
    Framework {
        gpu_only: true,
        ..framework("torch-eager-graph", "PyTorch CUDA graph", "torch.py", "graph", Ok("torch"))
    },
    framework("jax", "JAX scan", "jax.py", "window", Ok("jax")),
    Framework {
        gpu_only: true,
        ..framework("jax-reshape", "JAX scan, pooled by reshape", "jax.py", "reshape", Ok("jax"))
    },
    framework("tinygrad", "tinygrad", "tinygrad.py", "native", Ok("tinygrad")),
    Framework {
        on_adapter: true,
        ..framework("tinygrad-webgpu", "tinygrad (WebGPU)", "tinygrad.py", "webgpu", Ok("tinygrad"))
    },
    Framework { on_adapter: true, ..framework("burn", "Burn (wgpu)", "main.rs", "", Ok("burn")) },
    Framework { on_adapter: true, ..framework("burn-plain", "Burn (wgpu), plain", "main.rs", "", Ok("burn-plain")) },
    framework("tensorflow-js", "TensorFlow.js", "", "", Err(IN_BROWSERS)),
    framework("keras-cntk", "Keras (CNTK)", "theano.py", "cntk", Err(NO_CNTK)),
    framework("neon", "neon", "neon.py", "", Err(NO_NEON)),
];

/// The frameworks that `names` name; those that can be had here for `all`.
///
/// # Errors
/// [`Error::Usage`] for an unknown name, with the one most like it.
pub fn chosen(names: &[String]) -> Result<Vec<&'static Framework>> {
    let mut chosen: Vec<&Framework> = Vec::new();
    for name in names {
        let found: Vec<&Framework> = match name.as_str() {
            "all" => FRAMEWORKS.iter().filter(|one| one.environment.is_ok()).collect(),
            name => FRAMEWORKS.iter().filter(|one| one.name == name).collect(),
        };
        if found.is_empty() {
            let names = || FRAMEWORKS.iter().map(|one| one.name);
            let advice = nearest(name, names()).map_or_else(
                || format!("choose from {}, or all", names().collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean {near}? `gpubench frameworks list` lists all"),
            );
            return Err(Error::Usage(format!("there is no framework {name:?}: {advice}")));
        }
        let new = found.into_iter().filter(|one| !chosen.contains(one)).collect::<Vec<_>>();
        chosen.extend(new);
    }
    Ok(chosen)
}

impl Framework {
    /// The environment in which it runs on `device`.
    ///
    /// # Errors
    /// A sentence on why there is none.
    pub fn environment(&self, device: Device) -> std::result::Result<&'static Environment, String> {
        let name = self.environment.map_err(str::to_owned)?;
        let found = ENVIRONMENTS.iter().find(|one| one.name == name);
        let environment = found.ok_or_else(|| format!("there is no environment {name}"))?;
        match device {
            Device::Cpu if self.gpu_only => Err("it is a way to train on GPUs".to_owned()),
            Device::Gpu if environment.gpu.is_empty() => Err("it has no package for GPUs of today".to_owned()),
            _ => Ok(environment),
        }
    }
}

impl Environment {
    /// The requirements for `device`.
    pub fn requirements(&self, device: Device) -> &'static [&'static str] {
        if device == Device::Gpu { self.gpu } else { self.cpu }
    }

    /// The name of its folder: one for both devices if the requirements are the same.
    pub fn folder(&self, device: Device) -> String {
        if device == Device::Gpu && self.gpu != self.cpu { format!("{}-gpu", self.name) } else { self.name.to_owned() }
    }

    /// Megabytes on disk.
    pub fn size_mb(&self, device: Device) -> u64 {
        self.megabytes[usize::from(device == Device::Gpu)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_framework_has_a_script_and_an_environment_or_a_reason() {
        for one in &FRAMEWORKS {
            let has_script = SCRIPTS.iter().chain(&BURN).any(|(name, _)| *name == one.script);
            assert!(one.environment.is_err() || has_script, "{}", one.name);
            assert!(
                one.environment.is_err()
                    || one.environment(Device::Gpu).is_ok()
                    || one.environment(Device::Cpu).is_ok()
            );
        }
    }

    #[test]
    fn a_misspelt_name_is_told_the_nearest_and_all_means_what_can_be_had() {
        let error = chosen(&["keras-tensorflw".to_owned()]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("did you mean keras-tensorflow?"), "{error}");
        let all = chosen(&["all".to_owned(), "torch".to_owned()]).unwrap();
        assert_eq!(all.len(), 16);
    }
}

//! The kernels of plans, with what the plan counts and what a driver's compiler says.

use super::compiled::Compiled;
use super::json;
use super::measured::Measured;
use crate::error::{Error, Result};
use crate::gpu::CompilerDevice;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The value of `schema` in a list of kernels.
pub const KERNELS_SCHEMA: &str = "gpubench.kernels";
/// The version of that schema.
pub const KERNELS_SCHEMA_VERSION: u32 = 1;

/// The kernels of one or more plans.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KernelList {
    /// Images in a step.
    pub batch: u32,
    /// SHA-256 of all shaders, in hexadecimal.
    pub shader_hash: String,
    /// The device whose driver compiled the kernels.
    pub compiler: Measured<CompilerDevice>,
    /// Whether there is no such GPU here: its driver compiles without it.
    pub null_device: bool,
    /// What kind of figures the compiler's are.
    pub nature: String,
    /// The plans.
    pub plans: Vec<ListedPlan>,
}

/// A plan with its kernels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListedPlan {
    /// Its name, and after a colon the parameter values that differ from the shipped ones.
    pub plan: String,
    /// Its kernels in the order of a step, then those that only an evaluation has.
    pub kernels: Vec<ListedKernel>,
}

/// What a kernel of a plan works for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// A training step.
    Training,
    /// The evaluation of a batch.
    Evaluation,
}

/// A kernel of a plan, with its constants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListedKernel {
    /// Its name.
    pub kernel: String,
    /// The layer that it computes.
    pub layer: String,
    /// What it works for.
    pub stage: Stage,
    /// Dispatches of it in a step, or in an evaluated batch.
    pub dispatches: u32,
    /// Workgroups in x, y and z.
    pub grid: Measured<[u32; 3]>,
    /// Invocations of a workgroup.
    pub workgroup: u32,
    /// Its override constants.
    pub constants: BTreeMap<String, f64>,
    /// Tile sizes that its text holds.
    pub tile: BTreeMap<String, u32>,
    /// Floating-point operations of a dispatch, by its formula.
    pub flop: u64,
    /// Bytes that a dispatch has to move, by its formula.
    pub bytes: u64,
    /// Bytes of memory that a workgroup shares.
    pub workgroup_bytes: Measured<u32>,
    /// What the driver's compiler says.
    pub compiled: Measured<Compiled>,
}

impl ListedKernel {
    /// `kernel/layer`, as in profiles.
    pub fn label(&self) -> String {
        format!("{}/{}", self.kernel, self.layer)
    }
}

#[derive(Serialize, Deserialize)]
struct Document<S, T> {
    schema: S,
    schema_version: u32,
    #[serde(flatten)]
    list: T,
}

impl KernelList {
    /// The JSON document, indented, ending in a line break.
    ///
    /// # Errors
    /// [`Error::Output`] if a value cannot be written as JSON, which no list made by this program contains.
    pub fn to_json(&self) -> Result<String> {
        let document = Document { schema: KERNELS_SCHEMA, schema_version: KERNELS_SCHEMA_VERSION, list: self };
        json::to_string(&document)
            .map_err(|error| Error::Output(format!("the kernels cannot be written as JSON: {error}")))
    }

    /// Reads the output of [`KernelList::to_json`].
    ///
    /// # Errors
    /// [`Error::Data`] if the text is no list of kernels of this version.
    pub fn from_json(text: &str) -> Result<Self> {
        let wrong = |error: serde_json::Error| Error::Data(format!("this is no list of kernels: {error}"));
        let document: Document<String, Self> = serde_json::from_str(text).map_err(wrong)?;
        if document.schema != KERNELS_SCHEMA || document.schema_version != KERNELS_SCHEMA_VERSION {
            let (schema, version) = (document.schema, document.schema_version);
            return Err(Error::Data(format!("this is {schema:?} of version {version}, no list of kernels")));
        }
        Ok(document.list)
    }
}

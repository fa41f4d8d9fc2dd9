//! Kept pipelines on every adapter of this machine: whatever a file holds, kernels are compiled and the result says
//! from where.

use crate::common::named;
use crate::common::process::{outcome_of, program};
use crate::common::trials::{self, AdapterTest, Outcome, with_each};
use gpubench::cli::pipeline_cache::file;
use gpubench::gpu::{AdapterInfo, Adapters, Gpu, Needs, PipelineCacheData, Pipelines};
use gpubench::hash::sha256_hex;
use gpubench::kernels::{Plan, layered};
use gpubench::model::{DROPOUT_RATE, Model, Training};
use libtest_mimic::Trial;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// The smallest plan there is: one kernel.
fn one_kernel() -> Plan {
    let mut plan = layered::layered(&Model::new(DROPOUT_RATE), &Training::STANDARD, 1);
    plan.training.truncate(1);
    plan.evaluation.clear();
    plan
}

/// Opens `info`, compiles, expects a device in health, and says what the cache did.
fn compile(adapters: &Adapters, info: &AdapterInfo) -> String {
    pollster::block_on(async {
        let gpu = Gpu::open(adapters, info, Needs::default()).await.unwrap();
        Pipelines::compile(&gpu, &one_kernel()).await.unwrap();
        gpu.health().unwrap();
        gpu.pipeline_cache()
    })
}

/// Pipelines as they are read from a file that holds `data`.
fn kept(data: &[u8]) -> PipelineCacheData {
    let sha256 = sha256_hex(data);
    let header = format!(
        r#"{{"schema":"gpubench.pipelines","schema_version":1,"subject":"s","sha256":"{sha256}","pipelines":["a"]}}"#
    );
    PipelineCacheData::from_bytes(&[header.as_bytes(), b"\n", data].concat(), "s").unwrap()
}

fn what_a_driver_refuses_does_no_harm(_: &Adapters, index: usize) -> Outcome {
    // A list of adapters of its own: what is kept on it must not be seen by other tests.
    let adapters = &trials::adapters();
    let info = &adapters.infos()[index];
    let supported = compile(adapters, info);
    if supported != "off" {
        assert_eq!(supported, "unsupported by the adapter");
        adapters.enable_pipeline_cache(info, PipelineCacheData::default());
        assert_eq!(compile(adapters, info), supported);
        return Ok(());
    }
    // wgpu's header: magic, version, bytes of a pointer, a backend that there is not, adapter, driver, length, a
    // constant.
    let mut foreign = b"WGPUPLCH\0\0\0\x01\0\0\0\x08\xff".to_vec();
    foreign.resize(64, 0);
    for data in [Vec::new(), vec![7; 1000], foreign] {
        adapters.enable_pipeline_cache(info, kept(&data));
        let words = compile(adapters, info);
        assert!(words.starts_with("cold"), "{words}");
    }
    // What was compiled is found by the next device, if the driver keeps anything.
    adapters.enable_pipeline_cache(info, PipelineCacheData::default());
    let (first, second) = (compile(adapters, info), compile(adapters, info));
    assert_eq!(second, if first == "cold" { "warm" } else { &first }, "after {first}");
    Ok(())
}

/// What the program says of the kept pipelines, in a run that then ends because there are no weights to start from.
fn told(folder: &Path, info: &AdapterInfo, options: &[&str]) -> String {
    let index = info.index.to_string();
    let mut command = program(folder);
    let (_, stderr) = outcome_of(command.args(["run", "--init", "nowhere", "--adapter", &index]).args(options), 3);
    assert!(stderr.contains("nowhere cannot be read"), "{stderr}");
    stderr
}

fn a_damaged_file_is_told_and_can_be_passed_over(adapters: &Adapters, index: usize) -> Outcome {
    let info = &adapters.infos()[index];
    let folder = TempDir::new().unwrap();
    let pipelines = folder.path().join("cache/gpubench/pipelines");
    fs::create_dir_all(&pipelines).unwrap();
    assert!(!told(folder.path(), info, &[]).contains("pipelines"), "there is nothing to tell of yet");
    let damaged = file(&pipelines, info);
    fs::write(&damaged, b"nothing\n").unwrap();
    let stderr = told(folder.path(), info, &[]);
    assert!(stderr.contains("is not used: it holds no pipelines: kernels are compiled anew"), "{stderr}");
    assert!(!told(folder.path(), info, &["--no-pipeline-cache"]).contains("pipelines"));
    assert_eq!(fs::read(&damaged).unwrap(), b"nothing\n", "nothing was compiled, so nothing is kept");
    Ok(())
}

const TESTS: &[AdapterTest] =
    &named![what_a_driver_refuses_does_no_harm, a_damaged_file_is_told_and_can_be_passed_over];

pub fn trials(adapters: &Arc<Adapters>) -> Vec<Trial> {
    with_each(adapters, TESTS)
}

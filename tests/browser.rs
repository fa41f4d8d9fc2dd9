//! Kernels and training in a real browser, against the reference. `make test` runs it in headless Chromium with WebGPU.

#![cfg(target_arch = "wasm32")]

use gpubench::check;
use gpubench::cpu::{self, CpuThreads, SimdLevel};
use gpubench::gpu::{Adapters, Gpu, Needs, Pipelines};
use gpubench::kernels::layered::layered;
use gpubench::kernels::{Choice, PLANS};
use gpubench::model::{DROPOUT_RATE, Model, Training};
use gpubench::trainer::TrainingConfig;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn training_config() -> TrainingConfig {
    TrainingConfig {
        model: Model::new(DROPOUT_RATE),
        training: Training { batch: 16, ..Training::STANDARD },
        seed: 7,
        shuffle: true,
    }
}

async fn open(adapters: &Adapters) -> Gpu {
    let adapter = adapters.infos().first().expect("the browser gives an adapter: it was started with WebGPU");
    Gpu::open(adapters, adapter, Needs::default()).await.expect("the device opens")
}

/// One test for both, as compiling a plan takes most of its time here.
#[wasm_bindgen_test]
async fn every_kernel_and_five_training_steps_agree_with_the_reference() {
    let adapters = Adapters::find(Some("webgpu")).await.expect("the browser can be asked");
    let gpu = open(&adapters).await;
    let config = training_config();
    for row in &PLANS {
        let plan = Choice::shipped(row).make(&config.model, &config.training, config.seed);
        // A browser's adapter offers no subgroups to wgpu, and the device is opened without 16-bit arithmetic.
        if plan.needs_subgroups() || plan.needs_f16() {
            continue;
        }
        let pipelines = Pipelines::compile(&gpu, &plan).await.expect("every kernel compiles");
        let report = check::check(&gpu, &pipelines, &plan, &config).await.expect("the check runs");
        assert_eq!(report.failure, "", "{}", row.name);
        assert_eq!(report.check.steps.len(), 5);
        assert_eq!(report.check.kernels.len(), plan.training.len());
        // Batches that fill no tile. The reference takes its time: natively every plan is tried with six of them.
        let batches: &[u32] = if row.name == "layered" { &[1, 17, 128] } else { &[3] };
        for &batch in batches {
            let failure = check::check_batch(&gpu, &pipelines, &plan, &config, batch).await.expect("the check runs");
            assert_eq!(failure, "", "{}, batch {batch}", row.name);
        }
    }
}

#[wasm_bindgen_test]
fn the_processor_agrees_with_the_reference_on_this_thread_alone() {
    let threads = CpuThreads::start(1, SimdLevel::detect()).expect("there is the current thread");
    assert_eq!((threads.threads(), threads.level().name()), (1, "simd128"));
    let config = training_config();
    for batch in [1, 17, 128] {
        let failure = cpu::check::check_batch(&threads, &config, batch).expect("the check runs");
        assert_eq!(failure, "", "batch {batch}");
    }
    assert!(CpuThreads::start(2, SimdLevel::detect()).is_err(), "a browser's module has one thread");
}

#[wasm_bindgen_test]
async fn a_wrong_kernel_is_caught() {
    let adapters = Adapters::find(Some("webgpu")).await.expect("the browser can be asked");
    let gpu = open(&adapters).await;
    let config = training_config();
    let mut plan = layered(&config.model, &config.training, config.seed);
    for dispatch in plan.training.iter_mut().filter(|dispatch| dispatch.label() == "conv_forward/conv2") {
        for constant in dispatch.constants.iter_mut().filter(|(name, _)| *name == "BIAS") {
            constant.1 += 1.0;
        }
    }
    let pipelines = Pipelines::compile(&gpu, &plan).await.expect("every kernel compiles");
    let failure = check::check_batch(&gpu, &pipelines, &plan, &config, 3).await.expect("the check runs");
    assert!(failure.starts_with("conv_forward/conv2 disagrees"), "{failure}");
}

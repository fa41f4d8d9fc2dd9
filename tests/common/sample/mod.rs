//! A made-up result: the figures are invented, nothing was measured.

mod full;
pub mod peaks;
mod profiled;

use gpubench::data::Identity;
use gpubench::result::{
    Adapter, AdapterKind, Check, Cpu, Data, Energy, Environment, Epoch, GpuLoad, KernelCheck, Load, Measured,
    ModelSize, Outcome, Phases, Plan, PlanKernel, Repeat, RunResult, SCHEMA, SCHEMA_VERSION, Sample, Sampling, Setting,
    Settings, Spread, Status, StepCheck, StoppingRule, Summary, Throttling, TimestampGrade, Tool,
};
use std::collections::BTreeMap;

#[allow(unused_imports, reason = "not every test file that includes this module needs it")]
pub use full::{framework_run, full_run, long_soak_run, parallel_run, soak_run};
#[allow(unused_imports, reason = "not every test file that includes this module needs it")]
pub use profiled::profiled_run;

/// A complete standard run on an imaginary GPU: `repeats` trainings of about 12.3 s.
pub fn gpu_run(repeats: u32) -> RunResult {
    let repeats: Vec<Repeat> = (0..repeats).map(repeat).collect();
    let summary = Summary {
        accepted_test_error_pct: Measured::Value([0.4, 1.5]),
        peak_host_memory_bytes: Measured::Value(312_000_000),
        ..Summary::of(&repeats, 600_000, 2_202_496)
    };
    RunResult {
        schema: SCHEMA.to_owned(),
        schema_version: SCHEMA_VERSION,
        status: Status::Complete,
        reasons: Vec::new(),
        standard: true,
        non_standard: Vec::new(),
        warnings: Vec::new(),
        started_utc: "2026-11-24T02:15:00Z".to_owned(),
        settings: settings(repeats.len() as u32),
        environment: environment(),
        plan: plan(),
        data: Data {
            identity: Identity::Mnist,
            name: "MNIST".to_owned(),
            source: Measured::Value("/home/someone/.cache/gpubench/mnist".to_owned()),
            train_images: 60_000,
            test_images: 10_000,
        },
        model: ModelSize { parameters: 65_402, forward_macs: 840_832, training_macs: 2_202_496 },
        check: Measured::Value(check()),
        phases: phases(),
        repeats,
        summary,
        profile: gpubench::result::not_profiled(),
        peaks: gpubench::result::no_peaks(),
        account: gpubench::result::no_account(),
        sweep: gpubench::result::no_sweep(),
        tuning: gpubench::result::no_tuning(),
        repeating: gpubench::result::not_recorded(),
        soak: gpubench::result::no_soak(),
        parallel: gpubench::result::not_parallel(),
        turns: gpubench::result::not_in_turns(),
        tool: None,
    }
}

/// The same on a software adapter, with synthetic digits.
#[allow(dead_code, reason = "not every test file that includes this module needs it")]
pub fn software_run() -> RunResult {
    let mut result = gpu_run(1);
    result.environment.adapter.name = "llvmpipe (LLVM 15.0.6, 256 bits)".to_owned();
    result.environment.adapter.kind = AdapterKind::Cpu;
    result.environment.adapter.software = true;
    result.environment.adapter.driver = Measured::Value("llvmpipe".to_owned());
    result.environment.adapter.driver_info = Measured::Value("Mesa 22.3.6 (LLVM 15.0.6)".to_owned());
    result.standard = false;
    result.non_standard = vec!["synthetic digits instead of MNIST".to_owned()];
    result.warnings = vec!["a software adapter computes on the CPU: its times say nothing about a GPU".to_owned()];
    result.data.identity = Identity::Synthetic;
    result.data.name = "synthetic digits (seed 1)".to_owned();
    result.data.source = Measured::missing("drawn by this program");
    result.repeats[0].train_s = Measured::Value(1083.4);
    result.summary.train_s = Measured::Value(1083.4);
    result.summary.images_per_s = Measured::Value(553.8);
    result.summary.dense_gflop_per_s = Measured::Value(2.4396);
    result.summary.accepted_test_error_pct = Measured::missing("a non-standard run has no accepted range");
    result
}

fn repeat(index: u32) -> Repeat {
    let epochs = (1..=10).map(|epoch| Epoch {
        epoch,
        train_s: 1.23 + 0.01 * f64::from(index),
        train_loss: (0.4 / f64::from(epoch)).into(),
        train_error_pct: (12.0 / f64::from(epoch)).into(),
        test_loss: (0.1 / f64::from(epoch) + 0.02).into(),
        test_errors: Measured::Value(92),
        test_error_pct: 0.92.into(),
        loss_curve: vec![0.5 / f64::from(epoch), 0.3 / f64::from(epoch)],
    });
    Repeat {
        train_s: (12.3 + 0.1 * f64::from(index)).into(),
        evaluate_s: 0.4.into(),
        epochs: epochs.collect(),
        samples: (0..10)
            .map(|epoch| Sample { epoch: epoch + 1, first_step: 469 * epoch, steps: 469, duration_s: 1.22 })
            .collect(),
        thinned: gpubench::result::kept_whole(),
        parameters_sha256: Measured::Value("0f".repeat(32)),
        final_test_error_pct: 0.92.into(),
        commands: gpubench::result::not_recorded(),
        device_buffer_bytes: Measured::Value(184_000_000),
        load: Measured::Value(load()),
    }
}

fn load() -> Load {
    let spread = |mean: f64| Measured::Value(Spread { lowest: 0.9 * mean, mean, highest: 1.1 * mean });
    Load {
        window_s: 12.31,
        cpus_used: 1.04.into(),
        other_cpus: 0.03.into(),
        busiest_cpu_pct: 97.2.into(),
        voluntary_switches: Measured::Value(4021),
        involuntary_switches: Measured::Value(37),
        peak_host_memory_bytes: Measured::Value(312_000_000),
        gpu: GpuLoad {
            source: Measured::Value("NVML, driver 535.104".to_owned()),
            busy_pct: spread(71.0),
            memory_bytes: Measured::Value(611_000_000),
            core_clock_mhz: spread(1400.0),
            memory_clock_mhz: spread(5000.0),
            temperature_c: spread(61.0),
            power_w: spread(180.0),
            throttling: Measured::Value(Throttling { share_pct: 0.0, reasons: Vec::new() }),
        },
        energy: Measured::Value(Energy {
            of: "the whole board, by NVML".to_owned(),
            method: "growth of the energy counter over the training's clock".to_owned(),
            total_j: 2215.8,
            idle_w: 52.0.into(),
            net_j: 1575.7.into(),
            net_j_per_epoch: 157.57.into(),
            net_j_per_1000_images: 2.626.into(),
        }),
        sampling: Measured::Value(Sampling { most_per_s: 10.0, readings: 133, cpu_s: 0.021, cpu_pct: 0.17 }),
    }
}

fn settings(repeats: u32) -> Settings {
    Settings {
        adapter: Setting::default(Measured::missing("any")),
        backend: Setting::default(Measured::missing("any")),
        data: Setting::default("auto".to_owned()),
        epochs: Setting::default(10),
        batch: Setting::default(128),
        steps: Setting::default(Measured::missing("no limit")),
        seed: Setting::default(1),
        repeat: Setting::option_or(Some(repeats), 1),
        shuffle: Setting::default(true),
        dropout: Setting::default(0.2),
        init: Setting::default(Measured::missing("drawn from the seed")),
        plan: Setting::default("layered".to_owned()),
        quick: Setting::default(false),
        strict: Setting::default(false),
        stopping: StoppingRule::default(),
    }
}

fn environment() -> Environment {
    Environment {
        adapter: Adapter {
            name: "Imaginary GPU 9000".to_owned(),
            kind: AdapterKind::DiscreteGpu,
            software: false,
            backend: "vulkan".to_owned(),
            driver: Measured::Value("imaginary".to_owned()),
            driver_info: Measured::Value("1.2.3".to_owned()),
            vendor_id: Measured::Value(0x10de),
            device_id: Measured::Value(0x1db1),
            pci_bus_id: Measured::Value("0000:01:00.0".to_owned()),
            timestamps: TimestampGrade::InsidePasses,
            limits: BTreeMap::from([("max_storage_buffers_per_shader_stage".to_owned(), 8)]),
            features: vec!["timestamp-query".to_owned()],
        },
        os: Measured::Value("Linux (Debian GNU/Linux 12)".to_owned()),
        cpu: Cpu {
            name: Measured::Value("Imaginary CPU @ 2.00GHz".to_owned()),
            physical_cores: Measured::Value(1),
            logical_cores: Measured::Value(2),
            memory_bytes: Measured::Value(8_200_000_000),
        },
        tool: Tool {
            version: "0.1.0".to_owned(),
            git: Measured::missing("not built from a git repository"),
            shader_hash: "ab".repeat(32),
            rustc: Measured::Value("rustc 1.95.0".to_owned()),
            profile: "release".to_owned(),
        },
    }
}

fn plan() -> Plan {
    Plan {
        name: "layered".to_owned(),
        tuning: BTreeMap::new(),
        kernels: vec![PlanKernel {
            kernel: "conv_forward".to_owned(),
            layer: "conv1".to_owned(),
            dispatches_per_step: 1,
            flop_per_step: 81_920_000,
            bytes_per_step: 10_641_536,
            workgroups: [10_000, 1, 1],
        }],
    }
}

fn check() -> Check {
    Check {
        outcome: Outcome::Passed,
        kernels: vec![KernelCheck {
            kernel: "conv_forward".to_owned(),
            layer: "conv1".to_owned(),
            outcome: Outcome::Passed,
            max_abs_error: 1.2e-7.into(),
            worst_index: 4711,
            tolerance_abs: 1e-5,
            tolerance_rel: 1e-4,
        }],
        steps: (0..5).map(|step| StepCheck { step, gpu_loss: 2.3124.into(), reference_loss: 2.3123.into() }).collect(),
        duration_s: 0.8,
    }
}

fn phases() -> Phases {
    Phases {
        adapter_s: 0.12.into(),
        device_s: 0.034.into(),
        compile_s: 0.41.into(),
        data_s: 0.35.into(),
        check_s: 0.8.into(),
        warm_up_s: 0.31.into(),
        upload_s: 0.022.into(),
        first_step_s: 0.061.into(),
        train_s: 12.3.into(),
        evaluate_s: 0.4.into(),
        cold_total_s: 14.2.into(),
        tune_s: Measured::missing("the plan was named"),
        peaks_s: Measured::missing("no peaks were asked for"),
        idle_s: Measured::missing("no sensor tells the power"),
    }
}

#[allow(dead_code, reason = "not every test file that includes this module needs it")]
/// The result of a run on `dataset` before anything is measured.
pub fn begin(settings: Settings, environment: Environment, dataset: &gpubench::data::Dataset) -> RunResult {
    let started_utc = "2026-01-01T00:00:00Z".to_owned();
    let setup = gpubench::bench::Setup { settings, environment, dataset, started_utc, adapter_s: 0.1, data_s: 0.2 };
    gpubench::bench::initial_result(setup)
}

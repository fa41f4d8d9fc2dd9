//! A made-up profile with all that goes with it: kernels like those of the plan `layered`, their times invented.

use super::gpu_run;
use gpubench::result::{
    Account, Bound, Compiled, HostTimes, KernelTime, Measured, Method, Peak, PeakKind, Peaks, PlanKernel, Profile,
    RunResult, Subject, Sweep, SweepFit, SweepPoint, SweepVariable, TrainingBound, Verdict,
};

/// Kernel, layer, operations and bytes of a step, microseconds.
const KERNELS: [(&str, &str, u64, u64, f64); 32] = [
    ("batch_gather", "batch", 100_352, 503_296, 363.5),
    ("conv_forward", "conv1", 81_920_000, 10_643_584, 16_209.6),
    ("max_pool_forward", "pool1", 1_769_472, 14_155_776, 3_047.1),
    ("conv_forward", "conv2", 117_964_800, 3_196_992, 15_099.3),
    ("max_pool_forward", "pool2", 153_600, 1_228_800, 494.4),
    ("dropout_forward", "dropout", 51_200, 409_600, 371.0),
    ("dense_forward", "fc1", 13_107_200, 475_648, 1_750.2),
    ("dense_forward", "fc2", 2_097_152, 131_328, 300.5),
    ("dense_forward", "fc3", 163_840, 40_488, 73.9),
    ("softmax_cross_entropy_forward", "loss", 5_120, 6_656, 62.1),
    ("metrics_reduce", "loss", 256, 1_032, 49.5),
    ("softmax_cross_entropy_backward", "loss", 7_680, 10_752, 61.0),
    ("dense_backward_weight", "fc3", 163_840, 40_448, 91.2),
    ("dense_backward_bias", "fc3", 1_280, 5_160, 60.4),
    ("dense_backward_input", "fc3", 163_840, 73_216, 94.1),
    ("dense_backward_weight", "fc2", 2_097_152, 131_072, 370.6),
    ("dense_backward_bias", "fc2", 8_192, 33_024, 81.9),
    ("dense_backward_input", "fc2", 2_097_152, 196_608, 412.5),
    ("dense_backward_weight", "fc1", 13_107_200, 475_136, 2_016.8),
    ("dense_backward_bias", "fc1", 16_384, 66_048, 75.5),
    ("dense_backward_input", "fc1", 13_107_200, 679_936, 2_466.3),
    ("dropout_backward", "dropout", 51_200, 409_600, 291.2),
    ("max_pool_backward", "pool2", 0, 1_433_600, 449.3),
    ("conv_backward_weight", "conv2", 117_964_800, 3_252_224, 26_062.8),
    ("conv_backward_bias", "conv2", 204_800, 819_264, 782.3),
    ("conv_backward_weight_reduce", "conv2", 18_432, 92_160, 84.0),
    ("conv_backward_input", "conv2", 117_964_800, 3_196_928, 26_736.6),
    ("max_pool_backward", "pool1", 0, 17_317_888, 7_050.1),
    ("conv_backward_weight", "conv1", 81_920_000, 10_663_936, 12_865.6),
    ("conv_backward_bias", "conv1", 2_560_000, 10_240_128, 4_239.5),
    ("conv_backward_weight_reduce", "conv1", 5_632, 24_576, 59.8),
    ("sgd_update", "all", 261_608, 1_308_040, 599.2),
];
const STEPS: u32 = 4690;

/// The run of [`gpu_run`] with everything that can be measured besides.
#[allow(dead_code, reason = "not every test file that includes this module needs it")]
pub fn profiled_run() -> RunResult {
    let mut result = gpu_run(3);
    result.plan.kernels = KERNELS
        .iter()
        .map(|(kernel, layer, flop, bytes, _)| PlanKernel {
            kernel: (*kernel).to_owned(),
            layer: (*layer).to_owned(),
            dispatches_per_step: 1,
            flop_per_step: *flop,
            bytes_per_step: *bytes,
            workgroups: [100, 1, 1],
        })
        .collect();
    let profile = profile();
    let kernels_s = profile.kernels.iter().filter_map(|kernel| kernel.median_ns.value()).sum::<f64>() / 1e9;
    result.account = Measured::Value(account(kernels_s * f64::from(STEPS)));
    result.profile = Measured::Value(profile);
    result.peaks = Measured::Value(peaks());
    result.sweep = Measured::Value(sweep());
    result
}

/// What an imaginary driver says of a kernel: more registers for those that take longer.
fn compiled(time_us: f64) -> Compiled {
    let count = |count: f64| Measured::Value(count as u64);
    Compiled {
        registers: count(16.0 + time_us / 1e3),
        scalar_registers: count(32.0),
        spills: count(0.0),
        scratch_bytes: count(0.0),
        occupancy: count(8.0),
        code_bytes: count(2048.0),
        instructions: Measured::missing("this driver does not report it"),
        subgroup_size: Measured::Value(64),
        compile_s: 0.01.into(),
        reported: [("VGPRs".to_owned(), (16.0 + time_us / 1e3).into())].into(),
    }
}

fn profile() -> Profile {
    let sum_us: f64 = KERNELS.iter().map(|kernel| kernel.4).sum();
    let mut kernels: Vec<KernelTime> = KERNELS
        .iter()
        .map(|&(kernel, layer, flop, bytes, time_us)| {
            let (gflop_per_s, gbyte_per_s) = (flop as f64 / time_us / 1e3, bytes as f64 / time_us / 1e3);
            let bound = if flop > 10 * bytes { Bound::Compute } else { Bound::Memory };
            KernelTime {
                kernel: kernel.to_owned(),
                layer: layer.to_owned(),
                calls_per_step: 1,
                repeats: 1,
                median_ns: (time_us * 1e3).into(),
                p95_ns: (time_us * 1.12e3).into(),
                share_pct: (100.0 * time_us / sum_us).into(),
                gflop_per_s: gflop_per_s.into(),
                gbyte_per_s: gbyte_per_s.into(),
                peak_flop_pct: (100.0 * gflop_per_s / 45.0).into(),
                peak_bandwidth_pct: (100.0 * gbyte_per_s / 18.0).into(),
                bound: Measured::Value(if time_us < 70.0 { Bound::Launch } else { bound }),
                compiled: Measured::Value(compiled(time_us)),
                dropped: 0,
                samples_ns: vec![time_us * 1e3],
            }
        })
        .collect();
    kernels.sort_by(|a, b| b.median_ns.value().partial_cmp(&a.median_ns.value()).expect("times are numbers"));
    Profile {
        method: Method::TimestampsInsidePasses,
        method_note: Measured::missing("the finest method was used"),
        steps: 50,
        clock_step_ns: 200.0.into(),
        dropped: 2,
        profiled_step_s: 0.126.into(),
        timed_step_s: 0.124.into(),
        span_ns: 1.25e8.into(),
        undisturbed_step_ns: 1.24e8.into(),
        commands: gpubench::result::not_recorded(),
        errors: Vec::new(),
        kernels,
    }
}

fn account(kernels_s: f64) -> Account {
    let wall_s = kernels_s * 1.08;
    Account {
        wall_s,
        steps: STEPS,
        kernels_s,
        gaps_s: 0.031 * wall_s,
        encode_submit_s: 0.015 * wall_s,
        transfer_s: 0.008 * wall_s,
        host_s: 0.004 * wall_s,
        rest_s: wall_s - kernels_s - 0.058 * wall_s,
        device_time_factor: gpubench::result::no_device_time_factor(),
        host: HostTimes {
            wait_s: 0.95 * wall_s,
            encode_s: 0.03 * wall_s,
            other_s: 0.02 * wall_s,
            ..HostTimes::default()
        },
        verdict: Measured::Value(Verdict {
            bound: TrainingBound::Device,
            words: "the words of the version that measured".to_owned(),
        }),
    }
}

fn peaks() -> Peaks {
    let figure = |kind, bytes: Option<u64>, median: f64| Peak {
        kind,
        bytes: Measured::or_missing(bytes, "memory plays no part"),
        median: median.into(),
        deviation: (0.02 * median).into(),
        samples: vec![median],
    };
    let mut figures = vec![
        figure(PeakKind::Fp32MultiplyAdd, None, 45.2),
        figure(PeakKind::StorageRead, Some(1 << 20), 38.4),
        figure(PeakKind::StorageRead, Some(1 << 28), 12.1),
        figure(PeakKind::StorageWrite, Some(1 << 20), 22.8),
        figure(PeakKind::StorageWrite, Some(1 << 28), 7.9),
        figure(PeakKind::StorageCopy, Some(1 << 20), 31.0),
        figure(PeakKind::StorageCopy, Some(1 << 28), 13.3),
        figure(PeakKind::WorkgroupRead, Some(16 << 10), 120.0),
        figure(PeakKind::IndependentDispatch, None, 6_400.0),
        figure(PeakKind::DependentDispatch, None, 41_200.0),
        figure(PeakKind::RoundTrip, None, 88_000.0),
        figure(PeakKind::HostToDevice, Some(1 << 26), 4.1),
    ];
    figures.push(Peak {
        median: Measured::missing("this adapter has no 16-bit arithmetic"),
        deviation: Measured::missing("this adapter has no 16-bit arithmetic"),
        samples: Vec::new(),
        ..figure(PeakKind::Fp16MultiplyAdd, None, 1.0)
    });
    Peaks {
        subject: Subject {
            adapter: "Imaginary GPU 9000".to_owned(),
            pci_bus_id: "0000:01:00.0".to_owned(),
            backend: "vulkan".to_owned(),
            driver: "imaginary 1.2.3".to_owned(),
            version: "0.1.0".to_owned(),
            shader_hash: "ab".repeat(32),
        },
        measured_utc: "2026-11-24T02:10:00Z".to_owned(),
        cached: true,
        clock: "device timestamps".to_owned(),
        duration_s: 8.3,
        figures,
    }
}

fn sweep() -> Sweep {
    let point = |batch: u32| {
        let flop = 4_404_992 * u64::from(batch);
        let step_s = (0.004 + flop as f64 / 5.2e9) * (1.0 + 0.05 * (f64::from(batch)).sin());
        SweepPoint {
            batch,
            width: 1.0,
            parameters: Measured::Value(65_402),
            flop_per_step: Measured::Value(flop),
            step_s: step_s.into(),
            deviation_s: (0.01 * step_s).into(),
            samples_s: vec![step_s],
        }
    };
    let mut points: Vec<SweepPoint> = [1, 4, 16, 32, 64, 128, 256, 512, 1024].map(point).to_vec();
    points.push(SweepPoint {
        step_s: Measured::missing("its buffers exceed maxStorageBufferBindingSize"),
        deviation_s: Measured::missing("its buffers exceed maxStorageBufferBindingSize"),
        samples_s: Vec::new(),
        ..point(65_536)
    });
    Sweep {
        variable: SweepVariable::Batch,
        points,
        fit: Measured::Value(SweepFit {
            overhead_s: 0.004,
            asymptotic_gflop_per_s: 5.2,
            half_rate_at: 4.7.into(),
            largest_residual_pct: 4.9,
            points: 9,
        }),
    }
}

//! Peaks: measured on every adapter of this machine, and proved.

use crate::common::trials::{AdapterTest, Outcome, with_each};
use crate::common::{named, sample};
use gpubench::Error;
use gpubench::cli::cache::write;
use gpubench::cli::peaks::cached_in_or_measured;
use gpubench::gpu::Adapters;
use gpubench::kernels::Kernel;
use gpubench::kernels::peaks::PEAK_KERNELS;
use gpubench::peaks;
use gpubench::result::{PEAK_FACTS, PeakKind, Peaks};
use libtest_mimic::Trial;
use std::ops::ControlFlow;
use std::sync::Arc;
use tempfile::TempDir;

/// Every figure is there and sane, or tells why it is not; on an adapter that computes rightly only these reasons can
/// be.
fn every_figure_is_sane_or_has_its_reason(adapters: &Adapters, index: usize) -> Outcome {
    let info = &adapters.infos()[index];
    const REASONS: [&str; 4] =
        ["the machine is too busy", "a pass costs no more", "offers no 16-bit", "were 0, negative"];
    let mut told = 0;
    let mut progress = |_: &str| {
        told += 1;
        ControlFlow::Continue(())
    };
    let peaks = pollster::block_on(peaks::measure(adapters, info, &mut progress))?;
    assert!(told >= 15, "{told}");
    assert_eq!(peaks.implausible(), None);
    for facts in PEAK_FACTS {
        assert!(peaks.figures.iter().any(|figure| figure.kind == facts.kind), "{} is not there", facts.name);
    }
    let measured = peaks.figures.iter().filter(|figure| figure.median.value().is_some()).count();
    for figure in &peaks.figures {
        match figure.median.reason() {
            Some(reason) => assert!(REASONS.iter().any(|known| reason.contains(known)), "{:?}: {reason}", figure.kind),
            None => assert!(figure.samples.len() >= 3 && figure.deviation.value().is_some(), "{figure:?}"),
        }
    }
    assert!(2 * measured > peaks.figures.len(), "only {measured} of {} figures", peaks.figures.len());
    let highest = peaks.highest(PeakKind::Fp32MultiplyAdd).ok_or("no rate of FP32 multiply-adds")?;
    assert!(highest > 5.0, "{highest} GFLOP/s");
    let launch_ns = peaks.launch_ns().ok_or("no cost of a dependent dispatch")?;
    assert!((10.0..1e7).contains(&launch_ns), "{launch_ns} ns");
    let bandwidth = peaks.bandwidth(1 << 20).ok_or("no bandwidth")?;
    assert!((0.05..50_000.0).contains(&bandwidth), "{bandwidth} GB/s");
    assert_eq!(Peaks::from_json(&peaks.to_json()?)?, peaks);
    Ok(())
}

fn every_kernel_does_its_work(adapters: &Adapters, index: usize) -> Outcome {
    let info = &adapters.infos()[index];
    for kernel in PEAK_KERNELS {
        match pollster::block_on(peaks::check(adapters, info, kernel)) {
            // An adapter without 16-bit numbers cannot compile it.
            Err(Error::Adapter(_)) if kernel.needs_f16() => {}
            outcome => outcome?,
        }
    }
    Ok(())
}

/// Kernels that leave out a part of their work, as a compiler might, or do another.
fn wrong_kernels_are_caught(adapters: &Adapters, index: usize) -> Outcome {
    let info = &adapters.infos()[index];
    let wrong = [
        ("fp32_multiply_add", "i < LOOPS", "i < LOOPS - 1u"),
        ("fp32_multiply_add", "q = q * a + b;\n        r = r * a + b;\n    }", "r = r * a + b;\n    }"),
        ("fp32_multiply_add", "y[id.x] =", "y[id.x + 1u] ="),
        ("storage_read", "i < loops", "i < 1u"),
        ("storage_read", "odd += x[(at + 3u * LOOP_STEP) & mask];", ""),
        ("storage_write", "y[third] = value + third;", ""),
        ("storage_write", "y[second] = value + second;", "y[second] = value;"),
        ("storage_copy", "y[fourth] = d;", "y[fourth] = c;"),
        ("storage_copy", "y[first] = a;", ""),
        ("workgroup_read", "i < loops", "i < 1u"),
        ("workgroup_read", "odd += tile[(at + STRIDE) % VALUES];", ""),
        ("empty_dependent", "y[0] += 1u", "y[0] = 1u"),
    ];
    for (name, right, other) in wrong {
        let row = PEAK_KERNELS.iter().find(|kernel| kernel.name == name).ok_or(name)?;
        assert!(row.source.contains(right), "{name} no longer says {right:?}");
        let source: &'static str = Box::leak(row.source.replace(right, other).into_boxed_str());
        let kernel: &'static Kernel = Box::leak(Box::new(Kernel { source, ..kernel_like(row) }));
        match pollster::block_on(peaks::check(adapters, info, kernel)) {
            Err(Error::Check(words)) => assert!(words.contains("computes otherwise"), "{words}"),
            outcome => return Err(format!("{name} with {other:?} in place of {right:?}: {outcome:?}").into()),
        }
    }
    Ok(())
}

fn kernel_like(row: &Kernel) -> Kernel {
    let Kernel { name, source, shared, bindings, constants, tile } = *row;
    Kernel { name, source, shared, bindings, constants, tile }
}

fn whoever_watches_can_stop_it(adapters: &Adapters, index: usize) -> Outcome {
    let info = &adapters.infos()[index];
    let mut progress = |what: &str| match what.starts_with("storage") {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let outcome = pollster::block_on(peaks::measure(adapters, info, &mut progress));
    assert_eq!(outcome.err(), Some(Error::Interrupted));
    Ok(())
}

fn what_the_cache_holds_is_not_measured_again(adapters: &Adapters, index: usize) -> Outcome {
    let info = &adapters.infos()[index];
    let folder = TempDir::new()?;
    let kept = sample::peaks::peaks(peaks::subject(info));
    write(folder.path(), &kept)?;
    let peaks = cached_in_or_measured(Some(folder.path()), adapters, info)?;
    assert_eq!(peaks, Peaks { cached: true, ..kept });
    Ok(())
}

const TESTS: &[AdapterTest] = &named![
    every_figure_is_sane_or_has_its_reason,
    every_kernel_does_its_work,
    wrong_kernels_are_caught,
    whoever_watches_can_stop_it,
    what_the_cache_holds_is_not_measured_again,
];

pub fn trials(adapters: &Arc<Adapters>) -> Vec<Trial> {
    with_each(adapters, TESTS)
}

//! What `gpubench sweep` refuses, and the report of a sweep.

use crate::common::process::refused;
use crate::common::sample;
use gpubench::report::text;
use gpubench::result::{Measured, Sweep, SweepFit, SweepPoint, SweepVariable};

#[test]
fn lists_that_are_none_are_refused() {
    let cases: [(&[&str], &str); 12] = [
        (&["--batch", "0"], "--batch"),
        (&["--batch", "64,0"], "--batch"),
        (&["--batch=-64"], "--batch"),
        (&["--batch", "64,many"], "many"),
        (&["--batch", "64,,128"], "--batch"),
        (&["--batch", "1.5"], "1.5"),
        (&["--width", "0"], "above 0"),
        (&["--width=-1"], "above 0"),
        (&["--width", "1,wide"], "not a number"),
        (&["--width", "nan"], "not a number"),
        (&["--seconds", "0"], "above 0 and at most 600 seconds"),
        // One variable at a time.
        (&["--batch", "64", "--width", "1"], "cannot be used with"),
    ];
    for (arguments, says) in cases {
        refused(&[&["sweep"], arguments].concat(), 2, &[says]);
    }
}

#[test]
fn a_sweep_is_reported_as_one() {
    let mut result = sample::gpu_run(1);
    let point = |batch: u32, step_s: Measured<f64>| SweepPoint {
        batch,
        width: 1.0,
        parameters: Measured::Value(65_402),
        flop_per_step: Measured::Value(4_404_992 * u64::from(batch)),
        deviation_s: step_s.clone().map(|step_s| 0.01 * step_s),
        step_s,
        samples_s: vec![0.001; 7],
    };
    result.standard = false;
    result.repeats.clear();
    result.sweep = Measured::Value(Sweep {
        variable: SweepVariable::Batch,
        points: vec![
            point(64, 0.000_5.into()),
            point(128, 0.000_8.into()),
            point(60_001, Measured::missing("too many")),
        ],
        fit: Measured::Value(SweepFit {
            overhead_s: 0.000_2,
            asymptotic_gflop_per_s: 939.7,
            half_rate_at: 42.7.into(),
            largest_residual_pct: 1.5,
            points: 3,
        }),
    });
    for width in [80, 100, 120] {
        let report = text(&result, width);
        assert!(
            report.starts_with("non-standard: step time against batch, plan layered, 2 of 3 sizes timed, MNIST"),
            "{report}"
        );
        for word in ["Each step costs 0.200 ms before any work", "60,001", "¹  too many", "n/a¹", "160,000", "564"] {
            assert!(report.contains(word), "{word:?} is not in: {report}");
        }
        assert!(!report.contains("epoch") && !report.contains("Tesla"), "{report}");
        for line in report.lines() {
            assert!(line.chars().count() <= usize::from(width), "wider than {width}: {line}");
        }
    }
}

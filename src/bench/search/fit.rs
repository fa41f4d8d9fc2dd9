//! The line fitted to a sweep: the fixed overhead of a step, and the rate that larger steps approach.

use crate::model::Model;
use crate::result::{Measured, SweepFit, SweepPoint, SweepVariable};
use crate::stats::Line;

const GIGA: f64 = 1e9;

/// Fits step time = overhead + operations / rate to `points`, minimising relative residuals.
///
/// Missing with a reason if fewer than two sizes were timed, or if the overhead or rate would be negative or infinite.
pub fn fit(variable: SweepVariable, points: &[SweepPoint]) -> Measured<SweepFit> {
    let timed: Vec<(f64, f64)> = points
        .iter()
        .filter_map(|point| Some((*point.flop_per_step.value()? as f64, *point.step_s.value()?)))
        .collect();
    let Some(line) = Line::through(&timed) else {
        return Measured::missing(format!("{} of {} sizes were timed; a line takes two", timed.len(), points.len()));
    };
    if line.slope <= 0.0 {
        return Measured::missing("larger steps took no longer, so the times show no rate: sweep larger sizes");
    }
    if line.intercept < 0.0 {
        return Measured::missing(format!(
            "the line would put a step without work at {:.3} ms, which is no overhead: here times grow faster than work, or are unsteady; sweep other sizes",
            1e3 * line.intercept
        ));
    }
    let rate = 1.0 / (line.slope * GIGA);
    if !rate.is_finite() {
        return Measured::missing("the times do not grow enough to show a rate: sweep larger sizes");
    }
    let residual = |&(flop, step_s): &(f64, f64)| ((step_s - line.at(flop)) / step_s).abs();
    Measured::Value(SweepFit {
        overhead_s: line.intercept,
        asymptotic_gflop_per_s: rate,
        half_rate_at: size_of(variable, line.intercept / line.slope, points),
        largest_residual_pct: 100.0 * timed.iter().map(residual).fold(0.0, f64::max),
        points: timed.len() as u32,
    })
}

/// The batch or width, a real number, whose step takes `flop` operations.
fn size_of(variable: SweepVariable, flop: f64, points: &[SweepPoint]) -> Measured<f64> {
    let Some(point) = points.first() else { return Measured::missing("nothing was timed") };
    match variable {
        SweepVariable::Batch => match point.flop_per_step.value() {
            Some(of_batch) => (flop * f64::from(point.batch) / *of_batch as f64).into(),
            None => Measured::missing("the work of an image is not known"),
        },
        SweepVariable::Width => match quadratic() {
            Some((linear, square)) => {
                let macs = flop / (2.0 * f64::from(point.batch));
                (((linear * linear + 4.0 * square * macs).sqrt() - linear) / (2.0 * square)).into()
            }
            None => Measured::missing("the work of a network of this width is not known"),
        },
    }
}

/// The coefficients `(linear, square)` of an image's training multiply-adds at width w, `linear` w + `square` w^2: the first and last
/// layers, next to the image and the classes, grow with w, those between with its square.
fn quadratic() -> Option<(f64, f64)> {
    let at = |width| Model::scaled(0.0, width).map(|model| model.training_macs() as f64).ok();
    let (once, twice) = (at(1.0)?, at(2.0)?);
    let square = (twice - 2.0 * once) / 2.0;
    Some((once - square, square))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points on the line `overhead_s` + flop / `gflop_per_s`, of one megaflop an image.
    fn batches(overhead_s: f64, gflop_per_s: f64, batches: &[u32]) -> Vec<SweepPoint> {
        let point = |&batch: &u32| SweepPoint {
            batch,
            width: 1.0,
            parameters: Measured::Value(65_402),
            flop_per_step: Measured::Value(1_000_000 * u64::from(batch)),
            step_s: (overhead_s + 1e-3 * f64::from(batch) / gflop_per_s).into(),
            deviation_s: 0.0.into(),
            samples_s: Vec::new(),
        };
        batches.iter().map(point).collect()
    }

    #[test]
    fn a_known_line_is_found_with_the_batch_at_half_its_rate() {
        let fit = fit(SweepVariable::Batch, &batches(0.004, 10.0, &[16, 64, 256]));
        let fit = fit.value().expect("three points on a line");
        assert!((fit.overhead_s - 0.004).abs() < 1e-12 && (fit.asymptotic_gflop_per_s - 10.0).abs() < 1e-9, "{fit:?}");
        // 4 ms of work at 10 GFLOP/s is 40 MFLOP.
        assert!((fit.half_rate_at.value().unwrap() - 40.0).abs() < 1e-6, "{fit:?}");
        assert!(fit.largest_residual_pct < 1e-9 && fit.points == 3);
    }

    #[test]
    fn the_largest_residual_is_relative_to_the_point() {
        let mut points = batches(0.004, 10.0, &[16, 64, 256, 512]);
        points[1].step_s = points[1].step_s.clone().map(|step_s| 1.10 * step_s);
        let fit = fit(SweepVariable::Batch, &points);
        let residual = fit.value().unwrap().largest_residual_pct;
        assert!(residual > 3.0 && residual < 9.1, "{residual}");
    }

    #[test]
    fn sizes_without_a_time_are_left_out_and_one_is_too_few() {
        let mut points = batches(0.004, 10.0, &[16, 64, 256]);
        points[2].step_s = Measured::missing("does not fit");
        assert_eq!(fit(SweepVariable::Batch, &points).value().map(|fit| fit.points), Some(2));
        points[1].step_s = Measured::missing("does not fit");
        assert_eq!(fit(SweepVariable::Batch, &points).reason(), Some("1 of 3 sizes were timed; a line takes two"));
        assert!(fit(SweepVariable::Width, &[]).value().is_none());
    }

    #[test]
    fn an_impossible_overhead_or_rate_is_missing_with_a_reason() {
        let negative = fit(SweepVariable::Batch, &batches(-0.001, 10.0, &[64, 128, 256]));
        assert!(negative.reason().is_some_and(|reason| reason.contains("at -1.000 ms")), "{negative:?}");
        let shrinking = fit(SweepVariable::Batch, &batches(0.1, -10.0, &[64, 128, 256]));
        assert!(shrinking.reason().is_some_and(|reason| reason.contains("no rate")), "{shrinking:?}");
        let flat = fit(SweepVariable::Batch, &batches(0.1, f64::INFINITY, &[64, 128, 256]));
        assert!(flat.value().is_none(), "{flat:?}");
    }

    #[test]
    fn the_operations_of_a_width_equal_the_models() {
        let (linear, square) = quadratic().unwrap();
        for width in [0.25, 0.5, 1.5, 4.0, 16.0] {
            let macs = Model::scaled(0.0, width).unwrap().training_macs() as f64;
            assert_eq!(linear * width + square * width * width, macs, "width {width}");
            let points = batches(0.1, 1.0, &[128]);
            let found = size_of(SweepVariable::Width, 2.0 * 128.0 * macs, &points);
            assert!((found.value().unwrap() - width).abs() < 1e-9, "{found:?}");
        }
    }
}

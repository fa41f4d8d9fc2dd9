//! The verdict of a time account: in the words of the roofline, and none where profile and training disagree.

use crate::common::sample;
use gpubench::report::{html, text};
use gpubench::result::{Account, Measured, NEAR_ROOF_PCT, RunResult, TrainingBound};

/// The sample with every kernel at these shares of both peaks, in percent.
fn at_peaks(arithmetic: f64, bandwidth: f64) -> RunResult {
    let mut result = sample::profiled_run();
    let Measured::Value(profile) = &mut result.profile else { unreachable!() };
    for time in &mut profile.kernels {
        (time.peak_flop_pct, time.peak_bandwidth_pct) = (arithmetic.into(), bandwidth.into());
    }
    result
}

fn account(result: &mut RunResult) -> &mut Account {
    let Measured::Value(account) = &mut result.account else { panic!("the sample has an account") };
    account
}

fn bound(result: &RunResult) -> Option<TrainingBound> {
    let account = result.account.value().unwrap();
    account.judge(result.profile.value(), result.peaks.value()).value().map(|verdict| verdict.bound)
}

#[test]
fn the_words_follow_the_roofline() {
    assert_eq!(bound(&at_peaks(7.0, 2.0)), Some(TrainingBound::Device));
    assert_eq!(bound(&at_peaks(NEAR_ROOF_PCT - 1.0, NEAR_ROOF_PCT - 1.0)), Some(TrainingBound::Device));
    assert_eq!(bound(&at_peaks(NEAR_ROOF_PCT + 1.0, 20.0)), Some(TrainingBound::Compute));
    assert_eq!(bound(&at_peaks(20.0, NEAR_ROOF_PCT + 1.0)), Some(TrainingBound::Bandwidth));
    let far = at_peaks(7.0, 2.0);
    for surface in [text(&far, 400), html(&far)] {
        assert!(surface.contains("device-bound: running kernels takes 9"), "{surface}");
        assert!(
            surface.contains("7.0 % of peak arithmetic and 2.0 % of peak bandwidth, below both roofs"),
            "{surface}"
        );
        assert!(!surface.contains("compute-bound") && !surface.contains("the words of the version"), "{surface}");
    }
}

#[test]
fn without_peaks_nothing_is_said_about_roofs() {
    let mut result = sample::profiled_run();
    let Measured::Value(profile) = &mut result.profile else { unreachable!() };
    profile.kernels.iter_mut().for_each(|time| time.peak_flop_pct = Measured::missing("no peaks"));
    result.peaks = Measured::missing("not measured");
    assert_eq!(bound(&result), Some(TrainingBound::Device));
    assert!(text(&result, 200).contains("no measured peaks tell"), "{}", text(&result, 200));
}

#[test]
fn a_profile_that_disagrees_with_the_training_gives_no_verdict() {
    type Change = (&'static str, fn(&mut Account));
    let changes: [Change; 3] = [
        ("the parts add up to 107.", |account| {
            account.kernels_s += 0.09 * account.wall_s;
            account.rest_s -= 0.09 * account.wall_s;
        }),
        ("the parts add up to 9", |account| {
            account.kernels_s -= 0.08 * account.wall_s;
            account.rest_s += 0.08 * account.wall_s;
        }),
        ("the kernels take 27.0 % of the training longer than together", |account| {
            account.kernels_s += 0.301 * account.wall_s;
            account.gaps_s -= 0.301 * account.wall_s;
        }),
    ];
    for (says, change) in changes {
        let mut result = sample::profiled_run();
        assert!(account(&mut result).busy_pct().value().is_some());
        change(account(&mut result));
        assert_eq!(bound(&result), None);
        assert!(account(&mut result).busy_pct().value().is_none(), "no load follows either");
        for surface in [text(&result, 400), html(&result)] {
            assert!(surface.contains("n/a (profile and training disagree: "), "{surface}");
            assert!(surface.contains(says) && !surface.contains("-bound"), "{says}: {surface}");
        }
    }
}

#[test]
fn an_account_of_an_older_version_reads_and_is_judged_anew() {
    let result = at_peaks(7.0, 2.0);
    let mut json: serde_json::Value = serde_json::from_str(&result.to_json().unwrap()).unwrap();
    json["account"]["verdict"] =
        serde_json::json!({ "bound": "compute", "words": "compute-bound: computing takes 102.2 %" });
    let read = RunResult::from_json(&json.to_string()).unwrap();
    assert!(!text(&read, 200).contains("102.2"), "{}", text(&read, 200));
}

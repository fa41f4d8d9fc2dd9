//! The time account of a training: the host's timeline combined with the profile's device times.

use super::host_timeline::{Activity, HostTimeline};
use crate::result::{Account, Measured, no_device_time_factor, not_reached};

/// Device times of one full batch, seconds; means, since the parts of the account add up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeviceStep {
    /// Sum of the kernel times.
    pub kernels_s: f64,
    /// An unprofiled step: kernels and the gaps between them.
    pub step_s: f64,
    /// The same steps on the host's clock, with the next submission ready; only for a device that is the host's own
    /// processor, whose speed depends on what else runs.
    pub host_step_s: Option<f64>,
}

/// The account of a training of `steps` steps, the work of `batches` full batches, in `wall_s` seconds.
///
/// Time with nothing in flight is attributed to the host's activity at that time. Time in flight in which the device
/// was idle is attributed first to encoding and submission, then to the host's other work in flight, up to their
/// durations: an upper bound of their cost. The remainder is the rest.
///
/// In drivers that execute commands inside the submit call, a submission lasts as long as its commands. At most
/// `submit_s`, the time of an almost empty submission, therefore counts as launching. Where `submit_s` was not
/// measured, submissions count in full unless submitting took longer than waiting.
///
/// Where the device is the host's own processor, device times are scaled by the ratio of the step times in the training
/// and during the profile, both on the host's clock ([`Account::device_time_factor`]). A GPU's are not: there a longer
/// step means an idle device.
pub fn account(
    host_timeline: &HostTimeline,
    device: DeviceStep,
    submit_s: Option<f64>,
    steps: u32,
    batches: f64,
    wall_s: f64,
) -> Account {
    let host = host_timeline.host_times(wall_s);
    let is_launch = |activity| matches!(activity, Activity::Encode | Activity::Submit);
    let is_transfer = |activity| matches!(activity, Activity::Upload | Activity::Readback);
    let part = |in_flight: bool, wanted: &dyn Fn(Activity) -> bool| {
        host_timeline.seconds(|interval| interval.in_flight == in_flight && wanted(interval.activity))
    };
    let exposed_launch_s = part(false, &is_launch);
    let transfer_s = part(false, &is_transfer);
    let in_flight_s = part(true, &|_| true);
    // Time outside all intervals is host work between them, with almost nothing in flight.
    let exposed_other_s = wall_s - in_flight_s - exposed_launch_s - transfer_s;

    // In the training the processor may have been faster or slower than in the profile.
    let factor = device.host_step_s.map(|host_step_s| in_flight_s / (batches * host_step_s));
    let batches = batches * factor.unwrap_or(1.0);
    let device_s = device.step_s * batches;
    let idle_s = (in_flight_s - device_s).max(0.0);
    let submissions = host_timeline.intervals.iter().filter(|interval| interval.activity == Activity::Submit).count();
    let submitting_s = match submit_s {
        Some(submit_s) => host.submit_s.min(submissions as f64 * submit_s),
        None if host.submit_s > host.wait_s => 0.0,
        None => host.submit_s,
    };
    let hidden_launch_s = idle_s.min(part(true, &|activity| activity == Activity::Encode) + submitting_s);
    let hidden_other_s = (idle_s - hidden_launch_s).min(part(true, &|activity| activity == Activity::Report));

    let kernels_s = device.kernels_s * batches;
    let encode_submit_s = exposed_launch_s + hidden_launch_s;
    let host_s = exposed_other_s + hidden_other_s;
    let explained_s = device_s + encode_submit_s + transfer_s + host_s;
    let mut account = Account {
        wall_s,
        steps,
        kernels_s,
        gaps_s: device_s - kernels_s,
        encode_submit_s,
        transfer_s,
        host_s,
        rest_s: wall_s - explained_s,
        device_time_factor: factor.map_or_else(no_device_time_factor, Measured::from),
        host,
        verdict: not_reached(),
    };
    account.verdict = account.judge(None, None);
    account
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::host_timeline::Interval;
    use crate::result::TrainingBound;
    use web_time::Instant;

    /// A timeline of (activity, seconds, in flight).
    fn host_timeline(intervals: &[(Activity, f64, bool)]) -> HostTimeline {
        let mut host_timeline = HostTimeline::new(Instant::now());
        let interval = |&(activity, seconds, in_flight): &(Activity, f64, bool)| Interval {
            activity,
            begin_ns: 0.0,
            duration_ns: seconds * 1e9,
            in_flight,
            step: None,
        };
        host_timeline.intervals = intervals.iter().map(interval).collect();
        host_timeline
    }

    fn closes(account: &Account) {
        let sum: f64 = account.parts().iter().map(|(_, seconds)| seconds).sum();
        assert!((sum - account.wall_s).abs() < 1e-9, "{sum} of {}", account.wall_s);
    }

    #[test]
    fn a_busy_device_hides_the_encoding() {
        let host_timeline = host_timeline(&[
            (Activity::Upload, 0.5, false),
            (Activity::Encode, 0.1, false),
            (Activity::Encode, 1.0, true),
            (Activity::Wait, 8.0, true),
            (Activity::Readback, 0.2, false),
        ]);
        let account = account(
            &host_timeline,
            DeviceStep { kernels_s: 0.8, step_s: 0.9, host_step_s: None },
            None,
            10,
            10.0,
            10.0,
        );
        closes(&account);
        assert!((account.kernels_s - 8.0).abs() < 1e-9 && (account.gaps_s - 1.0).abs() < 1e-9);
        assert!((account.encode_submit_s - 0.1).abs() < 1e-9, "{account:?}");
        assert!((account.transfer_s - 0.7).abs() < 1e-9);
        assert!((account.host_s - 0.2).abs() < 1e-9, "time outside the timeline is the host's");
        assert!(account.rest_s.abs() < 1e-9);
        assert_eq!(account.verdict.value().map(|verdict| verdict.bound), Some(TrainingBound::Device));
        assert!((account.host.encode_s - 1.1).abs() < 1e-9);
    }

    #[test]
    fn a_fast_device_waits_for_the_encoding() {
        let host_timeline =
            host_timeline(&[(Activity::Encode, 6.0, true), (Activity::Submit, 1.6, true), (Activity::Wait, 2.4, true)]);
        let account = account(
            &host_timeline,
            DeviceStep { kernels_s: 0.1, step_s: 0.2, host_step_s: None },
            None,
            10,
            10.0,
            10.0,
        );
        closes(&account);
        assert!((account.encode_submit_s - 7.6).abs() < 1e-9, "no more than was measured: {account:?}");
        assert!((account.rest_s - 0.4).abs() < 1e-9);
        assert_eq!(account.verdict.value().map(|verdict| verdict.bound), Some(TrainingBound::Launch));
    }

    #[test]
    fn a_driver_that_executes_in_the_submission_does_not_make_it_a_launch() {
        let host_timeline =
            host_timeline(&[(Activity::Submit, 4.5, true), (Activity::Submit, 4.5, true), (Activity::Wait, 1.0, true)]);
        let device = DeviceStep { kernels_s: 0.8, step_s: 0.8, host_step_s: None };
        let measured = account(&host_timeline, device, Some(0.25), 10, 10.0, 10.0);
        closes(&measured);
        assert!((measured.encode_submit_s - 0.5).abs() < 1e-9, "{measured:?}");
        assert!((measured.rest_s - 1.5).abs() < 1e-9, "unexplained time is the rest: {measured:?}");
        let unmeasured = account(&host_timeline, device, None, 10, 10.0, 10.0);
        assert!((unmeasured.rest_s - 2.0).abs() < 1e-9, "{unmeasured:?}");
    }

    #[test]
    fn a_device_slower_in_the_profile_than_in_the_training_shows_as_a_negative_rest() {
        let host_timeline = host_timeline(&[(Activity::Wait, 10.0, true)]);
        let account = account(
            &host_timeline,
            DeviceStep { kernels_s: 1.1, step_s: 1.1, host_step_s: None },
            None,
            10,
            10.0,
            10.0,
        );
        closes(&account);
        assert!((account.rest_pct() + 10.0).abs() < 1e-9);
        assert!(account.verdict.reason().is_some_and(|reason| reason.contains("add up to 110.0 %")), "{account:?}");
    }

    #[test]
    fn a_processor_slower_in_the_training_is_distinguished_from_an_idle_device() {
        let host_timeline = host_timeline(&[(Activity::Upload, 1.0, false), (Activity::Wait, 9.0, true)]);
        // During the profile a step took half as long, on both clocks.
        let step = DeviceStep { kernels_s: 0.4, step_s: 0.44, host_step_s: None };
        let waiting = account(&host_timeline, step, None, 10, 10.0, 10.0);
        assert!((waiting.rest_s - 4.6).abs() < 1e-9 && waiting.device_time_factor.value().is_none(), "{waiting:?}");
        let slower = account(&host_timeline, DeviceStep { host_step_s: Some(0.45), ..step }, None, 10, 10.0, 10.0);
        closes(&slower);
        assert_eq!(slower.device_time_factor.value(), Some(&2.0));
        assert!((slower.kernels_s - 8.0).abs() < 1e-9 && (slower.gaps_s - 0.8).abs() < 1e-9, "{slower:?}");
        assert!((slower.rest_s - 0.2).abs() < 1e-9, "time that the device's clock missed during the profile too");
    }

    #[test]
    fn a_host_that_keeps_the_device_idle_is_the_bound() {
        let host_timeline = host_timeline(&[(Activity::Shuffle, 6.0, false), (Activity::Wait, 4.0, true)]);
        let account = account(
            &host_timeline,
            DeviceStep { kernels_s: 0.4, step_s: 0.4, host_step_s: None },
            None,
            10,
            10.0,
            10.0,
        );
        closes(&account);
        let verdict = account.verdict.value().unwrap();
        assert_eq!(verdict.bound, TrainingBound::Host);
        assert!(verdict.words.contains("60.0 %"), "{}", verdict.words);
    }
}

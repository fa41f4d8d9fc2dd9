//! The time account of a timed training: the breakdown of its wall time.

use super::measured::Measured;
use super::missing::no_device_time_factor;
use super::peaks::Peaks;
use super::profile::{KernelTime, Profile, mean_share_pct};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// wall = kernels + gaps + encoding and submission + upload and readback + host + rest, in seconds of one timed
/// training.
///
/// The timed training takes no timestamps. Its kernels and gaps are the profile's device times of a step, multiplied by
/// its steps; everything else is measured by the host's clock in the timed training itself. Host work that overlaps
/// with device work costs nothing and is counted in [`HostTimes`] only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Account {
    /// The wall time of the training.
    pub wall_s: f64,
    /// Number of training steps.
    pub steps: u32,
    /// Running kernels: the sum of their medians, multiplied by the steps.
    pub kernels_s: f64,
    /// Between kernels: the undisturbed device time of a step minus its kernels, multiplied by the steps. Negative if
    /// kernels overlap.
    pub gaps_s: f64,
    /// Encoding and submission while the device was idle.
    pub encode_submit_s: f64,
    /// Uploads and readbacks while the device was idle.
    pub transfer_s: f64,
    /// Other work of the host while the device was idle: creating buffers, shuffling, reporting.
    pub host_s: f64,
    /// The unexplained rest.
    pub rest_s: f64,
    /// The factor on the profile's device times if the device is the host's own processor, whose speed depends on its
    /// other work: the time of a step in the training divided by its time in the profile, by the host's clock with
    /// commands in flight.
    #[serde(default = "no_device_time_factor::<f64>")]
    pub device_time_factor: Measured<f64>,
    /// All work of the host, whether it overlaps with device work or not.
    pub host: HostTimes,
    /// What limits the training; missing where profile and training disagree.
    pub verdict: Measured<Verdict>,
}

/// The work of the host during a training, in seconds; the sum is the wall time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HostTimes {
    /// Creating buffers and bind groups.
    pub prepare_s: f64,
    /// Copying the data and each epoch's order to the device.
    pub upload_s: f64,
    /// Shuffling the images of each epoch.
    pub shuffle_s: f64,
    /// Encoding commands.
    pub encode_s: f64,
    /// Submitting commands.
    pub submit_s: f64,
    /// Waiting for commands.
    pub wait_s: f64,
    /// Reading results back.
    pub readback_s: f64,
    /// Everything else, such as reporting progress.
    pub other_s: f64,
}

/// What limits a training, and by how much.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The limit.
    pub bound: TrainingBound,
    /// One sentence.
    pub words: String,
}

/// What limits a training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrainingBound {
    /// Running kernels take most of the time, near the peak rate of arithmetic.
    Compute,
    /// Running kernels take most of the time, near the peak bandwidth.
    Bandwidth,
    /// Running kernels take most of the time, below both roofs: latency or occupancy limits them.
    Device,
    /// Launches take most of the time: gaps, encoding and submission, and kernels no longer than a launch.
    Launch,
    /// Transfers or other work of the host take most of the time.
    Host,
}

/// Share of a peak, in percent, from which kernels count as near that roof.
///
/// Source: NVIDIA Nsight Compute, "GPU speed of light throughput": below 60 % of the peaks of both arithmetic and
/// memory, latency is the likely limit.
pub const NEAR_ROOF_PCT: f64 = 60.0;
/// Largest disagreement of profile and training, in percent of the training, with which a verdict is given.
pub const MAX_DISAGREEMENT_PCT: f64 = 5.0;

impl Account {
    /// The parts of the sum with their names, in order; the sum is [`Account::wall_s`].
    pub fn parts(&self) -> [(&'static str, f64); 6] {
        [
            ("kernels", self.kernels_s),
            ("gaps between kernels", self.gaps_s),
            ("encoding and submission", self.encode_submit_s),
            ("upload and readback", self.transfer_s),
            ("waiting on the host", self.host_s),
            ("rest", self.rest_s),
        ]
    }

    /// Share of the wall time in which kernels were running, in percent; overlapping kernels count once. Missing where
    /// profile and training disagree.
    pub fn busy_pct(&self) -> Measured<f64> {
        match self.disagreement() {
            None => self.share_pct(self.running_s()).clamp(0.0, 100.0).into(),
            Some(reason) => Measured::missing(reason),
        }
    }

    fn share_pct(&self, seconds: f64) -> f64 {
        100.0 * seconds / self.wall_s
    }

    /// The kernels, less what they overlap.
    fn running_s(&self) -> f64 {
        self.kernels_s + self.gaps_s.min(0.0)
    }

    /// The unexplained share of the wall time, in percent; negative if the parts exceed the wall time.
    pub fn rest_pct(&self) -> f64 {
        100.0 * self.rest_s / self.wall_s
    }

    /// How profile and training disagree, if by more than [`MAX_DISAGREEMENT_PCT`] of the training.
    pub fn disagreement(&self) -> Option<String> {
        let [parts, gaps] = [100.0 - self.rest_pct(), self.share_pct(self.gaps_s)];
        let [low, high] = [100.0 - MAX_DISAGREEMENT_PCT, 100.0 + MAX_DISAGREEMENT_PCT];
        let what = match () {
            () if !parts.is_finite() || !gaps.is_finite() => "a part is not a finite number".to_owned(),
            () if !(low..=high).contains(&parts) => format!("the parts add up to {parts:.1} % of the training"),
            () if gaps < -MAX_DISAGREEMENT_PCT => {
                format!("one by one the kernels take {:.1} % of the training longer than together", -gaps)
            }
            () => return None,
        };
        Some(format!("profile and training disagree: {what}, so that no verdict follows"))
    }

    /// What limits the training, by the profile's kernels and the time of an empty dispatch among the peaks, which
    /// counts as launching.
    pub fn judge(&self, profile: Option<&Profile>, peaks: Option<&Peaks>) -> Measured<Verdict> {
        if let Some(reason) = self.disagreement() {
            return Measured::missing(reason);
        }
        let kernels = profile.map_or(&[][..], |profile| &profile.kernels);
        let launches = launch_share(kernels, peaks.and_then(Peaks::launch_ns));
        let running = self.share_pct(self.running_s() * (1.0 - launches));
        let launching = self.share_pct(self.running_s() * launches + self.gaps_s.max(0.0) + self.encode_submit_s);
        let host = self.share_pct(self.transfer_s + self.host_s);
        let (bound, name, reached) = match () {
            () if running >= launching && running >= host => device_bound(kernels),
            () if launching >= host => (TrainingBound::Launch, "launch-bound", String::new()),
            () => (TrainingBound::Host, "bound by the host", String::new()),
        };
        let words = format!(
            "{name}: running kernels takes {running:.1} % of the training, launching {launching:.1} %, transfers and \
             other work of the host {host:.1} %{reached}"
        );
        Measured::Value(Verdict { bound, words })
    }
}

/// The share of empty dispatches in the time of `kernels`.
fn launch_share(kernels: &[KernelTime], launch_ns: Option<f64>) -> f64 {
    let Some(launch_ns) = launch_ns else { return 0.0 };
    let calls = |time: &KernelTime| Some((f64::from(time.calls_per_step), *time.median_ns.value()?));
    let (launches, all) = kernels.iter().filter_map(calls).fold((0.0, 0.0), |(launches, all), (calls, median_ns)| {
        (launches + calls * launch_ns.min(median_ns), all + calls * median_ns)
    });
    if all > 0.0 { launches / all } else { 0.0 }
}

/// The bound of a training whose time its kernels take, its name, and what they reach of both peaks.
fn device_bound(kernels: &[KernelTime]) -> (TrainingBound, &'static str, String) {
    let device = (TrainingBound::Device, "device-bound");
    let arithmetic = mean_share_pct(kernels, |time| &time.peak_flop_pct);
    let bandwidth = mean_share_pct(kernels, |time| &time.peak_bandwidth_pct);
    let (Some(arithmetic), Some(bandwidth)) = (arithmetic, bandwidth) else {
        return (device.0, device.1, "; no measured peaks tell how near the roofs they are".to_owned());
    };
    let reached = format!("; they reach {arithmetic:.1} % of peak arithmetic and {bandwidth:.1} % of peak bandwidth");
    match () {
        () if arithmetic.max(bandwidth) < NEAR_ROOF_PCT => {
            (device.0, device.1, format!("{reached}, below both roofs: latency or occupancy limits them"))
        }
        () if arithmetic >= bandwidth => (TrainingBound::Compute, "compute-bound", reached),
        () => (TrainingBound::Bandwidth, "bandwidth-bound", reached),
    }
}

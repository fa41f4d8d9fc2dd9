//! The time of an all-reduce and of a step on many devices: arithmetic, without a result.

use crate::stats::Line;
use serde::Serialize;

/// The efficiency that counts as good use of the devices.
pub(super) const GOOD: f64 = 0.8;

/// What a message between two devices costs: time = latency + bytes / rate.
///
/// Source: R. W. Hockney, "The communication challenge for MPP", Parallel Computing 20, 1994.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Link {
    /// Seconds of a message without content.
    pub latency_s: f64,
    /// Bytes in a second.
    pub bytes_per_s: f64,
}

impl Link {
    fn message_s(&self, bytes: f64) -> f64 {
        self.latency_s + bytes / self.bytes_per_s
    }
}

/// Machines with several devices each.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cluster {
    /// Between devices of one machine.
    pub inside: Link,
    /// Between machines.
    pub between: Link,
    /// Devices of a machine, at least 1.
    pub devices_per_machine: u32,
}

impl Cluster {
    /// The slower kind of link that `devices` have between them.
    fn link(&self, devices: u32) -> &Link {
        if devices > self.devices_per_machine { &self.between } else { &self.inside }
    }
}

/// A way to add up the gradients of all devices, and to give each the sum.
///
/// Source of the times: R. Thakur, R. Rabenseifner, W. Gropp, "Optimization of collective communication operations in
/// MPICH", International Journal of High Performance Computing Applications 19, 2005, sections 4.4 and 4.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AllReduce {
    /// Parts travel around a ring twice: 2 (n - 1) messages of bytes / n.
    Ring,
    /// Sums travel up a binary tree and the result down: 2 log2 n messages of all bytes.
    Tree,
    /// A ring within each machine, and rings between the machines for each device's part.
    Hierarchical,
}

impl AllReduce {
    /// All of them, in the order of columns.
    pub const ALL: [Self; 3] = [Self::Ring, Self::Tree, Self::Hierarchical];

    /// Seconds for the sum of `bytes` on each of `devices`.
    pub fn seconds(self, devices: u32, bytes: f64, cluster: &Cluster) -> f64 {
        let ring = |devices: u32, bytes: f64, link: &Link| {
            2.0 * f64::from(devices - 1) * link.message_s(bytes / f64::from(devices))
        };
        match (self, devices) {
            (_, 0 | 1) => 0.0,
            (Self::Ring, _) => ring(devices, bytes, cluster.link(devices)),
            (Self::Tree, _) => 2.0 * f64::from(devices).log2().ceil() * cluster.link(devices).message_s(bytes),
            (Self::Hierarchical, _) => {
                let inside = devices.min(cluster.devices_per_machine);
                let machines = devices.div_ceil(inside);
                let within_s = if inside > 1 { ring(inside, bytes, &cluster.inside) } else { 0.0 };
                let part = bytes / f64::from(inside);
                within_s + if machines > 1 { ring(machines, part, &cluster.between) } else { 0.0 }
            }
        }
    }

    /// The fastest way, and its seconds.
    pub fn fastest(devices: u32, bytes: f64, cluster: &Cluster) -> (Self, f64) {
        let times = Self::ALL.map(|way| (way, way.seconds(devices, bytes, cluster)));
        times.into_iter().min_by(|one, other| one.1.total_cmp(&other.1)).unwrap_or((Self::Ring, 0.0))
    }
}

/// The time of a step on one device: `overhead_s` + `image_s` for each image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StepTime {
    /// Seconds of a step without any image.
    pub overhead_s: f64,
    /// Seconds for each image of the batch.
    pub image_s: f64,
}

impl StepTime {
    /// The line through measured steps of (images, seconds). Steps of one size alone are taken as proportional to the
    /// images, which favours many devices. `None` if no time is above 0.
    pub fn through(steps: &[(f64, f64)]) -> Option<Self> {
        let line = Line::through(steps);
        let proportional = || {
            let &(images, step_s) = steps.first()?;
            Some(Self { overhead_s: 0.0, image_s: step_s / images })
        };
        // A line that falls, or cuts the axis below 0, is noise between sizes that lie close together.
        let fitted = line.filter(|line| line.slope > 0.0);
        let fitted = fitted.map(|line| Self { overhead_s: line.intercept.max(0.0), image_s: line.slope });
        fitted.or_else(proportional).filter(|time| time.image_s > 0.0 && time.image_s.is_finite())
    }

    /// Seconds of a step of `images`.
    pub fn seconds(&self, images: f64) -> f64 {
        self.overhead_s + self.image_s * images
    }

    /// Seconds of a step of `batch` images divided between `devices`, of which the one with most images is waited for;
    /// `None` where there are more devices than images.
    pub fn shared_s(&self, batch: u32, devices: u32, exchange_s: f64) -> Option<f64> {
        (devices <= batch).then(|| self.seconds(f64::from(batch.div_ceil(devices))) + exchange_s)
    }

    /// The smallest batch over all at which `devices` reach the efficiency `share`, below 1: a step of the batch on one
    /// device takes that share of what the devices spend together. `None` if it has more than 2^32 images.
    pub fn batch_for(&self, share: f64, devices: u32, exchange_s: f64) -> Option<u32> {
        let n = f64::from(devices);
        // overhead + image B = share n (overhead + image B / n + exchange), solved for B.
        let images = (share * n * (self.overhead_s + exchange_s) - self.overhead_s) / ((1.0 - share) * self.image_s);
        let whole = (images / n).ceil().max(1.0) * n;
        (whole <= f64::from(u32::MAX)).then_some(whole as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: Link = Link { latency_s: 2e-6, bytes_per_s: 1e10 };
    const SLOW: Link = Link { latency_s: 2e-5, bytes_per_s: 1e9 };
    const CLUSTER: Cluster = Cluster { inside: LINK, between: SLOW, devices_per_machine: 8 };

    fn close(value: f64, expected: f64) {
        assert!((value / expected - 1.0).abs() < 1e-9, "{value} instead of {expected}");
    }

    #[test]
    fn all_reduces_take_what_is_worked_out_by_hand() {
        // 4 devices, 40,000 bytes: six messages of 10,000 bytes, 3 us each; four of 40,000 bytes, 6 us each.
        close(AllReduce::Ring.seconds(4, 4e4, &CLUSTER), 18e-6);
        close(AllReduce::Tree.seconds(4, 4e4, &CLUSTER), 24e-6);
        close(AllReduce::Hierarchical.seconds(4, 4e4, &CLUSTER), 18e-6);
        // 16 devices on 2 machines: 14 messages of 5,000 bytes inside, then 2 of 2,500 bytes between.
        close(AllReduce::Hierarchical.seconds(16, 4e4, &CLUSTER), 14.0 * 2.5e-6 + 2.0 * 22.5e-6);
        close(AllReduce::Ring.seconds(16, 4e4, &CLUSTER), 30.0 * 22.5e-6);
        close(AllReduce::Tree.seconds(9, 4e4, &CLUSTER), 8.0 * 60e-6);
        assert_eq!(AllReduce::ALL.map(|way| way.seconds(1, 4e4, &CLUSTER)), [0.0; 3]);
        assert_eq!(AllReduce::fastest(4096, 2.6e5, &CLUSTER).0, AllReduce::Tree);
        assert_eq!(AllReduce::fastest(16, 4e4, &CLUSTER).0, AllReduce::Hierarchical);
    }

    #[test]
    fn a_step_is_a_line_through_what_was_measured() {
        let time = StepTime::through(&[(32.0, 1.32), (64.0, 1.64), (128.0, 2.28)]).unwrap();
        close(time.overhead_s, 1.0);
        close(time.image_s, 0.01);
        assert_eq!(StepTime::through(&[(128.0, 2.56)]), Some(StepTime { overhead_s: 0.0, image_s: 0.02 }));
        assert_eq!(StepTime::through(&[(32.0, 2.0), (64.0, 1.0)]).unwrap().overhead_s, 0.0);
        assert_eq!(StepTime::through(&[]), None);
        close(time.shared_s(128, 3, 0.5).unwrap(), 1.0 + 0.43 + 0.5);
        assert_eq!(time.shared_s(4, 5, 0.0), None);
    }

    #[test]
    fn the_batch_for_an_efficiency_reaches_it_and_a_smaller_one_does_not() {
        let time = StepTime { overhead_s: 1e-4, image_s: 3e-6 };
        for devices in [2, 16, 1024] {
            let batch = time.batch_for(GOOD, devices, 5e-5).unwrap();
            let efficiency = |batch: u32| {
                time.seconds(f64::from(batch)) / (f64::from(devices) * time.shared_s(batch, devices, 5e-5).unwrap())
            };
            assert!(efficiency(batch) >= GOOD - 1e-12, "{devices}: {}", efficiency(batch));
            assert!(batch == devices || efficiency(batch - devices) < GOOD, "{devices}: a smaller one does");
        }
        assert_eq!(time.batch_for(GOOD, 4096, 1e6), None);
    }
}

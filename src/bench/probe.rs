//! Resources that a timed training uses: the interface to measure them, and energy per epoch and per image.

use crate::result::{Load, Measured, Repeat};

/// Measures the resources that a timed training uses. [`run`](super::run()) calls it around each timed training, and
/// whenever the training's clock pauses.
pub trait Probe {
    /// A timed training is about to start; returns the seconds that measuring the idle power took.
    fn begin(&self) -> Measured<f64>;
    /// The training's clock resumes.
    fn resume(&self);
    /// The training's clock pauses; resources used from now on are not counted.
    fn pause(&self);
    /// The timed training has finished or was aborted; returns the resources it used.
    fn end(&self) -> Measured<Load>;
}

/// Measures nothing.
#[derive(Debug, Clone, Copy)]
pub struct NoProbe(
    /// The reason, as it appears in results.
    pub &'static str,
);

impl Probe for NoProbe {
    fn begin(&self) -> Measured<f64> {
        Measured::missing(self.0)
    }

    fn resume(&self) {}

    fn pause(&self) {}

    fn end(&self) -> Measured<Load> {
        Measured::missing(self.0)
    }
}

/// Sets the load of `repeat`, which trained on `images` images, with its energy per epoch and per 1,000 images.
///
/// An aborted epoch counts by its images; a full one has `epoch_images`.
pub fn attach(repeat: &mut Repeat, load: Measured<Load>, images: u64, epoch_images: u32) {
    repeat.load = load.map(|mut load| {
        load.energy = load.energy.map(|mut energy| {
            let per = |count: f64| {
                if images == 0 {
                    return Measured::missing("no step of the training finished");
                }
                energy.net_j.clone().map(|net_j| net_j * count / images as f64)
            };
            (energy.net_j_per_epoch, energy.net_j_per_1000_images) = (per(f64::from(epoch_images)), per(1000.0));
            energy
        });
        load
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::Energy;

    fn load(net_j: Measured<f64>) -> Measured<Load> {
        let energy = Energy {
            of: "an imaginary board".into(),
            method: "made up".into(),
            total_j: 900.0,
            idle_w: 50.0.into(),
            net_j,
            net_j_per_epoch: Measured::missing("not yet"),
            net_j_per_1000_images: Measured::missing("not yet"),
        };
        Measured::Value(Load { energy: Measured::Value(energy), ..Load::missing("not measured") })
    }

    #[test]
    fn energy_is_reported_per_epoch_and_per_thousand_images() {
        let mut trained = Repeat::unfinished();
        attach(&mut trained, load(600.0.into()), 150_000, 60_000);
        let energy = trained.load.value().and_then(|load| load.energy.value()).unwrap();
        assert_eq!(energy.net_j_per_epoch, Measured::Value(240.0), "two epochs and a half");
        assert_eq!(energy.net_j_per_1000_images, Measured::Value(4.0));
    }

    #[test]
    fn a_missing_figure_keeps_its_reason() {
        let mut trained = Repeat::unfinished();
        attach(&mut trained, load(Measured::missing("no idle power")), 150_000, 60_000);
        let energy = |repeat: &Repeat| repeat.load.value().and_then(|load| load.energy.value().cloned()).unwrap();
        assert_eq!(energy(&trained).net_j_per_epoch, Measured::missing("no idle power"));
        attach(&mut trained, load(600.0.into()), 0, 60_000);
        assert!(energy(&trained).net_j_per_1000_images.reason().is_some_and(|reason| reason.contains("no step")));
        attach(&mut trained, NoProbe("not exposed by browsers").end(), 1, 1);
        assert_eq!(trained.load.reason(), Some("not exposed by browsers"));
    }
}

//! Whether a standard run learns as the reference runs do: training loss and test error after each epoch.

use crate::result::{Epoch, RunResult};

/// Curves of standard runs of the CPU target with different seeds, as `results/convergence.py` writes them.
const CURVES: &str = include_str!("../../results/convergence.csv");
/// The probability with which a run that learns as the reference is marked, over all epochs and both figures, if the
/// logarithms were distributed normally. Their tails are heavier: at 0.01 one of the 24 reference runs is marked by the
/// others.
const FAMILY_ERROR: f64 = 0.001;
/// Figures after each epoch: the loss and the error.
const FIGURES: usize = 2;

/// What the reference runs had after one epoch: the logarithms of their training losses and of their test errors in
/// percent, by seed.
#[derive(Debug, Default, Clone)]
struct Reference {
    log_losses: Vec<f64>,
    log_errors: Vec<f64>,
}

/// The reference runs' figures after each epoch, the first one's first.
fn references() -> Vec<Reference> {
    let mut epochs: Vec<Reference> = Vec::new();
    for line in CURVES.lines().skip(1) {
        let fields: Vec<f64> = line.split(',').filter_map(|field| field.parse().ok()).collect();
        let [_, epoch, loss, error_pct] = fields[..] else { continue };
        let index = epoch as usize - 1;
        if epochs.len() <= index {
            epochs.resize_with(index + 1, Reference::default);
        }
        epochs[index].log_losses.push(loss.ln());
        epochs[index].log_errors.push(error_pct.ln());
    }
    epochs
}

/// The range in which a further value lies with probability 1 - 2 `tail`, on each side with `tail` outside, if values
/// are distributed normally.
///
/// Source: the prediction interval of G. J. Hahn, W. Q. Meeker, "Statistical intervals", 1991, section 4.7.
fn predicted(values: &[f64], tail: f64) -> [f64; 2] {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let reach = student_quantile(1.0 - tail, count - 1.0) * (variance * (1.0 + 1.0 / count)).sqrt();
    [mean - reach, mean + reach]
}

/// The quantile of Student's t distribution above its middle.
///
/// Source: the density, integrated by Simpson's rule up to where bisection finds the probability.
fn student_quantile(probability: f64, degrees: f64) -> f64 {
    let density = |t: f64| (1.0 + t * t / degrees).powf(-0.5 * (degrees + 1.0));
    let area = |to: f64| {
        const STEPS: usize = 2000;
        let width = to / STEPS as f64;
        let weight = |index: usize| match index {
            0 | STEPS => 1.0,
            _ if index % 2 == 1 => 4.0,
            _ => 2.0,
        };
        (0..=STEPS).map(|index| weight(index) * density(width * index as f64)).sum::<f64>() * width / 3.0
    };
    // Beyond it lies less than any probability that is asked for.
    let half = area(FAR);
    let (mut low, mut high) = (0.0, FAR);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if 0.5 + 0.5 * area(middle) / half < probability { low = middle } else { high = middle }
    }
    low
}

/// Where the density of Student's t is taken to end.
const FAR: f64 = 60.0;

/// What one figure of an epoch says.
fn judged(name: &str, unit: &str, epoch: u32, value: f64, [low, high]: [f64; 2]) -> Option<String> {
    let expected = format!("reference runs predict {low:.3} to {high:.3}{unit}");
    let told = |way: &str| format!("learns too {way}: the {name} of epoch {epoch} is {value:.3}{unit}, and {expected}");
    match value {
        _ if value > high => Some(told("slowly")),
        _ if value < low => Some(told("well")),
        _ => None,
    }
}

/// One line for the first epoch of each training at which a standard run on MNIST learns otherwise than the reference
/// runs; none for other runs.
pub fn deviations(result: &RunResult) -> Vec<String> {
    if !result.standard {
        return Vec::new();
    }
    let references = references();
    let tail = FAMILY_ERROR / (2 * FIGURES * references.len()) as f64;
    let of_epoch = |(epoch, reference): (&Epoch, &Reference)| {
        let loss = epoch.train_loss.value().and_then(|&loss| {
            let band = predicted(&reference.log_losses, tail).map(f64::exp);
            judged("training loss", "", epoch.epoch, loss, band)
        });
        let error = || {
            let error_pct = *epoch.test_error_pct.value()?;
            let band = predicted(&reference.log_errors, tail).map(f64::exp);
            judged("test error", " %", epoch.epoch, error_pct, band)
        };
        loss.or_else(error)
    };
    let mut found: Vec<String> = Vec::new();
    for repeat in &result.repeats {
        let first = repeat.epochs.iter().zip(&references).find_map(of_epoch);
        found.extend(first.filter(|words| !found.contains(words)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::Measured;

    #[test]
    fn the_reference_has_twenty_runs_of_ten_epochs() {
        let references = references();
        assert_eq!(references.len(), 10);
        for reference in references {
            assert!(reference.log_losses.len() >= 20 && reference.log_errors.len() == reference.log_losses.len());
        }
    }

    /// Source: table of Student's t in N. R. Draper, H. Smith, "Applied regression analysis", 1998.
    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (probability, degrees, quantile) in
            [(0.975, 19.0, 2.093), (0.995, 10.0, 3.169), (0.9995, 19.0, 3.883), (0.9995, 23.0, 3.768)]
        {
            let found = student_quantile(probability, degrees);
            assert!((found - quantile).abs() < 0.002, "{probability}, {degrees}: {found}");
        }
    }

    #[test]
    fn no_reference_run_is_marked_by_the_others() {
        let references = references();
        let tail = FAMILY_ERROR / (2 * FIGURES * references.len()) as f64;
        for (index, reference) in references.iter().enumerate() {
            for figures in [&reference.log_losses, &reference.log_errors] {
                for left_out in 0..figures.len() {
                    let mut others = figures.clone();
                    let value = others.remove(left_out);
                    let [low, high] = predicted(&others, tail);
                    assert!((low..=high).contains(&value), "epoch {}, run {left_out}: {value}", index + 1);
                }
            }
        }
    }

    #[test]
    fn the_reference_runs_learn_as_they_do_and_others_are_told() {
        let stored = include_str!("../../results/20261124T182840Z-amd-epyc-seed1.json");
        let result = RunResult::from_json(stored).expect("a stored result");
        assert_eq!(deviations(&result), Vec::<String>::new());
        let with = |change: &dyn Fn(&mut Epoch)| {
            let mut changed = result.clone();
            changed.repeats.iter_mut().for_each(|repeat| change(&mut repeat.epochs[4]));
            deviations(&changed)
        };
        let slow = with(&|epoch| epoch.train_loss = epoch.train_loss.clone().map(|loss| 2.0 * loss));
        assert!(slow.len() == 1 && slow[0].starts_with("learns too slowly: the training loss of epoch 5"), "{slow:?}");
        let well = with(&|epoch| epoch.test_error_pct = Measured::Value(0.1));
        assert!(well.len() == 1 && well[0].starts_with("learns too well: the test error of epoch 5"), "{well:?}");
        let other = RunResult { standard: false, ..result.clone() };
        assert!(deviations(&other).is_empty());
    }
}

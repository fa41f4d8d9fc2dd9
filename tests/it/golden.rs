//! The reference against PyTorch: `tests/fixtures/golden.json`, made by `make_golden.py` beside it.

use gpubench::model::{CLASSES, IMAGE_PIXELS, Model, Training};
use gpubench::reference::{Network, batch_gather, dropout_forward};
use serde::Deserialize;

/// Largest deviation, relative to the size of the values. Both sides compute in f64 and differ only by rounding.
const TOLERANCE: f64 = 1e-9;
/// The rate that the file's masks were drawn with.
const DROPOUT_RATE: f32 = 0.2;

#[derive(Deserialize)]
struct Golden {
    ranges: Vec<f64>,
    labels: Vec<u8>,
    dropout_key: [u32; 2],
    dropout_step: u32,
    dropped: Vec<usize>,
    without_dropout: Case,
    with_dropout: Case,
    trained: Trained,
}

#[derive(Deserialize)]
struct Case {
    activations: Vec<Digest>,
    logits: Vec<f64>,
    losses: Vec<f64>,
    gradients: Vec<Digest>,
}

#[derive(Deserialize)]
struct Trained {
    loss_sums: Vec<f64>,
    parameters: Vec<Digest>,
    velocities: Vec<Digest>,
}

#[derive(Deserialize)]
struct Digest {
    name: String,
    sum: f64,
    sum_squares: f64,
    weighted_sum: f64,
    samples: Vec<(usize, f64)>,
}

impl Digest {
    /// Asserts that `values` have this digest.
    fn assert_matches(&self, what: &str, values: &[f64]) {
        let name = format!("{what} of {}", self.name);
        let weight = |index: usize| (index % 1021) as f64;
        let weighted = || values.iter().enumerate().map(|(index, value)| value * weight(index));
        let absolute: f64 = values.iter().map(|value| value.abs()).sum();
        let squares: f64 = values.iter().map(|value| value * value).sum();
        assert!(squares > 0.0, "{name}: all values are 0, so the comparison would prove nothing");
        assert_close(&format!("{name}, sum"), values.iter().sum(), self.sum, absolute);
        assert_close(&format!("{name}, sum of squares"), squares, self.sum_squares, squares);
        let weighted_absolute = weighted().map(f64::abs).sum();
        assert_close(&format!("{name}, weighted sum"), weighted().sum(), self.weighted_sum, weighted_absolute);
        assert_eq!(self.samples.len(), 16, "{name}");
        let root_mean_square = (squares / values.len() as f64).sqrt();
        for &(index, expected) in &self.samples {
            assert_close(&format!("{name}, index {index}"), values[index], expected, root_mean_square);
        }
    }
}

fn assert_close(what: &str, found: f64, expected: f64, size: f64) {
    let deviation = (found - expected).abs();
    assert!(deviation <= TOLERANCE * size, "{what}: {found:e}, expected {expected:e}, for values of size {size:e}");
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../fixtures/golden.json"))
        .expect("golden.json has the form that the test expects")
}

/// The well mixed 32-bit words of `make_golden.py` for the tensor of this index.
fn mixed(tensor: u32, count: usize) -> impl Iterator<Item = u32> {
    (0..count as u32).map(move |index| {
        let word = index.wrapping_mul(2_654_435_761).wrapping_add(tensor * 97);
        let word = (word ^ (word >> 15)).wrapping_mul(2_246_822_519);
        let word = (word ^ (word >> 13)).wrapping_mul(3_266_489_917);
        word ^ (word >> 16)
    })
}

/// The network of the file, with dropout or without.
fn network(golden: &Golden, rate: f32) -> Network {
    let model = Model::new(rate);
    assert_eq!(golden.ranges.len(), model.parameters.len());
    let mut values = Vec::new();
    for (index, (parameter, range)) in model.parameters.iter().zip(&golden.ranges).enumerate() {
        let value = |word: u32| ((f64::from(word >> 8) - 8_388_608.0) / 8_388_608.0 * range) as f32;
        values.extend(mixed(index as u32, parameter.elements()).map(value));
    }
    Network::new(model, Training::STANDARD, &values, golden.dropout_key)
}

/// The images of the file as pixels [N, 1, 28, 28].
fn pixels(golden: &Golden) -> Vec<f64> {
    let images = golden.labels.len();
    let bytes: Vec<u8> =
        mixed(golden.ranges.len() as u32, images * IMAGE_PIXELS).map(|word| (word >> 24) as u8).collect();
    batch_gather(&bytes, &golden.labels, &(0..images as u32).collect::<Vec<u32>>()).0
}

fn assert_case(golden: &Golden, rate: f32, dropout_step: Option<u32>, expected: &Case) {
    let (network, pixels) = (network(golden, rate), pixels(golden));
    let trace = network.forward(&pixels, &golden.labels, dropout_step);
    assert_eq!(expected.activations.len(), 7);
    for digest in &expected.activations {
        let index =
            network.model.layers.iter().position(|layer| layer.name == digest.name).expect("a layer of the model");
        digest.assert_matches("activations", &trace.activations[index + 1]);
    }
    let logits = &trace.activations[network.model.layers.len() - 1];
    assert_eq!((logits.len(), expected.logits.len()), (3 * CLASSES, 3 * CLASSES));
    for (index, (found, expected)) in logits.iter().zip(&expected.logits).enumerate() {
        assert_close(&format!("logit {index}"), *found, *expected, 1.0);
    }
    assert_eq!((trace.losses().len(), expected.losses.len()), (3, 3));
    for (index, (found, expected)) in trace.losses().iter().zip(&expected.losses).enumerate() {
        assert_close(&format!("loss {index}"), *found, *expected, 1.0);
    }
    let result = network.gradients(&pixels, &golden.labels, dropout_step.unwrap_or(0));
    assert_close("loss sum", result.loss_sum, expected.losses.iter().sum(), 1.0);
    assert_digests("gradient", &network.model, &result.gradients, &expected.gradients);
}

/// Asserts that the values of every parameter tensor have their digest.
fn assert_digests(what: &str, model: &Model, values: &[f64], digests: &[Digest]) {
    assert_eq!(digests.len(), model.parameters.len());
    for (parameter, digest) in model.parameters.iter().zip(digests) {
        assert_eq!(parameter.name, digest.name);
        digest.assert_matches(what, &values[parameter.range()]);
    }
}

#[test]
fn a_pass_without_dropout_is_that_of_pytorch() {
    let golden = golden();
    assert_case(&golden, 0.0, None, &golden.without_dropout);
}

#[test]
fn a_pass_with_dropout_is_that_of_pytorch_with_a_mask_of_its_own_making() {
    let golden = golden();
    assert_case(&golden, DROPOUT_RATE, Some(golden.dropout_step), &golden.with_dropout);
}

#[test]
fn dropout_drops_the_elements_that_numpy_drops() {
    let golden = golden();
    let ones = vec![1.0; golden.labels.len() * 400];
    let y = dropout_forward(&ones, golden.dropout_key, golden.dropout_step, DROPOUT_RATE);
    let dropped: Vec<usize> = (0..y.len()).filter(|&element| y[element] == 0.0).collect();
    assert_eq!(dropped, golden.dropped);
    assert!((200..280).contains(&dropped.len()), "{} of 1200 dropped", dropped.len());
}

#[test]
fn five_training_steps_end_where_those_of_pytorch_end() {
    let golden = golden();
    let (mut network, pixels) = (network(&golden, DROPOUT_RATE), pixels(&golden));
    assert_eq!(golden.trained.loss_sums.len(), 5);
    for (step, expected) in golden.trained.loss_sums.iter().enumerate() {
        let result = network.training_step(&pixels, &golden.labels, step as u32);
        assert_close(&format!("loss sum of step {step}"), result.loss_sum, *expected, *expected);
    }
    assert_digests("trained value", &network.model, &network.parameters, &golden.trained.parameters);
    assert_digests("velocity", &network.model, &network.velocities, &golden.trained.velocities);
}
